/* Each entity's run time, divided by its weight, is its vruntime; the least of a queue has the best claim. One that
 * wakes starts no more than a small credit behind the queue's least, so that sleeping saves up nothing.
 * Caps: the clock is cut into periods, the same for all; who has used up its cap waits for the next one. */
#include "hv/sched/policy.h"

#define UNITS_PER_NS 64u /* at weight 1: a vruntime wraps after 9 years of running; comparisons are by difference */

static uint64_t virtual_time(const struct sched_entity *e, uint64_t ns)
{
    return ns * UNITS_PER_NS / e->weight;
}

static bool is_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return is_before(a, b) ? b : a;
}

/* ---- lists -------------------------------------------------------------------------------------------------------- */

static void link_before(struct sched_entity **list, struct sched_entity *prev, struct sched_entity *e)
{
    e->prev = prev;
    e->next = prev ? prev->next : *list;
    if (e->next)
        e->next->prev = e;
    if (prev)
        prev->next = e;
    else
        *list = e;
}

static void unlink_entity(struct sched_entity **list, struct sched_entity *e)
{
    if (e->prev)
        e->prev->next = e->next;
    else
        *list = e->next;
    if (e->next)
        e->next->prev = e->prev;
    e->next = e->prev = NULL;
}

/* Behind all with an equal claim, so that equals take turns. */
static void make_ready(struct sched_rq *rq, struct sched_entity *e)
{
    struct sched_entity *prev = NULL, *at = rq->ready;
    for (; at && !is_before(e->vruntime, at->vruntime); at = at->next)
        prev = at;
    link_before(&rq->ready, prev, e);
    e->state = SCHED_RUNNABLE;
}

static void count_in(struct sched_rq *rq, const struct sched_entity *e)
{
    rq->runnable++;
    rq->load += e->weight;
}

static void count_out(struct sched_rq *rq, const struct sched_entity *e)
{
    rq->runnable--;
    rq->load -= e->weight;
}

/* ---- caps --------------------------------------------------------------------------------------------------------- */

static uint64_t budget(const struct sched_entity *e)
{
    return e->cap_percent * (SCHED_PERIOD_NS / 100);
}

static uint64_t period_end(const struct sched_entity *e)
{
    return e->period_start + SCHED_PERIOD_NS;
}

/* Move on to the period of `now`. What ran beyond the budget is a debt to the periods since. */
static void enter_period(struct sched_entity *e, uint64_t now)
{
    if (now < period_end(e))
        return;
    uint64_t periods = (now - e->period_start) / SCHED_PERIOD_NS;
    uint64_t paid = MIN(periods, e->period_ran / budget(e) + 1) * budget(e);
    e->period_ran -= MIN(e->period_ran, paid);
    e->period_start += periods * SCHED_PERIOD_NS;
}

/* Brings the cap's accounting up to `now`. */
static bool is_exhausted(struct sched_entity *e, uint64_t now)
{
    if (LIKELY(!e->cap_percent))
        return false;
    enter_period(e, now);
    return e->period_ran >= budget(e);
}

static void throttle(struct sched_rq *rq, struct sched_entity *e)
{
    link_before(&rq->throttled, NULL, e);
    e->state = SCHED_THROTTLED;
    rq->next_release = MIN(rq->next_release, period_end(e));
}

/* No more than the credit behind the queue. */
static void limit_claim(const struct sched_rq *rq, struct sched_entity *e)
{
    e->vruntime = later(e->vruntime, rq->min_vruntime - virtual_time(e, SCHED_CREDIT_NS));
}

static void release_throttled(struct sched_rq *rq, uint64_t now)
{
    struct sched_entity *list = rq->throttled, *next;
    rq->throttled = NULL;
    rq->next_release = SCHED_NEVER;
    for (struct sched_entity *e = list; e; e = next) {
        next = e->next;
        e->next = e->prev = NULL;
        if (is_exhausted(e, now)) { /* not its time yet, or still in debt */
            throttle(rq, e);
            continue;
        }
        limit_claim(rq, e);
        count_in(rq, e);
        make_ready(rq, e);
    }
}

/* ---- entities and queues ------------------------------------------------------------------------------------------ */

static enum sched_result check_shares(uint32_t weight, uint64_t allowed)
{
    if (weight == 0 || weight > SCHED_MAX_WEIGHT)
        return SCHED_BAD_WEIGHT;
    return allowed ? SCHED_OK : SCHED_BAD_CPUS;
}

static uint32_t effective_cap(uint32_t cap_percent)
{
    return cap_percent >= 100 ? 0 : cap_percent;
}

enum sched_result sched_entity_init(struct sched_entity *e, uint32_t weight, uint32_t cap_percent, uint64_t allowed)
{
    enum sched_result result = check_shares(weight, allowed);
    if (result == SCHED_OK)
        *e = (struct sched_entity){
            .weight = weight,
            .cap_percent = effective_cap(cap_percent),
            .allowed = allowed,
            .state = SCHED_BLOCKED,
            .cpu = UINT32_MAX,
        };
    return result;
}

void sched_rq_init(struct sched_rq *rq, uint32_t cpu)
{
    *rq = (struct sched_rq){ .cpu = cpu, .next_release = SCHED_NEVER };
}

/* How far the current entity would be if it were charged now. */
static uint64_t current_vruntime(const struct sched_rq *rq, uint64_t now)
{
    uint64_t ran = now > rq->charged_until ? now - rq->charged_until : 0;
    return rq->current->vruntime + virtual_time(rq->current, ran);
}

/* `least`: how far the current entity is. */
static void advance_min_vruntime(struct sched_rq *rq, uint64_t least)
{
    if (rq->ready && is_before(rq->ready->vruntime, least))
        least = rq->ready->vruntime;
    rq->min_vruntime = later(rq->min_vruntime, least);
}

