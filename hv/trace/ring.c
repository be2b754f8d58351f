#include "hv/trace/ring.h"

_Static_assert((TRACE_RING_RECORDS & (TRACE_RING_RECORDS - 1)) == 0, "a mask makes an index");

static void fill(struct trace_record *r, uint32_t who, unsigned kind, uint64_t tsc, uint64_t rip, uint64_t info)
{
    *r = (struct trace_record){ .tsc = tsc, .rip = rip, .info = info, .kind = (uint8_t)kind, .type = (uint8_t)(who >> 8),
                                .partition = (uint8_t)(who >> 16), .vcpu = (uint8_t)(who >> 24) };
}

void trace_put(struct trace_ring *ring, uint32_t who, unsigned kind, uint64_t tsc, uint64_t rip, uint64_t info)
{
    if (!ring)
        return;
    fill(trace_ring_open(ring), who, kind, tsc, rip, info);
    trace_ring_close(ring);
}

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
