/* The hypervisor's ELF file: checked, measured, placed. Pure. */
#ifndef BOOT_UEFI_ELF_IMAGE_H
#define BOOT_UEFI_ELF_IMAGE_H

#include "hv/lib/types.h"

struct elf_image {
    const uint8_t *file;
    uint64_t virtual_base; /* of the lowest segment */
    uint64_t size;         /* bytes in memory, from the lowest segment to the end of the highest, bss included */
    uint64_t entry;        /* offset from the base */
};

/* Checks the file (x86-64 executable, every segment inside the file, the entry inside the image). Returns NULL and
 * fills in `out`, or a phrase that says what is wrong. */
const char *elf_image_parse(const void *file, uint64_t file_size, struct elf_image *out) MUST_CHECK;

/* Copies the segments to `memory` (image->size bytes) and zeroes all else there. */
void elf_image_place(const struct elf_image *image, void *memory);

#endif
