#include "hv/vm/tracing.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/mmu/host.h"

_Static_assert(PCPU_MAX <= TRACE_MAX_RINGS, "trace_last() looks at all of them");

struct trace_ring *tracing_rings[PCPU_MAX];
static struct trace_ring rings[PCPU_MAX];

unsigned tracing_start(struct page_allocator *pages)
{
    unsigned n = 0;
    for (unsigned i = 0; i < pcpu_count(); i++) {
        hpa_t block;
        if (page_alloc(pages, page_order(TRACE_RING_BYTES), PAGE_OWNER_HOST, &block) != PAGE_OK)
            continue;
        rings[i].records = hpa_to_ptr(block);
        tracing_rings[i] = pcpu_at(i)->owner = &rings[i];
        n++;
    }
    return n;
}

void tracing_vcpu(enum trace_type type, const struct vcpu *v, uint8_t kind, uint64_t info)
{
    tracing_vcpu_at(rdtsc(), type, v, kind, info);
}

void tracing_partition(enum trace_type type, const struct partition *p, uint8_t kind, uint64_t info)
{
    trace_put(tracing_here(), TRACE_WHO(type, p->index, TRACE_NOBODY), kind, rdtsc(), 0, info);
}

size_t trace_last(const struct partition *p, struct trace_record *out, size_t max)
{
    const struct trace_filter filter = { p ? (int)p->index : -1, -1, 0 };
    return trace_last_of((const struct trace_ring *const *)tracing_rings, pcpu_count(), &filter, out, max);
}
