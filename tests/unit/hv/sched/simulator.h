/* The policy on a simulated machine: CPUs that do what sched_pick says, and entities that spin, or work and sleep. */
#ifndef TESTS_UNIT_HV_SCHED_SIMULATOR_H
#define TESTS_UNIT_HV_SCHED_SIMULATOR_H

#include "hv/sched/policy.h"
#include <string.h>
#include "tests/unit/arch/x86_64/mmu/fake_pages.h"
#include "tests/unit/test.h"

#define MS UINT64_C(1000000)
#define PERIOD SCHED_PERIOD_NS
#define MAX_TASKS 40
#define MAX_CPUS 4
#define ALL_CPUS UINT64_MAX

struct task {
    struct sched_entity e;
    uint64_t work, sleep; /* work 0: spins for ever */
    uint64_t left;        /* of this burst of work */
    uint64_t wake_at;     /* while it sleeps */
    uint64_t woken_at, worst_wait; /* from waking to running */
    uint64_t period_ran, worst_period; /* CPU time per period of the clock */
    uint64_t gap, worst_gap;           /* time runnable without running, at a stretch */
};

static struct task tasks[MAX_TASKS];
static struct sched_rq rqs[MAX_CPUS];
static struct sched_rq *const all_rqs[MAX_CPUS] = { &rqs[0], &rqs[1], &rqs[2], &rqs[3] };
static struct sched_decision run[MAX_CPUS];
static uint64_t next_pick[MAX_CPUS], idle_ns[MAX_CPUS], clock_ns, switches, lateness;
static size_t task_count, cpu_count;
static bool wasted; /* a CPU was idle while a task that it might have run waited */

static inline void begin(size_t cpus)
{
    memset(tasks, 0, sizeof(tasks));
    memset(run, 0, sizeof(run));
    memset(next_pick, 0, sizeof(next_pick));
    memset(idle_ns, 0, sizeof(idle_ns));
    task_count = 0;
    cpu_count = cpus;
    clock_ns = 12345678;
    switches = lateness = 0;
    wasted = false;
    for (uint32_t i = 0; i < cpus; i++)
        sched_rq_init(&rqs[i], i);
}

/* Where one starts, as hv/part/create.c spreads them over their CPUs. */
static inline uint32_t place(uint64_t allowed, size_t index)
{
    uint32_t cpu = 0;
    for (size_t turns = index % (size_t)__builtin_popcountll(allowed) + 1;; cpu++)
        if ((allowed >> cpu & 1) && --turns == 0)
            return cpu;
}

/* As hv/vm/dispatch.c: the idle CPUs of the set look for somebody to take. */
static inline void invite_thieves(uint64_t allowed, size_t busy_cpu)
{
    for (size_t i = 0; i < cpu_count; i++)
        if (i != busy_cpu && !run[i].entity && (allowed >> i & 1))
            next_pick[i] = clock_ns;
}

/* On the queue where it was: by a timer of that CPU, which then decides anew, or (every second task) by an interrupt. */
static inline void wake(struct task *t)
{
    size_t cpu = t->e.cpu;
    t->left = t->work;
    t->woken_at = clock_ns;
    t->wake_at = SCHED_NEVER;
    if (sched_wake(&rqs[cpu], &t->e, clock_ns) || (t - tasks) % 2 == 0)
        next_pick[cpu] = clock_ns;
    else
        invite_thieves(t->e.allowed, cpu);
}

static inline struct task *add(uint32_t weight, uint32_t cap, uint64_t allowed, uint64_t work, uint64_t sleep)
{
    struct task *t = &tasks[task_count++];
    *t = (struct task){ .work = work, .sleep = sleep };
    allowed &= (UINT64_C(1) << cpu_count) - 1;
    if (sched_entity_init(&t->e, weight, cap, allowed) != SCHED_OK)
        return NULL;
    t->e.cpu = place(allowed, task_count);
    wake(t);
    return t;
}

static inline struct task *task_of(struct sched_entity *e)
{
    return e ? CONTAINER_OF(e, struct task, e) : NULL;
}

