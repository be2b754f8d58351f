#include "hv/vm/dispatch.h"
#include "arch/x86_64/cpu/guest_state.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/cpu/tsc.h"
#include "hv/vm/timer_list.h"
#include "hv/vm/tracing.h"
#include "hv/vm/watchdog.h"

enum { VECTOR_TIMER = 0xf0, VECTOR_KICK = 0xf1 };
#define LONGEST_TURN (UINT64_C(1) << 31) /* TSC ticks; the backends' timers have 32 bits */

/* One per pCPU. */
struct dispatcher {
    spinlock_t lock;
    struct sched_rq rq;      /* [lock] */
    struct vcpu *timers;     /* [lock] halted vCPUs with a deadline, the earliest first */
    _Atomic bool yield;      /* a waking vCPU has more claim, or the housekeeper; partner: dispatch_should_yield() */
    struct vcpu *loaded;     /* its state is in this pCPU; own */
    uint64_t last;           /* partition.serial of the vCPU loaded here last; own */
    struct vcpu *running;    /* in vcpu_run(); own, a hint for others */
    uint64_t busy_ns;        /* [lock] */
    _Atomic uint64_t turn_from; /* host TSC since when rq.current runs and is not charged, 0: it does not; [lock] to end it */
    bool idle;               /* the trace has it already; own */
} __attribute__((aligned(64)));

static struct dispatcher dispatchers[PCPU_MAX];
static housekeeper_t keep_house;
static uint64_t longest_turn;           /* ticks: so that the watchdog hears of each pCPU in time */
static _Atomic uint64_t idle_cpus;      /* bit n: pCPU n is about to sleep or asleep; partner: invite_thieves() */
static uint64_t housekeeping_due;       /* host TSC; the boot pCPU's own */
/* What the housekeeper asks another pCPU; one at a time. Partner of the state: dispatch_inspect(). Who is asked is part of
 * it: one that looks late must not take up the question to the next. */
enum { INSPECT_NONE, INSPECT_RUNS, INSPECT_DONE, INSPECT_ASKED /* + the pCPU's index */ };
static struct {
    _Atomic uint32_t state;
    struct vcpu *vcpu;
    inspector_t fn;
    void *ctx;
} inspection;
static _Atomic bool housekeeping_asked; /* partner: the loop of the boot pCPU */

static struct dispatcher *here(void)
{
    return &dispatchers[pcpu_this()->index];
}

static struct vcpu *vcpu_of(struct sched_entity *e)
{
    return CONTAINER_OF(e, struct vcpu, sched);
}

static uint64_t now_ns(void)
{
    return tsc_to_ns(rdtsc());
}

static void wake_due(struct dispatcher *d, uint64_t tsc, uint64_t ns)
{
    while (d->timers && d->timers->deadline <= tsc) {
        struct vcpu *v = d->timers;
        timer_list_remove(&d->timers, v);
        v->deadline = VM_TSC_NEVER; /* the request sets it anew; until then nothing is to end a turn for it */
        atomic_fetch_or(&v->requests, VCPU_REQ_TIMER);
        tracing_vcpu_at(tsc, TRACE_WAKE, v, 0, VCPU_REQ_TIMER);
        (void)!sched_wake(&d->rq, &v->sched, ns); /* this pCPU is about to pick anyway */
    }
}

/* ---- waking ------------------------------------------------------------------------------------------------------ */

bool vcpu_current_here(const struct vcpu *v)
{
    return here()->running == v;
}

static void send_kick(unsigned cpu)
{
    lapic_send(pcpu_at(cpu)->apic_id, VECTOR_KICK);
}

/* More work on a queue than its pCPU can take: have the idle ones of the CPU set, if there are any, come and steal. All of
 * them: more than one vCPU may wait, and the first to come may find another queue's to take. */
