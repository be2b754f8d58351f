/* Page tables against the simplest model there is, for every sequence of three operations in a window that has all sizes of
 * pages: a page, the rest of its 2 MiB, the rest of its 1 GiB, and the first page of the next. After each operation every
 * border is looked up, and tables are counted; in the last step every allocation fails in turn. */
#include <stdlib.h>
#include <string.h>
#include "arch/x86_64/mmu/pt.h"
#include "tests/unit/test.h"

static const uint64_t borders[] = { GiB(1), GiB(1) + KiB(4), GiB(1) + MiB(2), GiB(2), GiB(2) + KiB(4) };
#define CELLS (ARRAY_SIZE(borders) - 1)
#define POOL  12u
#define DEPTH 3u

static struct world {
    struct pt pt;
    struct { uint64_t hpa; pt_attributes_t attributes; bool mapped; } model[CELLS];
    bool used[POOL];
    unsigned live;
    bool keeps; /* empty tables may be left */
} w, saved[DEPTH];
static _Alignas(4096) uint8_t pool[POOL][4096], saved_pool[DEPTH][POOL][4096];
static unsigned fail_in;
static uint64_t sequences, refusals, failures;
static const char *broken;

static bool on_alloc(void *ctx, hpa_t *page)
{
    (void)ctx;
    if (fail_in && --fail_in == 0)
        return false;
    for (unsigned i = 0; i < POOL; i++)
        if (!w.used[i]) {
            w.used[i] = true;
            w.live++;
            memset(pool[i], 0, sizeof pool[i]);
            *page = HPA((i + 1) * PAGE_SIZE);
            return true;
        }
    broken = "more tables than any state needs";
    return false;
}

static void on_free(void *ctx, hpa_t page)
{
    uint64_t i = page.raw / PAGE_SIZE - 1;
    (void)ctx;
    if (page.raw % PAGE_SIZE || i >= POOL || !w.used[i]) {
        broken = "a table that is none was freed";
        return;
    }
    memset(pool[i], 0xee, sizeof pool[i]); /* whoever still uses it does not find what it expects */
    w.used[i] = false;
    w.live--;
}

static void *on_pointer(void *ctx, hpa_t page)
{
    uint64_t i = page.raw / PAGE_SIZE - 1;
    (void)ctx;
    if (page.raw % PAGE_SIZE || i >= POOL || !w.used[i]) {
        printf("a table was read that is none: %llx\n", (unsigned long long)page.raw);
        abort();
    }
    return pool[i];
}

static const struct pt_mem mem = { on_alloc, on_free, on_pointer, NULL };

static void save(unsigned depth)
{
    saved[depth] = w;
    memcpy(saved_pool[depth], pool, sizeof pool);
}

static void restore(unsigned depth)
{
    w = saved[depth];
    memcpy(pool, saved_pool[depth], sizeof pool);
}

static bool lookup_agrees(unsigned cell, uint64_t at)
{
    struct pt_mapping m;
    if (pt_lookup(&w.pt, at, &m) != PT_OK)
        return !w.model[cell].mapped;
    return w.model[cell].mapped && m.hpa.raw == w.model[cell].hpa + (at - borders[cell]) &&
           m.attributes == w.model[cell].attributes && m.page_size <= pt_level_size(w.pt.max_page_level);
}

static void check(void)
{
    for (unsigned i = 0; i < CELLS; i++)
        if (!lookup_agrees(i, borders[i]) || !lookup_agrees(i, borders[i] + 0xabc) || !lookup_agrees(i, borders[i + 1] - 1) ||
            !lookup_agrees(i, (borders[i] + borders[i + 1]) / 2))
            broken = "a lookup differs from the model";
    if (w.live != w.pt.tables)
        broken = "the count of tables is wrong";
    bool any = false;
    for (unsigned i = 0; i < CELLS; i++)
        any |= w.model[i].mapped;
    if (!any && !w.keeps && w.live != 1)
        broken = "an empty table was left";
}

static bool all_are(unsigned from, unsigned to, bool mapped)
{
    for (unsigned i = from; i < to; i++)
        if (w.model[i].mapped != mapped)
            return false;
    return true;
}

