#include "boot/uefi/elf_image.h"
#include "hv/lib/str.h"

/* ELF-64: System V ABI, "ELF Header" and "Program Header". */
struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
HW_SIZE(struct elf_header, 64);

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
HW_SIZE(struct elf_segment, 56);

#define ELF_IDENT     "\177ELF\2\1\1" /* 64-bit, little-endian, version 1 */
#define ELF_EXEC      2
#define ELF_X86_64    62
#define ELF_LOAD      1
#define LARGEST_IMAGE GiB(1) /* the early page tables map no more */

static struct elf_segment segment_at(const struct elf_image *image, unsigned i)
{
    struct elf_header h;
    struct elf_segment s;
    memcpy(&h, image->file, sizeof h);
    memcpy(&s, image->file + h.phoff + (uint64_t)i * sizeof s, sizeof s);
    return s;
}

static unsigned segment_count(const struct elf_image *image)
{
    struct elf_header h;
    memcpy(&h, image->file, sizeof h);
    return h.phnum;
}

static const char *measure(struct elf_image *image, uint64_t file_size, uint64_t *end)
{
    image->virtual_base = UINT64_MAX;
    *end = 0;
    for (unsigned i = 0; i < segment_count(image); i++) {
        struct elf_segment s = segment_at(image, i);
        if (s.type != ELF_LOAD || !s.memsz)
            continue;
        if (s.filesz > s.memsz || !range_fits(s.offset, s.filesz, file_size))
            return "a segment lies outside of the file (is it truncated?)";
        if (s.vaddr + s.memsz < s.vaddr)
            return "a segment wraps around the address space";
        image->virtual_base = MIN(image->virtual_base, s.vaddr);
        *end = MAX(*end, s.vaddr + s.memsz);
    }
    return *end ? NULL : "it has nothing to load";
}

const char *elf_image_parse(const void *file, uint64_t file_size, struct elf_image *out)
{
    struct elf_header h;
    if (file_size < sizeof h)
        return "it is too short for an ELF header";
    memcpy(&h, file, sizeof h);
    if (memcmp(h.ident, ELF_IDENT, 7) || h.type != ELF_EXEC || h.machine != ELF_X86_64)
        return "it is not a 64-bit x86 ELF executable";
    if (h.phentsize != sizeof(struct elf_segment) ||
        !range_fits(h.phoff, (uint64_t)h.phnum * sizeof(struct elf_segment), file_size))
        return "its program headers lie outside of the file (is it truncated?)";
    *out = (struct elf_image){ .file = file };
    uint64_t end;
    const char *problem = measure(out, file_size, &end);
    if (problem)
        return problem;
    out->size = end - out->virtual_base;
    if (out->size > LARGEST_IMAGE)
        return "it is larger than 1 GiB in memory";
    if (out->virtual_base & (MiB(2) - 1))
        return "it is not linked at a 2 MiB boundary";
    if (h.entry < out->virtual_base || h.entry >= end)
        return "its entry point lies outside of its segments";
    out->entry = h.entry - out->virtual_base;
    return NULL;
}

void elf_image_place(const struct elf_image *image, void *memory)
{
    memset(memory, 0, image->size);
    for (unsigned i = 0; i < segment_count(image); i++) {
        struct elf_segment s = segment_at(image, i);
        if (s.type == ELF_LOAD && s.memsz)
            memcpy((char *)memory + (s.vaddr - image->virtual_base), image->file + s.offset, s.filesz);
    }
}
