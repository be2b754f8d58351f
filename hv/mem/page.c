/* Buddies: a block of order k is aligned to its size; its buddy is the other half of the block of order k+1. Each zone
 * (a run of free memory) has two bytes of metadata per page; only those of a block's first page mean anything. Free
 * blocks are linked through their own first bytes, which are cleared again before a block is given. */
#include "hv/mem/page.h"

enum frame_kind {
    FRAME_INNER = 0, /* not the first page of a block */
    FRAME_FREE,
    FRAME_USED,
    FRAME_CLEARING,  /* being given back: neither given nor free yet */
};

struct page_frame {
    uint8_t kind : 2;  /* enum frame_kind */
    uint8_t zero : 1;  /* FREE: all zeroes but for the links */
    uint8_t order : 5;
    uint8_t owner;     /* enum page_owner */
};
_Static_assert(sizeof(struct page_frame) == 2, "two bytes of metadata a page");

struct free_links {
    uint64_t next, prev; /* physical addresses, 0: none */
};

static uint64_t block_size(unsigned order)
{
    return PAGE_SIZE << order;
}

static struct free_links *links_of(const struct page_allocator *a, uint64_t block)
{
    return page_pointer(a, HPA(block));
}

static struct page_frame *frame_in(const struct page_allocator *a, const struct page_zone *z, uint64_t at)
{
    return (struct page_frame *)page_pointer(a, HPA(z->meta)) + (at - z->base) / PAGE_SIZE;
}

static bool zone_has(const struct page_zone *z, uint64_t at, uint64_t size)
{
    return at >= z->base && range_fits(at - z->base, size, z->frames * PAGE_SIZE);
}

static const struct page_zone *zone_of(const struct page_allocator *a, uint64_t at)
{
    size_t low = 0, high = a->zone_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (zone_has(&a->zones[mid], at, 1))
            return &a->zones[mid];
        if (a->zones[mid].base > at)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* Eight words a turn: clearing guests' RAM is the longest thing that happens when one is started. */
static void clear(const struct page_allocator *a, uint64_t block, uint64_t size)
{
    uint64_t *word = page_pointer(a, HPA(block));
    for (uint64_t *end = word + size / sizeof(*word); word != end; word += 8) {
        word[0] = word[1] = word[2] = word[3] = 0;
        word[4] = word[5] = word[6] = word[7] = 0;
    }
}

/* ---- free lists; the lock is held -------------------------------------------------------------------------------- */

static void push(struct page_allocator *a, const struct page_zone *z, uint64_t block, unsigned order, bool zero)
{
    uint64_t next = a->first[order];
    *frame_in(a, z, block) = (struct page_frame){ .kind = FRAME_FREE, .zero = zero, .order = (uint8_t)(order & 31) };
    *links_of(a, block) = (struct free_links){ next, 0 };
    if (next)
        links_of(a, next)->prev = block;
    a->first[order] = block;
}

static void take(struct page_allocator *a, const struct page_zone *z, uint64_t block)
{
    struct free_links links = *links_of(a, block);
    struct page_frame *frame = frame_in(a, z, block);
    if (links.prev)
        links_of(a, links.prev)->next = links.next;
    else
        a->first[frame->order] = links.next;
    if (links.next)
        links_of(a, links.next)->prev = links.prev;
    *links_of(a, block) = (struct free_links){ 0, 0 };
    frame->kind = FRAME_INNER;
}

/* Put a block back, joined with its buddy as often as that is free too. */
static void release(struct page_allocator *a, const struct page_zone *z, uint64_t block, unsigned order, bool zero)
{
    for (; order < PAGE_ORDERS - 1; order++) {
        uint64_t buddy = block ^ block_size(order);
        if (!zone_has(z, buddy, block_size(order)))
            break;
        struct page_frame *frame = frame_in(a, z, buddy);
        if (frame->kind != FRAME_FREE || frame->order != order)
            break;
        zero = zero && frame->zero;
        take(a, z, buddy);
        frame_in(a, z, MAX(block, buddy))->kind = FRAME_INNER;
        block = MIN(block, buddy);
    }
    push(a, z, block, order, zero);
}

/* Take a free block and cut it down to `order`, from its start; true if it is all zeroes. */
static bool carve(struct page_allocator *a, const struct page_zone *z, uint64_t block, unsigned order)
{
    struct page_frame was = *frame_in(a, z, block);
    take(a, z, block);
    for (unsigned o = was.order; o-- > order;)
        push(a, z, block + block_size(o), o, was.zero);
    return was.zero;
}

static bool injected_failure(struct page_allocator *a)
{
    return a->fail_at && --a->fail_at == 0;
}

/* The bookkeeping of a block that leaves the free lists. */
static void give(struct page_allocator *a, const struct page_zone *z, uint64_t block, unsigned order, enum page_owner owner)
{
    *frame_in(a, z, block) = (struct page_frame){ .kind = FRAME_USED, .order = (uint8_t)(order & 31), .owner = (uint8_t)owner };
    a->free_bytes -= block_size(order);
    a->used_bytes[owner] += block_size(order);
}

/* ---- setting up --------------------------------------------------------------------------------------------------- */

/* Copies the ranges into zones: adjacent ones joined, page 0 left out. */
static bool make_zones(struct page_allocator *a, const struct page_range *ranges, size_t count)
{
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t base = ranges[i].base.raw, size = ranges[i].size;
        if ((base | size) % PAGE_SIZE != 0 || base < end || base + size < base)
            return false;
        if (base == 0 && size) {
            base += PAGE_SIZE;
            size -= PAGE_SIZE;
        }
        if (size == 0)
            continue;
        if (a->zone_count && base == end) {
            a->zones[a->zone_count - 1].frames += size / PAGE_SIZE;
        } else {
            if (a->zone_count == PAGE_MAX_ZONES)
                return false;
            a->zones[a->zone_count++] = (struct page_zone){ .base = base, .frames = size / PAGE_SIZE };
        }
        end = base + size;
    }
    return a->zone_count > 0;
}

