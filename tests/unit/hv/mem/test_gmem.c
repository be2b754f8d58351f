#include "hv/mem/gmem.h"
#include "tests/unit/hv/mem/arena.h"
#include "tests/unit/arch/x86_64/mmu/fake_pages.h"
#include "tests/unit/test.h"

/* All free memory in one run, from 16 MiB: blocks of every size up to 16 MiB. */
static const struct page_range all[] = { { { MiB(16) }, MiB(64) } };
static const struct page_range few[] = { { { MiB(16) }, MiB(4) } };
static struct gmem g;

static bool start_on(const struct page_range *ranges)
{
    return arena_start(MiB(16), ranges, 1) && gmem_create(&g, &pages) == GMEM_OK;
}

static bool start(void)
{
    return start_on(all);
}

static void finish(void)
{
    gmem_destroy(&g);
    for (enum page_owner o = 0; o < PAGE_OWNERS; o++)
        CHECK_EQ(page_used_bytes(&pages, o), 0);
    CHECK_EQ(bugs, 0);
    arena_end();
}

TEST(ram_is_zeroed_and_reads_back_what_was_written)
{
    uint64_t value = 1;
    char text[6] = "hello", back[6];
    CHECK(start());
    CHECK_EQ(gmem_add_ram(&g, GPA(0), MiB(8)), GMEM_OK);
    CHECK_EQ(g.bytes, MiB(8));
    CHECK_EQ(gmem_read_u64(&g, GPA(MiB(5)), &value), GMEM_OK);
    CHECK_EQ(value, 0);
    CHECK_EQ(gmem_write(&g, GPA(MiB(2) - 3), text, sizeof(text)), GMEM_OK);
    CHECK_EQ(gmem_read(&g, GPA(MiB(2) - 3), back, sizeof(back)), GMEM_OK);
    CHECK(memcmp(text, back, sizeof(text)) == 0);
    finish();
}

TEST(nothing_outside_of_ram_is_reached_and_nothing_wraps)
{
    uint64_t value;
    uint8_t buffer[16];
    CHECK(start());
    CHECK_EQ(gmem_read_u8(&g, GPA(0), buffer), GMEM_OUTSIDE); /* no RAM at all */
    CHECK_EQ(gmem_add_ram(&g, GPA(MiB(1)), MiB(1)), GMEM_OK);
    CHECK_EQ(gmem_read_u64(&g, GPA(MiB(2) - 7), &value), GMEM_OUTSIDE);
    CHECK_EQ(gmem_read_u64(&g, GPA(MiB(1) - 1), &value), GMEM_OUTSIDE);
    CHECK_EQ(gmem_read_u64(&g, GPA(UINT64_MAX), &value), GMEM_OUTSIDE);
    CHECK_EQ(gmem_read_u64(&g, GPA(UINT64_MAX - 7), &value), GMEM_OUTSIDE);
    CHECK_EQ(gmem_write(&g, GPA(MiB(2) - 8), buffer, 9), GMEM_OUTSIDE);
    CHECK_EQ(gmem_read(&g, GPA(MiB(1)), buffer, SIZE_MAX), GMEM_OUTSIDE);
    CHECK_EQ(gmem_load_fill(&g, GPA(MiB(1)), 1, MiB(1) + 1), GMEM_OUTSIDE);
    CHECK_EQ(gmem_read_u8(&g, GPA(MiB(1)), buffer), GMEM_OK);
    CHECK_EQ(buffer[0], 0); /* the refused fill touched nothing */
    CHECK(gmem_translate(&g, GPA(MiB(2) - 8), 9) == NULL);
    CHECK(gmem_translate(&g, GPA(MiB(2) - 8), 8) != NULL);
    finish();
}

TEST(bad_ranges_are_refused)
{
    CHECK(start());
    CHECK_EQ(gmem_add_ram(&g, GPA(1), MiB(1)), GMEM_MISALIGNED);
    CHECK_EQ(gmem_add_ram(&g, GPA(0), 0), GMEM_MISALIGNED);
    CHECK_EQ(gmem_add_ram(&g, GPA(UINT64_MAX << 12), KiB(8)), GMEM_OUTSIDE);
    CHECK_EQ(gmem_add_ram(&g, GPA(0), UINT64_C(1) << 49), GMEM_OUTSIDE);
    CHECK_EQ(gmem_add_ram(&g, GPA(MiB(4)), MiB(2)), GMEM_OK);
    CHECK_EQ(gmem_add_ram(&g, GPA(MiB(6) - KiB(4)), MiB(1)), GMEM_OVERLAP);
    CHECK_EQ(gmem_add_ram(&g, GPA(MiB(3)), MiB(1) + KiB(4)), GMEM_OVERLAP);
    CHECK_EQ(gmem_add_ram(&g, GPA(0), MiB(16)), GMEM_OVERLAP);
    CHECK_EQ(gmem_add_ram(&g, GPA(MiB(3)), MiB(1)), GMEM_OK);
    CHECK_EQ(gmem_add_ram(&g, GPA(GiB(1)), GiB(1)), GMEM_NO_MEMORY);
    CHECK_EQ(g.bytes, MiB(3));
    finish();
}

