/* Guest memory made of scattered blocks, added, made read-only, accessed and given back in any order, with allocations that
 * fail: each access does to plain arrays of pages what it does to the memory, is refused where they have no page or a read-only
 * one, and touches nothing else; no page of the host is lost or in two places.
 * covers: hv/mem/gmem.c hv/mem/gmem_access.c hv/mem/gmem_find.h
 * max_len: 96 */
#include "hv/mem/gmem.h"
#include "tests/fuzz/fuzz.h"

#define LOW_PAGES  48u
#define PAGES      (LOW_PAGES + 16u)          /* and these up to the end of what may be RAM */
#define END_FRAME  (UINT64_C(1) << 36)
#define HOST_PAGES 128u
#define HOST_BASE  MiB(16)
#define TAKEN      8u
#define BUFFER     (3u * PAGE_SIZE)

enum state { NONE, RAM, ROM };

static _Alignas(4096) uint8_t host[HOST_PAGES * PAGE_SIZE];
static struct page_allocator pages;
static struct gmem g;
static uint8_t model[PAGES][PAGE_SIZE], state[PAGES], buffer[BUFFER];
static hpa_t taken[TAKEN]; /* blocks of others, so that the guest's are scattered */
static bool failing;       /* an allocation may fail: it was asked for */

static void on_bug(const char *what, hpa_t page)
{
    FUZZ_CHECK(!what);
}

/* ---- the model ---------------------------------------------------------------------------------------------------- */

static bool has_page(uint64_t frame) { return frame < LOW_PAGES || (frame < END_FRAME && frame >= END_FRAME - (PAGES - LOW_PAGES)); }
static unsigned page_of(uint64_t frame) { return (unsigned)(frame < LOW_PAGES ? frame : frame - END_FRAME + PAGES); }
static enum state state_at(uint64_t gpa) { return has_page(gpa / PAGE_SIZE) ? state[page_of(gpa / PAGE_SIZE)] : NONE; }
static uint8_t *model_at(uint64_t gpa) { return &model[page_of(gpa / PAGE_SIZE)][gpa % PAGE_SIZE]; }
static uint64_t in_page(uint64_t gpa, uint64_t size) { return MIN(size, PAGE_SIZE - gpa % PAGE_SIZE); }

static enum gmem_result expected(uint64_t gpa, uint64_t size, bool write)
{
    for (uint64_t part; size; size -= part, gpa += part) {
        enum state s = state_at(gpa);
        if (s == NONE || (write && s == ROM))
            return s == NONE ? GMEM_OUTSIDE : GMEM_READ_ONLY;
        part = in_page(gpa, size);
    }
    return GMEM_OK;
}

/* Copies between the buffer and the model, or compares them. */
static void model_write(uint64_t gpa, const uint8_t *from, uint64_t size)
{
    for (uint64_t part; size; size -= part, gpa += part, from += part) {
        part = in_page(gpa, size);
        memcpy(model_at(gpa), from, part);
    }
}

static bool model_is(uint64_t gpa, const uint8_t *bytes, uint64_t size)
{
    for (uint64_t part; size; size -= part, gpa += part, bytes += part) {
        part = in_page(gpa, size);
        if (memcmp(model_at(gpa), bytes, part) != 0)
            return false;
    }
    return true;
}

/* ---- what the input names ----------------------------------------------------------------------------------------- */

/* Mostly pages of the model; else around and beyond the end. */
static uint64_t pick_frame(struct fuzz_input *in)
{
    uint8_t byte = fuzz_u8(in);
    if (byte < PAGES)
        return byte < LOW_PAGES ? byte : END_FRAME - PAGES + byte;
    return byte & 64 ? byte % 48 : byte & 1 ? END_FRAME + (byte & 31) : UINT64_MAX / PAGE_SIZE - (byte & 7);
}

static uint64_t pick_address(struct fuzz_input *in)
{
    uint64_t frame = pick_frame(in), offset = fuzz_u8(in); /* mostly near a page's border */
    return frame * PAGE_SIZE + (offset & 1 ? PAGE_SIZE - 1 - offset / 2 : offset * 4);
}

static uint64_t pick_size(uint8_t op, struct fuzz_input *in)
{
    uint64_t size = fuzz_u8(in);
    return op & 128 ? size & 1 ? size << 40 : size * 48 : size & 31;
}

