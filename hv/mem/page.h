/* The host's pages: a buddy allocator over the free ranges of the memory map, 4 KiB to 1 GiB a block.
 * A block is all zeroes when it is given, and zeroed again as soon as it is taken back.
 * Pure: memory is reached at physical address + `offset` (HOST_DIRECT_BASE; in tests, a buffer's).
 * Any CPU may call; one spinlock, not held while a block is cleared. Physical page 0 is never given. */
#ifndef HV_MEM_PAGE_H
#define HV_MEM_PAGE_H

#include "hv/lib/spinlock.h"
#include "hv/lib/types.h"

enum { PAGE_ORDER_4K = 0, PAGE_ORDER_2M = 9, PAGE_ORDER_1G = 18, PAGE_ORDERS = 19 };

#define PAGE_MAX_ZONES 256

enum page_result {
    PAGE_OK = 0,
    PAGE_NONE,      /* no block of this size is free (or a failure was injected) */
    PAGE_BAD_RANGE, /* page_init: misaligned, overlapping, wrapping or too many ranges, or none can hold the metadata */
};

/* Whom a block is counted for. */
enum page_owner {
    PAGE_OWNER_HOST,   /* the hypervisor's own structures, stacks, rings */
    PAGE_OWNER_TABLES, /* page tables, host and nested */
    PAGE_OWNER_CPU,    /* VMXON, VMCS, bitmaps, APIC pages, per-CPU data, FPU areas */
    PAGE_OWNER_GUEST,  /* guests' RAM */
    PAGE_OWNERS
};

struct page_range {
    hpa_t base;    /* 4 KiB aligned */
    uint64_t size; /* bytes, 4 KiB multiple */
};

/* Called on our own bug (double free, a block never given); if it returns, the call had no effect. */
typedef void (*page_bug_t)(const char *what, hpa_t page);

struct page_zone {
    uint64_t base;   /* bytes; zones are sorted */
    uint64_t frames;
    uint64_t meta;   /* physical address of struct page_frame[frames] */
};

struct page_allocator {
    spinlock_t lock;
    uint64_t offset;
    page_bug_t bug;
    size_t zone_count;
    struct page_zone zones[PAGE_MAX_ZONES];
    uint64_t first[PAGE_ORDERS];       /* [lock] heads of the free lists, 0: empty */
    uint64_t free_bytes;               /* [lock] */
    uint64_t used_bytes[PAGE_OWNERS];  /* [lock] */
    uint64_t meta_bytes;
    uint64_t fail_at;                  /* [lock] 0: no injection; n: the n-th allocation from now fails */
};

/* `ranges` are sorted and do not overlap; adjacent ones are joined. The metadata (2 bytes a page) is put at the start of
 * the first range above 1 MiB that holds it. All memory must be reachable at `offset` by the time it is allocated. */
enum page_result page_init(struct page_allocator *a, uint64_t offset, page_bug_t bug,
                           const struct page_range *ranges, size_t count) MUST_CHECK;

/* A zeroed block of PAGE_SIZE << order bytes, aligned to its size. */
enum page_result page_alloc(struct page_allocator *a, unsigned order, enum page_owner owner, hpa_t *block) MUST_CHECK;

/* One zeroed page that ends at or below `limit` bytes, the lowest free (MiB(1): for the AP trampoline). */
enum page_result page_alloc_below(struct page_allocator *a, uint64_t limit, enum page_owner owner, hpa_t *page) MUST_CHECK;

/* Gives a whole block back (its order is remembered); returns its size in bytes, 0 after a bug. */
uint64_t page_free(struct page_allocator *a, hpa_t block);

static inline void *page_pointer(const struct page_allocator *a, hpa_t hpa)
{
    return (void *)(uintptr_t)(a->offset + hpa.raw);
}

uint64_t page_free_bytes(struct page_allocator *a);
uint64_t page_used_bytes(struct page_allocator *a, enum page_owner owner);

/* Walks all blocks: do the free and the given ones add up to what is counted? False: our own bug, or broken metadata.
 * Blocks that are just being cleared count as given. The lock is held meanwhile: a few instructions a block. */
bool page_check(struct page_allocator *a);

/* Fault injection: the n-th allocation from now fails, once; 0 turns it off. Returns how many were still to go of what was
 * injected before; 0: it has failed. */
uint64_t page_fail_nth(struct page_allocator *a, uint64_t n);

#endif
