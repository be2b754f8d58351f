/* The fixed memory of the log ring: reserved for this run, and rescued from the run before. */
#ifndef BOOT_UEFI_LOG_AREA_H
#define BOOT_UEFI_LOG_AREA_H

#include "boot/boot_info.h"

/* To be called first of all: nothing else may have taken the fixed places. Remembers the old log's text. */
void log_area_reserve(struct boot_info *info);

/* Writes the old log, if there was one, to \trapeze\trapeze-last.log. */
void log_area_save(void);

#endif
