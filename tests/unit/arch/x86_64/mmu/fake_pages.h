/* Pages for page-table tests: from the heap, so that the sanitizers see every stray access; a page's "physical"
 * address is its pointer. Counts what is live and fails the n-th allocation on demand. */
#ifndef TESTS_UNIT_FAKE_PAGES_H
#define TESTS_UNIT_FAKE_PAGES_H

#include <stdlib.h>
#include <string.h>
#include "arch/x86_64/mmu/pt.h"

struct fake_pages {
    long live;
    long fail_in; /* 0: never; 1: the next */
};

static inline bool fake_alloc(void *ctx, hpa_t *page)
{
    struct fake_pages *f = ctx;
    if (f->fail_in && --f->fail_in == 0)
        return false;
    void *p = aligned_alloc(4096, 4096);
    memset(p, 0, 4096);
    f->live++;
    *page = HPA((uint64_t)(uintptr_t)p);
    return true;
}

static inline void fake_free(void *ctx, hpa_t page)
{
    ((struct fake_pages *)ctx)->live--;
    free((void *)(uintptr_t)page.raw);
}

static inline void *fake_pointer(void *ctx, hpa_t page)
{
    (void)ctx;
    return (void *)(uintptr_t)page.raw;
}

#define FAKE_PT_MEM(pages) ((struct pt_mem){ fake_alloc, fake_free, fake_pointer, (pages) })

/* xorshift64: the same sequence on every run. */
static inline uint64_t fake_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
