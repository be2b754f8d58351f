/* Channel 2 of the 8254 interval timer, the reference that every PC has: counts without an interrupt, gated by port 61h. */
#ifndef DRIVERS_PIT_H
#define DRIVERS_PIT_H

#include "arch/x86_64/cpu/calibrate.h"

#define PIT_HZ UINT64_C(1193182)

/* Starts channel 2 as a 16-bit counter that wraps every 55 ms, speaker off. */
void pit_clock(struct clock_ref *clock);

/* Gate closed: nothing ticks that nobody reads. */
void pit_stop(void);

#endif
