/* A ticket lock. The hypervisor runs with interrupts off, so there is no variant that disables them.
 * The global order of locks is in lock_order.h; none is held while a guest runs. */
#ifndef HV_LIB_SPINLOCK_H
#define HV_LIB_SPINLOCK_H

#include <stdatomic.h>
#include "hv/lib/lock_order.h"
#include "hv/lib/types.h"

typedef struct {
    _Atomic uint32_t next; /* the ticket the next comer draws */
    _Atomic uint32_t owner; /* the ticket being served; released with memory_order_release, paired in spin_lock */
    uint32_t order;         /* enum lock_order */
} spinlock_t;

#define SPINLOCK_INIT(order) { 0, 0, order }

static inline void spin_lock(spinlock_t *l)
{
    if (LOCK_ORDER_CHECKED)
        lock_order_want(l, l->order);
    uint32_t mine = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
    while (atomic_load_explicit(&l->owner, memory_order_acquire) != mine)
        __builtin_ia32_pause();
    if (LOCK_ORDER_CHECKED)
        lock_order_take(l, l->order);
}

/* It cannot wait for ever, so it may be tried in any order. */
static inline bool spin_try_lock(spinlock_t *l)
{
    uint32_t mine = atomic_load_explicit(&l->owner, memory_order_acquire);
    uint32_t expect = mine;
    bool taken = atomic_compare_exchange_strong_explicit(&l->next, &expect, mine + 1,
                                                         memory_order_acquire, memory_order_relaxed);
    if (LOCK_ORDER_CHECKED && taken)
        lock_order_take(l, l->order);
    return taken;
}

static inline void spin_unlock(spinlock_t *l)
{
    if (LOCK_ORDER_CHECKED)
        lock_order_release(l);
    uint32_t mine = atomic_load_explicit(&l->owner, memory_order_relaxed);
    atomic_store_explicit(&l->owner, mine + 1, memory_order_release);
}

#endif
