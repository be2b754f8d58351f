/* The state that XSAVE knows: x87, MXCSR, XMM, YMM, ZMM, mask registers, PKRU; and XCR0. Loaded and looked at with XRSTOR
 * and XSAVE. Layout: Intel SDM vol 1, "XSAVE Area". */
#include "leak/leak.h"
#include "lib/cpu.h"

enum { X87 = 0, SSE = 1, AVX = 2, OPMASK = 5, ZMM_HIGH = 6, ZMM_16_31 = 7, PKRU = 9, XCR0_RESET = 1,
       AREA_SIZE = 4096, OFFSET_ST = 32, OFFSET_XMM = 160, OFFSET_HEADER = 512, ST_STRIDE = 16 };

static uint64_t xcr0_first, xcr0_chosen;
static uint8_t area[AREA_SIZE] __attribute__((aligned(64)));

static void xsave_area(void)
{
    for (unsigned i = 0; i < AREA_SIZE / 8; i++)
        ((uint64_t *)area)[i] = 0; /* what is in its initial state, XSAVE may leave out */
    asm volatile("xsave64 %0" : "+m"(area) : "a"(-1), "d"(-1) : "memory");
}

/* Loads the area; XSTATE_BV gets the component's bit, so that the load takes it from the area. */
static void xrstor_area(unsigned component)
{
    *(uint64_t *)(area + OFFSET_HEADER) |= UINT64_C(1) << component;
    asm volatile("xrstor64 %0" : : "m"(area), "a"(-1), "d"(-1) : "memory");
}

uint64_t extended_offered(void)
{
    struct cpuid r = cpuid(0xd, 0);
    return (uint64_t)r.edx << 32 | r.eax;
}

bool extended_init(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
        return false;
    write_cr4(read_cr4() | CR4_OSXSAVE | (extended_offered() >> PKRU & 1 ? CR4_PKE : 0));
    xcr0_first = xgetbv(0);
    extended_choose(extended_offered());
    return true;
}

void extended_choose(uint64_t xcr0)
{
    xcr0_chosen = xcr0;
    xsetbv(0, xcr0);
}

static bool component_present(const struct state *s)
{
    return (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) && (xgetbv(0) >> s->number & 1);
}

static bool xsave_present(const struct state *s)
{
    (void)s;
    return cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE;
}

static uint64_t *component_at(unsigned number)
{
    return (uint64_t *)(area + (number == SSE ? OFFSET_XMM : cpuid(0xd, number).ebx));
}

static void component_read(const struct state *s, uint64_t *w)
{
    xsave_area();
    for (unsigned i = 0; i < s->words; i++)
        w[i] = component_at(s->number)[i];
}

static void component_write(const struct state *s, const uint64_t *w)
{
    xsave_area();
    for (unsigned i = 0; i < s->words; i++)
        component_at(s->number)[i] = w[i];
    xrstor_area(s->number);
}

/* The significands of ST0 to ST7. */
static void x87_read(const struct state *s, uint64_t *w)
{
    xsave_area();
    for (unsigned i = 0; i < s->words; i++)
        w[i] = *(uint64_t *)(area + OFFSET_ST + ST_STRIDE * i);
}

static void x87_write(const struct state *s, const uint64_t *w)
{
    xsave_area();
    for (unsigned i = 0; i < s->words; i++)
        *(uint64_t *)(area + OFFSET_ST + ST_STRIDE * i) = w[i];
    xrstor_area(X87);
}

static void mxcsr_read(const struct state *s, uint64_t *w)
{
    uint32_t value;
    (void)s;
    asm volatile("stmxcsr %0" : "=m"(value));
    *w = value;
}

static void mxcsr_write(const struct state *s, const uint64_t *w)
{
    uint32_t value = (uint32_t)*w;
    (void)s;
    asm volatile("ldmxcsr %0" : : "m"(value));
}

static void control_read(const struct state *s, uint64_t *w)
{
    uint16_t value;
    (void)s;
    asm volatile("fnstcw %0" : "=m"(value));
    *w = value;
}

static void control_write(const struct state *s, const uint64_t *w)
{
    uint16_t value = (uint16_t)*w;
    (void)s;
    asm volatile("fldcw %0" : : "m"(value));
}

/* 0 as long as it was 1 at first and is what was chosen since. */
static void xcr0_read(const struct state *s, uint64_t *w)
{
    (void)s;
    *w = (xcr0_first ^ XCR0_RESET) | (xgetbv(0) ^ xcr0_chosen);
}

static void xcr0_write(const struct state *s, const uint64_t *w)
{
    (void)s, (void)w; /* extended_choose() did it */
}

static bool always(const struct state *s)
{
    (void)s;
    return true;
}

#define COMPONENT(name, number, words, mask) { name, words, component_present, component_read, component_write, mask, 0, 0, number }
/* The order matters: loading one component loads the others again as they are. */
const struct state extended_states[] = {
    { "x87 control word", 1, always, control_read, control_write, 0xc00, 0x37f, 0x40, 0 },
    { "x87 registers", 8, xsave_present, x87_read, x87_write, UINT64_MAX, 0, 0, X87 },
    { "MXCSR", 1, xsave_present, mxcsr_read, mxcsr_write, 0x603f, 0x1f80, 0x1f80, 0 },
    COMPONENT("XMM", SSE, 32, UINT64_MAX),
    COMPONENT("YMM", AVX, 32, UINT64_MAX),
    COMPONENT("mask registers", OPMASK, 8, UINT64_MAX),
    COMPONENT("ZMM 0-15, upper half", ZMM_HIGH, 64, UINT64_MAX),
    COMPONENT("ZMM 16-31", ZMM_16_31, 128, UINT64_MAX),
    COMPONENT("PKRU", PKRU, 1, 0xfffffffc),
    { "XCR0", 1, xsave_present, xcr0_read, xcr0_write, 0, 0, 0, 0 },
};
const unsigned extended_state_count = sizeof extended_states / sizeof extended_states[0];
