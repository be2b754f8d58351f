/* Hardware task switches between any task-state segments, over any descriptors, with and without paging: a switch changes no
 * byte of memory that the manual does not name, one that is refused before its point of no return changes nothing at all, and
 * one that succeeds leaves a task whose registers are its segment's and whose segment registers fit each other.
 * covers: hv/vm/task_switch.c hv/vm/task_segment.c hv/vm/linear.c
 * max_len: 64 */
#include <stdarg.h>
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/segment.h"
#include "hv/vm/emulate.h"
#include "hv/vm/exits.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/hv/vm/fake_snapshot.h"

#define PAGES   10u                            /* 8 of RAM from 0, one of ROM, and the last below 4 GiB */
#define TOP     (GiB(4) - PAGE_SIZE)
#define TSS32   UINT64_C(0x0000890000000067)
#define TSS16   UINT64_C(0x000081000000002b)
#define BUSY    (UINT64_C(2) << DESC_TYPE_SHIFT)

enum { GDT = 0x1000, GDT_LIMIT = 0x97, LDT = 0x1800, OLD = 0x2000, OLD_16 = 0x2400, NEW = 0x3000, NEW_16 = 0x3400, BACK = 0x3800,
       STACK = 0x4800, DIRECTORY = 0x5000, TABLE = 0x6000, TOP_TABLE = 0x7000, ROM = 0x8000 };
enum { CODE = 0x08, DATA = 0x10, SEL_OLD = 0x18, SEL_NEW = 0x20, SEL_NEW_16 = 0x30, SEL_LDT = 0x38, SEL_BACK = 0x58, SEL_HIGH = 0x60,
       SEL_ROM = 0x80, SEL_OLD_16 = 0x88 };

struct vt_ops vt;
static uint64_t field[VT_FIELD_COUNT], field_before[VT_FIELD_COUNT];
static struct vt_vcpu cpu;
static struct partition part;
static struct vcpu vcpu = { .vt = &cpu, .part = &part };
static _Alignas(4096) uint8_t memory[PAGES * PAGE_SIZE], before[PAGES * PAGE_SIZE], fresh[PAGES * PAGE_SIZE];
static struct gmem_extent extents[] = { { 0, 8 * PAGE_SIZE, memory, { MiB(1) }, false }, { ROM, PAGE_SIZE, memory + ROM, { MiB(2) }, true },
                                        { TOP, PAGE_SIZE, memory + 9 * PAGE_SIZE, { MiB(3) }, false } };
static unsigned exceptions, events, failures;
static struct vt_event injected;
static bool committed, cr3_is_bad;

/* ---- in place of the CPU and of what stands above ----------------------------------------------------------------- */

static uint64_t get(struct vt_vcpu *v, enum vt_field f)
{
    FUZZ_CHECK(f < VT_FIELD_COUNT);
    return field[f];
}

static void set(struct vt_vcpu *v, enum vt_field f, uint64_t value)
{
    FUZZ_CHECK(f < VT_FIELD_COUNT && !failures);
    committed |= f != VT_CR2;
    field[f] = value;
}

static void snapshot(struct vt_vcpu *v, struct vt_snapshot *out) { fake_snapshot(field, out); }
static void inject(struct vt_vcpu *v, const struct vt_event *e) { events++; }
static uint32_t pkru(struct vt_vcpu *v) { return 0; }

bool vcpu_load_cr3(struct vcpu *v, uint64_t value)
{
    field[VT_CR3] = cr3_is_bad ? field[VT_CR3] : value;
    return !cr3_is_bad;
}

/* The CPU's own accesses go to no device. */
uint64_t vcpu_mmio_read(struct vcpu *v, gpa_t gpa, unsigned size)
{
    FUZZ_CHECK(false && "a device is read");
    return 0;
}

void vcpu_mmio_write(struct vcpu *v, gpa_t gpa, unsigned size, uint64_t value)
{
    FUZZ_CHECK(false && "a device is written");
}

