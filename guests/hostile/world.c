#include "hostile/hostile.h"
#include "lib/clock.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"
#include "lib/print.h"

enum { DR7_RESET = 0x400, IA32_EFER = 0xc0000080, EFER_WANTED = 0x500, PRESENT_WRITE_USER = 7, LARGE = 1 << 7, ENTRY_SIZE = 16, STACK = 8192,
       STORM = 300, STEPS = 64, VECTOR_DB = 1, VECTOR_NMI = 2, FIRST_INTERRUPT = 32, IST_EXCEPTION = 1, IST_NMI = 2, IST_INTERRUPT = 3 };
enum { KBC_DATA = 0x60, KBC_COMMAND = 0x64, RTC_INDEX = 0x70, RTC_DATA = 0x71, RTC_B = 0x0b, COM1_IER = 0x3f9, COM1_MCR = 0x3fc,
       IOAPIC_PINS = 24, IOAPIC_FIRST_PIN = 0x10, APIC_BASE_MODE = 0xc00, APIC_BASE_ENABLE = 0x800, APIC_TPR = 0x80,
       APIC_LVT_THERMAL = 0x330, APIC_LVT_ERROR = 0x370 };
#define CR0_WANTED 0x80010033u
#define CR4_WANTED 0x220u
#define GATE_FLAGS UINT64_C(0x8e00)
#define GATE_USER  UINT64_C(0x6000)

extern const char world_entries[];
int world_run_asm(void (*action)(void), uint64_t *resume);
int world_interrupt(int vector);

struct world worlds[2] __attribute__((aligned(PAGE)));
static struct world pristine[2] __attribute__((aligned(PAGE)));
uint8_t scratch[SCRATCH_PAGES][PAGE] __attribute__((aligned(PAGE)));
uint64_t tables[16][512] __attribute__((aligned(PAGE)));
volatile uint64_t world_faults, world_interrupts, world_actions;
volatile bool world_give_up;

static uint8_t stacks[2][3][STACK] __attribute__((aligned(16)));
static uint64_t resume, good_cr3;
static volatile unsigned storm, steps;
static uint64_t above_4g[512] __attribute__((aligned(PAGE)));

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static const uint64_t pristine_gdt[GDT_ENTRIES] = {
    [CODE64 / 8] = 0x00af9b000000ffff, [DATA / 8] = 0x00cf93000000ffff, [CODE32 / 8] = 0x00cf9b000000ffff,
    [CODE16 / 8] = 0x00009b000000ffff, [DATA16 / 8] = 0x000093000000ffff, [USER_CODE64 / 8] = 0x00affb000000ffff,
    [USER_DATA / 8] = 0x00cff3000000ffff, [USER_CODE32 / 8] = 0x00cffb000000ffff,
};

static uint64_t descriptor(uint64_t base, uint64_t limit, uint64_t access)
{
    return (limit & 0xffff) | (base & 0xffffff) << 16 | access << 40 | (limit >> 16 & 15) << 48 | (base >> 24 & 0xff) << 56;
}

static void build(unsigned cpu)
{
    struct world *w = &pristine[cpu];
    uint64_t tss = (uint64_t)worlds[cpu].tss64;
    for (unsigned i = 0; i < GDT_ENTRIES; i++)
        w->gdt[i] = pristine_gdt[i];
    w->gdt[TSS64 / 8] = descriptor(tss, sizeof w->tss64 - 1, 0x89);
    w->gdt[TSS64 / 8 + 1] = tss >> 32;
    for (unsigned i = 0; i < 26 + 2048; i++)
        w->tss64[i] = 0;
    w->tss64[1] = (uint32_t)(uint64_t)stacks[cpu][IST_EXCEPTION]; /* RSP0: as good as any */
    for (unsigned i = 0; i < 3; i++)
        w->tss64[9 + 2 * i] = (uint32_t)(uint64_t)(stacks[cpu][i] + STACK);
    w->tss64[25] = 104u << 16;
    for (unsigned i = 0; i < 256; i++) {
        uint64_t entry = (uint64_t)world_entries + ENTRY_SIZE * i;
        uint64_t ist = i == VECTOR_NMI ? IST_NMI : i < FIRST_INTERRUPT ? IST_EXCEPTION : IST_INTERRUPT;
        w->idt[i].low = (entry & 0xffff) | (uint64_t)CODE64 << 16 | ist << 32 | (GATE_FLAGS | GATE_USER) << 32 | (entry >> 16 & 0xffff) << 48;
        w->idt[i].high = entry >> 32;
    }
}

/* Only what differs: an NMI may come meanwhile and needs all of it. */
static void repair(uint64_t *to, const uint64_t *from, uint64_t words)
{
    for (uint64_t i = 0; i < words; i++)
        if (to[i] != from[i])
            to[i] = from[i];
}

struct pointer { uint16_t limit; uint64_t base; } __attribute__((packed));

void world_load(unsigned cpu)
{
    repair((uint64_t *)&worlds[cpu], (const uint64_t *)&pristine[cpu], sizeof worlds[cpu] / 8);
    const struct pointer gdt = { sizeof worlds[cpu].gdt - 1, (uint64_t)worlds[cpu].gdt };
    const struct pointer idt = { sizeof worlds[cpu].idt - 1, (uint64_t)worlds[cpu].idt };
    asm volatile("lgdt %0; lidt %1" : : "m"(gdt), "m"(idt));
    asm volatile("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1: mov %1, %%ds; mov %1, %%es; mov %1, %%ss; mov %2, %%fs; mov %2, %%gs;"
                 "lldt %w2; ltr %w3" : : "i"(CODE64), "r"(DATA), "r"(0), "r"(TSS64) : "rax", "memory");
}

