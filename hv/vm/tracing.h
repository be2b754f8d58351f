/* What the code that runs guests writes into the trace: one ring per pCPU (hv/trace/ring.h), found here. A pCPU writes
 * to its own ring only, and never from an interrupt, so no lock is needed. */
#ifndef HV_VM_TRACING_H
#define HV_VM_TRACING_H

#include "arch/x86_64/cpu/pcpu.h"
#include "hv/trace/last.h"
#include "hv/vm/vm.h"

/* Give each pCPU a ring; returns how many got one. Before they run vCPUs. */
unsigned tracing_start(struct page_allocator *pages);

/* Of each pCPU, by index; NULL: it has none. */
extern struct trace_ring *tracing_rings[PCPU_MAX];

static inline struct trace_ring *tracing_here(void)
{
    return pcpu_this()->owner;
}

static inline uint32_t tracing_who(enum trace_type type, const struct vcpu *v)
{
    return (uint32_t)v->trace_exit + ((unsigned)type - TRACE_EXIT) * TRACE_WHO(1, 0, 0);
}

static inline void tracing_vcpu_at(uint64_t tsc, enum trace_type type, const struct vcpu *v, uint8_t kind, uint64_t info)
{
    trace_put(tracing_here(), tracing_who(type, v), kind, tsc, 0, info);
}

/* One event of a vCPU, now. */
void tracing_vcpu(enum trace_type type, const struct vcpu *v, uint8_t kind, uint64_t info);

/* The same, of a partition as a whole. */
void tracing_partition(enum trace_type type, const struct partition *p, uint8_t kind, uint64_t info);

/* The last records of a partition (NULL: of all), the oldest first; returns how many, `max` at most. Neither locks nor
 * allocates: for a guest's post-mortem and for panic(). */
size_t trace_last(const struct partition *p, struct trace_record *out, size_t max);

#endif