/* Cuts the metadata of all zones from the start of the first zone that holds it, and tells each zone its part. */
static bool place_metadata(struct page_allocator *a)
{
    uint64_t frames = 0;
    for (size_t i = 0; i < a->zone_count; i++)
        frames += a->zones[i].frames;
    a->meta_bytes = ALIGN_UP(frames * sizeof(struct page_frame), PAGE_SIZE);
    struct page_zone *home = a->zones;
    while (home < a->zones + a->zone_count && (home->base < MiB(1) || home->frames * PAGE_SIZE < a->meta_bytes))
        home++;
    if (home == a->zones + a->zone_count)
        return false;
    uint64_t meta = home->base;
    clear(a, meta, a->meta_bytes);
    home->base += a->meta_bytes;
    home->frames -= a->meta_bytes / PAGE_SIZE;
    for (size_t i = 0; i < a->zone_count; i++) {
        a->zones[i].meta = meta;
        meta += a->zones[i].frames * sizeof(struct page_frame);
    }
    return true;
}

/* The whole zone in the largest aligned blocks. */
static void fill_zone(struct page_allocator *a, const struct page_zone *z)
{
    uint64_t at = z->base, end = z->base + z->frames * PAGE_SIZE;
    while (at < end) {
        unsigned order = PAGE_ORDERS - 1;
        while (at % block_size(order) != 0 || end - at < block_size(order))
            order--;
        push(a, z, at, order, false);
        a->free_bytes += block_size(order);
        at += block_size(order);
    }
}

enum page_result page_init(struct page_allocator *a, uint64_t offset, page_bug_t bug,
                           const struct page_range *ranges, size_t count)
{
    *a = (struct page_allocator){ .lock = SPINLOCK_INIT(LOCK_PAGES), .offset = offset, .bug = bug };
    if (!make_zones(a, ranges, count) || !place_metadata(a))
        return PAGE_BAD_RANGE;
    /* Backwards, so that the lists start with the lowest memory: the part that is mapped first. */
    for (size_t i = a->zone_count; i-- > 0;)
        fill_zone(a, &a->zones[i]);
    return PAGE_OK;
}

/* ---- giving and taking back --------------------------------------------------------------------------------------- */

/* Of the free block at `found` (0: there is none) its first part. The lock is held; not any more afterwards. */
static enum page_result hand_out(struct page_allocator *a, uint64_t found, unsigned order, enum page_owner owner, hpa_t *block)
{
    bool zero = false;
    if (found) {
        const struct page_zone *z = zone_of(a, found);
        zero = carve(a, z, found, order);
        give(a, z, found, order, owner);
    }
    spin_unlock(&a->lock);
    if (!found)
        return PAGE_NONE;
    if (!zero)
        clear(a, found, block_size(order));
    *block = HPA(found);
    return PAGE_OK;
}

