/* Page tables against a model: one array element per 4 KiB page of a window. */
#include "arch/x86_64/mmu/pt.h"
#include "tests/unit/arch/x86_64/mmu/fake_pages.h"
#include "tests/unit/test.h"

#define RW (PT_READ | PT_WRITE)

static struct fake_pages pages;
static struct pt_mem mem;
static struct pt pt;

static bool start(const struct pt_format *format, unsigned max_level)
{
    pages = (struct fake_pages){ 0 };
    mem = FAKE_PT_MEM(&pages);
    return pt_init(&pt, format, &mem, max_level) == PT_OK;
}

/* ---- single facts ---------------------------------------------------------------------------------------------- */

TEST(a_map_uses_the_largest_pages_that_alignment_allows)
{
    struct pt_mapping m;
    CHECK(start(&pt_ept, PT_LEVEL_1G));
    CHECK_EQ(pt_map(&pt, GiB(1) - MiB(2) - KiB(4), HPA(GiB(5) - MiB(2) - KiB(4)), GiB(1) + MiB(2) + KiB(8), RW), PT_OK);
    CHECK_EQ(pt_lookup(&pt, GiB(1) - MiB(2) - 1, &m), PT_OK);
    CHECK_EQ(m.page_size, KiB(4));
    CHECK_EQ(m.hpa.raw, GiB(5) - MiB(2) - 1);
    CHECK_EQ(pt_lookup(&pt, GiB(1) - 5, &m), PT_OK);
    CHECK_EQ(m.page_size, MiB(2));
    CHECK_EQ(pt_lookup(&pt, GiB(1) + 12345, &m), PT_OK);
    CHECK_EQ(m.page_size, GiB(1));
    CHECK_EQ(m.hpa.raw, GiB(5) + 12345);
    CHECK_EQ(pt_lookup(&pt, GiB(2) + 8, &m), PT_OK);
    CHECK_EQ(m.page_size, KiB(4));
    CHECK_EQ(pt_lookup(&pt, GiB(2) + KiB(4), &m), PT_NOT_MAPPED);
    pt_destroy(&pt);
    CHECK_EQ(pages.live, 0);
}

TEST(a_cpu_without_1_gib_pages_gets_2_mib_pages)
{
    struct pt_mapping m;
    CHECK(start(&pt_ept, PT_LEVEL_2M));
    CHECK_EQ(pt_map(&pt, 0, HPA(0), GiB(1), RW), PT_OK);
    CHECK_EQ(pt_lookup(&pt, 0, &m), PT_OK);
    CHECK_EQ(m.page_size, MiB(2));
    CHECK_EQ(pt.tables, 3);
    pt_destroy(&pt);
    CHECK_EQ(pages.live, 0);
}

TEST(unmapping_one_page_splits_a_1_gib_page_and_keeps_the_rest)
{
    struct pt_mapping m;
    CHECK(start(&pt_npt, PT_LEVEL_1G));
    CHECK_EQ(pt_map(&pt, 0, HPA(GiB(7)), GiB(1), RW | PT_EXEC), PT_OK);
    CHECK_EQ(pt_unmap(&pt, MiB(4) + KiB(8), KiB(4)), PT_OK);
    CHECK_EQ(pt_lookup(&pt, MiB(4) + KiB(8), &m), PT_NOT_MAPPED);
    CHECK_EQ(pt_lookup(&pt, MiB(4) + KiB(12), &m), PT_OK);
    CHECK_EQ(m.page_size, KiB(4));
    CHECK_EQ(m.hpa.raw, GiB(7) + MiB(4) + KiB(12));
    CHECK_EQ(m.attributes, RW | PT_EXEC);
    CHECK_EQ(pt_lookup(&pt, MiB(6), &m), PT_OK);
    CHECK_EQ(m.page_size, MiB(2));
    CHECK_EQ(m.hpa.raw, GiB(7) + MiB(6));
    CHECK_EQ(pt_unmap(&pt, 0, GiB(1)), PT_OK);
    CHECK_EQ(pages.live, 1); /* the root alone */
    pt_destroy(&pt);
}

