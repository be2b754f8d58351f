/* The scheduling policy: which vCPU a physical CPU runs next, and for how long. Weighted fair sharing by virtual run
 * time, caps, CPU sets; work-conserving. Pure: no globals, no locks (the caller holds the run queue's, for sched_steal both), no
 * clock: `now` and all durations are in nanoseconds on one clock that never goes back.
 * An entity is in at most one run queue; sched_pick leaves the entity it returns in the queue as the running one. */
#ifndef HV_SCHED_POLICY_H
#define HV_SCHED_POLICY_H

#include "hv/lib/types.h"

#define SCHED_SLICE_NS       UINT64_C(10000000)  /* the turn of an entity while others wait */
#define SCHED_PERIOD_NS      UINT64_C(100000000) /* caps are per this period of the clock; the turn of one alone */
#define SCHED_CREDIT_NS      UINT64_C(5000000)   /* head start, at most, of one that wakes */
#define SCHED_GRANULARITY_NS UINT64_C(1000000)   /* a turn is not broken for one whose claim is less than this better */
#define SCHED_NEVER         UINT64_MAX
#define SCHED_MAX_WEIGHT    65535u
#define SCHED_MAX_CPUS      64u

enum sched_state {
    SCHED_BLOCKED = 0, /* in no queue: waits for an event, paused or stopped */
    SCHED_RUNNABLE,
    SCHED_RUNNING,     /* the last one that sched_pick returned for its queue */
    SCHED_THROTTLED,   /* runnable, but its cap for this period is used up */
};

struct sched_rq;

/* Embedded in a vCPU. Only weight, cap and allowed are set from outside, through sched_entity_init; state, rq and ran_ns
 * may be read. */
struct sched_entity {
    uint32_t weight;       /* 1..65535 */
    uint32_t cap_percent;  /* of one CPU; 0: none */
    uint64_t allowed;      /* bit n: may run on CPU n */
    bool pinned;           /* its state is in its CPU: sched_steal leaves it alone; set by the owner under the queue's lock */
    enum sched_state state;
    uint32_t cpu;          /* where it is queued or was last; UINT32_MAX: never yet */
    struct sched_rq *rq;   /* NULL while blocked */
    uint64_t ran_ns;       /* CPU time ever received */
    /* the policy's own */
    uint64_t vruntime;     /* run time divided by weight, 64 units per ns at weight 1; comparable in one queue */
    uint32_t remainder;    /* of that division */
    int64_t lag;           /* while blocked: vruntime against the queue it left */
    uint64_t period_start, period_ran; /* cap accounting; a turn too long is taken off the next periods */
    struct sched_entity *next, *prev;
};

struct sched_rq {
    uint32_t cpu;
    uint32_t runnable;      /* entities runnable or running; readable as a hint without the lock */
    uint64_t load;          /* sum of their weights; likewise */
    uint64_t min_vruntime;  /* never goes back */
    struct sched_entity *current; /* NULL: idle */
    uint64_t charged_until; /* up to when `current` was charged */
    uint64_t turn_end;      /* of `current` */
    struct sched_entity *ready;     /* runnable, by vruntime, without `current` */
    struct sched_entity *throttled; /* in no order */
    uint64_t next_release;  /* when the first of them may run again */
};

struct sched_decision {
    struct sched_entity *entity; /* NULL: be idle */
    uint64_t until;              /* absolute: when to call sched_pick again if nothing happens before; SCHED_NEVER: no need */
};

enum sched_result { SCHED_OK = 0, SCHED_BAD_WEIGHT, SCHED_BAD_CPUS };

/* A blocked entity. cap_percent 0 or >= 100: none (one entity cannot use more than one CPU). */
enum sched_result sched_entity_init(struct sched_entity *e, uint32_t weight, uint32_t cap_percent, uint64_t allowed) MUST_CHECK;

void sched_rq_init(struct sched_rq *rq, uint32_t cpu);

/* A blocked entity becomes runnable on `rq` (one it is allowed on). True: the CPU of `rq` should
 * call sched_pick now, since it is idle or runs one with less claim. No effect, and false, if it is not blocked. */
bool sched_wake(struct sched_rq *rq, struct sched_entity *e, uint64_t now) MUST_CHECK;

/* An entity that is not to run: it halted, was paused or stopped. It leaves its queue; charge it first if it ran. */
void sched_block(struct sched_entity *e);

/* Charge the running time of the current entity, when its turn ends or before any other call that depends on it. */
void sched_charge(struct sched_rq *rq, struct sched_entity *e, uint64_t ran_ns);

/* Who runs from now on; sched_charge comes first. The one that ran is put back in order, or on the throttled list if its
 * cap is used up; it stays if its turn is not over and nobody has a much better claim. Reservations, when they come,
 * are looked at here before the shares. To be work-conserving: if some still wait afterwards (the list rq->ready), wake
 * each idle CPU that one of them may use to try sched_steal: it may be allowed to run who was pushed aside just now. */
struct sched_decision sched_pick(struct sched_rq *rq, uint64_t now) MUST_CHECK;

/* For an idle CPU: move one waiting entity that is allowed on `to->cpu` from `from` to `to`; NULL if there is none.
 * Call sched_pick(to) afterwards. */
struct sched_entity *sched_steal(struct sched_rq *from, struct sched_rq *to, uint64_t now);

#endif
