/* What Multiboot 1 and 2 have in common: finding the header, loading the image, placing modules. Private. */
#ifndef HV_PART_MULTIBOOT_H
#define HV_PART_MULTIBOOT_H

#include "hv/part/elf.h"
#include "hv/part/load_job.h"

#define MULTIBOOT_LOADER_NAME "Trapeze"

struct multiboot_module {
    const struct load_file *file;
    uint64_t base;
};

struct multiboot {
    bool is_elf; /* else loaded by the addresses in its header */
    struct elf elf;
    struct elf_sections sections;
    uint64_t entry;
    uint64_t low, high; /* physical addresses of the image, [low, high) */
    unsigned module_count;
    struct multiboot_module modules[LOAD_MAX_MODULES + 1]; /* the initrd, if any, is the first */
};

/* The addresses of a header's "a.out kludge" or address tag. 0 in load_end: up to the file's end; in bss_end: no bss. */
struct multiboot_addresses {
    uint64_t header_offset; /* in the file */
    uint32_t header, load, load_end, bss_end, entry;
};

/* The offset of a 32-bit `magic`, aligned to `align`, within the first `limit` bytes, whose `words` 32-bit words from
 * there on add up to 0; false: there is none. */
bool multiboot_find(const struct load_file *file, uint32_t magic, unsigned align, unsigned limit, unsigned words,
                    uint64_t *offset);

/* Load by header addresses; fills low, high and entry. */
enum load_status multiboot_load_addresses(struct load_job *job, const struct multiboot_addresses *a,
                                          struct multiboot *mb) MUST_CHECK;

/* Load an opened ELF image, moved by `delta`. */
enum load_status multiboot_load_elf(struct load_job *job, uint64_t delta, struct multiboot *mb) MUST_CHECK;

/* Put the modules behind the image, on page boundaries, and then the ELF sections. */
enum load_status multiboot_place_modules(struct load_job *job, struct multiboot *mb) MUST_CHECK;

/* KiB of RAM below 1 MiB, and from 1 MiB on up to the first hole. */
uint32_t multiboot_mem_lower(void);
uint32_t multiboot_mem_upper(const struct layout *layout);

/* Finish: 32-bit state with `magic` in EAX and `info` in EBX. */
enum load_status multiboot_finish(struct load_job *job, const struct multiboot *mb, enum load_kind kind,
                                  uint32_t magic, uint64_t info) MUST_CHECK;

#endif