static void invite_thieves(uint64_t allowed, unsigned busy_cpu)
{
    uint64_t candidates = atomic_load(&idle_cpus) & allowed & ~(UINT64_C(1) << busy_cpu);
    for (; candidates; candidates &= candidates - 1)
        send_kick((unsigned)__builtin_ctzll(candidates));
}

static struct dispatcher *lock_queue_of(const struct vcpu *v, unsigned *cpu)
{
    for (;;) {
        *cpu = *(const volatile uint32_t *)&v->sched.cpu;
        struct dispatcher *d = &dispatchers[*cpu];
        spin_lock(&d->lock);
        if (v->sched.cpu == *cpu)
            return d;
        spin_unlock(&d->lock); /* it was stolen meanwhile */
    }
}

/* The vCPU that woke the other may itself be what runs here: no interrupt will come to end its turn. */
static void preempt(struct dispatcher *d, unsigned cpu)
{
    atomic_store(&d->yield, true);
    if (cpu != pcpu_this()->index)
        send_kick(cpu);
    else if (d->running)
        atomic_fetch_or(&d->running->requests, VCPU_REQ_YIELD);
}

void vcpu_kick(struct vcpu *v, uint32_t requests)
{
    unsigned cpu;
    atomic_fetch_or(&v->requests, requests);
    if (vcpu_current_here(v))
        return; /* seen before the next entry */
    struct dispatcher *d = lock_queue_of(v, &cpu);
    bool running = v->sched.state == SCHED_RUNNING, woken = false, preempts = false;
    if (v->sched.state == SCHED_BLOCKED && !v->parked) {
        timer_list_remove(&d->timers, v);
        preempts = sched_wake(&d->rq, &v->sched, now_ns());
        woken = true;
    }
    uint64_t allowed = v->sched.allowed;
    spin_unlock(&d->lock);
    if (woken)
        tracing_vcpu(TRACE_WAKE, v, 0, requests);
    if (preempts)
        preempt(d, cpu);
    else if (running && cpu != pcpu_this()->index)
        send_kick(cpu);
    else if (woken)
        invite_thieves(allowed, cpu);
}

void dispatch_unpark(struct vcpu *v, uint32_t requests)
{
    v->parked = false;
    vcpu_kick(v, requests);
}

void dispatch_wake_housekeeper(void)
{
    atomic_store(&housekeeping_asked, true);
    atomic_store(&dispatchers[0].yield, true);
    if (pcpu_this()->index != 0)
        send_kick(0);
}

bool dispatch_should_yield(void)
{
    return atomic_load_explicit(&here()->yield, memory_order_relaxed);
}