/* ---- RAM that comes and goes -------------------------------------------------------------------------------------- */

static enum gmem_result expected_range(uint64_t gpa, uint64_t size)
{
    if ((gpa | size) % PAGE_SIZE || !size)
        return GMEM_MISALIGNED;
    return range_fits(gpa, size, END_FRAME * PAGE_SIZE) ? GMEM_OK : GMEM_OUTSIDE;
}

static void add(uint8_t op, struct fuzz_input *in)
{
    uint64_t gpa = pick_frame(in) * PAGE_SIZE, size = (fuzz_u8(in) & (op >> 5 == 7 ? 15 : 3)) * PAGE_SIZE, bytes = g.bytes;
    bool tight = page_free_bytes(&pages) < size + 8 * PAGE_SIZE;
    size = gpa / PAGE_SIZE < LOW_PAGES ? MIN(size, LOW_PAGES * PAGE_SIZE - gpa) : size;
    size = op & 224 ? size : size | 8;
    enum gmem_result want = expected_range(gpa, size);
    for (uint64_t at = 0; want == GMEM_OK && at < size && at < PAGES * PAGE_SIZE; at += PAGE_SIZE)
        want = state_at(gpa + at) != NONE ? GMEM_OVERLAP : GMEM_OK;
    if (want == GMEM_OK && page_free_bytes(&pages) < size)
        want = GMEM_NO_MEMORY;
    enum gmem_result result = gmem_add_ram(&g, GPA(gpa), size);
    FUZZ_CHECK(result == want || (result == GMEM_NO_MEMORY && want == GMEM_OK && (failing || tight)));
    for (uint64_t at = 0; result == GMEM_OK && at < size; at += PAGE_SIZE) {
        FUZZ_CHECK(has_page((gpa + at) / PAGE_SIZE)); /* nothing else can fit */
        state[page_of((gpa + at) / PAGE_SIZE)] = RAM;
        memset(model_at(gpa + at), 0, PAGE_SIZE);
    }
    FUZZ_CHECK(g.bytes == bytes + (result == GMEM_OK ? size : 0));
}

static void protect_range(uint64_t gpa, uint64_t size)
{
    enum gmem_result want = expected_range(gpa, size);
    want = want == GMEM_OK ? expected(gpa, size, false) : want;
    enum gmem_result result = gmem_make_read_only(&g, GPA(gpa), size);
    FUZZ_CHECK(result == want || (result == GMEM_NO_MEMORY && want == GMEM_OK && (failing || page_free_bytes(&pages) < 8 * PAGE_SIZE)));
    for (uint64_t at = 0; result == GMEM_OK && at < size; at += PAGE_SIZE)
        state[page_of((gpa + at) / PAGE_SIZE)] = ROM;
}

/* A range; or every second page of many, so that there are many extents. */
static void protect(uint8_t op, struct fuzz_input *in)
{
    uint64_t frame = pick_frame(in), count = fuzz_u8(in) & 31;
    if ((op & 0xf8) == 0xf8) {
        for (uint64_t i = frame & 1; i < LOW_PAGES; i += 2)
            protect_range(i * PAGE_SIZE, PAGE_SIZE);
        return;
    }
    protect_range(frame * PAGE_SIZE | (op & 224 ? 0 : 16), count * PAGE_SIZE);
}

static void host_pages(uint8_t op, struct fuzz_input *in)
{
    hpa_t *block = &taken[op >> 3 & (TAKEN - 1)];
    if (op & 64) {
        uint8_t nth = fuzz_u8(in) & 15;
        page_fail_nth(&pages, nth);
        failing = nth;
    } else if (block->raw) {
        FUZZ_CHECK(page_free(&pages, *block));
        *block = HPA(0);
    } else if (page_alloc(&pages, fuzz_u8(in) & 3, PAGE_OWNER_TABLES, block) != PAGE_OK) {
        *block = HPA(0);
    }
}