static int check_congruent(void *ctx, const struct gmem_extent *e)
{
    uint64_t *next = ctx;
    bool ok = e->gpa >= *next && (e->gpa - e->hpa.raw) % MiB(2) == 0 &&
              e->host == (uint8_t *)page_pointer(&pages, e->hpa);
    *next = e->gpa + e->size;
    return ok ? 0 : 1;
}

TEST(extents_are_in_order_and_aligned_as_the_guest_sees_them)
{
    uint64_t next = 0;
    CHECK(start());
    CHECK_EQ(gmem_add_ram(&g, GPA(MiB(20)), MiB(6)), GMEM_OK);
    CHECK_EQ(gmem_add_ram(&g, GPA(0), MiB(18)), GMEM_OK);
    CHECK_EQ(gmem_add_ram(&g, GPA(GiB(4)), MiB(10)), GMEM_OK);
    CHECK_EQ(gmem_for_each_extent(&g, check_congruent, &next), 0);
    CHECK_EQ(next, GiB(4) + MiB(10));
    finish();
}

/* Host memory in crumbs: four pages free, four taken, so that the guest's RAM is more than a hundred extents and their
 * array has to grow. */
static hpa_t crumbs[1024];
static size_t crumb_count;

static bool is_kept(size_t i)
{
    return crumbs[i].raw / PAGE_SIZE % 8 >= 4;
}

static void make_crumbs(void)
{
    hpa_t p;
    crumb_count = 0;
    while (crumb_count < 1024 && page_alloc(&pages, 0, PAGE_OWNER_HOST, &p) == PAGE_OK)
        crumbs[crumb_count++] = p;
    for (size_t i = 0; i < crumb_count; i++)
        if (!is_kept(i))
            (void)page_free(&pages, crumbs[i]);
}

static void drop_crumbs(void)
{
    for (size_t i = 0; i < crumb_count; i++)
        if (is_kept(i))
            (void)page_free(&pages, crumbs[i]);
}

#define CRUMBS_RAM KiB(1792)

TEST(ram_in_crumbs_works_across_a_hundred_extents)
{
    static uint8_t in[CRUMBS_RAM], out[CRUMBS_RAM];
    uint64_t value;
    CHECK(start_on(few));
    make_crumbs();
    CHECK_EQ(gmem_add_ram(&g, GPA(MiB(2)), CRUMBS_RAM), GMEM_OK);
    CHECK(g.count > 102);
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7 + i / 4096);
    CHECK_EQ(gmem_write(&g, GPA(MiB(2)), in, sizeof(in)), GMEM_OK);
    CHECK_EQ(gmem_read(&g, GPA(MiB(2)), out, sizeof(out)), GMEM_OK);
    CHECK(memcmp(in, out, sizeof(in)) == 0);
    for (uint64_t at = 4093; at < CRUMBS_RAM - 8; at += 4096) { /* crosses from page to page */
        CHECK_EQ(gmem_read_u64(&g, GPA(MiB(2) + at), &value), GMEM_OK);
        CHECK(memcmp(&value, in + at, 8) == 0);
        CHECK_EQ(gmem_write_u32(&g, GPA(MiB(2) + at), 0x11223344), GMEM_OK);
        CHECK_EQ(gmem_read_u64(&g, GPA(MiB(2) + at), &value), GMEM_OK);
        CHECK_EQ((uint32_t)value, 0x11223344);
    }
    drop_crumbs();
    finish();
}

TEST(whichever_allocation_fails_adding_ram_is_undone)
{
    for (uint64_t nth = 1, failures = 0;; nth++) {
        CHECK(start_on(few));
        make_crumbs();
        uint64_t before = page_free_bytes(&pages);
        page_fail_nth(&pages, nth);
        enum gmem_result result = gmem_add_ram(&g, GPA(0), CRUMBS_RAM);
        page_fail_nth(&pages, 0);
        if (result == GMEM_OK) {
            uint64_t guest = page_used_bytes(&pages, PAGE_OWNER_GUEST);
            CHECK_EQ(guest, CRUMBS_RAM); /* an injected failure of a large block was made good by small ones */
        } else {
            failures++;
            CHECK_EQ(result, GMEM_NO_MEMORY);
            CHECK_EQ(g.bytes, 0);
            CHECK_EQ(g.count, 0);
            CHECK(page_free_bytes(&pages) >= before - KiB(64)); /* only the array of extents may have grown */
        }
        drop_crumbs();
        finish();
        if (nth > 300) {
            CHECK(failures > 0); /* most are made good by smaller blocks; the array's growth cannot be */
            break;
        }
    }
}

