/* The guest walk: facts from the manual one by one, then random tables against a slow walker written the plain way. */
#include <string.h>
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/mmu/guest_walk.h"
#include "tests/unit/arch/x86_64/mmu/fake_pages.h"
#include "tests/unit/test.h"

#define RAM_SIZE KiB(64)
#define P  1u
#define W  2u
#define U  4u
#define A  0x20u
#define D  0x40u
#define PS 0x80u
#define NX (UINT64_C(1) << 63)
#define ALL (P | W | U | A | D)

enum { WP = 1u << 16, PSE = 1u << 4, PAE = 1u << 5, LA57 = 1u << 12, SMEP = 1u << 20, SMAP = 1u << 21, PKE = 1u << 22 };
enum { LMA = 1u << 10, NXE = 1u << 11 };
#define PG (UINT64_C(1) << 31)

static _Alignas(4096) uint8_t ram[RAM_SIZE];
static unsigned windows, changes_to_come, changed_at;
static bool rom;

/* Two windows, so that a walk changes between them. */
static bool window(void *ctx, gpa_t at, struct guest_window *out)
{
    (void)ctx;
    windows++;
    if (at.raw >= RAM_SIZE)
        return false;
    uint64_t base = ALIGN_DOWN(at.raw, RAM_SIZE / 2);
    *out = (struct guest_window){ base, RAM_SIZE / 2, ram + base };
    return true;
}

static bool cmpxchg(void *ctx, gpa_t at, unsigned width, uint64_t expected, uint64_t desired, bool *swapped)
{
    (void)ctx;
    uint64_t value = 0;
    if (rom)
        return false;
    if (changes_to_come) { /* another vCPU gets there first */
        changes_to_come--;
        ram[changed_at] ^= 1u << 1;
    }
    memcpy(&value, ram + at.raw, width);
    *swapped = value == expected;
    if (*swapped)
        memcpy(ram + at.raw, &desired, width);
    return true;
}

static const struct guest_walk_mem mem = { window, cmpxchg };
static struct guest_paging regs;
static struct guest_translation out;

static void put64(uint64_t at, uint64_t value) { memcpy(ram + at, &value, 8); }
static void put32(uint64_t at, uint32_t value) { memcpy(ram + at, &value, 4); }
static uint64_t get64(uint64_t at) { uint64_t v; memcpy(&v, ram + at, 8); return v; }
static uint32_t get32(uint64_t at) { uint32_t v; memcpy(&v, ram + at, 4); return v; }

static enum guest_walk_result go(uint64_t address, unsigned access)
{
    return guest_walk(&regs, &mem, NULL, GVA(address), access, &out);
}

/* 4-level tables at 0x1000..0x9000: ADDRESS is mapped to 0x5123000 by entries with all rights. */
#define ADDRESS UINT64_C(0xffff8a1234567890)
static uint64_t entry[5]; /* where the entry of each level is */

static void long_mode(void)
{
    memset(ram, 0, sizeof(ram));
    rom = false;
    changes_to_come = windows = 0;
    regs = (struct guest_paging){ .cr0 = PG | WP, .cr3 = 0x1000, .cr4 = PAE, .efer = LMA | NXE, .physical_bits = 40,
                                  .huge_pages = true };
    static const uint64_t tables[] = { 0, 0x9000, 0x3000, 0x2000, 0x1000 };
    for (unsigned level = 4; level > 0; level--) {
        entry[level] = tables[level] + (ADDRESS >> (3 + 9 * level) & 511) * 8;
        put64(entry[level], (level > 1 ? tables[level - 1] : 0x5123000) | ALL);
    }
}

TEST(a_4_level_walk_translates)
{
    long_mode();
    CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_OK);
    CHECK_EQ(out.gpa.raw, 0x5123890);
    CHECK_EQ(out.page_size, KiB(4));
    CHECK_EQ(windows, 2); /* one for the upper levels, one for the last table */
}