static void on_interrupt(void *ctx, unsigned vector)
{
    /* having left the guest or the idle loop is all that was wanted */
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void put_away(struct vcpu *v)
{
    vt.snapshot(v->vt, &v->snapshot);
    vt.unload(v->vt, !v->parked && !(v->sched.allowed & (v->sched.allowed - 1)));
}

/* Any pCPU may have it from now on. */
static void unpin(struct dispatcher *d, struct vcpu *v)
{
    spin_lock(&d->lock);
    v->sched.pinned = false;
    spin_unlock(&d->lock);
}

void dispatch_unload(void)
{
    struct dispatcher *d = here();
    struct vcpu *v = d->loaded;
    if (!v)
        return;
    put_away(v);
    d->loaded = NULL;
    unpin(d, v);
}

static void load(struct dispatcher *d, struct vcpu *v)
{
    struct vcpu *old = d->loaded;
    if (LIKELY(old == v))
        return;
    if (old)
        put_away(old);
    if (d->last != v->part->serial)
        guest_state_barrier();
    d->last = v->part->serial;
    vt.load(v->vt, old ? old->vt : NULL);
    uint64_t offset = atomic_load(&v->part->tsc_offset) + v->tsc_adjust;
    if (v->vt->tsc_offset != offset)
        vt.set_tsc_offset(v->vt, offset);
    d->loaded = v;
    if (old)
        unpin(d, old); /* only now: loading compared with its state */
}

/* [lock] What the present turn has taken so far. */
static uint64_t uncharged_ns(struct dispatcher *d)
{
    uint64_t from = atomic_load_explicit(&d->turn_from, memory_order_relaxed), now = rdtsc();
    return from && now > from ? tsc_to_ns(now - from) : 0;
}

/* The turn is over: account for it, and if there is nothing to do, leave the queue. A request that came after the vCPU
 * last looked keeps it there: whoever made it found it running, and left the waking to us. */
static void end_turn(struct dispatcher *d, struct vcpu *v, enum vcpu_next next)
{
    spin_lock(&d->lock);
    uint64_t ran_ns = uncharged_ns(d); /* read under the lock: never less than who asked meanwhile was told */
    sched_charge(&d->rq, &v->sched, ran_ns);
    d->busy_ns += ran_ns;
    atomic_store_explicit(&d->turn_from, 0, memory_order_relaxed);
    if (UNLIKELY(atomic_load(&v->requests) & VCPU_REQ_YIELD))
        atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQ_YIELD); /* done by being here */
    bool blocks = next == VCPU_BLOCK && (v->parked || !atomic_load(&v->requests));
    if (blocks) {
        sched_block(&v->sched);
        if (!v->parked)
            timer_list_insert(&d->timers, v);
    }
    spin_unlock(&d->lock);
    if (!v->parked)
        return;
    dispatch_unload();
    if (atomic_fetch_sub(&v->part->active, 1) == 1)
        dispatch_wake_housekeeper();
}

/* What was decided under the lock, for use without it. */
struct decision {
    struct vcpu *vcpu;   /* NULL: nothing to run */
    uint64_t until;      /* host TSC: when to decide anew */
    uint64_t waiting_on; /* the CPU sets of those that have to wait, together; 0: nobody waits */
};

/* Only this pCPU adds timers, so the earliest may go away until the turn ends, but none comes that is earlier. */
static struct decision decide(struct dispatcher *d, unsigned me)
{
    uint64_t tsc = rdtsc(), ns = tsc_to_ns(tsc);
    struct decision out = { 0 };
    spin_lock(&d->lock);
    wake_due(d, tsc, ns);
    struct sched_decision next = sched_pick(&d->rq, ns);
    out.until = next.until == SCHED_NEVER ? VM_TSC_NEVER : ns_to_tsc(next.until);
    if (d->timers)
        out.until = MIN(out.until, d->timers->deadline);
    for (const struct sched_entity *e = d->rq.ready; e; e = e->next)
        out.waiting_on |= e->allowed;
    if (next.entity) {
        next.entity->pinned = true;
        out.vcpu = vcpu_of(next.entity);
    }
    spin_unlock(&d->lock);
    if (me == 0)
        out.until = MIN(out.until, housekeeping_due);
    return out;
}

static void trace_turn(const struct vcpu *v, const struct vcpu *before, uint64_t from, uint64_t until)
{
    bool loads = before != v;
    uint32_t who = before ? (uint32_t)before->trace_exit : UINT32_MAX;
    trace_put(tracing_here(), tracing_who(TRACE_RUN, v), loads, from, loads ? who >> 16 : 0, until);
}

static void trace_end_of_turn(const struct vcpu *v, enum vcpu_next next, uint64_t from, uint64_t now)
{
    enum trace_leave why = next != VCPU_BLOCK ? TRACE_LEAVE_YIELD : v->parked ? TRACE_LEAVE_PARK : TRACE_LEAVE_BLOCK;
    tracing_vcpu_at(now, TRACE_LEAVE, v, (uint8_t)why, now - from);
}