static void renew(void)
{
    gmem_destroy(&g);
    memset(state, NONE, sizeof state);
    FUZZ_CHECK(!page_used_bytes(&pages, PAGE_OWNER_GUEST) && !page_used_bytes(&pages, PAGE_OWNER_HOST));
    gmem_destroy(&g); /* of nothing: nothing */
    if (gmem_create(&g, &pages) != GMEM_OK) {
        FUZZ_CHECK(failing || page_free_bytes(&pages) < PAGE_SIZE);
        page_fail_nth(&pages, 0);
        for (unsigned i = 0; i < TAKEN; i++) {
            if (taken[i].raw)
                FUZZ_CHECK(page_free(&pages, taken[i]));
            taken[i] = HPA(0);
        }
        FUZZ_CHECK(gmem_create(&g, &pages) == GMEM_OK);
    }
}

/* ---- accesses ----------------------------------------------------------------------------------------------------- */

static void read(uint8_t op, struct fuzz_input *in)
{
    uint64_t gpa = pick_address(in), size = pick_size(op, in);
    enum gmem_result want = expected(gpa, size, false);
    FUZZ_CHECK(want != GMEM_OK || size <= BUFFER);
    buffer[0] = 0xee;
    FUZZ_CHECK(gmem_read(&g, GPA(gpa), buffer, size) == want);
    FUZZ_CHECK(want == GMEM_OK ? model_is(gpa, buffer, size) : buffer[0] == 0xee);
}

/* By the guest, or by a loader, who may write to ROM. */
static void write(uint8_t op, struct fuzz_input *in)
{
    uint64_t gpa = pick_address(in), size = pick_size(op, in);
    uint8_t byte = fuzz_u8(in);
    bool loads = op & 16, fills = (op & 48) == 48;
    enum gmem_result want = expected(gpa, size, !loads), result;
    FUZZ_CHECK(want != GMEM_OK || size <= BUFFER);
    for (uint64_t i = 0; want == GMEM_OK && i < size; i++)
        buffer[i] = (uint8_t)(fills ? byte : byte + i);
    if (loads)
        result = fills ? gmem_load_fill(&g, GPA(gpa), byte, size) : gmem_load(&g, GPA(gpa), buffer, size);
    else
        result = gmem_write(&g, GPA(gpa), buffer, size);
    FUZZ_CHECK(result == want);
    if (result == GMEM_OK)
        model_write(gpa, buffer, size);
}

static enum gmem_result write_value(unsigned size, uint64_t gpa, uint64_t value)
{
    return size == 1 ? gmem_write_u8(&g, GPA(gpa), (uint8_t)value) : size == 2 ? gmem_write_u16(&g, GPA(gpa), (uint16_t)value)
         : size == 4 ? gmem_write_u32(&g, GPA(gpa), (uint32_t)value) : gmem_write_u64(&g, GPA(gpa), value);
}

static enum gmem_result read_value(unsigned size, uint64_t gpa, void *to)
{
    return size == 1 ? gmem_read_u8(&g, GPA(gpa), to) : size == 2 ? gmem_read_u16(&g, GPA(gpa), to)
         : size == 4 ? gmem_read_u32(&g, GPA(gpa), to) : gmem_read_u64(&g, GPA(gpa), to);
}

static void value(uint8_t op, struct fuzz_input *in)
{
    uint64_t gpa = pick_address(in), number = fuzz_u16(in) * UINT64_C(0x0001000300050007), got[2] = { 0 };
    unsigned size = 1u << (op >> 4 & 3);
    bool writes = op & 64;
    enum gmem_result want = expected(gpa, size, writes);
    FUZZ_CHECK((writes ? write_value(size, gpa, number) : read_value(size, gpa, got)) == want);
    if (want == GMEM_OK && writes)
        model_write(gpa, (const uint8_t *)&number, size);
    else if (want == GMEM_OK)
        FUZZ_CHECK(model_is(gpa, (const uint8_t *)got, size) && !got[1]);
}

/* As a walk of the guest's page tables does. */
static void exchange(uint8_t op, struct fuzz_input *in)
{
    uint64_t gpa = pick_address(in), old = 0, desired = fuzz_u16(in);
    unsigned size = op & 16 ? 4 : 8;
    gpa &= op & 32 ? UINT64_MAX : ~(uint64_t)(size - 1);
    bool swapped = false, same = op & 64, possible = gpa % size == 0 && expected(gpa, size, true) == GMEM_OK;
    if (possible)
        memcpy(&old, model_at(gpa), size);
    FUZZ_CHECK(gmem_walk.cmpxchg(&g, GPA(gpa), size, same ? old : old + 1, desired, &swapped) == possible);
    FUZZ_CHECK(swapped == (possible && same));
    if (swapped)
        model_write(gpa, (const uint8_t *)&desired, size);
}

