/* Any tables, registers and access: a walk reads no entry outside of RAM, changes nothing but accessed and dirty bits (and
 * nothing at all if it fails or only probes), and says the same when it is done again.
 * covers: arch/x86_64/mmu/guest_walk.c
 * max_len: 160 */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/mmu/guest_walk.h"
#include "tests/fuzz/fuzz.h"

#define RAM_PAGES 6u
#define RAM_SIZE  (RAM_PAGES * PAGE_SIZE)
#define ACCESSED  UINT64_C(0x20)
#define DIRTY     UINT64_C(0x40)
#define CHANGES_MAX 24

static _Alignas(4096) uint8_t ram[RAM_SIZE];
static struct { uint64_t at; unsigned width; uint64_t before; } changed[64]; /* to make all zero again */
static unsigned changed_count, swaps, rival_in, windows;
static bool has_rival, read_only;

/* One window a page, so that ASan cannot see it but FUZZ_CHECK can: nothing outside of `ram` is ever handed out. */
static bool window(void *ctx, gpa_t at, struct guest_window *out)
{
    (void)ctx;
    FUZZ_CHECK(++windows < 1000);
    if (at.raw >= RAM_SIZE)
        return false;
    uint64_t base = ALIGN_DOWN(at.raw, PAGE_SIZE);
    *out = (struct guest_window){ base, PAGE_SIZE, ram + base };
    return true;
}

static void put(uint64_t at, const void *value, unsigned width)
{
    FUZZ_CHECK(changed_count < ARRAY_SIZE(changed));
    changed[changed_count].at = at;
    changed[changed_count++].width = width;
    memcpy(ram + at, value, width);
}

static bool cmpxchg(void *ctx, gpa_t at, unsigned width, uint64_t expected, uint64_t desired, bool *swapped)
{
    uint64_t value = 0;
    (void)ctx;
    FUZZ_CHECK((width == 4 || width == 8) && at.raw % width == 0 && range_fits(at.raw, width, RAM_SIZE));
    FUZZ_CHECK(!((expected ^ desired) & ~(ACCESSED | DIRTY)) && (desired & expected) == expected && desired != expected);
    if (read_only)
        return false;
    if (rival_in && --rival_in == 0) /* another vCPU gets there first */
        ram[at.raw] ^= 2;
    memcpy(&value, ram + at.raw, width);
    *swapped = value == expected;
    if (*swapped) {
        memcpy(ram + at.raw, &desired, width);
        swaps++;
    }
    return true;
}

static const struct guest_walk_mem mem = { window, cmpxchg };

static void fill_tables(struct fuzz_input *in)
{
    while (in->left >= 10 && changed_count < CHANGES_MAX) {
        uint64_t at = fuzz_u16(in) % RAM_SIZE & ~UINT64_C(3), value = fuzz_u64(in);
        /* Mostly small frame numbers, so that tables lead to tables. */
        if (value & UINT64_C(1) << 52)
            value &= ~UINT64_C(0x000fffffffff8000);
        put(MIN(at, RAM_SIZE - 8), &value, 8);
    }
}

static void check(const struct guest_paging *p, enum guest_walk_result result, unsigned access,
                  const struct guest_translation *out)
{
    if (result == GUEST_WALK_OK) {
        uint64_t size = out->page_size;
        FUZZ_CHECK(size == KiB(4) || size == MiB(2) || size == MiB(4) || (size == GiB(1) && p->huge_pages));
        FUZZ_CHECK(!(p->cr0 >> 31 & 1) || p->physical_bits >= 52 || !(out->gpa.raw >> MAX(p->physical_bits, 40)));
    } else if (result == GUEST_WALK_FAULT) {
        FUZZ_CHECK(!(out->error_code & ~0x3fu) && !(access & GUEST_WRITE) == !(out->error_code & PF_W));
        FUZZ_CHECK(!(out->error_code & PF_RSVD) || (out->error_code & PF_P));
    } else if (result == GUEST_WALK_NO_MEMORY) {
        FUZZ_CHECK(out->gpa.raw >= RAM_SIZE);
    }
    FUZZ_CHECK(result == GUEST_WALK_OK || has_rival || !swaps || read_only);
    FUZZ_CHECK(!(access & GUEST_PROBE) || !swaps);
}

static void set_registers(struct guest_paging *p, struct fuzz_input *in)
{
    static const uint64_t cr4_bits[] = { 4, 5, 12, 20, 21, 22 };
    uint16_t modes = fuzz_u16(in), bits = fuzz_u8(in);
    p->cr0 = (uint64_t)!(modes & 1) << 31 | (uint64_t)(modes >> 1 & 1) << 16;
    for (unsigned i = 0; i < ARRAY_SIZE(cr4_bits); i++)
        p->cr4 |= (uint64_t)(bits >> i & 1) << cr4_bits[i];
    p->efer = (modes & 4 ? 1u << 10 : 0) | (modes & 8 ? 1u << 11 : 0);
    if (p->efer & 1u << 10)
        p->cr4 |= 1u << 5;
    p->rflags = (uint64_t)(modes >> 4 & 1) << 18;
    p->cpl = modes & 32 ? 3 : 0;
    p->huge_pages = modes >> 6 & 1;
    p->pdptes_loaded = modes >> 7 & 1;
    p->physical_bits = (uint8_t)(32 + (modes >> 8) % 21);
    p->pkru = fuzz_u8(in) * 0x01020408u;
    p->cr3 = fuzz_u16(in) & 0xffe0 & (bits & 64 ? UINT64_MAX : 0x7fff);
    for (unsigned i = 0; i < 4; i++)
        p->pdpte[i] = p->pdptes_loaded ? (uint64_t)(p->pkru >> i & 7) << 12 | 1 : 0;
    read_only = bits & 128;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct guest_paging paging = { 0 };
    struct guest_translation first = { 0 }, again = { 0 };
    set_registers(&paging, &in);
    unsigned access = fuzz_u8(&in) & 0xf;
    if ((access & GUEST_WRITE) && (access & GUEST_FETCH))
        access &= ~(unsigned)GUEST_FETCH;
    gva_t address = GVA(fuzz_u64(&in));
    rival_in = fuzz_u8(&in) & 3;
    has_rival = rival_in;
    changed_count = swaps = windows = 0;
    fill_tables(&in);
    enum guest_walk_result result = guest_walk(&paging, &mem, NULL, address, access, &first);
    check(&paging, result, access, &first);
    /* Where one entry is two levels' at once, marking it may change what the next walk reads: not in 64-bit tables. */
    if (!has_rival && (paging.efer & 1u << 10)) {
        FUZZ_CHECK(guest_walk(&paging, &mem, NULL, address, access, &again) == result);
        FUZZ_CHECK(result != GUEST_WALK_OK || (again.gpa.raw == first.gpa.raw && again.page_size == first.page_size));
        FUZZ_CHECK(result != GUEST_WALK_FAULT || again.error_code == first.error_code);
    }
    while (changed_count--) /* only there can anything but zero be */
        memset(ram + changed[changed_count].at, 0, changed[changed_count].width);
    return 0;
}
