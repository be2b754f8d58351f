/* The one global order of locks: while a lock is held, only locks further down in the list may be taken; of several with one
 * name the one at the lower address comes first. Debug builds (make DEBUG=1, which sets LOCK_ORDER_CHECKED) check each taking
 * before they wait, so that an inversion is reported the first time it happens, and not when two CPUs meet in it.
 * docs/architecture.md says what each lock guards. */
#ifndef HV_LIB_LOCK_ORDER_H
#define HV_LIB_LOCK_ORDER_H

#include "hv/lib/types.h"

/* X(order, name): the outermost first. */
#define LOCK_ORDER_LIST(X) \
    X(POSTMORTEM, "the post-mortems' lock") X(PARTITION, "partition.lock") X(RUN_QUEUE, "a run queue's lock") \
    X(LOG, "the log's lock") X(CON, "con.lock") X(PAGES, "the page allocator's lock")

enum lock_order {
    LOCK_UNORDERED, /* somebody forgot to say: debug builds report it */
#define LOCK_ORDER_ENUM(order, name) LOCK_##order,
    LOCK_ORDER_LIST(LOCK_ORDER_ENUM)
#undef LOCK_ORDER_ENUM
    LOCK_ORDERS
};

#define LOCK_ORDER_DEPTH 8u

/* What one CPU holds now; all zero: nothing. */
struct lock_held {
    unsigned depth;
    struct { const void *lock; uint32_t order; } at[LOCK_ORDER_DEPTH];
};

/* Check from now on. `here` gives this CPU's; `broken` is called, once, with the names of the lock that is wanted and of one
 * that is held. */
void lock_order_start(struct lock_held *(*here)(void), void (*broken)(const char *wanted, const char *held));

/* For spinlock.h: before waiting for it, once it is had, and when it is given back. */
void lock_order_want(const void *lock, uint32_t order);
void lock_order_take(const void *lock, uint32_t order);
void lock_order_release(const void *lock);

/* A guest is about to run: nothing may be held. */
void lock_order_none(void);

#endif