TEST(large_pages_translate_and_their_low_address_bits_are_reserved)
{
    long_mode();
    put64(entry[2], 0x40200000 | ALL | PS | 0x1000 /* PAT */);
    CHECK_EQ(go(ADDRESS, GUEST_WRITE), GUEST_WALK_OK);
    CHECK_EQ(out.gpa.raw, 0x40200000 + ADDRESS % MiB(2));
    CHECK_EQ(out.page_size, MiB(2));
    put64(entry[2], 0x40202000 | ALL | PS);
    CHECK_EQ(go(ADDRESS, GUEST_WRITE), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, PF_P | PF_RSVD | PF_W);
    put64(entry[3], 0x80000000 | ALL | PS);
    CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_OK);
    CHECK_EQ(out.gpa.raw, 0x80000000 + ADDRESS % GiB(1));
    regs.huge_pages = false;
    CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, PF_P | PF_RSVD);
    long_mode();
    put64(entry[4], get64(entry[4]) | PS);
    CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, PF_P | PF_RSVD);
}

TEST(addresses_that_are_not_canonical_are_told_apart)
{
    long_mode();
    CHECK_EQ(go(UINT64_C(0x0000800000000000), GUEST_READ), GUEST_WALK_NON_CANONICAL);
    CHECK_EQ(go(UINT64_C(0xffff7fffffffffff), GUEST_READ), GUEST_WALK_NON_CANONICAL);
    CHECK_EQ(go(UINT64_C(0x00007fffffffffff), GUEST_READ), GUEST_WALK_FAULT);
    regs.cr4 |= LA57;
    CHECK_EQ(go(UINT64_C(0x0000800000000000), GUEST_READ), GUEST_WALK_FAULT);
    CHECK_EQ(go(UINT64_C(0x0100000000000000), GUEST_READ), GUEST_WALK_NON_CANONICAL);
}

TEST(a_5_level_walk_translates)
{
    long_mode();
    regs.cr4 |= LA57;
    regs.cr3 = 0x8000;
    put64(0x8000 + (ADDRESS >> 48 & 511) * 8, 0x1000 | ALL);
    CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_OK);
    CHECK_EQ(out.gpa.raw, 0x5123890);
}

TEST(a_table_outside_of_ram_is_reported_with_its_address)
{
    long_mode();
    put64(entry[3], 0x7000000 | ALL);
    CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_NO_MEMORY);
    CHECK_EQ(out.gpa.raw, 0x7000000 + (ADDRESS >> 21 & 511) * 8);
}

TEST(accessed_and_dirty_bits_are_set_only_as_needed)
{
    long_mode();
    for (unsigned level = 1; level <= 4; level++)
        put64(entry[level], get64(entry[level]) & ~(uint64_t)(A | D));
    CHECK_EQ(go(ADDRESS, GUEST_READ | GUEST_PROBE), GUEST_WALK_OK);
    CHECK_EQ(get64(entry[4]) & (A | D), 0);
    CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_OK);
    for (unsigned level = 1; level <= 4; level++)
        CHECK_EQ(get64(entry[level]) & (A | D), A);
    CHECK_EQ(go(ADDRESS, GUEST_WRITE), GUEST_WALK_OK);
    CHECK_EQ(get64(entry[1]) & (A | D), A | D);
    CHECK_EQ(get64(entry[2]) & (A | D), A);
}

TEST(a_refused_access_sets_no_bits)
{
    long_mode();
    put64(entry[1], 0x5123000 | P | U);
    CHECK_EQ(go(ADDRESS, GUEST_WRITE), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, PF_P | PF_W);
    CHECK_EQ(get64(entry[1]) & (A | D), 0);
}

TEST(tables_in_read_only_memory_are_walked)
{
    long_mode();
    rom = true;
    put64(entry[1], 0x5123000 | P | W);
    CHECK_EQ(go(ADDRESS, GUEST_WRITE), GUEST_WALK_OK);
    CHECK_EQ(get64(entry[1]), 0x5123000 | P | W);
}

