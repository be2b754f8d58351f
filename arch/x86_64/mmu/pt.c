/* The walker. Addresses are cut to the format's address_bits at the door, so inside nothing is sign-extended and the
 * end of a range never wraps. One invariant makes the rest short: before a range is changed no large page straddles its
 * ends. No table but the root is empty between calls, unless the caller asked to keep it. */
#include "arch/x86_64/mmu/pt.h"

#define ENTRIES      512u
#define ADDRESS_MASK UINT64_C(0x000ffffffffff000)

struct span {
    uint64_t start, end; /* bytes, within address_bits */
};

/* The CPU sets accessed and dirty bits behind the compiler's back, and may walk while we change entries. */
static uint64_t load(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

static void store(uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static uint64_t *table_at(const struct pt *pt, hpa_t table)
{
    return pt->mem->pointer(pt->mem->ctx, table);
}

static unsigned slot(uint64_t address, unsigned level)
{
    return (unsigned)(address / pt_level_size(level) % ENTRIES);
}

static bool is_present(const struct pt *pt, uint64_t entry)
{
    return (entry & pt->format->present) != 0;
}

static bool is_table(const struct pt *pt, uint64_t entry, unsigned level)
{
    return level > PT_LEVEL_4K && is_present(pt, entry) && !(entry & pt->format->large);
}

static uint64_t page_entry(const struct pt *pt, uint64_t hpa, uint64_t flags, unsigned level)
{
    return hpa | flags | (level > PT_LEVEL_4K ? pt->format->large : 0);
}

static uint64_t next_page(uint64_t address, unsigned level)
{
    return ALIGN_DOWN(address, pt_level_size(level)) + pt_level_size(level);
}

/* The entry at which the walk for `address` ends: a page, or not present. */
static uint64_t *walk(const struct pt *pt, uint64_t address, unsigned *level)
{
    hpa_t table = pt->root;
    for (*level = pt->format->levels;; --*level) {
        uint64_t *entry = table_at(pt, table) + slot(address, *level);
        uint64_t value = load(entry);
        if (!is_table(pt, value, *level))
            return entry;
        table = HPA(value & ADDRESS_MASK);
    }
}

static bool is_in_range(const struct pt_format *format, uint64_t first, uint64_t last)
{
    unsigned shift = format->canonical ? format->address_bits - 1 : format->address_bits;
    uint64_t above = first >> shift;
    bool valid = above == 0 || (format->canonical && above == UINT64_MAX >> shift);
    return valid && first <= last && last >> shift == above;
}

static enum pt_result check_span(const struct pt *pt, uint64_t address, uint64_t size, struct span *out)
{
    if ((address | size) % PAGE_SIZE != 0 || size == 0)
        return PT_MISALIGNED;
    if (!is_in_range(pt->format, address, address + size - 1))
        return PT_OUT_OF_RANGE;
    out->start = address & ((UINT64_C(1) << pt->format->address_bits) - 1);
    out->end = out->start + size;
    return PT_OK;
}

/* Is every page of the span mapped, or every one not? */
static bool all_pages_are(const struct pt *pt, struct span s, bool mapped)
{
    while (s.start < s.end) {
        unsigned level;
        if (is_present(pt, load(walk(pt, s.start, &level))) != mapped)
            return false;
        s.start = next_page(s.start, level);
    }
    return true;
}

static bool new_table(struct pt *pt, hpa_t *table)
{
    if (!pt->mem->alloc_page(pt->mem->ctx, table))
        return false;
    pt->tables++;
    return true;
}

static void free_table(struct pt *pt, hpa_t table)
{
    pt->mem->free_page(pt->mem->ctx, table);
    pt->tables--;
}

/* Split large pages until none straddles `address`; what is mapped stays the same. */
static bool split_at(struct pt *pt, uint64_t address)
{
    for (;;) {
        unsigned level;
        uint64_t *entry = walk(pt, address, &level);
        uint64_t value = load(entry);
        hpa_t table;
        if (!is_present(pt, value) || address % pt_level_size(level) == 0)
            return true;
        if (!new_table(pt, &table))
            return false;
        uint64_t flags = value & ~ADDRESS_MASK & ~pt->format->large;
        for (unsigned i = 0; i < ENTRIES; i++)
            store(table_at(pt, table) + i,
                  page_entry(pt, (value & ADDRESS_MASK) + i * pt_level_size(level - 1), flags, level - 1));
        store(entry, table.raw | pt->format->table);
    }
}

static bool split_ends(struct pt *pt, struct span s)
{
    uint64_t limit = UINT64_C(1) << pt->format->address_bits;
    return split_at(pt, s.start) && (s.end == limit || split_at(pt, s.end));
}

static bool is_empty(const struct pt *pt, const uint64_t *table)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (is_present(pt, load(table + i)))
            return false;
    return true;
}

/* Clear the span's part in one table, and free the tables below that it empties, unless they are to be kept. True if
 * this one is to be freed now. */
static bool clear(struct pt *pt, uint64_t *table, unsigned level, struct span s, bool keep)
{
    while (s.start < s.end) {
        uint64_t *entry = table + slot(s.start, level);
        uint64_t value = load(entry);
        struct span part = { s.start, MIN(s.end, next_page(s.start, level)) };
        hpa_t below = HPA(value & ADDRESS_MASK);
        if (!is_table(pt, value, level)) {
            store(entry, 0);
        } else if (clear(pt, table_at(pt, below), level - 1, part, keep)) {
            store(entry, 0);
            free_table(pt, below);
        }
        s.start = part.end;
    }
    return !keep && is_empty(pt, table);
}

static void clear_span(struct pt *pt, struct span s, bool keep)
{
    (void)clear(pt, table_at(pt, pt->root), pt->format->levels, s, keep);
}

/* The entry of `*level` for an address, with the tables above it made as needed; NULL without memory. Where an empty
 * table was kept, the level becomes that table's. */
static uint64_t *entry_for(struct pt *pt, uint64_t address, unsigned *level)
{
    unsigned at;
    uint64_t *entry = walk(pt, address, &at);
    *level = MIN(*level, at);
    while (at > *level) {
        hpa_t table;
        if (!new_table(pt, &table))
            return NULL;
        store(entry, table.raw | pt->format->table);
        entry = table_at(pt, table) + slot(address, --at);
    }
    return entry;
}

static unsigned largest_level(const struct pt *pt, uint64_t address, uint64_t hpa, uint64_t size)
{
    unsigned level = pt->max_page_level;
    while (level > PT_LEVEL_4K && ((address | hpa) % pt_level_size(level) != 0 || size < pt_level_size(level)))
        level--;
    return level;
}

enum pt_result pt_init(struct pt *pt, const struct pt_format *format, const struct pt_mem *mem, unsigned max_page_level)
{
    *pt = (struct pt){
        .format = format,
        .mem = mem,
        .max_page_level = MAX(MIN(max_page_level, (unsigned)PT_LEVEL_1G), (unsigned)PT_LEVEL_4K),
    };
    return new_table(pt, &pt->root) ? PT_OK : PT_NO_MEMORY;
}

void pt_destroy(struct pt *pt)
{
    clear_span(pt, (struct span){ 0, UINT64_C(1) << pt->format->address_bits }, false);
    free_table(pt, pt->root);
    pt->root = HPA(0);
}

enum pt_result pt_map(struct pt *pt, uint64_t address, hpa_t hpa, uint64_t size, pt_attributes_t attributes)
{
    struct span s;
    uint64_t flags;
    enum pt_result result = check_span(pt, address, size, &s);
    if (result != PT_OK)
        return result;
    if (hpa.raw % PAGE_SIZE != 0)
        return PT_MISALIGNED;
    if (!range_fits(hpa.raw, size, ADDRESS_MASK + PAGE_SIZE))
        return PT_OUT_OF_RANGE;
    if (!pt->format->encode(attributes, &flags))
        return PT_BAD_ATTRIBUTES;
    if (!all_pages_are(pt, s, false))
        return PT_OVERLAP;
    for (uint64_t at = s.start; at < s.end;) {
        unsigned level = largest_level(pt, at, hpa.raw, s.end - at);
        uint64_t *entry = entry_for(pt, at, &level);
        if (!entry) {
            /* Also takes back tables that were made for this page and are empty. */
            clear_span(pt, (struct span){ s.start, at + PAGE_SIZE }, false);
            return PT_NO_MEMORY;
        }
        store(entry, page_entry(pt, hpa.raw, flags, level));
        at += pt_level_size(level);
        hpa.raw += pt_level_size(level);
    }
    return PT_OK;
}

static enum pt_result unmap(struct pt *pt, uint64_t address, uint64_t size, bool keep)
{
    struct span s;
    enum pt_result result = check_span(pt, address, size, &s);
    if (result != PT_OK)
        return result;
    if (!split_ends(pt, s))
        return PT_NO_MEMORY;
    clear_span(pt, s, keep);
    return PT_OK;
}

enum pt_result pt_unmap(struct pt *pt, uint64_t address, uint64_t size)
{
    return unmap(pt, address, size, false);
}

enum pt_result pt_unmap_keep_tables(struct pt *pt, uint64_t address, uint64_t size)
{
    return unmap(pt, address, size, true);
}

enum pt_result pt_protect(struct pt *pt, uint64_t address, uint64_t size, pt_attributes_t attributes)
{
    struct span s;
    uint64_t flags;
    enum pt_result result = check_span(pt, address, size, &s);
    if (result != PT_OK)
        return result;
    if (!pt->format->encode(attributes, &flags))
        return PT_BAD_ATTRIBUTES;
    if (!all_pages_are(pt, s, true))
        return PT_NOT_MAPPED;
    if (!split_ends(pt, s))
        return PT_NO_MEMORY;
    while (s.start < s.end) {
        unsigned level;
        uint64_t *entry = walk(pt, s.start, &level);
        store(entry, page_entry(pt, load(entry) & ADDRESS_MASK, flags, level));
        s.start = next_page(s.start, level);
    }
    return PT_OK;
}

enum pt_result pt_lookup(const struct pt *pt, uint64_t address, struct pt_mapping *out)
{
    if (!is_in_range(pt->format, address, address))
        return PT_OUT_OF_RANGE;
    unsigned level;
    uint64_t cut = address & ((UINT64_C(1) << pt->format->address_bits) - 1);
    uint64_t entry = load(walk(pt, cut, &level));
    if (!is_present(pt, entry))
        return PT_NOT_MAPPED;
    out->page_size = pt_level_size(level);
    out->hpa = HPA((entry & ADDRESS_MASK) + cut % out->page_size);
    out->attributes = pt->format->decode(entry);
    return PT_OK;
}
