/* An NMI may come anywhere in here and take and release locks of its own: it leaves the depth as it was, and entries above
 * the depth empty. */
#include "hv/lib/lock_order.h"

static struct lock_held *(*held_here)(void);
static void (*report)(const char *wanted, const char *held);

static const char *name_of(uint32_t order)
{
    static const char *const names[LOCK_ORDERS] = {
        [LOCK_UNORDERED] = "a lock without a place in the order",
#define LOCK_ORDER_NAME(order, name) [LOCK_##order] = name,
        LOCK_ORDER_LIST(LOCK_ORDER_NAME)
#undef LOCK_ORDER_NAME
    };
    return names[order < LOCK_ORDERS ? order : LOCK_UNORDERED];
}

/* What the report does may take locks in any order. */
static void broken(const char *wanted, const char *held)
{
    held_here = NULL;
    report(wanted, held);
}

void lock_order_start(struct lock_held *(*here)(void), void (*broken_fn)(const char *wanted, const char *held))
{
    report = broken_fn;
    held_here = here;
}

void lock_order_want(const void *lock, uint32_t order)
{
    const struct lock_held *h = held_here ? held_here() : NULL;
    if (!h)
        return;
    if (order == LOCK_UNORDERED || order >= LOCK_ORDERS || h->depth == LOCK_ORDER_DEPTH) {
        broken(name_of(order), h->depth ? name_of(h->at[h->depth - 1].order) : "nothing");
        return;
    }
    for (unsigned i = 0; i < h->depth; i++) {
        bool before = h->at[i].order < order || (h->at[i].order == order && (uintptr_t)h->at[i].lock < (uintptr_t)lock);
        if (before)
            continue;
        broken(name_of(order), name_of(h->at[i].order));
        return;
    }
}

void lock_order_take(const void *lock, uint32_t order)
{
    struct lock_held *h = held_here ? held_here() : NULL;
    if (!h || h->depth == LOCK_ORDER_DEPTH)
        return;
    unsigned at = h->depth++;
    h->at[at].lock = lock;
    h->at[at].order = order;
}

/* Not always the one that was taken last. */
void lock_order_release(const void *lock)
{
    struct lock_held *h = held_here ? held_here() : NULL;
    for (unsigned i = h ? h->depth : 0; i-- > 0;) {
        if (h->at[i].lock != lock)
            continue;
        for (; i + 1 < h->depth; i++)
            h->at[i] = h->at[i + 1];
        h->at[i].lock = NULL;
        h->at[i].order = LOCK_UNORDERED;
        h->depth--;
        return;
    }
}

void lock_order_none(void)
{
    const struct lock_held *h = held_here ? held_here() : NULL;
    if (h && h->depth)
        broken("a guest's turn", name_of(h->at[0].order));
}
