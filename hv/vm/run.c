/* The vCPU's run loop: enter, count, handle, until its turn is over or it has nothing to do. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/vt/enter.h"
#include "hv/vm/exits.h"
#include "hv/vm/pv.h"
#include "hv/vm/tracing.h"

/* A CPU whose backend cannot end run() by itself is interrupted by its APIC timer. One that is armed for an earlier time
 * may stay: it is set anew when it has fired (exit_misc.c). */
static __attribute__((noinline)) void arm_timer(struct vcpu *v)
{
    if (v->run_until >= v->armed)
        return;
    v->armed = v->run_until;
    lapic_timer_arm(v->run_until);
}

static void set_run_until(struct vcpu *v)
{
    uint64_t due = MIN(v->slice_end, v->deadline); /* a turn has an end, so the sum does not wrap */
    v->run_until = due + v->timer_slack;
    if (UNLIKELY(!v->exits_at_deadline))
        arm_timer(v);
}

void vcpu_set_deadline(struct vcpu *v, uint64_t tsc)
{
    v->deadline = tsc;
    set_run_until(v);
}

void vcpu_set_slice(struct vcpu *v, uint64_t tsc)
{
    v->slice_end = tsc;
    v->armed = VM_TSC_NEVER; /* it may have fired, or be another's */
    set_run_until(v);
}

static __attribute__((noinline)) enum vcpu_next take_rare_requests(struct vcpu *v)
{
    uint32_t r = atomic_exchange_explicit(&v->requests, 0, memory_order_acquire);
    if (r & VCPU_REQ_STATE && atomic_load(&v->part->state) != PART_RUNNING) {
        atomic_fetch_or(&v->requests, r & ~(uint32_t)VCPU_REQ_STATE); /* for when it goes on */
        v->parked = true;
        return VCPU_BLOCK;
    }
    if (r & VCPU_REQ_INIT) {
        if (v->index == 0) { /* a PC's boot CPU would start the firmware anew */
            /* Refused: it was paused or ended meanwhile. Then all of it waits for when it goes on. */
            bool reset = partition_reset(v->part, "INIT to its boot CPU");
            atomic_fetch_or(&v->requests, reset ? (uint32_t)VCPU_REQ_STATE : r | VCPU_REQ_STATE);
            return take_rare_requests(v);
        }
        vcpu_init_signal(v);
        atomic_store(&v->state, VCPU_WAIT_SIPI);
    }
    if (r & VCPU_REQ_SIPI && atomic_load(&v->state) == VCPU_WAIT_SIPI) {
        vcpu_start_at(v, (uint8_t)atomic_load(&v->sipi_vector));
        atomic_store(&v->state, VCPU_RUNNABLE);
    }
    if (r & VCPU_REQ_FLUSH)
        vt.nested_flush(v->part->nested.root);
    if (r & VCPU_REQ_NMI)
        v->nmi_pending = true;
    if (r & VCPU_REQ_SNAPSHOT) {
        vt.snapshot(v->vt, &v->snapshot);
        atomic_store(&v->snapshot_wanted, false);
    }
    if (r & VCPU_REQ_POLICY)
        vt.set_policy(v->vt, atomic_load(&v->part->policy));
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
    return UNLIKELY(r & VCPU_REQ_YIELD) ? VCPU_YIELD : VCPU_RESUME;
}

/* What a running vCPU's own APIC asks for is all that there is to do, mostly. */
static inline enum vcpu_next take_requests(struct vcpu *v)
{
    uint32_t event = VCPU_REQ_EVENT;
    if (UNLIKELY(atomic_load_explicit(&v->state, memory_order_relaxed) != VCPU_RUNNABLE) ||
        UNLIKELY(!atomic_compare_exchange_strong_explicit(&v->requests, &event, 0, memory_order_acquire, memory_order_relaxed)))
        return take_rare_requests(v);
    vcpu_deliver(v);
    return VCPU_RESUME;
}

/* Time spent in the hypervisor between an exit and the next entry goes to that exit's kind. */
static inline int64_t account(struct vcpu *v, uint64_t kind, uint64_t left, uint64_t now)
{
    int64_t spent = (int64_t)now - (int64_t)left; /* signed: one addition to memory; else compilers reorder it */
    v->exit_ticks[kind] += (uint64_t)spent;
    return spent;
}