TEST(an_entry_that_changes_meanwhile_is_judged_anew)
{
    long_mode();
    put64(entry[1], 0x5123000 | P | W);
    changes_to_come = 1; /* takes the write permission away just before the bits are set */
    changed_at = (unsigned)entry[1];
    CHECK_EQ(go(ADDRESS, GUEST_WRITE), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, PF_P | PF_W);
    CHECK_EQ(get64(entry[1]), 0x5123000 | P);
    changes_to_come = 1000000; /* a guest that never stops does not keep us for ever */
    CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_OK);
    CHECK(changes_to_come > 999000);
}

TEST(without_paging_the_address_is_physical)
{
    long_mode();
    regs.cr0 = 0;
    regs.efer = 0;
    CHECK_EQ(go(UINT64_C(0x1234567890), GUEST_WRITE), GUEST_WALK_OK);
    CHECK_EQ(out.gpa.raw, 0x34567890);
}

TEST(a_32_bit_walk_translates_4_kib_and_4_mib_pages)
{
    long_mode();
    regs.efer = 0;
    regs.cr4 = PSE;
    put32(0x1000 + 0x300 * 4, 0x2000 | P | W | U);
    put32(0x2000 + 5 * 4, 0xabcde000 | P | W | U);
    CHECK_EQ(go(0xc0005678, GUEST_WRITE), GUEST_WALK_OK);
    CHECK_EQ(out.gpa.raw, 0xabcde678);
    CHECK_EQ(get32(0x1000 + 0x300 * 4), 0x2000 | P | W | U | A);
    CHECK_EQ(get32(0x2000 + 5 * 4), 0xabcde000 | ALL);
    put32(0x1000 + 0x300 * 4, 0x40000000 | 0x1fe000 | P | W | PS); /* PSE-36 */
    CHECK_EQ(go(0xc0345678, GUEST_WRITE), GUEST_WALK_OK);
    CHECK_EQ(out.gpa.raw, UINT64_C(0xff40345678));
    CHECK_EQ(out.page_size, MiB(4));
    regs.physical_bits = 36; /* now bits 20:17 would be address bits 39:36 */
    CHECK_EQ(go(0xc0345678, GUEST_READ), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, PF_P | PF_RSVD);
    put32(0x1000 + 0x300 * 4, 0x40000000 | 0x200000 | P | W | PS);
    CHECK_EQ(go(0xc0345678, GUEST_READ), GUEST_WALK_FAULT);
    regs.cr4 = 0; /* PS means nothing: a table at 0x40200000 */
    CHECK_EQ(go(0xc0345678, GUEST_READ), GUEST_WALK_NO_MEMORY);
}

TEST(a_pae_walk_takes_its_first_entry_from_registers_or_memory)
{
    long_mode();
    regs.efer = NXE;
    regs.cr3 = 0x1020;
    put64(0x1020 + 3 * 8, 0x2000 | P);
    put64(0x2000 + 2 * 8, 0x3000 | P | W | U | A);
    put64(0x3000 + 7 * 8, UINT64_C(0xf5123000) | P | W | U | A | NX);
    CHECK_EQ(go(0xc0407abc, GUEST_READ), GUEST_WALK_OK);
    CHECK_EQ(out.gpa.raw, 0xf5123abc);
    CHECK_EQ(go(0xc0407abc, GUEST_FETCH), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, PF_P | PF_I);
    put64(0x1020 + 3 * 8, 0x2000 | P | W); /* W is reserved there */
    CHECK_EQ(go(0xc0407abc, GUEST_READ), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, PF_P | PF_RSVD);
    regs.pdptes_loaded = true;
    CHECK_EQ(go(0xc0407abc, GUEST_READ), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, 0);
    regs.pdpte[3] = 0x2000 | P;
    CHECK_EQ(go(0xc0407abc, GUEST_WRITE), GUEST_WALK_OK);
    CHECK_EQ(get64(0x3000 + 7 * 8) & D, D);
    put64(0x2000 + 2 * 8, 0x3000 | P | W | U | A | (UINT64_C(1) << 52)); /* ignored in long mode, reserved here */
    CHECK_EQ(go(0xc0407abc, GUEST_READ), GUEST_WALK_FAULT);
    CHECK_EQ(out.error_code, PF_P | PF_RSVD);
}

