/* What a partition's memory is made of, and finding the extent of an address. The accesses are in gmem_access.c. */
#include "hv/mem/gmem_find.h"
#include "hv/lib/str.h"

#define GMEM_END (UINT64_C(1) << 48)

enum gmem_result gmem_create(struct gmem *g, struct page_allocator *pages)
{
    hpa_t block;
    if (page_alloc(pages, PAGE_ORDER_4K, PAGE_OWNER_HOST, &block) != PAGE_OK)
        return GMEM_NO_MEMORY;
    *g = (struct gmem){
        .pages = pages,
        .extents = page_pointer(pages, block),
        .capacity = PAGE_SIZE / sizeof(struct gmem_extent),
        .extents_block = block,
    };
    return GMEM_OK;
}

/* The index of the first extent that ends above `gpa`; count if there is none. */
static uint32_t first_above(const struct gmem *g, uint64_t gpa)
{
    uint32_t low = 0, high = g->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (g->extents[mid].gpa + g->extents[mid].size <= gpa)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct gmem_extent *gmem_search(struct gmem *g, uint64_t gpa)
{
    uint32_t i = first_above(g, gpa);
    if (i == g->count || gpa < g->extents[i].gpa)
        return NULL;
    atomic_store_explicit(&g->last, i, memory_order_relaxed);
    return &g->extents[i];
}

static enum gmem_result check_range(gpa_t gpa, uint64_t size)
{
    if ((gpa.raw | size) % PAGE_SIZE != 0 || size == 0)
        return GMEM_MISALIGNED;
    return range_fits(gpa.raw, size, GMEM_END) ? GMEM_OK : GMEM_OUTSIDE;
}

static bool grow(struct gmem *g)
{
    unsigned order = PAGE_ORDER_4K;
    while ((PAGE_SIZE << order) / sizeof(struct gmem_extent) <= g->capacity)
        order++;
    hpa_t block;
    if (page_alloc(g->pages, order, PAGE_OWNER_HOST, &block) != PAGE_OK)
        return false;
    memcpy(page_pointer(g->pages, block), g->extents, g->count * sizeof(struct gmem_extent));
    (void)page_free(g->pages, g->extents_block);
    g->extents_block = block;
    g->extents = page_pointer(g->pages, block);
    g->capacity = (uint32_t)((PAGE_SIZE << order) / sizeof(struct gmem_extent));
    return true;
}

static bool insert(struct gmem *g, uint32_t at, struct gmem_extent extent)
{
    if (g->count == g->capacity && !grow(g))
        return false;
    memmove(&g->extents[at + 1], &g->extents[at], (g->count - at) * sizeof(extent));
    g->extents[at] = extent;
    g->count++;
    return true;
}

/* A new block; joined to the extent before it if that is contiguous in both address spaces and no older than
 * `start`, so that a failed gmem_add_ram can be undone by whole extents. */
static bool add_block(struct gmem *g, uint64_t start, uint64_t gpa, hpa_t block, uint64_t size)
{
    uint32_t at = first_above(g, gpa);
    struct gmem_extent *before = at ? &g->extents[at - 1] : NULL;
    if (before && before->gpa >= start && before->gpa + before->size == gpa &&
        before->hpa.raw + before->size == block.raw) {
        before->size += size;
        return true;
    }
    return insert(g, at, (struct gmem_extent){ gpa, size, page_pointer(g->pages, block), block, false });
}

/* Free the blocks of all extents in [start, end). A block may reach over several extents (gmem_make_read_only cuts
 * them anywhere), but it is as contiguous in guest-physical memory as it is on the host. */
static void remove_range(struct gmem *g, uint64_t start, uint64_t end)
{
    uint32_t first = first_above(g, start), i = first;
    uint64_t at = start;
    for (; i < g->count && g->extents[i].gpa < end; i++) {
        const struct gmem_extent *e = &g->extents[i];
        at = MAX(at, e->gpa);
        while (at < e->gpa + e->size) {
            uint64_t freed = page_free(g->pages, HPA(e->hpa.raw + (at - e->gpa)));
            if (!freed)
                return; /* our bug; page_free has said so */
            at += freed;
        }
        g->bytes -= e->size;
    }
    memmove(&g->extents[first], &g->extents[i], (g->count - i) * sizeof(g->extents[0]));
    g->count -= i - first;
}

void gmem_destroy(struct gmem *g)
{
    if (!g->extents_block.raw)
        return;
    remove_range(g, 0, GMEM_END);
    (void)page_free(g->pages, g->extents_block);
    *g = (struct gmem){ .pages = g->pages };
}

/* The largest block that fits at `gpa` and is to be had. */
static bool alloc_largest(struct gmem *g, uint64_t gpa, uint64_t size, hpa_t *block, uint64_t *block_size)
{
    for (unsigned order = PAGE_ORDERS; order-- > 0;) {
        *block_size = PAGE_SIZE << order;
        if (gpa % *block_size == 0 && size >= *block_size &&
            page_alloc(g->pages, order, PAGE_OWNER_GUEST, block) == PAGE_OK)
            return true;
    }
    return false;
}

enum gmem_result gmem_add_ram(struct gmem *g, gpa_t gpa, uint64_t size)
{
    enum gmem_result result = check_range(gpa, size);
    if (result != GMEM_OK)
        return result;
    uint64_t end = gpa.raw + size;
    uint32_t next = first_above(g, gpa.raw);
    if (next < g->count && g->extents[next].gpa < end)
        return GMEM_OVERLAP;
    /* Refused before gigabytes are cleared for nothing. */
    if (page_free_bytes(g->pages) < size)
        return GMEM_NO_MEMORY;
    for (uint64_t at = gpa.raw; at < end;) {
        hpa_t block;
        uint64_t block_size;
        bool have = alloc_largest(g, at, end - at, &block, &block_size);
        if (have && !add_block(g, gpa.raw, at, block, block_size)) {
            (void)page_free(g->pages, block);
            have = false;
        }
        if (!have) {
            remove_range(g, gpa.raw, end);
            return GMEM_NO_MEMORY;
        }
        at += block_size;
        g->bytes += block_size;
    }
    return GMEM_OK;
}

/* Cut the extent around `gpa`, if any, so that one starts there. */
static bool cut_at(struct gmem *g, uint64_t gpa)
{
    uint32_t i = first_above(g, gpa);
    if (i == g->count || g->extents[i].gpa >= gpa)
        return true;
    struct gmem_extent rest = g->extents[i];
    uint64_t offset = gpa - rest.gpa;
    rest.gpa += offset;
    rest.hpa.raw += offset;
    rest.host += offset;
    rest.size -= offset;
    if (!insert(g, i + 1, rest))
        return false;
    g->extents[i].size = offset;
    return true;
}

enum gmem_result gmem_make_read_only(struct gmem *g, gpa_t gpa, uint64_t size)
{
    enum gmem_result result = check_range(gpa, size);
    if (result != GMEM_OK)
        return result;
    if (!gmem_is_ram(g, gpa.raw, size))
        return GMEM_OUTSIDE;
    if (!cut_at(g, gpa.raw) || !cut_at(g, gpa.raw + size))
        return GMEM_NO_MEMORY;
    for (uint32_t i = first_above(g, gpa.raw); i < g->count && g->extents[i].gpa < gpa.raw + size; i++)
        g->extents[i].read_only = true;
    return GMEM_OK;
}

int gmem_for_each_extent(const struct gmem *g, gmem_visit_t visit, void *ctx)
{
    int result = 0;
    for (uint32_t i = 0; i < g->count && result == 0; i++)
        result = visit(ctx, &g->extents[i]);
    return result;
}
