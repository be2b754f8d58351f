/* Between virtual nanoseconds and the ticks of a chip's clock, without 128-bit arithmetic and without drift: both
 * directions are exact for frequencies below 18 MHz, and ticks_from_ns(ns_from_ticks(t)) == t below 1 GHz. */
#ifndef HV_DEV_TICKS_H
#define HV_DEV_TICKS_H

#include "hv/dev/dev.h"

/* How many whole ticks of a clock of `hz` have passed by `ns`. */
static inline uint64_t ticks_from_ns(uint64_t ns, uint32_t hz)
{
    return ns / NS_PER_SEC * hz + ns % NS_PER_SEC * hz / NS_PER_SEC;
}

/* The first nanosecond at which `ticks` have passed; VTIME_NEVER if that is beyond the end of time. */
static inline uint64_t ns_from_ticks(uint64_t ticks, uint32_t hz)
{
    uint64_t seconds = ticks / hz;
    if (seconds >= VTIME_NEVER / NS_PER_SEC)
        return VTIME_NEVER;
    return seconds * NS_PER_SEC + (ticks % hz * NS_PER_SEC + hz - 1) / hz;
}

#endif
