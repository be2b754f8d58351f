#include "hv/dev/vlapic_private.h"

/* One count of the timer, in ns. */
static uint64_t count_ns(const struct vlapic *v)
{
    return (uint64_t)v->config.bus_ns << v->divide_shift;
}

static uint64_t period_ns(const struct vlapic *v)
{
    return vlapic_register(v, APIC_TIMER_INITIAL) * count_ns(v);
}

static bool in_deadline_mode(const struct vlapic *v)
{
    return v->timer_mode & APIC_TIMER_DEADLINE;
}

void vlapic_timer_stop(struct vlapic *v)
{
    v->timer_due = VTIME_NEVER;
    v->tsc_deadline = VLAPIC_NO_DEADLINE;
}

/* SDM, "TSC-Deadline Mode": changing to or from it disarms the timer. */
void vlapic_timer_write_lvt(struct vlapic *v, uint32_t lvt)
{
    uint32_t mode = lvt & (APIC_TIMER_PERIODIC | APIC_TIMER_DEADLINE);
    if ((mode ^ v->timer_mode) & APIC_TIMER_DEADLINE) {
        vlapic_timer_stop(v);
        vlapic_store(v, APIC_TIMER_INITIAL, 0);
    }
    v->timer_mode = mode;
}

void vlapic_timer_write_initial(struct vlapic *v, uint32_t count, vtime_t now)
{
    if (in_deadline_mode(v)) {
        vlapic_store(v, APIC_TIMER_INITIAL, 0);
        return;
    }
    vlapic_store(v, APIC_TIMER_INITIAL, count);
    v->timer_due = count ? now + count * count_ns(v) : VTIME_NEVER;
}

/* The counter keeps its value and goes on at the new rate. */
void vlapic_timer_write_divide(struct vlapic *v, uint32_t divide, vtime_t now)
{
    uint32_t left = vlapic_timer_current(v, now);
    uint32_t code = (divide & 3) | (divide & 8) >> 1;
    v->divide_shift = (uint8_t)((code + 1) & 7); /* 0: by 2, 1: by 4, ... 7: by 1 */
    if (v->timer_due != VTIME_NEVER)
        v->timer_due = now + left * count_ns(v);
}

uint32_t vlapic_timer_current(const struct vlapic *v, vtime_t now)
{
    if (v->timer_due == VTIME_NEVER)
        return 0;
    uint64_t left = 0, period = v->timer_mode & APIC_TIMER_PERIODIC ? period_ns(v) : 0;
    if (v->timer_due > now) {
        left = v->timer_due - now;
        if (period)
            left = (left - 1) % period + 1; /* expiries may be left out */
    } else if (period) { /* an expiry is due, but was not yet handled */
        left = period - (now - v->timer_due) % period;
    }
    return (uint32_t)((left + count_ns(v) - 1) / count_ns(v));
}

void vlapic_write_tsc_deadline(struct vlapic *v, uint64_t guest_tsc)
{
    if (in_deadline_mode(v))
        v->tsc_deadline = guest_tsc ? guest_tsc : VLAPIC_NO_DEADLINE;
}

uint64_t vlapic_read_tsc_deadline(const struct vlapic *v)
{
    return v->tsc_deadline == VLAPIC_NO_DEADLINE ? 0 : v->tsc_deadline;
}

/* Expiries that were missed come as one interrupt, as IRR would have merged them; so do those of a period too short to
 * let the guest do anything. */
static void advance_periodic(struct vlapic *v, vtime_t now)
{
    uint64_t period = period_ns(v);
    uint64_t after = now - v->timer_due + (period < VLAPIC_MIN_PERIOD_NS ? VLAPIC_MIN_PERIOD_NS : 0);
    v->timer_due = period ? v->timer_due + (after / period + 1) * period : VTIME_NEVER;
}

void vlapic_expire(struct vlapic *v, vtime_t now, uint64_t guest_tsc)
{
    if (v->tsc_deadline <= guest_tsc) {
        v->tsc_deadline = VLAPIC_NO_DEADLINE; /* so the other two modes' timer is not armed */
        vlapic_fire_lvt(v, APIC_LVT_TIMER);
        return;
    }
    if (v->timer_due > now || v->timer_due == VTIME_NEVER)
        return;
    if (v->timer_mode & APIC_TIMER_PERIODIC)
        advance_periodic(v, now);
    else
        v->timer_due = VTIME_NEVER;
    vlapic_fire_lvt(v, APIC_LVT_TIMER);
}