static bool has_much_better_claim(const struct sched_entity *e, uint64_t vruntime)
{
    return is_before(e->vruntime + virtual_time(e, SCHED_GRANULARITY_NS), vruntime);
}

/* Its vruntime on a queue that it was not on a moment ago. */
static void join(struct sched_rq *rq, struct sched_entity *e)
{
    if (e->cpu != rq->cpu)
        e->vruntime = rq->min_vruntime + (uint64_t)e->lag;
    limit_claim(rq, e);
    e->cpu = rq->cpu;
    e->rq = rq;
}

bool sched_wake(struct sched_rq *rq, struct sched_entity *e, uint64_t now)
{
    if (e->state != SCHED_BLOCKED)
        return false;
    if (rq->current)
        advance_min_vruntime(rq, current_vruntime(rq, now));
    join(rq, e);
    if (is_exhausted(e, now)) {
        throttle(rq, e);
        return !rq->current || rq->next_release < rq->turn_end; /* the alarm is to be set anew */
    }
    count_in(rq, e);
    make_ready(rq, e);
    if (!rq->current || has_much_better_claim(e, current_vruntime(rq, now)))
        return true;
    return rq->turn_end > now + SCHED_SLICE_NS; /* it was alone: its turn gets shorter */
}

void sched_block(struct sched_entity *e)
{
    struct sched_rq *rq = e->rq;
    if (e->state == SCHED_BLOCKED)
        return;
    if (e->state == SCHED_RUNNING)
        rq->current = NULL;
    else
        unlink_entity(e->state == SCHED_RUNNABLE ? &rq->ready : &rq->throttled, e);
    if (e->state != SCHED_THROTTLED)
        count_out(rq, e);
    if (!rq->throttled)
        rq->next_release = SCHED_NEVER;
    e->lag = (int64_t)(e->vruntime - rq->min_vruntime);
    e->state = SCHED_BLOCKED;
    e->rq = NULL;
}

void sched_charge(struct sched_rq *rq, struct sched_entity *e, uint64_t ran_ns)
{
    uint64_t units = ran_ns * UNITS_PER_NS + e->remainder;
    e->vruntime += units / e->weight;
    e->remainder = (uint32_t)(units % e->weight);
    e->ran_ns += ran_ns;
    e->period_ran += e->cap_percent ? ran_ns : 0;
    if (rq->current != e)
        return;
    rq->charged_until += ran_ns;
    advance_min_vruntime(rq, e->vruntime);
}

/* ---- the choice --------------------------------------------------------------------------------------------------- */

static bool keeps_its_turn(const struct sched_rq *rq, uint64_t now)
{
    const struct sched_entity *e = rq->current, *first = rq->ready;
    if (!first)
        return true;
    if (now < rq->turn_end && rq->turn_end - now <= SCHED_SLICE_NS)
        return !has_much_better_claim(first, e->vruntime);
    return is_before(e->vruntime, first->vruntime);
}

/* Puts the current one back, unless it is to go on. */
static void end_turn(struct sched_rq *rq, uint64_t now)
{
    struct sched_entity *e = rq->current;
    if (is_exhausted(e, now)) {
        rq->current = NULL;
        count_out(rq, e);
        throttle(rq, e);
    } else if (!keeps_its_turn(rq, now)) {
        rq->current = NULL;
        make_ready(rq, e);
    }
}

/* The first in line whose cap still allows it becomes the current one; false if there is none. */
static bool start_turn(struct sched_rq *rq, uint64_t now)
{
    struct sched_entity *e;
    while ((e = rq->ready) && is_exhausted(e, now)) { /* only after its cap was lowered */
        unlink_entity(&rq->ready, e);
        count_out(rq, e);
        throttle(rq, e);
    }
    if (!e)
        return false;
    unlink_entity(&rq->ready, e);
    e->state = SCHED_RUNNING;
    rq->current = e;
    rq->turn_end = 0;
    return true;
}

/* When the current one is to stop: at the end of its turn, of its budget or of the period that the budget is for. */
static void set_turn_end(struct sched_rq *rq, uint64_t now)
{
    const struct sched_entity *e = rq->current;
    bool turn_goes_on = now < rq->turn_end && (!rq->ready || rq->turn_end - now <= SCHED_SLICE_NS);
    if (!turn_goes_on)
        rq->turn_end = now + (rq->ready ? SCHED_SLICE_NS : SCHED_PERIOD_NS);
    if (e->cap_percent)
        rq->turn_end = MIN(rq->turn_end, MIN(period_end(e), now + (budget(e) - e->period_ran)));
}

struct sched_decision sched_pick(struct sched_rq *rq, uint64_t now)
{
    if (UNLIKELY(now >= rq->next_release))
        release_throttled(rq, now);
    if (rq->current)
        end_turn(rq, now);
    if (!rq->current && !start_turn(rq, now))
        return (struct sched_decision){ NULL, rq->next_release };
    rq->charged_until = now;
    set_turn_end(rq, now);
    advance_min_vruntime(rq, rq->current->vruntime);
    return (struct sched_decision){ rq->current, MIN(rq->turn_end, rq->next_release) };
}

struct sched_entity *sched_steal(struct sched_rq *from, struct sched_rq *to, uint64_t now)
{
    if (now >= from->next_release)
        release_throttled(from, now);
    struct sched_entity *e = from->ready;
    while (e && (e->pinned || !(e->allowed >> to->cpu & 1)))
        e = e->next;
    if (!e)
        return NULL;
    sched_block(e);
    join(to, e);
    count_in(to, e);
    make_ready(to, e);
    return e;
}
