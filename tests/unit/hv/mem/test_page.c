#include "tests/unit/hv/mem/arena.h"
#include "tests/unit/arch/x86_64/mmu/fake_pages.h"
#include "hv/mem/page_tables.h"
#include "tests/unit/test.h"

/* As a PC: low memory with a hole, then the rest, in three adjacent pieces. */
static const struct page_range pc[] = {
    { { 0 }, KiB(636) },
    { { MiB(1) }, MiB(15) },
    { { MiB(16) }, MiB(16) },
    { { MiB(32) }, MiB(32) },
};

static bool pc_start(void)
{
    return arena_start(0, pc, ARRAY_SIZE(pc));
}

static hpa_t give(unsigned order)
{
    hpa_t block = HPA(0);
    return page_alloc(&pages, order, PAGE_OWNER_GUEST, &block) == PAGE_OK ? block : HPA(0);
}

TEST(a_block_is_aligned_zeroed_and_counted)
{
    CHECK(pc_start());
    uint64_t before = page_free_bytes(&pages);
    for (unsigned order = 0; order < 13; order++) {
        hpa_t block = give(order);
        CHECK(block.raw != 0);
        CHECK_EQ(block.raw % (PAGE_SIZE << order), 0);
        CHECK(all_zero(page_pointer(&pages, block), PAGE_SIZE << order));
        CHECK_EQ(page_used_bytes(&pages, PAGE_OWNER_GUEST), PAGE_SIZE << order);
        CHECK_EQ(page_free_bytes(&pages), before - (PAGE_SIZE << order));
        CHECK_EQ(page_free(&pages, block), PAGE_SIZE << order);
        CHECK_EQ(page_free_bytes(&pages), before);
    }
    CHECK_EQ(page_used_bytes(&pages, PAGE_OWNER_GUEST), 0);
    CHECK_EQ(give(PAGE_ORDER_1G).raw, 0);
    CHECK_EQ(give(PAGE_ORDERS).raw, 0);
    CHECK_EQ(bugs, 0);
    arena_end();
}

TEST(a_block_is_zeroed_when_it_is_taken_back_and_clean_when_given_again)
{
    CHECK(pc_start());
    hpa_t block = give(3);
    memset(page_pointer(&pages, block), 0x77, PAGE_SIZE << 3);
    CHECK_EQ(page_free(&pages, block), PAGE_SIZE << 3);
    CHECK(all_zero((uint8_t *)page_pointer(&pages, block) + 16, (PAGE_SIZE << 3) - 16)); /* but for the links */
    CHECK_EQ(give(3).raw, block.raw);
    CHECK(all_zero(page_pointer(&pages, block), PAGE_SIZE << 3));
    arena_end();
}

TEST(page_0_reserved_memory_and_metadata_are_never_given)
{
    static bool seen[ARENA_SIZE / PAGE_SIZE];
    uint64_t total = 0;
    memset(seen, 0, sizeof(seen));
    CHECK(pc_start());
    for (hpa_t p; (p = give(0)).raw; total += PAGE_SIZE) {
        CHECK(!seen[p.raw / PAGE_SIZE]);
        seen[p.raw / PAGE_SIZE] = true;
        memset(page_pointer(&pages, p), 0xff, PAGE_SIZE);
    }
    CHECK(!seen[0]);
    for (uint64_t at = KiB(636); at < MiB(1); at += PAGE_SIZE)
        CHECK(!seen[at / PAGE_SIZE]);
    CHECK_EQ(total, KiB(632) + MiB(63) - pages.meta_bytes);
    CHECK_EQ(page_free_bytes(&pages), 0);
    arena_end();
}

TEST(a_double_free_and_a_stray_free_are_caught)
{
    CHECK(pc_start());
    hpa_t block = give(4);
    CHECK_EQ(page_free(&pages, HPA(block.raw + PAGE_SIZE)), 0);
    CHECK_EQ(page_free(&pages, HPA(block.raw + 8)), 0);
    CHECK_EQ(page_free(&pages, HPA(KiB(700))), 0);
    CHECK_EQ(page_free(&pages, HPA(GiB(5))), 0);
    CHECK_EQ(bugs, 4);
    CHECK_EQ(page_free(&pages, block), PAGE_SIZE << 4);
    uint64_t before = page_free_bytes(&pages);
    CHECK_EQ(page_free(&pages, block), 0);
    CHECK_EQ(bugs, 5);
    CHECK_EQ(page_free_bytes(&pages), before);
    arena_end();
}

TEST(a_page_below_1_mib_can_be_asked_for_until_there_is_none)
{
    CHECK(pc_start());
    hpa_t p;
    uint64_t count = 0;
    CHECK_EQ(page_alloc_below(&pages, MiB(1), PAGE_OWNER_CPU, &p), PAGE_OK);
    CHECK_EQ(p.raw, PAGE_SIZE);
    CHECK(all_zero(page_pointer(&pages, p), PAGE_SIZE));
    do {
        CHECK(p.raw + PAGE_SIZE <= KiB(636));
        count++;
    } while (page_alloc_below(&pages, MiB(1), PAGE_OWNER_CPU, &p) == PAGE_OK);
    CHECK_EQ(count, 158);
    CHECK_EQ(page_used_bytes(&pages, PAGE_OWNER_CPU), 158 * PAGE_SIZE);
    arena_end();
}

