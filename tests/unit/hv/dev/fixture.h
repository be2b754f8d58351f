/* What the device tests share: a recorder of one interrupt line, and register access by offset. */
#ifndef TESTS_UNIT_HV_DEV_FIXTURE_H
#define TESTS_UNIT_HV_DEV_FIXTURE_H

#include "hv/dev/dev.h"

struct line_recorder {
    bool level;
    unsigned rises, falls, repeats;     /* repeats: set to the level it had */
};

static inline void line_record(void *ctx, unsigned number, bool level)
{
    struct line_recorder *r = ctx;
    (void)number;
    r->repeats += level == r->level;
    r->rises += level && !r->level;
    r->falls += !level && r->level;
    r->level = level;
}

static inline struct irq_line record(struct line_recorder *r)
{
    *r = (struct line_recorder){ 0 };
    return (struct irq_line){ line_record, r, 0 };
}

static inline void count_request(void *ctx) { ++*(unsigned *)ctx; }

static inline struct dev_request counted(unsigned *counter)
{
    *counter = 0;
    return (struct dev_request){ count_request, counter };
}

/* xorshift64*: the same sequence on every run. */
static inline uint32_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(*state * UINT64_C(2685821657736338717) >> 32);
}

#define US(n) ((vtime_t)(n) * 1000)
#define MS(n) ((vtime_t)(n) * 1000000)
#define SEC(n) ((vtime_t)(n) * NS_PER_SEC)

#endif
