/* Leaving the firmware: the memory map, ExitBootServices, and the map's conversion. */
#ifndef BOOT_UEFI_LEAVE_H
#define BOOT_UEFI_LEAVE_H

#include "boot/uefi/efi.h"

/* On success the firmware is gone and info->memory is filled in, with modules, image, log and `info` itself carved
 * out; no boot service may be called. On failure the firmware still runs. */
EFI_STATUS leave_firmware(struct boot_info *info) MUST_CHECK;

#endif