TEST(tables_that_are_kept_are_used_again_and_freed_later)
{
    struct pt_mapping m;
    CHECK(start(&pt_ept, PT_LEVEL_1G));
    CHECK_EQ(pt_map(&pt, MiB(4), HPA(MiB(8)), KiB(4), RW), PT_OK);
    CHECK_EQ(pages.live, 4);
    CHECK_EQ(pt_unmap_keep_tables(&pt, MiB(4), KiB(4)), PT_OK);
    CHECK_EQ(pages.live, 4);
    CHECK_EQ(pt_lookup(&pt, MiB(4), &m), PT_NOT_MAPPED);
    CHECK_EQ(pt_map(&pt, MiB(4), HPA(MiB(8)), MiB(4), RW), PT_OK); /* the first half in 4 KiB pages */
    CHECK_EQ(pages.live, 4);
    CHECK_EQ(pt_lookup(&pt, MiB(6) - 1, &m), PT_OK);
    CHECK_EQ(m.page_size, KiB(4));
    CHECK_EQ(m.hpa.raw, MiB(10) - 1);
    CHECK_EQ(pt_lookup(&pt, MiB(6), &m), PT_OK);
    CHECK_EQ(m.page_size, MiB(2));
    CHECK_EQ(pt_unmap_keep_tables(&pt, MiB(4), MiB(4)), PT_OK);
    CHECK_EQ(pt_unmap(&pt, MiB(4), MiB(4)), PT_OK);
    CHECK_EQ(pages.live, 1);
    pt_destroy(&pt);
    CHECK_EQ(pages.live, 0);
}

TEST(bad_ranges_are_refused)
{
    CHECK(start(&pt_host, PT_LEVEL_1G));
    CHECK_EQ(pt_map(&pt, 1, HPA(0), KiB(4), RW), PT_MISALIGNED);
    CHECK_EQ(pt_map(&pt, 0, HPA(8), KiB(4), RW), PT_MISALIGNED);
    CHECK_EQ(pt_map(&pt, 0, HPA(0), 0, RW), PT_MISALIGNED);
    CHECK_EQ(pt_map(&pt, UINT64_C(1) << 47, HPA(0), KiB(4), RW), PT_OUT_OF_RANGE);
    CHECK_EQ(pt_map(&pt, (UINT64_C(1) << 47) - KiB(4), HPA(0), KiB(8), RW), PT_OUT_OF_RANGE);
    CHECK_EQ(pt_map(&pt, UINT64_MAX << 12, HPA(0), KiB(8), RW), PT_OUT_OF_RANGE);
    CHECK_EQ(pt_map(&pt, UINT64_MAX << 12, HPA(0), UINT64_MAX << 12, RW), PT_OUT_OF_RANGE);
    CHECK_EQ(pt_map(&pt, 0, HPA((UINT64_C(1) << 52) - KiB(4)), KiB(8), RW), PT_OUT_OF_RANGE);
    CHECK_EQ(pt_map(&pt, 0, HPA(0), KiB(4), PT_WRITE), PT_BAD_ATTRIBUTES);
    CHECK_EQ(pages.live, 1);
    pt_destroy(&pt);
    CHECK(start(&pt_ept, PT_LEVEL_1G));
    CHECK_EQ(pt_map(&pt, UINT64_C(1) << 48, HPA(0), KiB(4), RW), PT_OUT_OF_RANGE);
    CHECK_EQ(pt_map(&pt, 0, HPA(0), KiB(4), PT_EXEC), PT_BAD_ATTRIBUTES);
    CHECK_EQ(pt_map(&pt, (UINT64_C(1) << 48) - KiB(4), HPA(0), KiB(4), RW), PT_OK);
    CHECK_EQ(pt_unmap(&pt, (UINT64_C(1) << 48) - KiB(4), KiB(4)), PT_OK);
    CHECK_EQ(pages.live, 1);
    pt_destroy(&pt);
}

TEST(the_last_page_of_the_address_space_can_be_mapped)
{
    struct pt_mapping m;
    CHECK(start(&pt_host, PT_LEVEL_1G));
    CHECK_EQ(pt_map(&pt, UINT64_C(0xffffffffc0000000), HPA(GiB(1)), GiB(1), RW), PT_OK);
    CHECK_EQ(pt_lookup(&pt, UINT64_MAX, &m), PT_OK);
    CHECK_EQ(m.hpa.raw, GiB(2) - 1);
    CHECK_EQ(pt_protect(&pt, UINT64_MAX << 12, KiB(4), PT_READ), PT_OK);
    CHECK_EQ(pt_unmap(&pt, UINT64_MAX << 12, KiB(4)), PT_OK);
    CHECK_EQ(pt_lookup(&pt, UINT64_MAX, &m), PT_NOT_MAPPED);
    pt_destroy(&pt);
    CHECK_EQ(pages.live, 0);
}

TEST(protect_of_a_range_with_a_hole_changes_nothing)
{
    struct pt_mapping m;
    CHECK(start(&pt_ept, PT_LEVEL_1G));
    CHECK_EQ(pt_map(&pt, 0, HPA(0), MiB(2), RW), PT_OK);
    CHECK_EQ(pt_protect(&pt, MiB(2) - KiB(4), KiB(8), PT_READ), PT_NOT_MAPPED);
    CHECK_EQ(pt_lookup(&pt, MiB(2) - 1, &m), PT_OK);
    CHECK_EQ(m.attributes, RW);
    CHECK_EQ(m.page_size, MiB(2));
    pt_destroy(&pt);
}