/* Who may do what, row by row. */
static const struct rights_row {
    const char *what;
    uint64_t cr0, cr4, flags /* of the page */, rflags;
    uint32_t pkru;
    uint8_t cpl;
    unsigned access;
    int error; /* -1: allowed */
} rows[] = {
    { "a user reads a user page", WP, 0, U, 0, 0, 3, GUEST_READ, -1 },
    { "a user reads a kernel page", WP, 0, W, 0, 0, 3, GUEST_READ, 5 },
    { "a user's implicit access to a kernel page", WP, 0, W, 0, 0, 3, GUEST_WRITE | GUEST_IMPLICIT, -1 },
    { "a user writes a read-only page", WP, 0, U, 0, 0, 3, GUEST_WRITE, 7 },
    { "a user writes a read-only page without WP", 0, 0, U, 0, 0, 3, GUEST_WRITE, 7 },
    { "the kernel writes a read-only page", WP, 0, 0, 0, 0, 0, GUEST_WRITE, 3 },
    { "the kernel writes a read-only page without WP", 0, 0, 0, 0, 0, 0, GUEST_WRITE, -1 },
    { "the kernel runs a user page", WP, 0, U, 0, 0, 0, GUEST_FETCH, -1 },
    { "the kernel runs a user page under SMEP", WP, SMEP, U, 0, 0, 0, GUEST_FETCH, 0x11 },
    { "a user runs a user page under SMEP", WP, SMEP, U, 0, 0, 3, GUEST_FETCH, -1 },
    { "the kernel runs a kernel page under SMEP", WP, SMEP, 0, 0, 0, 0, GUEST_FETCH, -1 },
    { "the kernel runs a NX page", WP, 0, NX, 0, 0, 0, GUEST_FETCH, 0x11 },
    { "a user runs a NX page", WP, 0, U | NX, 0, 0, 3, GUEST_FETCH, 0x15 },
    { "the kernel reads a user page under SMAP", WP, SMAP, U, 0, 0, 0, GUEST_READ, 1 },
    { "the kernel writes a user page under SMAP with AC", WP, SMAP, U | W, 1u << 18, 0, 0, GUEST_WRITE, -1 },
    { "an implicit access to a user page under SMAP with AC", WP, SMAP, U | W, 1u << 18, 0, 0, GUEST_IMPLICIT, 1 },
    { "a user's implicit access to a user page under SMAP", WP, SMAP, U | W, 1u << 18, 0, 3, GUEST_IMPLICIT, 1 },
    { "the kernel runs a user page under SMAP", WP, SMAP, U, 0, 0, 0, GUEST_FETCH, -1 },
    { "key 5 allows", WP, PKE, U | W | UINT64_C(5) << 59, 0, 3u << 8, 3, GUEST_WRITE, -1 },
    { "key 5 denies access", WP, PKE, U | W | UINT64_C(5) << 59, 0, 1u << 10, 3, GUEST_READ, 0x25 },
    { "key 5 denies access to the kernel", WP, PKE, U | W | UINT64_C(5) << 59, 0, 1u << 10, 0, GUEST_READ, 0x21 },
    { "key 5 denies writing", WP, PKE, U | W | UINT64_C(5) << 59, 0, 2u << 10, 3, GUEST_WRITE, 0x27 },
    { "key 5 denies writing, and it is a read", WP, PKE, U | W | UINT64_C(5) << 59, 0, 2u << 10, 3, GUEST_READ, -1 },
    { "key 5 denies writing to the kernel without WP", 0, PKE, U | W | UINT64_C(5) << 59, 0, 2u << 10, 0, GUEST_WRITE, -1 },
    { "a key does not stop a fetch", WP, PKE, U | UINT64_C(5) << 59, 0, 3u << 10, 3, GUEST_FETCH, -1 },
    { "a key means nothing on a kernel page", WP, PKE, W | UINT64_C(5) << 59, 0, 3u << 10, 0, GUEST_WRITE, -1 },
    { "a key means nothing without PKE", WP, 0, U | UINT64_C(5) << 59, 0, 3u << 10, 3, GUEST_READ, -1 },
};

