/* The main counter of a High Precision Event Timer: IA-PC HPET specification, "Register Model". */
#ifndef DRIVERS_HPET_H
#define DRIVERS_HPET_H

#include "arch/x86_64/cpu/calibrate.h"

enum { HPET_MMIO_SIZE = 1024 };

/* `registers`: the block, mapped uncached; it must outlive *clock. Starts the counter if it is stopped. False if what
 * is there is no HPET (period 0 or above the specification's 100 ns). */
bool hpet_clock(volatile void *registers, struct clock_ref *clock) MUST_CHECK;

#endif
