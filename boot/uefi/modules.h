/* trapeze.cfg and every file it names, as modules. */
#ifndef BOOT_UEFI_MODULES_H
#define BOOT_UEFI_MODULES_H

#include "boot/boot_info.h"

/* Reads them all. A file that is named but cannot be read becomes a BOOT_MODULE_MISSING entry, with a message.
 * False (after a message) if there is no configuration. */
bool modules_load(struct boot_info *info) MUST_CHECK;

#endif
