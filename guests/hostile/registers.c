/* MSRs, control and debug registers, XCR0, CPUID, hypercalls, descriptor tables and segment registers. */
#include "hostile/hostile.h"
#include "lib/cpu.h"

enum { IA32_EFER = 0xc0000080, FLAG_ONE = 2, PER_ACTION = 8, CR4_DE = 1 << 3 };

static uint32_t any_msr(void)
{
    static const struct { uint32_t first, count; } ranges[] = {
        { 0, 0x40 }, { 0x800, 0x40 }, { 0x174, 8 }, { 0x1a0, 0x20 }, { 0x200, 0x20 }, { 0x250, 0x20 }, { 0x2ff, 1 }, { 0x400, 0x20 },
        { 0x480, 0x14 }, { 0x600, 0x20 }, { 0x6e0, 1 }, { 0xc0000080, 8 }, { 0xc0000100, 4 }, { 0xc0010000, 0x140 }, { 0x4b564d00, 8 },
        { 0x40000000, 0x100 }, { 0x11, 2 }, { 0xda0, 1 }, { 0x277, 1 }, { 0x1fff, 4 }, { 0xc0001ffe, 4 }, { 0xfffffffe, 2 },
    };
    static const uint32_t halves[] = { 0, 0xc0000000, 0xc0010000 }; /* of the permission bitmaps */
    unsigned i = (unsigned)chance_below(sizeof ranges / sizeof ranges[0] + 4);
    if (i >= sizeof ranges / sizeof ranges[0])
        return chance_one_in(2) ? (uint32_t)chance_value() : halves[chance_below(3)] + (uint32_t)chance_below(0x2000);
    return ranges[i].first + (uint32_t)chance_below(ranges[i].count);
}

/* Each access by itself: most of them fault. */
static void read_msr(void)
{
    (void)rdmsr(any_msr());
}

static void write_msr(void)
{
    uint32_t msr = any_msr();
    if (msr == X2APIC_MSR + LAPIC_ICR_LOW / 16)
        return;
    uint64_t value = chance_one_in(3) ? chance_address() | chance_below(4) : chance_value();
    wrmsr(msr, chance_one_in(3) ? rdmsr(msr) ^ UINT64_C(1) << chance_below(64) : value);
}

static void apic_base(void)
{
    uint64_t bits = chance_below(4) << 10 | (chance_one_in(2) ? 0x100 : 0);
    wrmsr(IA32_APIC_BASE, bits | (chance_one_in(2) ? LAPIC : chance_address() & ~UINT64_C(0xfff)));
    for (unsigned i = 0; i < 8; i++)
        (void)mmio_read(LAPIC + LAPIC_VERSION);
    (void)rdmsr(X2APIC_MSR + (uint32_t)chance_below(0x40));
}

static void efer(void)
{
    wrmsr(IA32_EFER, chance_one_in(4) ? chance_value() : rdmsr(IA32_EFER) ^ UINT64_C(1) << chance_below(16));
}

/* One bit, which often faults, and sometimes anything. Without PG or with another mode the next instruction is the last. */
static void control(void)
{
    uint64_t bit = UINT64_C(1) << (chance_one_in(8) ? chance_below(64) : chance_below(32));
    switch (chance_below(6)) {
    case 0: write_cr0(read_cr0() ^ bit); break;
    case 1: write_cr4(read_cr4() ^ bit); break;
    case 2: write_cr4(chance_value()); break;
    case 3: write_cr8(chance_value()); break;
    case 4: asm volatile("lmsw %w0" : : "r"(chance_value())); break;
    default: write_cr2(chance_value()); asm volatile("clts"); break;
    }
    (void)read_cr8();
    asm volatile("smsw %%eax" : : : "rax");
}

static void paging_root(void)
{
    uint64_t good = read_cr3();
    if (chance_one_in(40))
        write_cr3(chance_value());
    else
        write_cr3(good | chance_below(4096) | (chance_one_in(3) ? UINT64_C(1) << (32 + chance_below(32)) : 0));
}

static void debug(void)
{
    uint64_t spots[4];
    if (no_breakpoints)
        return;
    for (unsigned i = 0; i < 4; i++)
        spots[i] = chance_one_in(3) ? chance_value() : chance_one_in(2) ? chance_address() : (uint64_t)scratch;
    write_dr0(spots[0]);
    write_dr1(spots[1]);
    write_dr2(spots[2]);
    write_dr3(spots[3]);
    write_dr6(chance_one_in(2) ? chance_value() : 0xffff0ff0);
    write_dr7(chance_one_in(4) ? chance_value() : (uint32_t)chance() | 0x400);
    *(volatile uint32_t *)scratch = 1;
    (void)in8(0x80);
    (void)*(volatile uint32_t *)spots[3];
    (void)cpuid((uint32_t)chance_below(16), 0);
    write_cr4(read_cr4() ^ (chance_one_in(2) ? CR4_DE : 0));
    asm volatile("mov %%db4, %%rax; mov %%rax, %%db5" : : : "rax"); /* DR6 and DR7, or #UD */
}

static void xcr(void)
{
    write_cr4(read_cr4() | CR4_OSXSAVE);
    xsetbv(chance_one_in(4) ? (uint32_t)chance_value() : 0, chance_one_in(2) ? chance_value() : chance_below(1024) | 1);
    (void)xgetbv((uint32_t)chance_below(3));
}

