/* The Multiboot2 door's voice, before the hypervisor has one: COM1, polled, as the firmware left it. */
#ifndef BOOT_MB2_EARLY_CONSOLE_H
#define BOOT_MB2_EARLY_CONSOLE_H

#include "hv/lib/types.h"

/* One line; the line's end is added. It goes to the log, too. */
void early_say(const char *line);

/* The last line, then the CPU halts for good. */
NORETURN void early_stop(const char *line);

#endif