/* Map to large pages, and to an address that allows 2 MiB only; protect in two ways; unmap in two ways. */
enum { MAP, MAP_ASIDE, PROTECT, PROTECT_UC, UNMAP, UNMAP_KEEP, OPERATIONS };
static const pt_attributes_t attributes[OPERATIONS] = {
    [MAP] = PT_READ | PT_WRITE | PT_EXEC, [MAP_ASIDE] = PT_READ, [PROTECT] = PT_READ | PT_WRITE, [PROTECT_UC] = PT_READ | PT_UC,
};

static enum pt_result run(unsigned op, uint64_t at, uint64_t size, uint64_t hpa)
{
    switch (op) {
    case MAP: case MAP_ASIDE: return pt_map(&w.pt, at, HPA(hpa), size, attributes[op]);
    case PROTECT: case PROTECT_UC: return pt_protect(&w.pt, at, size, attributes[op]);
    case UNMAP: return pt_unmap(&w.pt, at, size);
    default: return pt_unmap_keep_tables(&w.pt, at, size);
    }
}

static enum pt_result step(unsigned op, unsigned from, unsigned to)
{
    uint64_t at = borders[from], size = borders[to] - at, hpa = at + GiB(8) + (op == MAP_ASIDE ? MiB(2) : 0);
    enum pt_result expected = op <= MAP_ASIDE ? (all_are(from, to, false) ? PT_OK : PT_OVERLAP)
                            : op <= PROTECT_UC ? (all_are(from, to, true) ? PT_OK : PT_NOT_MAPPED) : PT_OK;
    enum pt_result result = run(op, at, size, hpa);
    if (result != expected && !(result == PT_NO_MEMORY && !fail_in))
        broken = "an operation's result is not the model's";
    w.keeps |= op == UNMAP_KEEP;
    for (unsigned i = from; result == PT_OK && i < to; i++) {
        w.model[i].mapped = op <= PROTECT_UC;
        w.model[i].attributes = attributes[op];
        if (op <= MAP_ASIDE)
            w.model[i].hpa = hpa + (borders[i] - at);
    }
    refusals += result != PT_OK;
    check();
    return result;
}

/* Every sequence of `left` more operations. */
static void explore(unsigned left)
{
    unsigned depth = DEPTH - left;
    save(depth);
    for (unsigned op = 0; op < OPERATIONS; op++)
        for (unsigned from = 0; from < CELLS; from++)
            for (unsigned to = from + 1; to <= CELLS && !broken; to++) {
                enum pt_result result = step(op, from, to);
                sequences++;
                if (left > 1 && result == PT_OK) /* what was refused changed nothing: nothing new comes after it */
                    explore(left - 1);
                restore(depth);
                for (unsigned nth = 1; left == 1 && result == PT_OK && !broken; nth++) {
                    fail_in = nth;
                    bool failed = step(op, from, to) == PT_NO_MEMORY;
                    fail_in = 0;
                    failures += failed;
                    restore(depth);
                    if (!failed)
                        break;
                }
                if (broken)
                    printf("  %s: depth %u, operation %u on cells %u to %u\n", broken, depth, op, from, to);
            }
}

static void explore_all(const struct pt_format *format, unsigned max_level)
{
    memset(&w, 0, sizeof w);
    broken = NULL;
    sequences = refusals = failures = 0;
    CHECK_EQ(pt_init(&w.pt, format, &mem, max_level), PT_OK);
    explore(DEPTH);
    CHECK(!broken);
    CHECK(sequences > 50000 && refusals > 1000 && failures > 1000);
    pt_destroy(&w.pt);
    CHECK_EQ(w.live, 0);
}

TEST(every_short_sequence_on_ept_with_1_gib_pages_is_what_the_model_says) { explore_all(&pt_ept, PT_LEVEL_1G); }
TEST(every_short_sequence_on_nested_tables_with_2_mib_pages_is_what_the_model_says) { explore_all(&pt_npt, PT_LEVEL_2M); }