static void run_turn(struct dispatcher *d, const struct decision *turn)
{
    struct vcpu *v = turn->vcpu, *before = d->loaded;
    uint64_t from = rdtsc(); /* who gets the pCPU pays for the change */
    atomic_store_explicit(&d->turn_from, from, memory_order_relaxed);
    load(d, v);
    if (turn->waiting_on)
        invite_thieves(turn->waiting_on, pcpu_this()->index); /* only now: one just pushed aside was pinned */
    d->running = v;
    uint64_t until = MIN(turn->until, from + longest_turn);
    trace_turn(v, before, from, until);
    enum vcpu_next next = vcpu_run(v, until);
    d->running = NULL;
    d->idle = false;
    trace_end_of_turn(v, next, from, rdtsc());
    end_turn(d, v, next);
}

static bool steal(struct dispatcher *d, unsigned me)
{
    for (unsigned i = 1; i < pcpu_count(); i++) {
        struct dispatcher *from = &dispatchers[(me + i) % pcpu_count()];
        if (from->rq.runnable < 2)
            continue;
        struct dispatcher *first = from < d ? from : d, *second = from < d ? d : from;
        spin_lock(&first->lock);
        spin_lock(&second->lock);
        struct sched_entity *got = sched_steal(&from->rq, &d->rq, now_ns());
        spin_unlock(&second->lock);
        spin_unlock(&first->lock);
        if (got) {
            tracing_vcpu(TRACE_STEAL, vcpu_of(got), 0, (uint64_t)(from - dispatchers));
            return true;
        }
    }
    return false;
}

static bool has_work(struct dispatcher *d)
{
    return d->rq.runnable || (pcpu_this()->index == 0 && atomic_load(&housekeeping_asked));
}

static void idle(struct dispatcher *d, unsigned me, uint64_t until)
{
    if (!d->idle)
        trace_put(tracing_here(), TRACE_WHO(TRACE_IDLE, TRACE_NOBODY, TRACE_NOBODY), 0, rdtsc(), 0, until);
    d->idle = true;
    cpu_idle_arm();
    atomic_fetch_or(&idle_cpus, UINT64_C(1) << me);
    if (until != VM_TSC_NEVER)
        lapic_timer_arm(until);
    /* Who had too much before the bit was set invited nobody: look once more. */
    if (!has_work(d) && !steal(d, me)) {
        watchdog_sleep();
        cpu_idle(); /* a kick that came since is pending in the APIC and wakes it at once */
        watchdog_wake();
    }
    atomic_fetch_and(&idle_cpus, ~(UINT64_C(1) << me));
}

static void housekeeping(unsigned me)
{
    if (me != 0 || (!atomic_load(&housekeeping_asked) && rdtsc() < housekeeping_due))
        return;
    atomic_store(&housekeeping_asked, false);
    housekeeping_due = keep_house();
    guest_state_cleanse();
}

/* ---- looking into a vCPU from the housekeeper --------------------------------------------------------------------- */

#define INSPECT_NS UINT64_C(10000000)

static void inspect_here(struct dispatcher *d, struct vcpu *v, inspector_t fn, void *ctx)
{
    if (d->loaded == v) {
        fn(v, ctx);
        return;
    }
    dispatch_unload();
    vt.load(v->vt, NULL);
    fn(v, ctx);
    vt.unload(v->vt, false);
    d->last = 0; /* nobody's: the next gets a barrier */
    if (!v->parked)
        unpin(d, v);
}

/* The pCPU that was asked, between two turns. */
static void serve_inspection(struct dispatcher *d, unsigned me)
{
    uint32_t asked = INSPECT_ASKED + me;
    if (!atomic_compare_exchange_strong(&inspection.state, &asked, INSPECT_RUNS))
        return;
    inspect_here(d, inspection.vcpu, inspection.fn, inspection.ctx);
    atomic_store(&inspection.state, INSPECT_DONE);
}

