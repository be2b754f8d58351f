/* Finding the extent of a guest-physical address. Private to hv/mem. */
#ifndef HV_MEM_GMEM_FIND_H
#define HV_MEM_GMEM_FIND_H

#include "hv/mem/gmem.h"

/* By binary search, and remembered as the one last hit; NULL if `gpa` is not RAM. */
const struct gmem_extent *gmem_search(struct gmem *g, uint64_t gpa);

/* The same, after a look at the one last hit. */
static inline const struct gmem_extent *gmem_find(struct gmem *g, uint64_t gpa)
{
    uint32_t last = atomic_load_explicit(&g->last, memory_order_relaxed);
    if (LIKELY(last < g->count)) {
        const struct gmem_extent *e = &g->extents[last];
        if (LIKELY(gpa - e->gpa < e->size)) /* below e->gpa it wraps to far beyond any size */
            return e;
    }
    return gmem_search(g, gpa);
}

/* A pointer to [gpa, gpa+size) if one extent holds it all. */
static inline uint8_t *gmem_direct(struct gmem *g, uint64_t gpa, uint64_t size, const struct gmem_extent **extent)
{
    const struct gmem_extent *e = gmem_find(g, gpa);
    if (UNLIKELY(!e || !range_fits(gpa - e->gpa, size, e->size)))
        return NULL;
    *extent = e;
    return e->host + (gpa - e->gpa);
}

/* Is all of it RAM, in however many extents? */
bool gmem_is_ram(struct gmem *g, uint64_t gpa, uint64_t size);

#endif
