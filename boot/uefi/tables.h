/* What the firmware knows of the machine, into struct boot_info. */
#ifndef BOOT_UEFI_TABLES_H
#define BOOT_UEFI_TABLES_H

#include "boot/boot_info.h"

/* RSDP, framebuffer, CPU list, boot CPU; what is not there stays 0. Says what it found. */
void tables_collect(struct boot_info *info);

#endif