static void ask_cpuid(void)
{
    static const uint32_t bases[] = { 0, 0x40000000, 0x40000100, 0x80000000, 0x8fffffff, 0xc0000000 };
    for (unsigned i = 0; i < PER_ACTION; i++) {
        uint32_t base = bases[chance_below(sizeof bases / sizeof bases[0])] + (uint32_t)chance_below(0x24);
        (void)cpuid(chance_one_in(4) ? (uint32_t)chance_value() : base, chance_one_in(4) ? (uint32_t)chance_value() : (uint32_t)chance_below(20));
    }
}

static void hypercall(void)
{
    uint64_t n = chance_one_in(2) ? chance_below(16) : chance_value(), b = chance_value(), c = chance_address(), d = chance_value(), s = chance_value();
    if (cpu_is_amd() != chance_one_in(16))
        asm volatile("vmmcall" : "+a"(n) : "b"(b), "c"(c), "d"(d), "S"(s) : "memory");
    else
        asm volatile("vmcall" : "+a"(n) : "b"(b), "c"(c), "d"(d), "S"(s) : "memory");
}

/* The paravirtual clock, steal time and EOI, whose pages may be anywhere. */
static void paravirtual(void)
{
    static const uint32_t msrs[] = { 0x11, 0x12, 0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04, 0x4b564d05 };
    for (unsigned i = 0; i < 4; i++) {
        wrmsr(msrs[chance_below(8)], chance_address() | chance_below(4));
        (void)cpuid(1, 0);
    }
}

/* Mostly back at once; sometimes where nothing is, which ends the life. */
static uint64_t any_target(void)
{
    code_random(scratch[5], 64, true);
    return chance_one_in(20) ? chance_address() : (uint64_t)scratch[5] + chance_below(60);
}

struct pointer { uint16_t limit; uint64_t base; } __attribute__((packed));

/* A table of random descriptors, and all ways to load a selector from it. */
static void segments(void)
{
    struct pointer gdt = { (uint16_t)(chance_one_in(4) ? 0x3f + chance_below(chance_one_in(4) ? 0xffc0 : 0x40) : sizeof worlds[0].gdt - 1), (uint64_t)worlds[0].gdt };
    uint16_t selector = (uint16_t)(chance_one_in(4) ? chance() : chance_below(GDT_ENTRIES) * 8 + chance_below(4));
    for (uint64_t n = chance_below(4); n; n--)
        worlds[0].gdt[4 + chance_below(GDT_ENTRIES - 4)] = chance_one_in(3) ? chance() : (chance() & ~(UINT64_C(0xf) << 40)) | UINT64_C(0x00cf930000000000);
    if (chance_one_in(40))
        gdt.base = chance_one_in(2) ? chance_address() : chance_value();
    asm volatile("lgdt %0" : : "m"(gdt));
    switch (chance_below(9)) {
    case 0: asm volatile("mov %w0, %%ds" : : "r"(selector)); break;
    case 1: asm volatile("mov %w0, %%ss; cpuid" : : "r"(selector) : "rax", "rbx", "rcx", "rdx"); break;
    case 2: asm volatile("mov %w0, %%fs" : : "r"(selector)); break;
    case 3: asm volatile("lldt %w0" : : "r"(selector)); break;
    case 4: asm volatile("ltr %w0" : : "r"(selector)); break;
    case 5: asm volatile("lar %w0, %%eax; lsl %w0, %%ecx; verr %w0; verw %w0" : : "r"(selector) : "rax", "rcx", "cc"); break;
    case 6: {
        const struct { uint32_t offset; uint16_t selector; } far = { (uint32_t)any_target(), selector };
        world_far_jump(&far);
        break;
    }
    case 7: asm volatile("push %0; push %1; push %2; push %3; push %4; iretq" : : "r"((uint64_t)selector), "r"(chance_value()),
                         "r"(chance() & 0x3fffff), "r"((uint64_t)(selector ^ chance_below(0x80))), "r"(any_target())); break;
    default: asm volatile("sgdt %0; sidt %0" : "=m"(gdt)); break;
    }
}

static void system_calls(void)
{
    wrmsr(0x174, chance_one_in(2) ? CODE64 : chance_value());
    wrmsr(0x175, (uint64_t)scratch + 2048);
    wrmsr(0x176, any_target());
    wrmsr(0xc0000081, chance());
    wrmsr(0xc0000082, any_target());
    wrmsr(0xc0000084, chance());
    wrmsr(IA32_EFER, 0x501);
    switch (chance_below(4)) {
    case 0: asm volatile("sysenter"); break;
    case 1: asm volatile("syscall" : : : "rcx", "r11"); break;
    case 2: asm volatile("sysretq" : : "c"(any_target()), "d"(0)); break;
    default: asm volatile("sysexitl" : : "c"((uint64_t)scratch[6]), "d"(any_target())); break;
    }
}

const struct action register_actions[] = {
    { "RDMSR", read_msr, 20 }, { "WRMSR", write_msr, 25 }, { "APIC base", apic_base, 4 }, { "EFER", efer, 4 }, { "control registers", control, 8 },
    { "CR3", paging_root, 2 }, { "debug registers", debug, 6 }, { "XCR0", xcr, 4 }, { "CPUID", ask_cpuid, 5 }, { "hypercall", hypercall, 6 },
    { "paravirtual MSRs", paravirtual, 4 }, { "descriptor tables", segments, 10 }, { "system calls", system_calls, 3 }, { 0 },
};
