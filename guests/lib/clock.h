/* How fast the TSC runs, and the two timers of a PC. */
#ifndef GUESTS_LIB_CLOCK_H
#define GUESTS_LIB_CLOCK_H

#include <stdint.h>

#define NS_PER_SEC UINT64_C(1000000000)
#define PIT_HZ     UINT64_C(1193182)

struct clock {
    uint64_t tsc_hz;
    const char *source; /* who said so */
};

/* Asks kvm-clock if the hypervisor has it; else measures the TSC against the PIT's channel 2. */
struct clock clock_init(void);
uint64_t kvm_clock_ns(void); /* 0 without kvm-clock */

/* PIT channel 0 as a rate generator; returns the rate it really has, in ticks per 1000 s. */
uint64_t pit_start(unsigned hz);

#endif