TEST(every_row_of_the_access_rights_holds)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct rights_row *r = &rows[i];
        long_mode();
        regs.cr0 = PG | r->cr0;
        regs.cr4 |= r->cr4;
        regs.rflags = r->rflags;
        regs.pkru = r->pkru;
        regs.cpl = r->cpl;
        put64(entry[1], 0x5123000 | P | A | D | r->flags);
        enum guest_walk_result result = go(ADDRESS, r->access);
        if ((r->error < 0) != (result == GUEST_WALK_OK) || (r->error >= 0 && out.error_code != (uint32_t)r->error)) {
            test_failed(__FILE__, __LINE__, r->what);
            return;
        }
    }
}

TEST(rights_are_the_and_of_all_levels)
{
    for (unsigned level = 1; level <= 4; level++) {
        long_mode();
        regs.cpl = 3;
        put64(entry[level], get64(entry[level]) & ~(uint64_t)U);
        CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_FAULT);
        CHECK_EQ(out.error_code, 5);
        put64(entry[level], (get64(entry[level]) | U) & ~(uint64_t)W);
        CHECK_EQ(go(ADDRESS, GUEST_READ), GUEST_WALK_OK);
        CHECK_EQ(go(ADDRESS, GUEST_WRITE), GUEST_WALK_FAULT);
        put64(entry[level], get64(entry[level]) | NX);
        CHECK_EQ(go(ADDRESS, GUEST_FETCH), GUEST_WALK_FAULT);
        CHECK_EQ(out.error_code, 0x15);
        regs.efer &= ~(uint64_t)NXE; /* then the bit is reserved, and fetches are not told apart */
        CHECK_EQ(go(ADDRESS, GUEST_FETCH), GUEST_WALK_FAULT);
        CHECK_EQ(out.error_code, PF_P | PF_U | PF_RSVD);
    }
}

/* ---- the plain walker ------------------------------------------------------------------------------------------------ */

/* -1: no memory; -2: allowed, *gpa; else the error code. One entry at a time, top down, as the manual tells it. */
static long plain_walk(uint64_t va, unsigned access, uint64_t *gpa)
{
    bool nxe = regs.efer & NXE, user = regs.cpl == 3 && !(access & GUEST_IMPLICIT), fetch = access & GUEST_FETCH;
    bool write = access & GUEST_WRITE, w = true, u = true, x = true;
    long code = (write ? 2 : 0) | (user ? 4 : 0) | (fetch && (nxe || (regs.cr4 & SMEP)) ? 16 : 0);
    uint64_t table = regs.cr3, e = 0, size = 0;
    for (int level = 4; level >= 1; level--) {
        size = UINT64_C(1) << (12 + 9 * (level - 1));
        uint64_t at = table + (va / size % 512) * 8;
        if (at >= RAM_SIZE)
            return -1;
        e = get64(at);
        if (!(e & P))
            return code;
        bool large = e & PS;
        bool bad = (e >> regs.physical_bits & ((UINT64_C(1) << (52 - regs.physical_bits)) - 1)) || (!nxe && (e & NX));
        if (level == 4 || (level == 3 && !regs.huge_pages))
            bad |= large;
        if ((level == 2 || level == 3) && large)
            bad |= (e & (size - 1)) >> 13 != 0;
        if (bad)
            return code | 9;
        w &= (e & W) != 0;
        u &= (e & U) != 0;
        x &= !(e & NX);
        if (level > 1 && large)
            break;
        table = e & UINT64_C(0xffffffffff000);
    }
    *gpa = (e & UINT64_C(0xffffffffff000) & ~(size - 1)) + va % size;
    bool ok = true, wp = regs.cr0 & WP, ac = regs.rflags >> 18 & 1;
    if (fetch && !x)
        ok = false;
    if (user && (!u || (write && !w)))
        ok = false;
    if (!user && write && !w && wp)
        ok = false;
    if (!user && fetch && u && (regs.cr4 & SMEP))
        ok = false;
    if (!user && !fetch && u && (regs.cr4 & SMAP) && (!ac || (access & GUEST_IMPLICIT)))
        ok = false;
    if ((regs.cr4 & PKE) && u && !fetch) {
        uint32_t key = regs.pkru >> (e >> 59 & 15) * 2 & 3;
        if ((key & 1) || ((key & 2) && write && (user || wp))) {
            ok = false;
            code |= 32;
        }
    }
    return ok ? -2 : code | 1;
}