TEST(read_only_memory_is_read_but_not_written)
{
    uint32_t value;
    uint8_t buffer[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    bool swapped;
    CHECK(start());
    CHECK_EQ(gmem_add_ram(&g, GPA(0), MiB(2)), GMEM_OK);
    CHECK_EQ(gmem_write_u32(&g, GPA(0xf0000), 77), GMEM_OK);
    CHECK_EQ(gmem_make_read_only(&g, GPA(0xf0000), KiB(64)), GMEM_OK);
    CHECK_EQ(g.count, 3);
    CHECK_EQ(gmem_read_u32(&g, GPA(0xf0000), &value), GMEM_OK);
    CHECK_EQ(value, 77);
    CHECK_EQ(gmem_write_u32(&g, GPA(0xf0000), 78), GMEM_READ_ONLY);
    CHECK(!gmem_walk.cmpxchg(&g, GPA(0xf0000), 4, 77, 78, &swapped));
    CHECK_EQ(gmem_write(&g, GPA(0xefffc), buffer, 8), GMEM_READ_ONLY);
    CHECK_EQ(gmem_read_u32(&g, GPA(0xefffc), &value), GMEM_OK);
    CHECK_EQ(value, 0); /* not even the first half */
    CHECK(gmem_translate(&g, GPA(0xf0000), 4) == NULL);
    CHECK_EQ(gmem_write_u32(&g, GPA(0x100000), 5), GMEM_OK);
    CHECK_EQ(gmem_make_read_only(&g, GPA(MiB(2)), KiB(4)), GMEM_OUTSIDE);
    finish();
}

TEST(loaders_write_read_only_memory)
{
    uint64_t value;
    uint8_t buffer[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    CHECK(start());
    CHECK_EQ(gmem_add_ram(&g, GPA(0), MiB(2)), GMEM_OK);
    CHECK_EQ(gmem_make_read_only(&g, GPA(0xf0000), KiB(64)), GMEM_OK);
    CHECK_EQ(gmem_load(&g, GPA(0xefffc), buffer, 8), GMEM_OK);
    CHECK_EQ(gmem_read_u64(&g, GPA(0xefffc), &value), GMEM_OK);
    CHECK_EQ(value, 0x0807060504030201);
    CHECK_EQ(gmem_load_fill(&g, GPA(0xefffe), 9, 4), GMEM_OK);
    CHECK_EQ(gmem_read_u64(&g, GPA(0xefffc), &value), GMEM_OK);
    CHECK_EQ(value, 0x0807090909090201);
    CHECK_EQ(gmem_load(&g, GPA(MiB(2) - 4), buffer, 8), GMEM_OUTSIDE);
    finish();
}

TEST(a_memory_that_was_never_created_can_be_destroyed)
{
    struct gmem none = { 0 };
    CHECK(start());
    none.pages = &pages;
    gmem_destroy(&none);
    CHECK(none.extents == NULL);
    finish();
}

TEST(compare_and_exchange_swaps_only_the_expected_value)
{
    bool swapped;
    uint64_t value;
    CHECK(start());
    CHECK_EQ(gmem_add_ram(&g, GPA(0), KiB(4)), GMEM_OK);
    CHECK(gmem_walk.cmpxchg(&g, GPA(8), 8, 1, 2, &swapped));
    CHECK(!swapped);
    CHECK(gmem_walk.cmpxchg(&g, GPA(8), 8, 0, UINT64_C(0x1122334455667788), &swapped));
    CHECK(swapped);
    CHECK(gmem_walk.cmpxchg(&g, GPA(12), 4, 0x11223344, 9, &swapped));
    CHECK(swapped);
    CHECK_EQ(gmem_read_u64(&g, GPA(8), &value), GMEM_OK);
    CHECK_EQ(value, UINT64_C(0x0000000955667788));
    CHECK(!gmem_walk.cmpxchg(&g, GPA(4), 8, 0, 1, &swapped)); /* misaligned */
    CHECK(!gmem_walk.cmpxchg(&g, GPA(KiB(4)), 4, 0, 1, &swapped)); /* no RAM */
    finish();
}

TEST(every_width_reads_and_writes_at_any_alignment)
{
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    CHECK(start());
    CHECK_EQ(gmem_add_ram(&g, GPA(0), KiB(8)), GMEM_OK);
    for (uint64_t at = 4080; at < 4100; at++) {
        CHECK_EQ(gmem_write_u64(&g, GPA(at), UINT64_C(0x8877665544332211)), GMEM_OK);
        CHECK_EQ(gmem_read_u64(&g, GPA(at), &d), GMEM_OK);
        CHECK_EQ(d, UINT64_C(0x8877665544332211));
        CHECK_EQ(gmem_read_u32(&g, GPA(at + 1), &c), GMEM_OK);
        CHECK_EQ(c, 0x55443322);
        CHECK_EQ(gmem_read_u16(&g, GPA(at + 5), &b), GMEM_OK);
        CHECK_EQ(b, 0x7766);
        CHECK_EQ(gmem_write_u16(&g, GPA(at + 6), 0xabcd), GMEM_OK);
        CHECK_EQ(gmem_write_u8(&g, GPA(at), 0x99), GMEM_OK);
        CHECK_EQ(gmem_read_u8(&g, GPA(at + 7), &a), GMEM_OK);
        CHECK_EQ(a, 0xab);
    }
    finish();
}