void partition_fail(struct vcpu *v, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    FUZZ_CHECK(vsnprintf(text, sizeof text, format, args) < (int)sizeof text);
    va_end(args);
    failures++;
}

void vcpu_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
    injected = (struct vt_event){ .vector = vector, .has_error_code = has_error, .error_code = error };
    exceptions++;
}

/* ---- two tasks and more, ready to run ------------------------------------------------------------------------------ */

static void poke(uint64_t at, uint64_t value, size_t size) { memcpy(fresh + at, &value, size); }
static void descriptor(uint16_t selector, uint64_t raw, uint64_t base)
{
    poke(GDT + selector, raw | (base & 0xffffff) << 16 | (base >> 24) << 56, 8);
}

static void task32(uint64_t at, uint16_t code, uint16_t data)
{
    static const uint8_t numbers[] = { 1, 2, 3, 4 };
    poke(at + 0x1c, DIRECTORY, 4);
    poke(at + 0x20, 0x5678, 4);
    poke(at + 0x24, RFLAGS_ONE, 4);
    poke(at + 0x38, STACK, 4);
    memcpy(fresh + at + 0x28, numbers, sizeof numbers);
    for (unsigned i = 0; i < 6; i++)
        poke(at + 0x48 + 4 * i, i == VT_CS ? code : data, 4);
}

static void task16(uint64_t at)
{
    poke(at + 0x0e, 0x40, 2);
    poke(at + 0x10, RFLAGS_ONE, 2);
    poke(at + 0x1a, STACK, 2);
    for (unsigned i = 0; i < 4; i++)
        poke(at + 0x22 + 2 * i, i == VT_CS ? CODE : DATA, 2);
}