static bool inspect_on(unsigned cpu, struct vcpu *v, inspector_t fn, void *ctx)
{
    uint64_t until = rdtsc() + ns_to_tsc(INSPECT_NS);
    inspection.vcpu = v;
    inspection.fn = fn;
    inspection.ctx = ctx;
    atomic_store(&inspection.state, INSPECT_ASKED + cpu);
    preempt(&dispatchers[cpu], cpu);
    while (atomic_load(&inspection.state) != INSPECT_DONE) {
        uint32_t asked = INSPECT_ASKED + cpu;
        (void)watchdog_look(); /* the other may be stuck in it */
        cpu_pause();
        if (rdtsc() >= until && atomic_compare_exchange_strong(&inspection.state, &asked, INSPECT_NONE))
            return false;
    }
    return true;
}

/* Whose queue it is in loads it, or has it loaded; one that is parked is loaded nowhere, and only the housekeeper lets it
 * go on. */
bool dispatch_inspect(struct vcpu *v, inspector_t fn, void *ctx)
{
    unsigned cpu = pcpu_this()->index;
    if (!v->parked || atomic_load(&v->part->active)) {
        struct dispatcher *d = lock_queue_of(v, &cpu);
        v->sched.pinned = true; /* it stays there; its next unloading ends that */
        spin_unlock(&d->lock);
    }
    if (cpu != pcpu_this()->index)
        return inspect_on(cpu, v, fn, ctx);
    inspect_here(here(), v, fn, ctx);
    return true;
}

/* ---- the pCPU's life --------------------------------------------------------------------------------------------- */

void dispatch_init(housekeeper_t housekeeper)
{
    keep_house = housekeeper;
    longest_turn = MIN(LONGEST_TURN, ns_to_tsc(WATCHDOG_LOOK_NS));
    for (unsigned i = 0; i < PCPU_MAX; i++) {
        dispatchers[i].lock = (spinlock_t)SPINLOCK_INIT(LOCK_RUN_QUEUE);
        sched_rq_init(&dispatchers[i].rq, i);
    }
}

void dispatch_loop(void)
{
    struct dispatcher *d = here();
    unsigned me = pcpu_this()->index;

    irq_set_handler(VECTOR_TIMER, on_interrupt, NULL);
    irq_set_handler(VECTOR_KICK, on_interrupt, NULL);
    lapic_timer_setup(VECTOR_TIMER);
    for (;;) {
        watchdog_beat();
        uint64_t look_again = watchdog_look();
        if (atomic_load_explicit(&d->yield, memory_order_relaxed)) {
            atomic_store(&d->yield, false); /* before a look at why: whoever comes later sets it again */
            serve_inspection(d, me);
        }
        housekeeping(me);
        struct decision next = decide(d, me);
        if (next.vcpu)
            run_turn(d, &next);
        else if (!steal(d, me))
            idle(d, me, MIN(next.until, look_again));
    }
}

void dispatch_fetch_snapshot(struct vcpu *v)
{
    if (here()->loaded == v)
        vt.snapshot(v->vt, &v->snapshot);
    if (here()->loaded == v || v->parked || dispatchers[v->sched.cpu].loaded != v)
        return; /* taken when it was unloaded */
    atomic_store(&v->snapshot_wanted, true);
    vcpu_kick(v, VCPU_REQ_SNAPSHOT);
    uint64_t until = rdtsc() + ns_to_tsc(1000000);
    while (atomic_load(&v->snapshot_wanted) && rdtsc() < until)
        cpu_pause();
}

uint64_t dispatch_ran_ns(const struct vcpu *v)
{
    unsigned cpu;
    struct dispatcher *d = lock_queue_of(v, &cpu);
    uint64_t ns = v->sched.ran_ns + (d->rq.current == &v->sched ? uncharged_ns(d) : 0);
    spin_unlock(&d->lock);
    return ns;
}

void dispatch_get_stats(unsigned cpu, struct dispatch_stats *out)
{
    struct dispatcher *d = &dispatchers[cpu];
    spin_lock(&d->lock);
    *out = (struct dispatch_stats){
        .busy_ns = d->busy_ns + uncharged_ns(d),
        .running = d->running ? d->running : d->rq.runnable ? d->loaded : NULL,
        .runnable = d->rq.runnable,
    };
    spin_unlock(&d->lock);
}