static void translate(uint8_t op, struct fuzz_input *in)
{
    uint64_t gpa = pick_address(in), size = pick_size(op, in);
    struct guest_window window;
    bool found = gmem_walk.window(&g, GPA(gpa), &window);
    FUZZ_CHECK(found == (state_at(gpa) != NONE));
    FUZZ_CHECK(!found || (gpa - window.gpa < window.size && window.host[gpa - window.gpa] == *model_at(gpa)));
    const uint8_t *at = gmem_translate(&g, GPA(gpa), size);
    bool direct = found && range_fits(gpa - window.gpa, size, window.size) && state_at(gpa) == RAM;
    FUZZ_CHECK(at ? direct && at == window.host + (gpa - window.gpa) && model_is(gpa, at, size) : !direct);
    if (op & 32) /* a hint, which may be anything */
        g.last = fuzz_u8(in);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

struct survey {
    uint64_t end, bytes;
    bool host[HOST_PAGES];
};

static int visit(void *ctx, const struct gmem_extent *e)
{
    struct survey *s = ctx;
    FUZZ_CHECK(e->size && !((e->gpa | e->size | e->hpa.raw) % PAGE_SIZE) && e->gpa >= s->end);
    FUZZ_CHECK(e->host == page_pointer(&pages, e->hpa) && range_fits(e->hpa.raw - HOST_BASE, e->size, sizeof host));
    for (uint64_t at = 0; at < e->size; at += PAGE_SIZE) {
        bool *used = &s->host[(e->hpa.raw - HOST_BASE + at) / PAGE_SIZE];
        FUZZ_CHECK(!*used && state_at(e->gpa + at) == (e->read_only ? ROM : RAM));
        FUZZ_CHECK(!memcmp(model_at(e->gpa + at), e->host + at, PAGE_SIZE));
        *used = true;
    }
    s->end = e->gpa + e->size;
    s->bytes += e->size;
    return 0;
}

static void check(void)
{
    struct survey s = { 0 };
    uint64_t wanted = 0;
    FUZZ_CHECK(gmem_for_each_extent(&g, visit, &s) == 0);
    for (unsigned i = 0; i < PAGES; i++)
        wanted += state[i] != NONE ? PAGE_SIZE : 0;
    FUZZ_CHECK(s.bytes == wanted && g.bytes == wanted && page_used_bytes(&pages, PAGE_OWNER_GUEST) == wanted);
    FUZZ_CHECK(g.count <= g.capacity && page_check(&pages));
}

static void start(void)
{
    static const struct page_range ranges[] = { { { HOST_BASE }, 40 * PAGE_SIZE }, { { HOST_BASE + 41 * PAGE_SIZE }, PAGE_SIZE },
                                                { { HOST_BASE + 45 * PAGE_SIZE }, 83 * PAGE_SIZE } };
    FUZZ_CHECK(page_init(&pages, (uint64_t)(uintptr_t)host - HOST_BASE, on_bug, ranges, ARRAY_SIZE(ranges)) == PAGE_OK);
    memset(taken, 0, sizeof taken);
    memset(state, NONE, sizeof state);
    failing = false;
    FUZZ_CHECK(gmem_create(&g, &pages) == GMEM_OK);
    g.capacity = 8; /* a table that is soon full */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    start();
    while (in.left) {
        uint8_t op = fuzz_u8(&in);
        switch (op & 7) {
        case 0: add(op, &in); break;
        case 1: protect(op, &in); break;
        case 2: op >> 3 == 31 ? renew() : host_pages(op, &in); break;
        case 3: read(op, &in); break;
        case 4: write(op, &in); break;
        case 5: value(op, &in); break;
        case 6: exchange(op, &in); break;
        default: translate(op, &in);
        }
    }
    check();
    gmem_destroy(&g);
    FUZZ_CHECK(!page_used_bytes(&pages, PAGE_OWNER_GUEST) && !page_used_bytes(&pages, PAGE_OWNER_HOST) && page_check(&pages));
    return 0;
}