/* Mostly good entries, each flaw now and then. */
static uint64_t random_entry(uint64_t *seed, unsigned level)
{
    uint64_t r = fake_random(seed), e = ALL;
    e |= level > 1 ? (1 + r % 15) * 0x1000 : (r & UINT64_C(0xff000));
    if ((r >> 20) % 40 == 0) e &= ~(uint64_t)P;
    if ((r >> 24) % 6 == 0) e &= ~(uint64_t)W;
    if ((r >> 28) % 4 == 0) e &= ~(uint64_t)U;
    if ((r >> 32) % 8 == 0) e |= NX;
    if ((r >> 36) % 10 == 0) e = (e & ~UINT64_C(0x1ff000)) | PS;
    if ((r >> 40) % 12 == 0) e |= PS;
    if ((r >> 44) % 50 == 0) e |= UINT64_C(1) << (36 + r % 16);
    if ((r >> 48) % 60 == 0) e &= ~(uint64_t)P;
    return e | (r >> 52 & 15) << 59;
}

TEST(random_tables_give_what_the_plain_walker_says)
{
    uint64_t seed = 7, counts[3] = { 0, 0, 0 };
    for (unsigned round = 0; round < 30000; round++) {
        uint64_t va = 0, gpa = 0, r = fake_random(&seed);
        long_mode();
        for (unsigned level = 4, table = 1; level > 0; level--) {
            uint64_t index = fake_random(&seed) % 512, e = random_entry(&seed, level);
            put64(table * 0x1000 + index * 8, e);
            va |= index << (3 + 9 * level);
            table = (unsigned)(e >> 12 & 15);
        }
        va |= r & 0xfff;
        if (va >> 47)
            va |= UINT64_C(0xffff) << 48;
        regs.cr0 = PG | (r >> 12 & 1 ? WP : 0);
        regs.cr4 = PAE | (r >> 13 & 1 ? SMEP : 0) | (r >> 14 & 1 ? SMAP : 0) | (r >> 15 & 1 ? PKE : 0);
        regs.efer = LMA | (r >> 16 & 7 ? NXE : 0);
        regs.rflags = r & 1u << 18;
        regs.cpl = r >> 19 & 1 ? 3 : 0;
        regs.physical_bits = (uint8_t)(36 + (r >> 20) % 17);
        regs.huge_pages = r >> 28 & 1;
        regs.pkru = (uint32_t)fake_random(&seed) & (uint32_t)fake_random(&seed);
        unsigned access = (unsigned[]){ GUEST_READ, GUEST_WRITE, GUEST_FETCH, GUEST_IMPLICIT }[r >> 30 & 3];
        long expected = plain_walk(va, access, &gpa);
        enum guest_walk_result result = go(va, access);
        CHECK_EQ(result, expected == -2 ? GUEST_WALK_OK : expected == -1 ? GUEST_WALK_NO_MEMORY : GUEST_WALK_FAULT);
        counts[result == GUEST_WALK_FAULT ? 1 : 0]++;
        if (result == GUEST_WALK_OK)
            CHECK_EQ(out.gpa.raw, gpa);
        if (result == GUEST_WALK_FAULT)
            CHECK_EQ(out.error_code, expected);
    }
    CHECK(counts[0] > 3000 && counts[1] > 3000);
}
