/* A pCPU's ring of trace records: it alone writes, anyone reads at any time, nobody waits. The oldest record is
 * overwritten first, and how many were is known: all that were ever written less what still fits.
 *
 * A writer fills the record and then moves `head`; a reader copies the record and then looks whether `head` came so near
 * that it may have been overwritten meanwhile. An exit's `ticks` and upper half of `info` come later than the rest. */
#ifndef HV_TRACE_RING_H
#define HV_TRACE_RING_H

#include <stdatomic.h>
#include "hv/trace/record.h"

#define TRACE_RING_RECORDS 16384u
#define TRACE_RING_BYTES   (TRACE_RING_RECORDS * sizeof(struct trace_record))

/* Zeroes, but for `records`. */
struct trace_ring {
    uint64_t head;                /* bytes ever written: of records, so a multiple of 32; by the owner only */
    struct trace_record *records; /* TRACE_RING_BYTES */
    struct trace_record scratch;  /* for what is to go nowhere */
} __attribute__((aligned(64)));

/* ---- writing: two steps, for the compiler to leave out what a caller does not need ---- */

static inline struct trace_record *trace_ring_open(struct trace_ring *ring)
{
    return (struct trace_record *)(void *)((char *)ring->records + (ring->head & (TRACE_RING_BYTES - 1)));
}

/* A reader on another CPU sees stores in their order (x86), so only the compiler has to keep it. */
static inline void trace_ring_close(struct trace_ring *ring)
{
    atomic_signal_fence(memory_order_release);
    ring->head += sizeof(struct trace_record);
}

/* A whole record; `who` is made by TRACE_WHO. A ring that is NULL is none. */
static inline void trace_put(struct trace_ring *ring, uint32_t who, uint8_t kind, uint64_t tsc, uint64_t rip, uint64_t info)
{
    if (UNLIKELY(!ring))
        return;
    struct trace_record *r = trace_ring_open(ring);
    r->tsc = tsc;
    r->rip = rip;
    r->info = info;
    r->who = who | kind;
    trace_ring_close(ring);
}

/* ---- reading ---- */

/* How many were ever written; the last of them has the number trace_written() - 1. */
uint64_t trace_written(const struct trace_ring *ring);

/* The number of the oldest that can still be read; more may vanish at any time. */
uint64_t trace_oldest(const struct trace_ring *ring);

/* Record number `n`; false: not written yet, or overwritten. */
bool trace_read(const struct trace_ring *ring, uint64_t n, struct trace_record *out) MUST_CHECK;

/* All that can be read of `from`, into a ring of the same size; what is overwritten meanwhile becomes TRACE_NOTHING. */
void trace_copy(struct trace_ring *to, const struct trace_ring *from);

#endif
