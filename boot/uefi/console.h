/* The loader's voice: the firmware's console, and COM1 where the firmware's console does not include it. */
#ifndef BOOT_UEFI_CONSOLE_H
#define BOOT_UEFI_CONSOLE_H

#include "hv/lib/types.h"

void console_init(void);

/* One line; the line's end is added. */
void console_say(const char *format, ...) PRINTF(1, 2);

/* After ExitBootServices: COM1 only, then halt. */
NORETURN void console_stop(const char *line);

/* Give a reader time: returns after a key or some seconds. */
void console_pause(void);

#endif
