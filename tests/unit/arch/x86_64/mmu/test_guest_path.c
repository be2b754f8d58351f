/* The way through a guest's tables, as the post-mortem shows it: which entries, and which is to blame. */
#include <string.h>
#include "arch/x86_64/mmu/guest_path.h"
#include "arch/x86_64/mmu/pt_path.h"
#include "tests/unit/arch/x86_64/mmu/fake_pages.h"
#include "tests/unit/test.h"

enum { P = 1, W = 2, U = 4, PS = 0x80, PAE = 1 << 5, PSE = 1 << 4, LMA = 1 << 10, NXE = 1 << 11 };
#define PG (UINT64_C(1) << 31)
#define WP (UINT64_C(1) << 16)
#define NX (UINT64_C(1) << 63)

static _Alignas(4096) uint8_t ram[KiB(32)];

static bool window(void *ctx, gpa_t at, struct guest_window *out)
{
    (void)ctx;
    if (at.raw >= sizeof ram)
        return false;
    *out = (struct guest_window){ ALIGN_DOWN(at.raw, PAGE_SIZE), PAGE_SIZE, ram + ALIGN_DOWN(at.raw, PAGE_SIZE) };
    return true;
}

static bool cmpxchg(void *ctx, gpa_t at, unsigned width, uint64_t expected, uint64_t desired, bool *swapped)
{
    (void)ctx, (void)at, (void)width, (void)expected, (void)desired, (void)swapped;
    test_failed(__FILE__, __LINE__, "the guest's memory is changed");
    return false;
}

static const struct guest_walk_mem mem = { window, cmpxchg };
static struct guest_paging regs;
static struct guest_path path;

static void put64(uint64_t at, uint64_t value) { memcpy(ram + at, &value, 8); }
static void put32(uint64_t at, uint32_t value) { memcpy(ram + at, &value, 4); }

/* Linear 0-1 GiB: PML4 at 1000h, PDPT 2000h, PD 3000h, PT 4000h for the first 2 MiB. */
static void start(void)
{
    memset(ram, 0, sizeof ram);
    regs = (struct guest_paging){ .cr0 = PG | WP | 1, .cr3 = 0x1000, .cr4 = PAE, .efer = LMA | NXE, .physical_bits = 40 };
    put64(0x1000, 0x2000 | P | W | U);
    put64(0x2000, 0x3000 | P | W | U);
    put64(0x3000, 0x4000 | P | W | U);
    put64(0x4000 + 8 * 5, 0x7000 | P | W | U);
}

static void find(uint64_t address, unsigned access)
{
    guest_path_find(&regs, &mem, NULL, GVA(address), access, &path);
}

static bool blames(const char *name, const char *problem)
{
    if (path.blamed < path.count && !strcmp(path.step[path.blamed].name, name) && !strcmp(path.problem, problem))
        return true;
    printf("  blamed: step %u of %u, %s\n", path.blamed, path.count, path.problem ? path.problem : "nothing");
    return false;
}

TEST(four_levels_lead_to_the_page_and_nothing_is_blamed)
{
    start();
    find(0x5123, GUEST_WRITE);
    CHECK_EQ(path.result, GUEST_WALK_OK);
    CHECK_EQ(path.count, 4);
    CHECK_EQ(path.blamed, 4);
    CHECK(!path.problem);
    CHECK(!strcmp(path.step[0].name, "PML4E") && path.step[0].at == 0x1000);
    CHECK(!strcmp(path.step[3].name, "PTE") && path.step[3].at == 0x4028 && path.step[3].value == (0x7000 | P | W | U));
    CHECK_EQ(path.translation.gpa.raw, 0x7123);
}

TEST(the_entry_that_is_not_present_is_blamed)
{
    start();
    find(0x6000, GUEST_READ);
    CHECK(blames("PTE", "is not present"));
    find(MiB(2), GUEST_READ);
    CHECK(blames("PDE", "is not present"));
    CHECK_EQ(path.count, 3);
    find(GiB(512), GUEST_READ);
    CHECK(blames("PML4E", "is not present"));
    CHECK_EQ(path.result, GUEST_WALK_FAULT);
}