static void prepare(void)
{
    static const struct { uint16_t selector; uint64_t raw, base; } table[] = {
        { CODE, UINT64_C(0x00cf9b000000ffff), 0 }, { DATA, UINT64_C(0x00cf93000000ffff), 0 }, { SEL_OLD, TSS32 | BUSY, OLD },
        { SEL_NEW, TSS32, NEW }, { 0x28, UINT64_C(0x00cf13000000ffff), 0 }, { SEL_NEW_16, TSS16, NEW_16 },
        { SEL_LDT, UINT64_C(0x000082000000002f), LDT }, { 0x40, UINT64_C(0x00cf9f000000ffff), 0 }, { 0x48, UINT64_C(0x00cff3000000ffff), 0 },
        { 0x50, UINT64_C(0x00cffb000000ffff), 0 }, { SEL_BACK, TSS32 | BUSY, BACK }, { SEL_HIGH, TSS32, TOP + 0x800 },
        { 0x68, UINT64_C(0x00cf9a000000ffff), 0 }, { 0x70, UINT64_C(0x00cf92000000ffff), 0 }, { 0x78, UINT64_C(0x000093000000ffff), 0 },
        { SEL_ROM, TSS32, ROM }, { SEL_OLD_16, TSS16 | BUSY, OLD_16 }, { 0x90, UINT64_C(0x00cf98000000ffff), 0 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        descriptor(table[i].selector, table[i].raw, table[i].base);
    for (unsigned i = 0; i < 6; i++) /* the LDT has the first of them again */
        memcpy(fresh + LDT + 8 * i, fresh + GDT + 8 * i, 8);
    task32(NEW, CODE, DATA);
    poke(NEW + 0x60, SEL_LDT, 2);
    poke(NEW + 0x48 + 4 * VT_GS, DATA | SEL_TI, 2);
    task32(BACK, 0x53, 0x4b); /* at CPL 3 */
    task32(ROM, CODE, DATA);
    task32(9 * PAGE_SIZE + 0x800, CODE, DATA);
    task16(NEW_16);
    poke(DIRECTORY, TABLE | 7, 4);
    poke(DIRECTORY + 4 * 1023, TOP_TABLE | 7, 4);
    for (unsigned i = 0; i < 9; i++)
        poke(TABLE + 4 * i, i * PAGE_SIZE | 7, 4);
    poke(TOP_TABLE + 4 * 1023, TOP | 7, 4);
    part.mem = (struct gmem){ .extents = extents, .count = ARRAY_SIZE(extents), .capacity = ARRAY_SIZE(extents) };
    vcpu.cpuid.leaf[CPUID_SLOT_EXTENDED + 8].eax = 36;
    vt.get = get, vt.set = set, vt.snapshot = snapshot, vt.inject = inject, vt.pkru = pkru;
}

static void start(bool paged, bool from_16)
{
    memcpy(memory, fresh, sizeof memory);
    memset(field, 0, sizeof field);
    for (unsigned i = 0; i < VT_GPR_COUNT; i++)
        cpu.gpr[i] = UINT64_C(0x1111111111111111) * i;
    field[VT_CR0] = CR0_PE | (paged ? CR0_PG : 0);
    field[VT_CR3] = DIRECTORY;
    field[VT_GDTR_BASE] = GDT;
    field[VT_GDTR_LIMIT] = GDT_LIMIT;
    field[VT_SELECTOR + VT_TR] = from_16 ? SEL_OLD_16 : SEL_OLD;
    field[VT_BASE + VT_TR] = from_16 ? OLD_16 : OLD;
    field[VT_LIMIT + VT_TR] = from_16 ? 0x2b : 0x67;
    field[VT_ACCESS + VT_TR] = from_16 ? 0x83 : 0x8b;
    field[VT_SELECTOR + VT_CS] = CODE;
    field[VT_RIP] = 0x1234;
    field[VT_RFLAGS] = RFLAGS_ONE | RFLAGS_IF;
    field[VT_DR7] = 0x455;
    field[VT_RSP_] = 0x4400;
    exceptions = events = failures = 0;
    committed = false;
    injected = (struct vt_event){ 0 };
}

/* What the input changes in memory and registers, before the switch. */
static void change(struct fuzz_input *in)
{
    static const uint16_t tasks[] = { NEW, NEW_16, BACK, ROM, 9 * PAGE_SIZE + 0x800, OLD, GDT + SEL_NEW, LDT };
    static const uint8_t fields[] = { VT_BASE + VT_TR, VT_LIMIT + VT_TR, VT_ACCESS + VT_TR, VT_SELECTOR + VT_TR, VT_GDTR_BASE, VT_GDTR_LIMIT,
                                      VT_RFLAGS, VT_CR4, VT_INTERRUPT_SHADOW, VT_ACCESS + VT_SS, VT_RSP_, VT_RIP, VT_DR7, VT_CR3, VT_CR0, VT_DR6 };
    uint8_t op = fuzz_u8(in), at = fuzz_u8(in);
    switch (op & 3) {
    case 0: memcpy(memory + tasks[op >> 2 & 7] + at % 104, &(uint16_t){ fuzz_u16(in) }, 2); break;
    case 1: memory[GDT + at % (GDT_LIMIT + 1u)] = fuzz_u8(in); break;
    case 2: memory[MIN(at * UINT64_C(0x101) * (1 + (op >> 2 & 1)), sizeof memory - 1)] = fuzz_u8(in); break;
    default:
        field[fields[op >> 2 & 15]] = op & 64 ? field[fields[op >> 2 & 15]] ^ UINT64_C(1) << at % 33 : fuzz_u32(in);
        field[VT_CR4] &= CR4_PSE | CR4_PGE; /* PAE needs tables of another shape: guest_walk.c's harness has them */
        field[VT_CR0] |= CR0_PE;
        field[VT_LIMIT + VT_TR] &= UINT32_MAX;
    }
}

static uint16_t pick_selector(struct fuzz_input *in)
{
    static const uint16_t selectors[] = { SEL_NEW, SEL_NEW_16, SEL_BACK, SEL_HIGH, SEL_ROM, SEL_OLD, SEL_LDT, DATA };
    uint8_t byte = fuzz_u8(in);
    return byte & 128 ? fuzz_u16(in) : selectors[byte & 7] | (byte >> 4 & 3);
}

/* ---- what has to hold --------------------------------------------------------------------------------------------- */

/* Outside of IA-32e mode linear addresses have 32 bits. */
static bool within(uint64_t at, uint64_t base, uint64_t size) { return (uint32_t)(at - base) < size; }
static bool is_access_byte(uint64_t at, uint64_t table) { return within(at, table, 65536) && (uint32_t)(at - table) % 8 == 5; }

/* May a switch change this byte? Linear addresses are physical ones here. */
static bool may_change(uint64_t at, const struct vt_exit *exit)
{
    bool from_32 = field_before[VT_ACCESS + VT_TR] & 8, to_32 = field[VT_ACCESS + VT_TR] & 8;
    uint64_t tr = field_before[VT_BASE + VT_TR], gdt = field_before[VT_GDTR_BASE], ldt = field[VT_BASE + VT_LDTR];
    if (within(at, tr + (from_32 ? 0x20 : 0x0e), from_32 ? 0x40 : 0x1c))
        return true;
    if (is_access_byte(at, gdt) || (committed && is_access_byte(at, ldt)))
        return true; /* busy and accessed bits */
    if (!committed)
        return false;
    if (within(at, field[VT_BASE + VT_TR], 2)) /* the link back */
        return exit->task.source == VT_TASK_CALL || exit->task.source == VT_TASK_IDT;
    uint64_t mask = field[VT_ACCESS + VT_SS] & VT_ACCESS_DB ? UINT32_MAX : UINT16_MAX, stack = field[VT_BASE + VT_SS] + (field[VT_RSP_] & mask);
    return exit->task.event.has_error_code && exit->task.source == VT_TASK_IDT && within(at, stack, to_32 ? 4 : 2);
}

static void check_memory(const struct vt_exit *exit)
{
    for (unsigned page = 0; page < PAGES; page++) {
        uint64_t base = page * PAGE_SIZE;
        if (!memcmp(memory + base, before + base, PAGE_SIZE))
            continue;
        FUZZ_CHECK(base != ROM && committed);
        for (uint64_t i = 0; i < PAGE_SIZE; i++)
            FUZZ_CHECK(memory[base + i] == before[base + i] || may_change((page == 9 ? TOP : base) + i, exit));
    }
}

/* The new task's segment as it was before the switch, or NULL if it is not all in one piece. */
static const uint8_t *new_tss(void)
{
    uint64_t base = field[VT_BASE + VT_TR]; /* of a descriptor: 32 bits */
    if (base <= 9 * PAGE_SIZE - 104)
        return before + base;
    return base >= TOP && base <= GiB(4) - 104 ? before + 9 * PAGE_SIZE + (base - TOP) : NULL;
}

static void check_registers(const struct vt_exit *exit, bool paged)
{
    bool wide = field[VT_ACCESS + VT_TR] & 8, nests = exit->task.source == VT_TASK_CALL || exit->task.source == VT_TASK_IDT;
    FUZZ_CHECK(field[VT_SELECTOR + VT_TR] == exit->task.selector && (field[VT_ACCESS + VT_TR] & 0x97) == 0x83);
    FUZZ_CHECK(field[VT_LIMIT + VT_TR] >= (wide ? 103u : 43u) && (field[VT_CR0] & CR0_TS) && !(field[VT_DR7] & 0x155));
    FUZZ_CHECK((field[VT_RFLAGS] & RFLAGS_ONE) && !(field[VT_RFLAGS] & ~RFLAGS_DEFINED) && (!nests || (field[VT_RFLAGS] & RFLAGS_NT)));
    FUZZ_CHECK(!(field[VT_INTERRUPT_SHADOW] & (VT_SHADOW_STI | VT_SHADOW_MOV_SS)) && !field[VT_PENDING_DEBUG]);
    const uint8_t *tss = paged ? NULL : new_tss(); /* with paging, who knows where it was */
    for (unsigned i = 0; tss && i < 8; i++) {
        uint32_t value = 0;
        memcpy(&value, tss + (wide ? 0x28 + 4 * i : 0x12 + 2 * i), wide ? 4 : 2);
        FUZZ_CHECK(cpu.gpr[i] == value);
    }
    for (unsigned seg = VT_ES; tss && seg <= (wide ? VT_GS : VT_DS); seg++)
        FUZZ_CHECK(!memcmp(tss + (wide ? 0x48 + 4 * seg : 0x22 + 2 * seg), &field[VT_SELECTOR + seg], 2));
}

static void check_segments(void)
{
    unsigned cpl = VT_ACCESS_DPL((unsigned)field[VT_ACCESS + VT_SS]);
    FUZZ_CHECK(field[VT_RIP] <= field[VT_LIMIT + VT_CS]);
    FUZZ_CHECK((field[VT_ACCESS + VT_LDTR] & VT_ACCESS_UNUSABLE) || (field[VT_ACCESS + VT_LDTR] & 0x9f) == 0x82);
    for (unsigned seg = VT_ES; seg <= VT_GS; seg++) {
        uint64_t access = field[VT_ACCESS + seg], selector = field[VT_SELECTOR + seg];
        if (field[VT_RFLAGS] & RFLAGS_VM) {
            FUZZ_CHECK(access == 0xf3 && field[VT_BASE + seg] == selector << 4 && field[VT_LIMIT + seg] == 0xffff);
            continue;
        }
        bool usable = !(access & VT_ACCESS_UNUSABLE), code = access & 8;
        FUZZ_CHECK(!usable || ((access & 0x91) == 0x91 && !(access & 0x0f00) && selector & ~UINT64_C(3)));
        FUZZ_CHECK(seg != VT_CS || (usable && code && (selector & 3) == cpl));
        FUZZ_CHECK(seg != VT_SS || (usable && !code && (access & 2) && (selector & 3) == cpl));
        FUZZ_CHECK(!usable || seg == VT_CS || !code || (access & 2));
    }
}

static void check(const struct vt_exit *exit, bool paged, bool in_delivery)
{
    bool trapped = exceptions && injected.vector == EXC_DB;
    FUZZ_CHECK(exceptions + failures <= 1 && events <= exceptions && (!events || in_delivery));
    FUZZ_CHECK(!exceptions || trapped || injected.has_error_code);
    FUZZ_CHECK(!exceptions || injected.vector == EXC_DB || (injected.vector >= EXC_TS && injected.vector <= EXC_PF));
    FUZZ_CHECK(committed || exceptions || failures);
    if (!paged)
        check_memory(exit);
    for (unsigned f = 0; !committed && f < VT_FIELD_COUNT; f++)
        FUZZ_CHECK(f == VT_CR2 || field[f] == field_before[f]);
    if (committed)
        check_registers(exit, paged);
    if (committed && !failures && (!exceptions || trapped))
        check_segments();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t types[] = { VT_EVENT_INTERRUPT, VT_EVENT_NMI, VT_EVENT_EXCEPTION, VT_EVENT_SOFT_INTERRUPT };
    struct fuzz_input in = { data, size };
    uint8_t choices = fuzz_u8(&in), more = fuzz_u8(&in);
    struct vt_exit exit = { .task = { .selector = pick_selector(&in), .source = choices & 3, .length = more >> 4 } };
    if (!fresh[GDT + CODE])
        prepare();
    if (exit.task.source == VT_TASK_IDT)
        exit.task.event = (struct vt_event){ .vector = 8, .type = types[choices >> 4 & 3], .has_error_code = choices & 64, .error_code = more };
    start(choices & 8, choices & 128);
    cr3_is_bad = !(more & 31);
    while (in.left)
        change(&in);
    bool paged = field[VT_CR0] & CR0_PG;
    memcpy(before, memory, sizeof before);
    memcpy(field_before, field, sizeof field);
    FUZZ_CHECK(exit_task_switch(&vcpu, &exit) == VCPU_RESUME);
    check(&exit, paged, exit.task.source == VT_TASK_IDT && exit.task.event.type < VT_EVENT_SOFT_INTERRUPT);
    return 0;
}