uint64_t world_cr3(void)
{
    return good_cr3;
}

/* The start code maps 4 GiB one to one; two more, where nothing is, let accesses cross that line. */
static void map_above_4g(void)
{
    uint64_t *pml4 = (uint64_t *)good_cr3, *pdpt = (uint64_t *)(pml4[0] & ~UINT64_C(0xfff));
    for (unsigned i = 0; i < 512; i++)
        above_4g[i] = (UINT64_C(1) << 32) + ((uint64_t)i << 21) + (PRESENT_WRITE_USER | LARGE);
    pdpt[4] = (uint64_t)above_4g | PRESENT_WRITE_USER;
    for (unsigned i = 0; i < 4; i++) { /* everything also for user mode */
        uint64_t *directory = (uint64_t *)(pdpt[i] & ~UINT64_C(0xfff));
        for (unsigned k = 0; k < 512; k++)
            directory[k] |= 4;
        pdpt[i] |= 4;
    }
    pml4[0] |= 4;
    write_cr3(good_cr3);
}

void world_init(void)
{
    good_cr3 = read_cr3();
    map_above_4g();
    build(0);
    build(1);
    world_load(0);
}

void world_restore(void)
{
    interrupts_off();
    if (read_cr4() != CR4_WANTED)
        write_cr4(CR4_WANTED);
    if (read_cr0() != CR0_WANTED)
        write_cr0(CR0_WANTED);
    write_cr3(good_cr3);
    world_load(0);
    if ((rdmsr(IA32_EFER) & ~UINT64_C(1)) != EFER_WANTED)
        wrmsr(IA32_EFER, EFER_WANTED);
    if (read_dr7() != DR7_RESET)
        write_dr7(DR7_RESET);
    asm volatile("push $2; popfq");
}

/* ---- what interrupts do ------------------------------------------------------------------------------------------ */

static void apic_eoi(void)
{
    uint64_t base = rdmsr(IA32_APIC_BASE);
    if ((base & APIC_BASE_MODE) == APIC_BASE_MODE)
        wrmsr(X2APIC_MSR + LAPIC_EOI / 16, 0);
    else if (base & APIC_BASE_ENABLE)
        mmio_write((base & ~UINT64_C(0xfff)) + LAPIC_EOI, 0);
}

void world_apic_write(uint32_t offset, uint32_t value)
{
    uint64_t base = rdmsr(IA32_APIC_BASE);
    if ((base & APIC_BASE_MODE) == APIC_BASE_MODE)
        wrmsr(X2APIC_MSR + offset / 16, value);
    else
        mmio_write((base & ~UINT64_C(0xfff)) + offset, value);
}

static bool on_second_cpu(void)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    return here >= (uint64_t)stacks[1] && here < (uint64_t)stacks[2 - 1] + sizeof stacks[1];
}

/* Not 0: the action is over. */
int world_interrupt(int vector)
{
    bool second = on_second_cpu();
    if (vector >= FIRST_INTERRUPT && vector != VECTOR_BACK) {
        world_interrupts++;
        out8(0x20, 0x20);
        apic_eoi();
        return !second && ++storm > STORM;
    }
    if (second) { /* it does nothing wrong, so this is an NMI, or its memory was spoilt */
        while (vector != VECTOR_NMI)
            asm volatile("cli; hlt");
        return 0;
    }
    if (vector == VECTOR_NMI && !world_give_up)
        return ++storm > STORM;
    if (vector == VECTOR_DB && ++steps < STEPS) {
        asm volatile("mov %0, %%dr6" : : "r"(UINT64_C(0xffff0ff0)));
        return 0;
    }
    world_give_up = false;
    world_faults += vector != VECTOR_BACK && vector != VECTOR_NMI;
    return 1;
}

int world_run(void (*action)(void))
{
    storm = steps = 0;
    world_give_up = false;
    int vector = world_run_asm(action, &resume);
    world_restore();
    return vector;
}

/* ---- calm -------------------------------------------------------------------------------------------------------- */

static void calm_apic(void)
{
    uint64_t base = rdmsr(IA32_APIC_BASE) & 0x100;
    wrmsr(IA32_APIC_BASE, LAPIC | base);
    wrmsr(IA32_APIC_BASE, LAPIC | base | APIC_BASE_ENABLE);
    mmio_write(LAPIC + LAPIC_SVR, LAPIC_ENABLE | SPURIOUS_VECTOR);
    mmio_write(LAPIC + APIC_TPR, 0);
    for (uint32_t lvt = LAPIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 0x10)
        mmio_write(LAPIC + lvt, LVT_MASKED);
    for (unsigned i = 0; i < 16; i++)
        mmio_write(LAPIC + LAPIC_EOI, 0);
    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++) {
        mmio_write(IOAPIC, IOAPIC_FIRST_PIN + 2 * pin);
        mmio_write(IOAPIC + 0x10, LVT_MASKED);
    }
}

static void calm(void)
{
    pic_init(0x20, 0);
    pit_start(100);
    out8(RTC_INDEX, RTC_B);
    out8(RTC_DATA, 2);
    out8(COM1_IER, 0);
    out8(COM1_MCR, 3);
    print_init();
    for (unsigned i = 0; i < 16; i++)
        (void)in8(KBC_DATA);
    calm_apic();
}

void world_calm(void)
{
    (void)world_run(calm);
}