/* The exit's record; trace_handled() adds what is known of it only when it has been handled. Both together, with what the
 * backends do for them, are at most 20 instructions: `make bench`, and again with without=trace. Hence the arguments:
 * after a store a compiler would read v->vt again. */
static inline struct trace_record *trace_exit(struct trace_ring *ring, const struct vt_vcpu *vcpu, uint64_t left, uint64_t who,
                                              uint64_t kind)
{
    struct trace_record *r = trace_ring_open(ring);
    r->tsc = left;
    r->rip = vcpu->exit.rip;
    r->info = *(const uint64_t *)(const void *)((const char *)vcpu + exit_infos[kind].before);
    r->who = who | kind;
    trace_ring_close(ring);
    return r;
}

static inline void trace_handled(struct trace_record *r, const struct vt_vcpu *vcpu, uint64_t kind, int64_t spent)
{
    r->ticks = (uint32_t)spent;
    r->info_high = *(const uint32_t *)(const void *)((const char *)vcpu + exit_infos[kind].after);
}

/* The monitor's `step`: this vCPU was the first to exit, or another was, or it did not get into the guest. What the machine
 * does meanwhile is no step of the guest's: an idle one would show nothing else. */
static void stepped(struct vcpu *v, const struct trace_record *r)
{
    bool stepping = true;
    if (r == &v->ring->scratch || exit_cause(r->kind) == EXIT_BY_HOST ||
        !atomic_compare_exchange_strong(&v->part->stepping, &stepping, false))
        return;
    v->part->stepped = *r;
    (void)partition_pause(v->part);
}

/* `trace` and `once` are constants where this is inlined, so that without them nothing of them is left. */
static inline __attribute__((always_inline)) enum vcpu_next run(struct vcpu *v, bool trace, bool once)
{
    struct vcpu *volatile kept = v; /* vt_enter() keeps no register: read back once, not at every use */
    struct vt_vcpu *vcpu = v->vt;
    struct trace_record *record = trace ? &v->ring->scratch : NULL;
    enum vcpu_next next;
    uint64_t kind = vcpu->exit.kind; /* 64 bits: a register is an index then */
    const uint64_t began = vcpu->exit_tsc = rdtsc();
    uint64_t left = began; /* when the guest last stopped */

    do {
        uint64_t now, ticks;
        if (UNLIKELY(atomic_load_explicit(&v->requests, memory_order_acquire))) {
            next = take_requests(v);
            if (next != VCPU_RESUME)
                break;
        }
        now = rdtsc();
        if (UNLIKELY(__builtin_sub_overflow(v->run_until, now, &ticks))) {
            /* An injected event comes before the preemption timer: one whose delivery exits again, as #AC on a misaligned
             * stack, would keep this CPU for ever. So a late turn ends here, if it had an entry. */
            if (left != began && now >= v->slice_end) {
                next = VCPU_YIELD;
                break;
            }
            ticks = 0;
        }
        int64_t spent = account(v, kind, left, now);
        if (trace)
            trace_handled(record, vcpu, kind, spent);
        if (LOCK_ORDER_CHECKED)
            lock_order_none();
        kind = vt_enter(&vt.run, vcpu, ticks);
        v = kept;
        vcpu = v->vt;
        left = vcpu->exit_tsc;
        v->exit_count[kind]++;
        if (trace)
            record = trace_exit(v->ring, vcpu, left, v->trace_exit, kind);
        next = v->handlers[kind](v, &vcpu->exit);
    } while (next == VCPU_RESUME && !once);
    int64_t spent = account(v, kind, left, rdtsc());
    if (trace)
        trace_handled(record, vcpu, kind, spent);
    if (once) {
        stepped(v, record);
        return next == VCPU_RESUME ? VCPU_YIELD : next;
    }
    return next;
}

enum vcpu_next vcpu_run(struct vcpu *v, uint64_t until)
{
    vcpu_set_slice(v, until);
    v->ring = tracing_here();
    if (UNLIKELY(v->ring == NULL))
        return run(v, false, false);
    if (UNLIKELY(atomic_load_explicit(&v->part->stepping, memory_order_relaxed)))
        return run(v, true, true);
    return run(v, true, false);
}
