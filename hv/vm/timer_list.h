/* Halted vCPUs with a deadline, the earliest first: a pCPU's, guarded by its run queue's lock. */
#ifndef HV_VM_TIMER_LIST_H
#define HV_VM_TIMER_LIST_H

#include "hv/vm/vm.h"

static inline void timer_list_remove(struct vcpu **list, struct vcpu *v)
{
    if (!v->timer_queued)
        return;
    *(v->timer_prev ? &v->timer_prev->timer_next : list) = v->timer_next;
    if (v->timer_next)
        v->timer_next->timer_prev = v->timer_prev;
    v->timer_queued = false;
}

/* One without a deadline is in no list. */
static inline void timer_list_insert(struct vcpu **list, struct vcpu *v)
{
    struct vcpu **at = list, *prev = NULL;
    if (v->deadline == VM_TSC_NEVER)
        return;
    for (; *at && (*at)->deadline <= v->deadline; at = &(*at)->timer_next)
        prev = *at;
    v->timer_prev = prev;
    v->timer_next = *at;
    if (*at)
        (*at)->timer_prev = v;
    *at = v;
    v->timer_queued = true;
}

#endif
