/* ELF executables, 32- and 64-bit x86, read into one neutral form. Private to the loaders. */
#ifndef HV_PART_ELF_H
#define HV_PART_ELF_H

#include "hv/part/load_job.h"

struct elf {
    const struct load_file *file;
    bool is64;
    uint64_t entry;
    uint64_t phoff, shoff;
    uint16_t phnum, phentsize, shnum, shentsize, shstrndx;
    /* filled by elf_open: the physical addresses all its segments lie in */
    uint64_t low, high; /* [low, high) */
};

/* True if the file starts as an ELF file of this class (1: 32-bit, 2: 64-bit). */
bool elf_matches(const struct load_file *file, uint8_t class);

/* Read and check the header and every program header. */
enum load_status elf_open(struct load_job *job, struct elf *elf) MUST_CHECK;

/* Load all segments at their physical addresses plus `delta` (modulo 2^64, for images moved down), and translate
 * the entry point, which may be a virtual address, to the physical address it ends up at. */
enum load_status elf_load(struct load_job *job, const struct elf *elf, uint64_t delta, uint64_t *entry) MUST_CHECK;

/* Section headers for the kernel: sections that no segment loads (symbols, strings, debug data) are put from `min`
 * on if there is room; their copies of the headers say where. elf_place_sections() decides, elf_read_section() gives
 * the finished header number `i`, elf->shentsize bytes, for the caller to write. Without room, addresses stay 0. */
struct elf_sections {
    uint64_t base; /* of the extra sections; 0: not loaded */
};
enum load_status elf_place_sections(struct load_job *job, const struct elf *elf, uint64_t min,
                                    struct elf_sections *sections) MUST_CHECK;
#define ELF_SECTION_MAX 64
void elf_read_section(const struct elf *elf, const struct elf_sections *sections, unsigned i,
                      uint8_t header[ELF_SECTION_MAX]);

#endif