enum page_result page_alloc(struct page_allocator *a, unsigned order, enum page_owner owner, hpa_t *block)
{
    unsigned o = order;
    spin_lock(&a->lock);
    while (o < PAGE_ORDERS && !a->first[o])
        o++;
    return hand_out(a, injected_failure(a) || o >= PAGE_ORDERS ? 0 : a->first[o], order, owner, block);
}

/* The free block that holds the lowest free page; 0 if that page does not end by `limit`. */
static uint64_t find_lowest(const struct page_allocator *a, uint64_t limit)
{
    for (const struct page_zone *z = a->zones; z < a->zones + a->zone_count; z++)
        for (uint64_t at = z->base; zone_has(z, at, PAGE_SIZE) && range_fits(at, PAGE_SIZE, limit);) {
            const struct page_frame *frame = frame_in(a, z, at);
            if (frame->kind == FRAME_FREE)
                return at;
            at += block_size(frame->order);
        }
    return 0;
}

enum page_result page_alloc_below(struct page_allocator *a, uint64_t limit, enum page_owner owner, hpa_t *page)
{
    spin_lock(&a->lock);
    return hand_out(a, injected_failure(a) ? 0 : find_lowest(a, limit), PAGE_ORDER_4K, owner, page);
}

uint64_t page_free(struct page_allocator *a, hpa_t block)
{
    const struct page_zone *z = block.raw % PAGE_SIZE ? NULL : zone_of(a, block.raw);
    struct page_frame was = { .kind = FRAME_INNER };
    if (z) {
        spin_lock(&a->lock);
        was = *frame_in(a, z, block.raw);
        if (was.kind == FRAME_USED)
            frame_in(a, z, block.raw)->kind = FRAME_CLEARING;
        spin_unlock(&a->lock);
    }
    if (was.kind != FRAME_USED) {
        a->bug(was.kind == FRAME_INNER ? "page_free: not a block" : "page_free: freed twice", block);
        return 0;
    }
    uint64_t size = block_size(was.order);
    clear(a, block.raw, size);
    spin_lock(&a->lock);
    a->free_bytes += size;
    a->used_bytes[was.owner] -= size;
    release(a, z, block.raw, was.order, true);
    spin_unlock(&a->lock);
    return size;
}

uint64_t page_free_bytes(struct page_allocator *a)
{
    spin_lock(&a->lock);
    uint64_t bytes = a->free_bytes;
    spin_unlock(&a->lock);
    return bytes;
}

uint64_t page_used_bytes(struct page_allocator *a, enum page_owner owner)
{
    spin_lock(&a->lock);
    uint64_t bytes = a->used_bytes[owner];
    spin_unlock(&a->lock);
    return bytes;
}

/* Adds up a zone's blocks; false: they do not tile it. */
static bool count_zone(const struct page_allocator *a, const struct page_zone *z, uint64_t *free, uint64_t used[PAGE_OWNERS])
{
    for (uint64_t at = z->base, end = z->base + z->frames * PAGE_SIZE; at < end;) {
        const struct page_frame *f = frame_in(a, z, at);
        if (f->kind == FRAME_INNER || f->order >= PAGE_ORDERS || f->owner >= PAGE_OWNERS || !zone_has(z, at, block_size(f->order)))
            return false;
        if (f->kind == FRAME_FREE)
            *free += block_size(f->order);
        else
            used[f->owner] += block_size(f->order);
        at += block_size(f->order);
    }
    return true;
}

static uint64_t listed_bytes(const struct page_allocator *a)
{
    uint64_t bytes = 0;
    for (unsigned order = 0; order < PAGE_ORDERS; order++)
        for (uint64_t block = a->first[order]; block; block = links_of(a, block)->next) {
            bytes += block_size(order);
            if (bytes > a->free_bytes)
                return UINT64_MAX; /* a list that has become a ring would never end */
        }
    return bytes;
}

bool page_check(struct page_allocator *a)
{
    uint64_t free = 0, used[PAGE_OWNERS] = { 0 };
    bool good = true;
    spin_lock(&a->lock);
    for (size_t i = 0; i < a->zone_count && good; i++)
        good = count_zone(a, &a->zones[i], &free, used);
    for (unsigned owner = 0; owner < PAGE_OWNERS; owner++)
        good = good && used[owner] == a->used_bytes[owner];
    good = good && free == a->free_bytes && listed_bytes(a) == a->free_bytes;
    spin_unlock(&a->lock);
    return good;
}

uint64_t page_fail_nth(struct page_allocator *a, uint64_t n)
{
    spin_lock(&a->lock);
    uint64_t left = a->fail_at;
    a->fail_at = n;
    spin_unlock(&a->lock);
    return left;
}
