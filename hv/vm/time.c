/* A partition's virtual time: its guest TSC, which stands still while it is paused, in nanoseconds. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/tsc.h"
#include "hv/vm/vm.h"

uint64_t vm_guest_tsc(const struct vcpu *v)
{
    return rdtsc() + atomic_load_explicit(&v->part->tsc_offset, memory_order_relaxed) + v->tsc_adjust;
}

uint64_t vm_host_tsc(const struct vcpu *v, uint64_t guest_tsc)
{
    return guest_tsc - v->tsc_adjust - atomic_load_explicit(&v->part->tsc_offset, memory_order_relaxed);
}

vtime_t vm_now(const struct partition *p)
{
    return tsc_to_ns(rdtsc() + atomic_load_explicit(&p->tsc_offset, memory_order_relaxed));
}

uint64_t vm_vtime_to_tsc(const struct partition *p, vtime_t t)
{
    if (t == VTIME_NEVER)
        return VM_TSC_NEVER;
    /* Rounded up: a timer may be late, never early. */
    return ns_to_tsc(t) + 1 - atomic_load_explicit(&p->tsc_offset, memory_order_relaxed);
}
