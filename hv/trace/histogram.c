#include "hv/trace/histogram.h"

#define SUB_BITS 4
#define SUB      (1u << SUB_BITS)

/* Below SUB a bucket for each value; then SUB of them for each power of two. */
static unsigned bucket_of(uint32_t value)
{
    if (value < SUB)
        return value;
    unsigned top = 31 - (unsigned)__builtin_clz(value);
    return (top - SUB_BITS + 1) * SUB + (value >> (top - SUB_BITS) & (SUB - 1));
}

static uint32_t bucket_start(unsigned bucket)
{
    if (bucket < SUB)
        return bucket;
    return (SUB + bucket % SUB) << (bucket / SUB - 1);
}

_Static_assert(TRACE_HISTOGRAM_BUCKETS == (31 - SUB_BITS + 1) * SUB + SUB, "the last value has the last bucket");

void trace_histogram_add(struct trace_histogram *h, uint32_t value)
{
    h->buckets[bucket_of(value)]++;
    h->count++;
}

uint32_t trace_histogram_percentile(const struct trace_histogram *h, unsigned percent)
{
    uint64_t wanted = (h->count * percent + 99) / 100, seen = 0;
    for (unsigned i = 0; i < TRACE_HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen && seen >= wanted)
            return bucket_start(i);
    }
    return 0;
}