TEST(the_nth_allocation_fails_on_demand)
{
    CHECK(pc_start());
    page_fail_nth(&pages, 3);
    CHECK(give(0).raw);
    CHECK(give(0).raw);
    CHECK_EQ(give(0).raw, 0);
    CHECK(give(0).raw);
    arena_end();
}

TEST(bad_memory_maps_are_refused)
{
    static const struct page_range overlap[] = { { { MiB(1) }, MiB(2) }, { { MiB(2) }, MiB(2) } };
    static const struct page_range odd[] = { { { MiB(1) + 1 }, MiB(2) } };
    static const struct page_range wraps[] = { { { UINT64_MAX << 12 }, KiB(8) } };
    static const struct page_range low_only[] = { { { 0 }, KiB(636) } };
    CHECK(!arena_start(0, overlap, 2));
    arena_end();
    CHECK(!arena_start(0, odd, 1));
    arena_end();
    CHECK(!arena_start(0, wraps, 1));
    arena_end();
    CHECK(!arena_start(0, low_only, 1));
    arena_end();
    CHECK(!arena_start(0, NULL, 0));
    arena_end();
}

/* ---- random use: no two live blocks overlap, each keeps its content, and all comes back together -------------------- */

#define LIVE 200
static struct { hpa_t at; unsigned order; uint8_t mark; } live[LIVE];

static bool is_marked(const void *at, uint8_t mark, uint64_t size)
{
    const uint8_t *p = at;
    return p[0] == mark && memcmp(p, p + 1, size - 1) == 0;
}

static void drop(size_t i)
{
    uint64_t size = PAGE_SIZE << live[i].order;
    CHECK(is_marked(page_pointer(&pages, live[i].at), live[i].mark, size));
    CHECK_EQ(page_free(&pages, live[i].at), size);
    live[i].at = HPA(0);
}

TEST(random_use_never_overlaps_and_all_memory_comes_back)
{
    uint64_t seed = 42;
    CHECK(pc_start());
    uint64_t before = page_free_bytes(&pages);
    unsigned biggest = PAGE_ORDERS;
    while (!pages.first[--biggest])
        ;
    for (unsigned step = 0; step < 6000; step++) {
        size_t i = fake_random(&seed) % LIVE;
        if (live[i].at.raw) {
            drop(i);
            continue;
        }
        unsigned order = (unsigned)(fake_random(&seed) % 8);
        hpa_t block = give(order);
        if (!block.raw)
            continue;
        CHECK(all_zero(page_pointer(&pages, block), PAGE_SIZE << order));
        live[i].at = block;
        live[i].order = order;
        live[i].mark = (uint8_t)(1 + i);
        memset(page_pointer(&pages, block), live[i].mark, PAGE_SIZE << order);
    }
    for (size_t i = 0; i < LIVE; i++)
        if (live[i].at.raw)
            drop(i);
    CHECK_EQ(page_free_bytes(&pages), before);
    CHECK(pages.first[biggest] != 0); /* joined again, not left in crumbs */
    CHECK_EQ(bugs, 0);
    arena_end();
}

TEST(page_tables_take_their_pages_here_and_give_them_back)
{
    struct pt_mem mem;
    struct pt pt;
    CHECK(pc_start());
    page_tables_init(&mem, &pages);
    CHECK_EQ(pt_init(&pt, &pt_ept, &mem, PT_LEVEL_2M), PT_OK);
    CHECK_EQ(pt_map(&pt, 0, HPA(0), MiB(4) + KiB(4), PT_READ), PT_OK);
    CHECK_EQ(page_used_bytes(&pages, PAGE_OWNER_TABLES), pt.tables * PAGE_SIZE);
    pt_destroy(&pt);
    CHECK_EQ(page_used_bytes(&pages, PAGE_OWNER_TABLES), 0);
    arena_end();
}

TEST(a_wrong_count_or_a_broken_block_is_noticed)
{
    CHECK(pc_start());
    CHECK(page_check(&pages));
    hpa_t block = give(3);
    CHECK(block.raw && page_check(&pages));
    pages.used_bytes[PAGE_OWNER_GUEST] += PAGE_SIZE;
    CHECK(!page_check(&pages));
    pages.used_bytes[PAGE_OWNER_GUEST] -= PAGE_SIZE;
    pages.free_bytes -= PAGE_SIZE;
    CHECK(!page_check(&pages));
    pages.free_bytes += PAGE_SIZE;
    uint64_t first = pages.first[0];
    pages.first[0] = 0;
    CHECK(first ? !page_check(&pages) : page_check(&pages));
    pages.first[0] = first;
    CHECK(page_check(&pages));
    CHECK_EQ(page_free(&pages, block), PAGE_SIZE << 3);
    CHECK(page_check(&pages));
    arena_end();
}
