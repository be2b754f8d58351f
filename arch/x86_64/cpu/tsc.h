/* The time stamp counter as the hypervisor's clock: its frequency, and conversions cheap enough for every exit. */
#ifndef ARCH_X86_64_CPU_TSC_H
#define ARCH_X86_64_CPU_TSC_H

#include "arch/x86_64/cpu/calibrate.h"
#include "arch/x86_64/cpu/insn.h"
#include "hv/lib/types.h"

/* Written once by tsc_calibrate(). Fixed point with 32 fractional bits. */
struct tsc_scale {
    uint64_t hz;
    uint64_t ns_per_tick;
    uint64_t ticks_per_ns;
};
extern struct tsc_scale tsc_scale;

/* Measure the TSC against the first of `refs` (best first) that runs, cross-check the next one and CPUID leaf 15h,
 * and log what was used and what was ignored and why. False if no reference runs: nothing can be timed then. */
bool tsc_calibrate(const struct clock_ref *refs, unsigned count) MUST_CHECK;

/* Then: measure this CPU's local APIC timer against the TSC and tell lapic.c. Disarms the timer. */
uint64_t tsc_calibrate_lapic(void);

/* Both truncate; exact to one in 2^32 of the value. */
static inline uint64_t tsc_to_ns(uint64_t ticks)
{
    return mul_shift_32(ticks, tsc_scale.ns_per_tick);
}

static inline uint64_t ns_to_tsc(uint64_t ns)
{
    return mul_shift_32(ns, tsc_scale.ticks_per_ns);
}

void tsc_delay_us(uint64_t us);

#endif