/* The raw entries, as the manuals lay them out. */
static uint64_t raw_entry(const struct pt_format *format, pt_attributes_t attributes, uint64_t size)
{
    if (!start(format, PT_LEVEL_1G) || pt_map(&pt, 0, HPA(GiB(1)), size, attributes) != PT_OK)
        return 0;
    uint64_t table = pt.root.raw, value = 0;
    for (unsigned level = 4; level > 0; level--) {
        value = *(uint64_t *)(uintptr_t)table;
        if (level == 1 || (value & 0x80))
            break;
        table = value & UINT64_C(0x000ffffffffff000);
    }
    pt_destroy(&pt);
    return value;
}

TEST(entries_have_the_bits_of_the_manuals)
{
    uint64_t nx = UINT64_C(1) << 63, at = GiB(1);
    CHECK_EQ(raw_entry(&pt_host, RW, KiB(4)), at | nx | 0x63);
    CHECK_EQ(raw_entry(&pt_host, PT_READ | PT_EXEC | PT_GLOBAL, MiB(2)), at | 0x1e1);
    CHECK_EQ(raw_entry(&pt_host, RW | PT_UC, KiB(4)), at | nx | 0x7b);
    CHECK_EQ(raw_entry(&pt_host, RW | PT_WC, GiB(1)), at | nx | 0xf3);
    CHECK_EQ(raw_entry(&pt_ept, RW | PT_EXEC, GiB(1)), at | 0xf7);
    CHECK_EQ(raw_entry(&pt_ept, PT_READ, KiB(4)), at | 0x71);
    CHECK_EQ(raw_entry(&pt_ept, RW | PT_UC, KiB(4)), at | 0x03);
    CHECK_EQ(raw_entry(&pt_ept, RW | PT_WC, MiB(2)), at | 0x8b);
    CHECK_EQ(raw_entry(&pt_ept, RW | PT_WT, KiB(4)), at | 0x23);
    CHECK_EQ(raw_entry(&pt_npt, RW | PT_EXEC, KiB(4)), at | 0x07);
    CHECK_EQ(raw_entry(&pt_npt, PT_READ, MiB(2)), at | nx | 0x85);
    CHECK_EQ(pt_ept_pointer(HPA(0x1234000), true), 0x123405e);
    CHECK_EQ(pt_ept_pointer(HPA(0x1234000), false), 0x123401e);
}

TEST(every_attribute_is_read_back)
{
    static const struct pt_format *const formats[] = { &pt_host, &pt_ept, &pt_npt };
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++)
        for (pt_attributes_t perm = 0; perm < 8; perm++)
            for (pt_attributes_t cache = PT_WB; cache <= PT_WC; cache += PT_WT) {
                pt_attributes_t a = perm | cache;
                struct pt_mapping m;
                CHECK(start(formats[f], PT_LEVEL_1G));
                CHECK_EQ(pt_map(&pt, 0, HPA(0), KiB(4), a), a & PT_READ ? PT_OK : PT_BAD_ATTRIBUTES);
                if (a & PT_READ) {
                    CHECK_EQ(pt_lookup(&pt, 0, &m), PT_OK);
                    CHECK_EQ(m.attributes, a);
                }
                pt_destroy(&pt);
            }
}

/* ---- random sequences against the model --------------------------------------------------------------------------- */

#define WINDOW_PAGES (3u * 262144u / 2u) /* 1.5 GiB from BASE: one 1 GiB page fits wholly */
#define BASE         GiB(3)

struct cell { uint64_t hpa; pt_attributes_t attributes; bool mapped; };
static struct cell *model;

static bool model_agrees(void)
{
    for (uint64_t i = 0; i < WINDOW_PAGES;) {
        struct pt_mapping m;
        uint64_t at = BASE + i * PAGE_SIZE, count = 1;
        bool mapped = pt_lookup(&pt, at, &m) == PT_OK;
        if (mapped)
            count = (m.page_size - at % m.page_size) / PAGE_SIZE;
        for (uint64_t k = 0; k < count; k++, i++) {
            if (i >= WINDOW_PAGES || model[i].mapped != mapped)
                return false;
            if (mapped && (model[i].hpa != m.hpa.raw + k * PAGE_SIZE || model[i].attributes != m.attributes))
                return false;
        }
    }
    return true;
}

static bool model_all(uint64_t first, uint64_t count, bool mapped)
{
    for (uint64_t i = first; i < first + count; i++)
        if (model[i].mapped != mapped)
            return false;
    return true;
}

