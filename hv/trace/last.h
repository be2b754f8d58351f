/* The most recent records of several rings, put in the order of their time. */
#ifndef HV_TRACE_LAST_H
#define HV_TRACE_LAST_H

#include "hv/trace/ring.h"

#define TRACE_MAX_RINGS 64u

/* Which records are wanted. */
struct trace_filter {
    int partition; /* index, or -1: any */
    int type;      /* enum trace_type, or -1 */
    uint64_t kinds; /* bit n: kind n; 0: any */
};

bool trace_wanted(const struct trace_filter *f, const struct trace_record *r);

/* The last `max` at most, the oldest first; returns how many. Neither locks nor allocates. What is overwritten while it looks is left
 * out. Rings that are NULL are skipped; `count` is TRACE_MAX_RINGS at most. */
size_t trace_last_of(const struct trace_ring *const *rings, unsigned count, const struct trace_filter *f,
                     struct trace_record *out, size_t max);

#endif
