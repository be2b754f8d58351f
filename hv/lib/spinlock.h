/* A ticket lock. The hypervisor runs with interrupts off, so there is no variant that disables them.
 * The global order of locks is in docs/architecture.md; none is held while a guest runs. */
#ifndef HV_LIB_SPINLOCK_H
#define HV_LIB_SPINLOCK_H

#include <stdatomic.h>
#include "hv/lib/types.h"

typedef struct {
    _Atomic uint32_t next; /* the ticket the next comer draws */
    _Atomic uint32_t owner; /* the ticket being served; released with memory_order_release, paired in spin_lock */
} spinlock_t;

#define SPINLOCK_INIT { 0, 0 }

static inline void spin_lock(spinlock_t *l)
{
    uint32_t mine = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
    while (atomic_load_explicit(&l->owner, memory_order_acquire) != mine)
        __builtin_ia32_pause();
}

static inline bool spin_try_lock(spinlock_t *l)
{
    uint32_t mine = atomic_load_explicit(&l->owner, memory_order_acquire);
    uint32_t expect = mine;
    return atomic_compare_exchange_strong_explicit(&l->next, &expect, mine + 1,
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void spin_unlock(spinlock_t *l)
{
    uint32_t mine = atomic_load_explicit(&l->owner, memory_order_relaxed);
    atomic_store_explicit(&l->owner, mine + 1, memory_order_release);
}

#endif
