/* The instructions: see controls.h. */
#include "controls/controls.h"
#include "lib/interrupt.h"

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

struct table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

enum { SEL_LDT = 0x18, SEL_TSS = 0x28, SEL_ABSENT_LDT = 0x38, SEL_DATA = 0x10, SEL_BEYOND = 0x100, BUSY = 2 };
static uint64_t gdt[10], ldt[2];
static uint32_t tss[26];

static void system_descriptor(unsigned selector, const void *at, uint32_t limit, uint64_t type)
{
    uint64_t base = (uint64_t)at;
    gdt[selector / 8] = limit | (base & 0xffffff) << 16 | type << 40 | (base >> 24 & 0xff) << 56;
    gdt[selector / 8 + 1] = base >> 32;
}

static void fresh_tables(void)
{
    system_descriptor(SEL_LDT, ldt, sizeof ldt - 1, 0x82);
    system_descriptor(SEL_TSS, tss, sizeof tss - 1, 0x89);
    system_descriptor(SEL_ABSENT_LDT, ldt, sizeof ldt - 1, 0x02);
}

void controls_setup(void)
{
    const struct table t = { sizeof gdt - 1, (uint64_t)gdt };
    gdt[1] = 0x00209a0000000000;
    gdt[2] = 0x0000920000000000;
    fresh_tables();
    asm volatile("lgdt %0" : : "m"(t));
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    return (a << 7 | a >> 57) ^ b * 0x9e3779b97f4a7c15;
}

static uint64_t sgdt(uint64_t x)
{
    struct table t = { 0 };
    asm volatile("sgdt %0" : "=m"(t));
    return mix(mix(x, t.limit), t.base);
}

static uint64_t sidt(uint64_t x)
{
    struct table t = { 0 };
    asm volatile("push %%rbx; mov %%rsp, %%rbx; sub $16, %%rsp; sidt -16(%%rbx); pop %%rax; pop %%rdx; pop %%rbx; mov %%rax, %0"
                 : "=m"(t) : : "rax", "rdx", "memory"); /* relative to a register, from a stack that moves */
    return mix(x, *(uint64_t *)(void *)&t);
}

static uint64_t lgdt(uint64_t x)
{
    struct table t = { sizeof gdt - 1, (uint64_t)gdt };
    asm volatile("lgdt %0" : : "m"(t));
    return sgdt(x);
}

static uint64_t lidt(uint64_t x)
{
    struct table t;
    asm volatile("sidt %0" : "=m"(t));
    asm volatile("lidt %0" : : "m"(t));
    return sidt(x);
}

static uint64_t lgdt_not_canonical(uint64_t x)
{
    const struct table bad = { sizeof gdt - 1, UINT64_C(1) << 60 }, good = { sizeof gdt - 1, (uint64_t)gdt };
    asm volatile("lgdt %0; lgdt %1" : : "m"(bad), "m"(good)); /* should an emulator take the first, go on */
    return x;
}