static inline bool steal(size_t cpu)
{
    for (size_t i = 1; i < cpu_count; i++) {
        struct sched_rq *from = &rqs[(cpu + i) % cpu_count];
        if (from->runnable >= 2 && sched_steal(from, &rqs[cpu], clock_ns))
            return true;
    }
    return false;
}

static inline void pick(size_t cpu)
{
    struct sched_entity *was = run[cpu].entity;
    run[cpu] = sched_pick(&rqs[cpu], clock_ns);
    if (!run[cpu].entity && steal(cpu))
        run[cpu] = sched_pick(&rqs[cpu], clock_ns);
    struct task *t = task_of(run[cpu].entity);
    next_pick[cpu] = run[cpu].until;
    if (t && lateness) /* the hardware's timer comes a little late */
        next_pick[cpu] += lateness;
    if (t && t->woken_at) {
        t->worst_wait = MAX(t->worst_wait, clock_ns - t->woken_at);
        t->woken_at = 0;
    }
    switches += run[cpu].entity != was;
    uint64_t waiting_on = 0;
    for (const struct sched_entity *e = rqs[cpu].ready; e; e = e->next)
        waiting_on |= e->allowed;
    invite_thieves(waiting_on, cpu);
}

/* When something happens next, at the latest at the end of the clock's period. */
static inline uint64_t next_time(uint64_t end)
{
    uint64_t next = MIN(end, (clock_ns / PERIOD + 1) * PERIOD);
    for (size_t i = 0; i < cpu_count; i++) {
        struct task *t = task_of(run[i].entity);
        next = MIN(next, next_pick[i]);
        if (t && t->work)
            next = MIN(next, clock_ns + t->left);
    }
    for (size_t i = 0; i < task_count; i++)
        if (tasks[i].e.state == SCHED_BLOCKED)
            next = MIN(next, tasks[i].wake_at);
    return MAX(next, clock_ns);
}

static inline void pass(size_t cpu, uint64_t ns)
{
    struct task *t = task_of(run[cpu].entity);
    if (!t) {
        idle_ns[cpu] += ns;
        for (size_t i = 0; i < task_count; i++)
            wasted |= ns && tasks[i].e.state == SCHED_RUNNABLE && (tasks[i].e.allowed >> cpu & 1);
        return;
    }
    sched_charge(&rqs[cpu], &t->e, ns);
    t->period_ran += ns;
    t->worst_period = MAX(t->worst_period, t->period_ran);
    if (t->work && (t->left -= ns) == 0) {
        sched_block(&t->e);
        run[cpu].entity = NULL;
        t->wake_at = clock_ns + ns + t->sleep;
        next_pick[cpu] = clock_ns + ns;
    }
}

static inline void simulate(uint64_t duration)
{
    for (uint64_t end = clock_ns + duration; clock_ns < end;) {
        for (unsigned idle = 0; idle < 2; idle++) /* who is idle looks last */
            for (size_t i = 0; i < cpu_count; i++)
                if (next_pick[i] <= clock_ns && (idle || run[i].entity || rqs[i].ready))
                    pick(i);
        uint64_t next = next_time(end);
        for (size_t i = 0; i < task_count; i++) {
            tasks[i].gap = tasks[i].e.state == SCHED_RUNNABLE ? tasks[i].gap + next - clock_ns : 0;
            tasks[i].worst_gap = MAX(tasks[i].worst_gap, tasks[i].gap);
        }
        for (size_t i = 0; i < cpu_count; i++)
            pass(i, next - clock_ns);
        clock_ns = next;
        for (size_t i = 0; i < task_count; i++) {
            if (clock_ns % PERIOD == 0)
                tasks[i].period_ran = 0;
            if (tasks[i].e.state == SCHED_BLOCKED && tasks[i].wake_at <= clock_ns)
                wake(&tasks[i]);
        }
    }
}

/* Per mille of `duration`. */
static inline uint64_t share(const struct task *t, uint64_t duration)
{
    return t->e.ran_ns * 1000 / duration;
}

static inline bool is_near(uint64_t value, uint64_t expected, uint64_t percent)
{
    return value * 100 >= expected * (100 - percent) && value * 100 <= expected * (100 + percent);
}

#endif
