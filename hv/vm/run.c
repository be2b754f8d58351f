/* The vCPU's run loop: enter, count, handle, until its turn is over or it has nothing to do. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/lapic.h"
#include "hv/vm/exits.h"
#include "hv/vm/pv.h"
#include "hv/vm/vm.h"

/* Time spent in the hypervisor since the last exit goes to that exit's kind. */
static inline void charge(struct vcpu *v, uint64_t until)
{
    v->exits[v->last_kind].ticks += until - v->last_exit_tsc;
}

static enum vcpu_next take_requests(struct vcpu *v)
{
    uint32_t r = atomic_exchange_explicit(&v->requests, 0, memory_order_acquire);
    if (r & VCPU_REQ_STATE && atomic_load(&v->part->state) != PART_RUNNING) {
        v->parked = true;
        return VCPU_BLOCK;
    }
    if (r & VCPU_REQ_INIT) {
        vcpu_init_signal(v);
        if (v->index)
            atomic_store(&v->state, VCPU_WAIT_SIPI);
    }
    if (r & VCPU_REQ_SIPI && atomic_load(&v->state) == VCPU_WAIT_SIPI) {
        vcpu_start_at(v, (uint8_t)atomic_load(&v->sipi_vector));
        atomic_store(&v->state, VCPU_RUNNABLE);
    }
    if (r & VCPU_REQ_FLUSH)
        vt->nested_flush(v->part->nested.root);
    if (r & VCPU_REQ_NMI)
        v->nmi_pending = true;
    if (r & VCPU_REQ_CLOCK)
        pv_clock_update(v);
    if (r & VCPU_REQ_TIMER)
        vcpu_timers(v);
    if (atomic_load(&v->state) == VCPU_WAIT_SIPI)
        return VCPU_BLOCK;
    if (atomic_load(&v->state) == VCPU_HALTED) {
        if (!vcpu_has_event(v))
            return VCPU_BLOCK;
        atomic_store(&v->state, VCPU_RUNNABLE);
    }
    vcpu_deliver(v);
    return VCPU_RESUME;
}

enum vcpu_next vcpu_run(struct vcpu *v, uint64_t until)
{
    enum vcpu_next next = VCPU_RESUME;
    struct vt_exit *exit = &v->exit;

    v->slice_end = until;
    v->last_exit_tsc = rdtsc();
    while (next == VCPU_RESUME) {
        if (UNLIKELY(atomic_load_explicit(&v->requests, memory_order_acquire))) {
            next = take_requests(v);
            if (next != VCPU_RESUME)
                break;
        }
        uint64_t deadline = MIN(v->slice_end, v->deadline);
        if (UNLIKELY(!v->exits_at_deadline))
            lapic_timer_arm(deadline);
        vt->run(v->vt, deadline, exit);
        charge(v, v->vt->entry_tsc);
        v->last_exit_tsc = v->vt->exit_tsc;
        v->last_kind = exit->kind;
        v->exits[exit->kind].count++;
        next = exit_handlers[exit->kind](v, exit);
    }
    charge(v, rdtsc());
    return next;
}