/* The three register sizes keep, clear and clear the upper half; memory takes 16 bits. */
#define STORE_SELECTOR(name)                                                                       \
    static uint64_t name(uint64_t x)                                                               \
    {                                                                                              \
        uint64_t a = ~x, b = ~x, c = ~x, m = ~x;                                                   \
        asm volatile(#name "w %w0" : "+r"(a));                                                     \
        asm volatile(#name "l %k0" : "+r"(b));                                                     \
        asm volatile(#name "q %0" : "+r"(c));                                                      \
        asm volatile(#name " %0" : "+m"(*(uint16_t *)(void *)&m));                                 \
        return mix(mix(mix(a, b), c), m);                                                          \
    }
STORE_SELECTOR(sldt)
STORE_SELECTOR(str)

static uint64_t lldt(uint64_t x)
{
    uint16_t selector = SEL_LDT;
    uint32_t limit = 0;
    ldt[1] = 0x0000920000000000 | 0x1234;
    asm volatile("lldt %1; lsl %2, %0" : "=r"(limit) : "m"(selector), "r"(0x0c) : "cc"); /* of the LDT's second entry */
    x = mix(sldt(x), limit);
    asm volatile("lldt %w0" : : "r"(0));
    return sldt(x);
}

#define LOAD_SELECTOR(name, instruction, selector)                                                 \
    static uint64_t name(uint64_t x)                                                               \
    {                                                                                              \
        fresh_tables();                                                                            \
        asm volatile(#instruction " %w0" : : "r"(selector));                                       \
        return mix(str(x), gdt[SEL_TSS / 8]); /* the TSS is busy now */                            \
    }
LOAD_SELECTOR(lldt_absent, lldt, SEL_ABSENT_LDT)
LOAD_SELECTOR(lldt_local, lldt, SEL_LDT | 4)
LOAD_SELECTOR(lldt_data, lldt, SEL_DATA)
LOAD_SELECTOR(lldt_beyond, lldt, SEL_BEYOND)
LOAD_SELECTOR(ltr, ltr, SEL_TSS)
LOAD_SELECTOR(ltr_null, ltr, 3)
LOAD_SELECTOR(ltr_ldt, ltr, SEL_LDT)

static uint64_t ltr_busy(uint64_t x)
{
    fresh_tables();
    gdt[SEL_TSS / 8] |= (uint64_t)BUSY << 40;
    asm volatile("ltr %w0" : : "r"(SEL_TSS));
    return x;
}

/* ---- time and chance --------------------------------------------------------------------------------------------------- */

static uint64_t read_tsc(uint64_t x)
{
    uint64_t a = rdtsc(), b = rdtsc();
    return x + (b > a);
}

static uint64_t rdtscp(uint64_t x)
{
    uint32_t aux = 77, low, high;
    uint64_t a = rdtsc();
    wrmsr(0xc0000103, 0x1234567);
    asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
    return mix(x + (((uint64_t)high << 32 | low) > a), aux);
}

/* Flags and what stays of the register; a number that happens to be 0 in its upper half has a chance of 2^-32. */
#define RANDOM(name)                                                                               \
    static uint64_t name(uint64_t x)                                                               \
    {                                                                                              \
        uint64_t word = ~UINT64_C(0), half = word, full = word, flags;                             \
        asm volatile("pushf; pop %%rax; or $0x8d5, %%eax; push %%rax; popf; " #name " %w0; pushf; pop %1"            \
                     : "+r"(word), "=r"(flags) : : "rax", "cc");                                   \
        asm volatile(#name " %k0" : "+r"(half) : : "cc");                                          \
        asm volatile(#name " %0" : "+r"(full) : : "cc");                                           \
        return mix(x, flags & 0x8d5) ^ word >> 16 ^ (half >> 32) ^ !(full >> 32);                  \
    }
RANDOM(rdrand)
RANDOM(rdseed)

static uint64_t pause(uint64_t x)
{
    asm volatile("pause; pause");
    return x;
}

/* ---- control and debug registers ---------------------------------------------------------------------------------------- */

enum { CR0_TS = 8, CR0_PE_ = 1 };

static uint64_t cr0_write(uint64_t x)
{
    uint64_t old = read_cr0();
    write_cr0(old | CR0_TS);
    x = mix(x, read_cr0());
    asm volatile("clts");
    x = mix(x, read_cr0());
    asm volatile("lmsw %w0" : : "r"((uint16_t)old | CR0_TS));
    x = mix(x, read_cr0());
    write_cr0(old);
    return mix(x, read_cr0());
}

static uint64_t cr0_bad(uint64_t x)
{
    write_cr0(read_cr0() | 1 << 29); /* NW without CD */
    return x;
}

static uint64_t cr0_read(uint64_t x)
{
    uint64_t word = ~x, full = ~x;
    asm volatile("smsw %w0" : "+r"(word));
    asm volatile("smsw %0" : "+r"(full));
    return mix(mix(mix(x, read_cr0()), word), full);
}

static uint64_t cr3_access(uint64_t x)
{
    uint64_t cr3 = read_cr3();
    write_cr3(cr3 | 0x18);
    x = mix(x, read_cr3());
    write_cr3(cr3);
    return mix(x, read_cr3());
}

static uint64_t cr3_bad(uint64_t x)
{
    write_cr3(read_cr3() | UINT64_C(1) << 60);
    return x;
}

static uint64_t cr4_write(uint64_t x)
{
    uint64_t old = read_cr4();
    write_cr4(old ^ CR4_PGE);
    x = mix(x, read_cr4());
    write_cr4(old);
    return mix(x, read_cr4());
}

static uint64_t cr4_bad(uint64_t x)
{
    write_cr4(read_cr4() | UINT64_C(1) << 40);
    return x;
}

static uint64_t cr4_read(uint64_t x)
{
    return mix(x, read_cr4());
}

static uint64_t cr8_access(uint64_t x)
{
    write_cr8(5);
    x = mix(x, read_cr8());
    write_cr8(0);
    return mix(x, read_cr8());
}

static uint64_t cr8_bad(uint64_t x)
{
    write_cr8(16);
    return x;
}

static uint64_t dr_access(uint64_t x)
{
    write_dr0(0x1111);
    write_dr3(~UINT64_C(0));
    write_dr6(0);
    x = mix(mix(mix(x, read_dr0()), read_dr3()), read_dr6());
    write_dr6(0xe00f);
    write_dr7(0x200); /* GE alone: nothing fires */
    x = mix(mix(x, read_dr6()), read_dr7());
    asm volatile("mov %%rsp, %%rax; mov %%rax, %%dr1; mov %%dr1, %%rbx; sub %%rax, %%rbx; add %%rbx, %0" : "+r"(x) : : "rax", "rbx");
    write_dr6(0xffff0ff0);
    write_dr7(0x400);
    return mix(x, read_dr7());
}

static uint64_t dr7_bad(uint64_t x)
{
    write_dr7(UINT64_C(1) << 40);
    return x;
}

/* ---- translations and MSRs ---------------------------------------------------------------------------------------------- */

static uint64_t invlpg(uint64_t x)
{
    asm volatile("invlpg %0" : : "m"(gdt));
    return x;
}

#define INVPCID(name, type, low, high)                                                             \
    static uint64_t name(uint64_t x)                                                               \
    {                                                                                              \
        const uint64_t descriptor[2] = { low, high };                                              \
        asm volatile("invpcid %0, %1" : : "m"(descriptor), "r"((uint64_t)(type)));                 \
        return x;                                                                                  \
    }
INVPCID(invpcid_all, 2, 0, 0)
INVPCID(invpcid_address, 0, 0, 0x200000)
INVPCID(invpcid_not_canonical, 0, 0, UINT64_C(1) << 60)
INVPCID(invpcid_bad_type, 4, 0, 0)
INVPCID(invpcid_reserved, 2, 0x1000, 0)

static uint64_t msr_access(uint64_t x)
{
    static const struct { uint32_t msr; uint64_t value; } rows[] = {
        { 0x174, 0x18 }, { 0x175, 0xffff800000001000 }, { 0x176, 0x7fff00000000 }, { 0xc0000081, 0x23000800000000 },
        { 0xc0000082, 0xffff800012345678 }, { 0xc0000083, 0x1000 }, { 0xc0000084, 0x47700 }, { 0xc0000100, 0x123456789 },
        { 0xc0000101, 0xffff900000000000 }, { 0xc0000102, 0x4321 },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t old = rdmsr(rows[i].msr);
        wrmsr(rows[i].msr, rows[i].value);
        x = mix(x, rdmsr(rows[i].msr));
        wrmsr(rows[i].msr, old);
    }
    return mix(mix(x, rdmsr(0xc0000080)), rdmsr(0x277));
}

static uint64_t msr_not_canonical(uint64_t x)
{
    wrmsr(0xc0000102, UINT64_C(1) << 60);
    return x;
}

/* ---- exceptions ---------------------------------------------------------------------------------------------------------- */

static uint64_t divide_by_zero(uint64_t x)
{
    asm volatile("div %k0" : : "r"(0), "a"(1), "d"(0) : "cc");
    return x;
}

static uint64_t undefined(uint64_t x)
{
    asm volatile("ud2");
    return x;
}

static uint64_t no_fpu(uint64_t x)
{
    write_cr0(read_cr0() | CR0_TS);
    asm volatile("fnop");
    return x;
}

static uint64_t not_present(uint64_t x)
{
    gdt[9] = 0x0000120000000000; /* data that is not there */
    asm volatile("mov %w0, %%fs" : : "r"(0x48));
    return x;
}

static uint64_t stack_fault(uint64_t x)
{
    asm volatile("mov %%rbp, %%rax; mov %0, %%rbp; mov (%%rbp), %%rcx; mov %%rax, %%rbp" : : "r"(UINT64_C(1) << 60) : "rax", "rcx");
    return x;
}

static uint64_t general_protection(uint64_t x)
{
    asm volatile("mov %w0, %%fs" : : "r"(0x1238));
    return x;
}

static uint64_t page_fault(uint64_t x)
{
    *(volatile uint8_t *)0x123456789a = 1;
    return x;
}

static volatile uint64_t handler_rip;

static void note_rip(struct frame *f)
{
    handler_rip = f->rip;
}

/* The handler returns behind the instruction. */
static uint64_t breakpoint(uint64_t x)
{
    uint64_t at;
    interrupt_set_direct(3, note_rip);
    asm volatile("lea 1f(%%rip), %0; int3; 1:" : "=r"(at));
    interrupt_set_direct(3, 0);
    return x + (at - handler_rip);
}

/* ---- AMD-V only ------------------------------------------------------------------------------------------------------------ */

static uint64_t pushf(uint64_t x)
{
    uint64_t wide, stack;
    uint16_t narrow;
    asm volatile("mov %%rsp, %2; xor %%eax, %%eax; pushfq; pop %0; stc; pushfw; popw %1; sub %%rsp, %2"
                 : "=r"(wide), "=r"(narrow), "=r"(stack) : : "rax", "cc");
    return mix(mix(mix(x, wide), narrow), stack);
}

static uint64_t popf(uint64_t x)
{
    uint64_t flags;
    asm volatile("pushq $0xcd7; popfq; pushfq; pop %0; pushw $0x402; popfw; pushfq; pop %%rax; xor %%rax, %0; cld" : "=r"(flags) : : "rax", "cc");
    return mix(x, flags);
}

static uint64_t int_n(uint64_t x)
{
    uint64_t at;
    interrupt_set(0x70, note_rip);
    asm volatile("lea 1f(%%rip), %0; int $0x70; 1:" : "=r"(at));
    return x + (at - handler_rip);
}

/* ---------------------------------------------------------------------------------------------------------------------------- */

#define EXCEPTION(n) (TRAPEZE_CONTROL_EXCEPTION + (n))
#define ROW(name, control, run) { name, control, run, NEEDS_NOTHING }
#define TABLES(name, run) { name, TRAPEZE_CONTROL_DESCRIPTOR_TABLES, run, NEEDS_NOTHING }
#define INVPCID_ROW(name, run) { name, TRAPEZE_CONTROL_INVLPG, run, NEEDS_INVPCID }

const struct control_test control_tests[] = {
    TABLES("SGDT", sgdt), TABLES("SIDT", sidt), TABLES("LGDT", lgdt), TABLES("LIDT", lidt),
    TABLES("LGDT, base not canonical", lgdt_not_canonical), TABLES("SLDT", sldt), TABLES("STR", str), TABLES("LLDT", lldt),
    TABLES("LLDT, not present", lldt_absent), TABLES("LLDT from the LDT", lldt_local), TABLES("LLDT of data", lldt_data),
    TABLES("LLDT beyond the GDT", lldt_beyond), TABLES("LTR", ltr), TABLES("LTR null", ltr_null),
    TABLES("LTR of an LDT", ltr_ldt), TABLES("LTR, busy", ltr_busy),
    ROW("RDTSC", TRAPEZE_CONTROL_RDTSC, read_tsc), { "RDTSCP", TRAPEZE_CONTROL_RDTSC, rdtscp, NEEDS_RDTSCP },
    { "RDRAND", TRAPEZE_CONTROL_RDRAND, rdrand, NEEDS_RDRAND }, { "RDSEED", TRAPEZE_CONTROL_RDSEED, rdseed, NEEDS_RDSEED },
    ROW("PAUSE", TRAPEZE_CONTROL_PAUSE, pause),
    ROW("CR0 write, CLTS, LMSW", TRAPEZE_CONTROL_CR0, cr0_write), ROW("CR0 write, NW without CD", TRAPEZE_CONTROL_CR0, cr0_bad),
    ROW("CR0 read, SMSW", TRAPEZE_CONTROL_CR0_READ, cr0_read),
    ROW("CR3", TRAPEZE_CONTROL_CR3, cr3_access), ROW("CR3, reserved bit", TRAPEZE_CONTROL_CR3, cr3_bad),
    ROW("CR4 write", TRAPEZE_CONTROL_CR4, cr4_write), ROW("CR4 write, reserved bit", TRAPEZE_CONTROL_CR4, cr4_bad),
    ROW("CR4 read", TRAPEZE_CONTROL_CR4_READ, cr4_read),
    ROW("CR8", TRAPEZE_CONTROL_CR8, cr8_access), ROW("CR8, reserved bit", TRAPEZE_CONTROL_CR8, cr8_bad),
    ROW("MOV DR", TRAPEZE_CONTROL_MOV_DR, dr_access), ROW("MOV DR7, reserved bit", TRAPEZE_CONTROL_MOV_DR, dr7_bad),
    ROW("INVLPG", TRAPEZE_CONTROL_INVLPG, invlpg),
    INVPCID_ROW("INVPCID, all", invpcid_all), INVPCID_ROW("INVPCID, one address", invpcid_address),
    INVPCID_ROW("INVPCID, not canonical", invpcid_not_canonical), INVPCID_ROW("INVPCID, bad type", invpcid_bad_type),
    INVPCID_ROW("INVPCID, reserved bit", invpcid_reserved),
    ROW("RDMSR, WRMSR", TRAPEZE_CONTROL_MSR, msr_access), ROW("WRMSR, not canonical", TRAPEZE_CONTROL_MSR, msr_not_canonical),
    ROW("#DE", EXCEPTION(0), divide_by_zero), ROW("#UD", EXCEPTION(6), undefined), ROW("#NM", EXCEPTION(7), no_fpu),
    ROW("#NP", EXCEPTION(11), not_present), ROW("#SS", EXCEPTION(12), stack_fault), ROW("#GP", EXCEPTION(13), general_protection),
    ROW("#PF", EXCEPTION(14), page_fault), ROW("INT3", EXCEPTION(3), breakpoint),
    ROW("PUSHF", TRAPEZE_CONTROL_PUSHF, pushf), ROW("POPF", TRAPEZE_CONTROL_POPF, popf), ROW("INT n", TRAPEZE_CONTROL_INT, int_n),
};
const unsigned control_test_count = sizeof control_tests / sizeof control_tests[0];