/* A range that is often aligned to, and of the size of, a large page. */
static void random_range(uint64_t *seed, uint64_t *first, uint64_t *count)
{
    static const uint64_t sizes[] = { 1, 1, 7, 512, 512, 1030, 262144, 262144 };
    *count = sizes[fake_random(seed) % ARRAY_SIZE(sizes)];
    *first = fake_random(seed) % (WINDOW_PAGES - *count + 1);
    if (fake_random(seed) % 4 && *count >= 512)
        *first = ALIGN_DOWN(*first, *count >= 262144 ? 262144 : 512);
}

/* One random operation on both; true if they agree about its result. */
static bool random_step(uint64_t *seed)
{
    static const pt_attributes_t attributes[] = { PT_READ, RW, RW | PT_EXEC, RW | PT_UC };
    uint64_t first, count, at, hpa;
    random_range(seed, &first, &count);
    pt_attributes_t a = attributes[fake_random(seed) % ARRAY_SIZE(attributes)];
    at = BASE + first * PAGE_SIZE;
    hpa = (fake_random(seed) % 4 ? at + GiB(9) : fake_random(seed) % GiB(64)) & ~(PAGE_SIZE - 1);
    unsigned op = (unsigned)(fake_random(seed) % 3);
    if (fake_random(seed) % 3 == 0)
        pages.fail_in = (long)(1 + fake_random(seed) % 4);
    enum pt_result expected = PT_OK, result;
    if (op == 0) {
        expected = model_all(first, count, false) ? PT_OK : PT_OVERLAP;
        result = pt_map(&pt, at, HPA(hpa), count * PAGE_SIZE, a);
    } else if (op == 1) {
        result = pt_unmap(&pt, at, count * PAGE_SIZE);
    } else {
        expected = model_all(first, count, true) ? PT_OK : PT_NOT_MAPPED;
        result = pt_protect(&pt, at, count * PAGE_SIZE, a);
    }
    bool could_fail = pages.fail_in == 0;
    pages.fail_in = 0;
    if (result == PT_NO_MEMORY)
        return could_fail;
    for (uint64_t i = 0; result == PT_OK && i < count; i++) {
        struct cell *c = &model[first + i];
        c->mapped = op != 1;
        c->attributes = a;
        if (op == 0)
            c->hpa = hpa + i * PAGE_SIZE;
    }
    return result == expected;
}

static void random_run(const struct pt_format *format, unsigned max_level, uint64_t seed)
{
    CHECK(start(format, max_level));
    model = calloc(WINDOW_PAGES, sizeof(*model));
    for (unsigned step = 0; step < 600; step++) {
        CHECK(random_step(&seed));
        if (step % 12 == 0)
            CHECK(model_agrees());
        CHECK_EQ(pages.live, pt.tables);
    }
    CHECK(model_agrees());
    CHECK_EQ(pt_unmap(&pt, BASE, (uint64_t)WINDOW_PAGES * PAGE_SIZE), PT_OK);
    CHECK_EQ(pages.live, 1); /* no empty table was left */
    pt_destroy(&pt);
    CHECK_EQ(pages.live, 0);
    free(model);
}

TEST(random_changes_with_failing_allocations_match_the_model_with_1_gib_pages)
{
    random_run(&pt_ept, PT_LEVEL_1G, 1);
}

TEST(random_changes_with_failing_allocations_match_the_model_with_2_mib_pages)
{
    random_run(&pt_npt, PT_LEVEL_2M, 2);
}

TEST(random_changes_with_failing_allocations_match_the_model_with_4_kib_pages)
{
    random_run(&pt_host, PT_LEVEL_4K, 3);
}

TEST(whichever_allocation_fails_a_map_is_undone)
{
    struct pt_mapping m;
    for (long nth = 1;; nth++) {
        CHECK(start(&pt_ept, PT_LEVEL_2M));
        CHECK_EQ(pt_map(&pt, GiB(512) - MiB(8), HPA(0), KiB(4), RW), PT_OK);
        long before = pages.live;
        pages.fail_in = nth;
        enum pt_result result = pt_map(&pt, GiB(512) - MiB(4) - KiB(4), HPA(GiB(2) - KiB(4)), MiB(4) + KiB(16), RW);
        if (result == PT_OK) {
            CHECK(nth > 3); /* the loop has seen failures */
            pt_destroy(&pt);
            break;
        }
        CHECK_EQ(result, PT_NO_MEMORY);
        CHECK_EQ(pages.live, before);
        CHECK_EQ(pt_lookup(&pt, GiB(512) - MiB(4), &m), PT_NOT_MAPPED);
        pages.fail_in = 0;
        CHECK_EQ(pt_unmap(&pt, 0, GiB(1024)), PT_OK);
        CHECK_EQ(pages.live, 1);
        pt_destroy(&pt);
    }
    CHECK_EQ(pages.live, 0);
}
