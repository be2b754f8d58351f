/* What the loader's files share: gnu-efi's types and the two handles the firmware gave. */
#ifndef BOOT_UEFI_EFI_H
#define BOOT_UEFI_EFI_H

#include <efi.h>
#include "boot/boot_info.h"

struct loader {
    EFI_HANDLE image;
    EFI_SYSTEM_TABLE *system;
    EFI_BOOT_SERVICES *services;
};

extern struct loader loader; /* set once, first thing in efi_main */

#define BELOW_4GIB UINT64_C(0xffffffff)

/* Pages below 4 GiB; 0 if there are none. `type` is EfiLoaderCode or EfiLoaderData. */
uint64_t efi_allocate(EFI_MEMORY_TYPE type, uint64_t bytes);

/* "out of resources" and the like, for a status. */
const char *efi_status_text(EFI_STATUS status);

#endif
