/* The main counter of a High Precision Event Timer: IA-PC HPET specification, "Register Model". */
#ifndef DRIVERS_HPET_H
#define DRIVERS_HPET_H

#include "arch/x86_64/cpu/calibrate.h"

enum { HPET_MMIO_SIZE = 1024 };

/* `registers`: the block, mapped uncached; it must outlive *clock. Starts the counter if it is stopped. False if what
 * is there is no HPET (period 0 or above the specification's 100 ns). */
bool hpet_clock(volatile void *registers, struct clock_ref *clock) MUST_CHECK;

/* Once, after the clock and the TSC's calibration: an edge of timer 0 in a millisecond, and then every `period_ns`, at input 2
 * of the first IOAPIC in place of the PIT's ("LegacyReplacement Route"). False if it cannot do that. */
bool hpet_tick(volatile void *registers, uint64_t period_ns) MUST_CHECK;

#endif
