/* "Physical" memory for the page allocator's users: an arena filled with dirt, seen at physical address `base`. */
#ifndef TESTS_UNIT_ARENA_H
#define TESTS_UNIT_ARENA_H

#include <stdlib.h>
#include <string.h>
#include "hv/mem/page.h"

#define ARENA_SIZE MiB(64)

static uint8_t *arena;
static struct page_allocator pages;
static unsigned bugs;

static void count_bug(const char *what, hpa_t page)
{
    (void)what;
    (void)page;
    bugs++;
}

static inline bool arena_start(uint64_t base, const struct page_range *ranges, size_t count)
{
    uint64_t used = MiB(2);
    bugs = 0;
    for (size_t i = 0; i < count; i++)
        used = MAX(used, ranges[i].base.raw + ranges[i].size - base);
    used = MIN(ALIGN_UP(used, MiB(2)), ARENA_SIZE);
    arena = aligned_alloc(MiB(2), used);
    memset(arena, 0xa5, used);
    return page_init(&pages, (uint64_t)(uintptr_t)arena - base, count_bug, ranges, count) == PAGE_OK;
}

static inline void arena_end(void)
{
    free(arena);
}

static inline bool all_zero(const void *at, uint64_t size)
{
    const uint8_t *p = at;
    return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

#endif
