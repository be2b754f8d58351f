/* What the monitor and the guests themselves wish for their partitions. A wish is carried out when no vCPU of the
 * partition runs any more: each parks at its next request, and the last one wakes the housekeeper. */
#include "arch/x86_64/cpu/insn.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/part/life.h"
#include "hv/part/partition.h"
#include "hv/vm/dispatch.h"
#include "hv/vm/tracing.h"

static bool change_state(struct partition *p, enum partition_state from, enum partition_state to)
{
    uint32_t expected = from;
    return atomic_compare_exchange_strong(&p->state, &expected, to);
}

static const char *pause(struct partition *p)
{
    return partition_pause(p) ? NULL : "it is not running";
}

static const char *resume(struct partition *p)
{
    if (atomic_load(&p->state) != PART_PAUSED)
        return "it is not paused";
    atomic_store(&p->wish, WISH_RESUME);
    dispatch_wake_housekeeper();
    return NULL;
}

/* A running one is stopped at the end of its vCPUs' turns, which is now. */
static const char *step(struct partition *p)
{
    uint32_t state = atomic_load(&p->state);
    if (state != PART_PAUSED && state != PART_RUNNING)
        return "it is not running";
    atomic_store(&p->stepping, true);
    if (state == PART_PAUSED)
        return resume(p);
    for (unsigned i = 0; i < p->vcpu_count; i++)
        vcpu_kick(p->vcpus[i], VCPU_REQ_YIELD);
    return NULL;
}

static const char *end_step(struct partition *p)
{
    return atomic_exchange(&p->stepping, false) ? pause(p) : NULL;
}

/* The state, once a vCPU that is just ending the partition has said how. */
static enum partition_state settled_state(const struct partition *p)
{
    uint32_t state;
    while ((state = atomic_load(&p->state)) == PART_ENDING)
        cpu_pause();
    return state;
}

/* A restart may be pending: the guest's own, which waits for its time, or one that was asked for here. */
static bool cancel_restart(struct partition *p)
{
    uint32_t restart = WISH_RESTART;
    return atomic_compare_exchange_strong(&p->wish, &restart, WISH_STOP);
}

/* Who asks here does not wait. */
static void forget_delay(struct partition *p)
{
    p->restart_at = p->restart_delay = 0;
}

static const char *stop(struct partition *p, enum partition_wish wish)
{
    const char *reason = wish == WISH_STOP ? "stopped from the monitor" : "restarting: asked for from the monitor";
    bool ended = partition_end(p, wish, reason);
    (void)settled_state(p);
    forget_delay(p);
    if (ended)
        return NULL;
    bool was_paused = change_state(p, PART_PAUSED, PART_ENDED), stopped = was_paused || cancel_restart(p);
    if (was_paused)
        tracing_partition(TRACE_PARTITION, p, TRACE_END, 0);
    if (wish == WISH_STOP && !stopped)
        return "it is not running";
    str_copy(p->reason, sizeof p->reason, reason);
    atomic_store(&p->wish, wish);
    dispatch_wake_housekeeper();
    return NULL;
}

static const char *start(struct partition *p)
{
    enum partition_state state = settled_state(p);
    if (state == PART_RUNNING || state == PART_PAUSED)
        return "it is running already; `restart` starts it anew";
    p->reason[0] = '\0';
    forget_delay(p);
    atomic_store(&p->wish, WISH_RESTART);
    dispatch_wake_housekeeper();
    return NULL;
}

const char *partition_request(struct partition *p, enum partition_action action)
{
    switch (action) {
    case PARTITION_PAUSE:       return pause(p);
    case PARTITION_RESUME:      return resume(p);
    case PARTITION_STEP:        return step(p);
    case PARTITION_END_STEP:    return end_step(p);
    case PARTITION_ACT_STOP:    return stop(p, WISH_STOP);
    case PARTITION_ACT_START:   return start(p);
    case PARTITION_ACT_RESTART: return stop(p, WISH_RESTART);
    }
    return "there is no such action";
}

/* Virtual time goes on where it stood. */
static void carry_out_resume(struct partition *p)
{
    if (p->paused_at)
        atomic_fetch_sub(&p->tsc_offset, rdtsc() - p->paused_at);
    p->paused_at = 0;
    spin_lock(&p->lock);
    p->device_deadline_tsc = vm_vtime_to_tsc(p, p->device_deadline);
    spin_unlock(&p->lock);
    tracing_partition(TRACE_PARTITION, p, TRACE_RESUME, 0);
    partition_release(p);
}

static void carry_out(struct partition *p)
{
    uint32_t wish = atomic_exchange(&p->wish, WISH_NONE);
    switch (wish) {
    case WISH_RESUME:
        if (atomic_load(&p->state) == PART_PAUSED)
            carry_out_resume(p);
        return;
    case WISH_RESTART:
        life_log(p);
        log_line("%s: %s", p->name, p->reason[0] ? p->reason : "starting");
        if (partition_start(p) != PARTITION_OK)
            log_line("%s: not started", p->name);
        return;
    case WISH_STOP:
        if (!p->told)
            log_line("%s: stopped: %s", p->name, p->reason);
        life_log(p);
        return;
    default:
        return;
    }
}

/* Virtual time stands still from when no vCPU can have seen a later one. */
static void freeze(struct partition *p)
{
    if (atomic_load(&p->state) == PART_PAUSED && !p->paused_at)
        p->paused_at = rdtsc();
}

static bool is_due(const struct partition *p)
{
    uint32_t wish = atomic_load(&p->wish);
    return wish != WISH_NONE && (wish != WISH_RESTART || rdtsc() >= p->restart_at);
}

void partition_housekeeping(void)
{
    for (unsigned i = 0; i < partition_count; i++) {
        struct partition *p = partitions[i];
        if (!p || atomic_load(&p->active))
            continue;
        freeze(p);
        if (!is_due(p))
            continue;
        dispatch_unload();
        carry_out(p);
    }
}

void partition_state_text(const struct partition *p, char *out, size_t size)
{
    static const char *const names[] = { "stopped", "running", "paused", "stopped", "stopping" };
    uint32_t state = atomic_load(&p->state);
    bool why = (state == PART_ENDED || state == PART_STOPPED) && p->reason[0];
    fmt_print(out, size, "%s%s%s", names[state], why ? ": " : "", why ? p->reason : "");
}
