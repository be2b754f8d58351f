/* What the hardware says of its own failures: SDM vol 3, "Machine-Check MSRs". */
#ifndef ARCH_X86_64_CPU_MACHINE_CHECK_H
#define ARCH_X86_64_CPU_MACHINE_CHECK_H

#include "hv/lib/types.h"

/* Tells MCG_STATUS and every bank of this CPU that holds an error, through log_line or log_emergency. */
void machine_check_log(void (*say)(const char *format, ...));

/* True if this CPU can go on, though what it was doing cannot; the record is cleared then, so that the next machine
 * check does not shut the machine down. */
bool machine_check_recover(void) MUST_CHECK;

#endif
