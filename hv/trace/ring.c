#include "hv/trace/ring.h"

_Static_assert((TRACE_RING_RECORDS & (TRACE_RING_RECORDS - 1)) == 0, "a mask makes an index");

static uint64_t head_of(const struct trace_ring *ring)
{
    return *(const volatile uint64_t *)&ring->head / sizeof(struct trace_record);
}

uint64_t trace_written(const struct trace_ring *ring)
{
    return head_of(ring);
}

/* The slot that `head` is at may be half-written: it holds the record one before the oldest. */
uint64_t trace_oldest(const struct trace_ring *ring)
{
    uint64_t head = head_of(ring);
    return head < TRACE_RING_RECORDS ? 0 : head - TRACE_RING_RECORDS + 1;
}

bool trace_read(const struct trace_ring *ring, uint64_t n, struct trace_record *out)
{
    if (n >= head_of(ring))
        return false;
    atomic_thread_fence(memory_order_acquire);
    *out = *(const volatile struct trace_record *)&ring->records[n & (TRACE_RING_RECORDS - 1)];
    atomic_thread_fence(memory_order_acquire);
    return n >= trace_oldest(ring);
}

void trace_copy(struct trace_ring *to, const struct trace_ring *from)
{
    uint64_t end = trace_written(from);
    to->head = end * sizeof(struct trace_record);
    for (uint64_t n = trace_oldest(from); n < end; n++) {
        struct trace_record *r = &to->records[n & (TRACE_RING_RECORDS - 1)];
        if (!trace_read(from, n, r))
            *r = (struct trace_record){ .type = TRACE_NOTHING };
    }
}