TEST(the_level_that_takes_the_right_away_is_blamed)
{
    start();
    put64(0x2000, 0x3000 | P | U);
    find(0x5000, GUEST_WRITE);
    CHECK(blames("PDPTE", "is not writable"));
    put64(0x3000, 0x4000 | P | W);
    regs.cpl = 3;
    find(0x5000, GUEST_READ);
    CHECK(blames("PDE", "is for the supervisor only"));
    regs.cpl = 0;
    put64(0x4000 + 8 * 5, 0x7000 | P | NX);
    find(0x5000, GUEST_FETCH);
    CHECK(blames("PTE", "is not executable"));
}

TEST(reserved_bits_and_tables_outside_of_ram_are_told_apart)
{
    start();
    put64(0x4000 + 8 * 5, 0x7000 | P | UINT64_C(1) << 45);
    find(0x5000, GUEST_READ);
    CHECK(blames("PTE", "has a reserved bit set"));
    put64(0x3000, UINT64_C(0x70000000) | P);
    find(0x5000, GUEST_READ);
    CHECK(blames("PTE", "lies outside of its memory"));
    CHECK_EQ(path.result, GUEST_WALK_NO_MEMORY);
    CHECK_EQ(path.translation.gpa.raw, 0x70000028);
}

TEST(smep_is_named_when_no_bit_of_an_entry_forbids_it)
{
    start();
    regs.cr4 |= 1u << 20;
    find(0x5000, GUEST_FETCH);
    CHECK(blames("PTE", "is refused by SMEP, SMAP or a protection key"));
}

TEST(large_pages_end_the_way_early)
{
    start();
    put64(0x3008, MiB(6) | P | W | PS);
    find(MiB(2) + 0x123456, GUEST_READ);
    CHECK_EQ(path.count, 3);
    CHECK_EQ(path.translation.gpa.raw, MiB(6) + 0x123456);
}

TEST(the_modes_of_32_bits_have_two_and_three_levels)
{
    start();
    regs.efer = 0;
    regs.cr4 = PSE;
    put32(0x1000, 0x4000 | P);
    put32(0x4000 + 4 * 5, 0x7000 | P);
    find(0x5000, GUEST_READ);
    CHECK(path.count == 2 && path.result == GUEST_WALK_OK && !strcmp(path.step[0].name, "PDE"));
    put32(0x1000 + 4 * 768, PS | P);
    find(0xc0001234, GUEST_READ);
    CHECK(path.count == 1 && path.translation.gpa.raw == 0x1234);
    regs.cr4 = PAE;
    regs.pdptes_loaded = true;
    regs.pdpte[3] = 0x3000 | P;
    find(0xc0005000, GUEST_READ);
    CHECK(path.count == 3 && path.step[0].in_register && path.step[0].value == (0x3000 | P));
    CHECK_EQ(path.translation.gpa.raw, 0x7000);
}

TEST(without_paging_or_canonical_form_there_is_no_way)
{
    start();
    find(UINT64_C(1) << 47, GUEST_READ);
    CHECK(path.count == 0 && path.result == GUEST_WALK_NON_CANONICAL && !strcmp(path.problem, "is not canonical"));
    regs.cr0 = 1;
    regs.efer = 0;
    find(0x1234, GUEST_READ);
    CHECK(path.count == 0 && path.result == GUEST_WALK_OK && path.translation.gpa.raw == 0x1234);
}

TEST(the_nested_way_ends_at_the_page_or_where_there_is_none)
{
    struct fake_pages pages = { 0 };
    const struct pt_mem pt_mem = FAKE_PT_MEM(&pages);
    struct pt pt;
    struct pt_path way;
    CHECK_EQ(pt_init(&pt, &pt_ept, &pt_mem, PT_LEVEL_2M), PT_OK);
    CHECK_EQ(pt_map(&pt, MiB(2), HPA(MiB(64)), MiB(2), PT_READ | PT_WRITE | PT_EXEC), PT_OK);
    pt_path_find(&pt, MiB(3), &way);
    CHECK(way.mapped && way.count == 3 && way.step[2].level == PT_LEVEL_2M);
    pt_path_find(&pt, MiB(4), &way);
    CHECK(!way.mapped && way.count == 3 && way.step[2].entry == 0);
    pt_path_find(&pt, GiB(2), &way);
    CHECK(!way.mapped && way.count == 2 && way.step[1].level == PT_LEVEL_1G);
    pt_path_find(&pt, (UINT64_C(1) << 48) + MiB(3), &way); /* the tables have 48 bits */
    CHECK(!way.mapped && way.count == 0);
    pt_destroy(&pt);
}
