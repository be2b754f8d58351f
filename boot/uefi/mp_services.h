/* The part of EFI_MP_SERVICES_PROTOCOL that is used: Platform Initialization Specification vol 2, "MP Services
 * Protocol". gnu-efi does not have it. */
#ifndef BOOT_UEFI_MP_SERVICES_H
#define BOOT_UEFI_MP_SERVICES_H

#include <efi.h>

#define MP_SERVICES_GUID \
    { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } }

enum mp_status { MP_BOOT_CPU = 1, MP_ENABLED = 2, MP_HEALTHY = 4 };

struct mp_processor {
    UINT64 id;     /* APIC ID */
    UINT32 status; /* enum mp_status */
    UINT32 package, core, thread;
    UINT32 extended[6]; /* written only on request; room for it, in case */
};

struct mp_services {
    EFI_STATUS (EFIAPI *get_number)(struct mp_services *self, UINTN *count, UINTN *enabled);
    EFI_STATUS (EFIAPI *get_info)(struct mp_services *self, UINTN number, struct mp_processor *info);
    /* further services, not used */
};

#endif
