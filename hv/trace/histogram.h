/* How many values fell where, in buckets whose width is a sixteenth of the value: a percentile is exact below 32 and
 * else at most 1/16 too low. */
#ifndef HV_TRACE_HISTOGRAM_H
#define HV_TRACE_HISTOGRAM_H

#include "hv/lib/types.h"

#define TRACE_HISTOGRAM_BUCKETS 464

/* Zeroes: empty. */
struct trace_histogram {
    uint64_t count;
    uint32_t buckets[TRACE_HISTOGRAM_BUCKETS];
};

void trace_histogram_add(struct trace_histogram *h, uint32_t value);

/* The value that `percent` of the values do not exceed, as the lower end of its bucket; 0 if there are none. */
uint32_t trace_histogram_percentile(const struct trace_histogram *h, unsigned percent);

#endif
