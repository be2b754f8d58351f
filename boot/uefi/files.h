/* Files on the volume that the loader itself was started from. Names use '/', relative to \trapeze. */
#ifndef BOOT_UEFI_FILES_H
#define BOOT_UEFI_FILES_H

#include "boot/uefi/efi.h"

struct file {
    uint64_t base; /* physical, page aligned, below 4 GiB */
    uint64_t size; /* bytes */
};

EFI_STATUS files_open_volume(void) MUST_CHECK;

/* Reads the whole file into pages that stay. On an error nothing stays allocated. */
EFI_STATUS files_read(const char *name, struct file *out) MUST_CHECK;

/* Creates or replaces a file. */
EFI_STATUS files_write(const char *name, const void *data, uint64_t size) MUST_CHECK;

#endif
