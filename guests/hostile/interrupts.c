/* Interrupts in bad moments: every kind of message to itself and to others, timers that are always due, shadows, single
 * steps, halts. */
#include "hostile/hostile.h"
#include "lib/cpu.h"

enum { ICR_INIT = 5 << 8, ICR_MODE = 7 << 8, ICR_DESTINATION = 3 << 18, ICR_SELF = 1 << 18, ICR_ALL = 2 << 18, ICR_OTHERS = 3 << 18,
       ICR_LOGICAL = 1 << 11, FLAG_TF = 1 << 8, FLAG_IF = 1 << 9 };

/* INIT to itself ends the life: seldom. */
static uint32_t any_message(void)
{
    uint32_t icr = (uint32_t)chance();
    bool itself = (icr & ICR_DESTINATION) != ICR_OTHERS;
    if ((icr & ICR_MODE) == ICR_INIT && itself && !chance_one_in(40))
        icr = (icr & ~(uint32_t)ICR_MODE) | 4 << 8;
    return chance_one_in(2) ? icr & 0xc4dff : icr;
}

static void send(uint32_t high, uint32_t low)
{
    watch_hit |= (low & ICR_MODE) == ICR_INIT;
    world_apic_write(LAPIC_ICR_HIGH, high);
    world_apic_write(LAPIC_ICR_LOW, low);
}

static void messages(void)
{
    for (uint64_t n = 1 + chance_below(8); n; n--) {
        send(chance_one_in(2) ? (uint32_t)chance_below(4) << 24 : (uint32_t)chance(), any_message());
        if (chance_one_in(3))
            interrupts_on();
        (void)cpuid(0, 0);
    }
}

static void self_storm(void)
{
    interrupts_on();
    for (uint64_t n = chance_below(100); n; n--)
        send(0, ICR_SELF | (uint32_t)chance_below(256));
}

static void x2apic_messages(void)
{
    uint64_t base = rdmsr(IA32_APIC_BASE);
    wrmsr(IA32_APIC_BASE, base | APIC_BASE_X2APIC);
    for (uint64_t n = 1 + chance_below(8); n; n--) {
        uint32_t low = any_message();
        watch_hit |= (low & ICR_MODE) == ICR_INIT;
        wrmsr(X2APIC_MSR + LAPIC_ICR_LOW / 16, (chance_one_in(2) ? chance_below(4) << 32 : chance() << 32) | low);
    }
    wrmsr(X2APIC_MSR + LAPIC_SELF_IPI / 16, chance_value());
}

static void spin(void)
{
    for (uint64_t n = chance_below(2000); n; n--)
        asm volatile("pause");
}

static void timer(void)
{
    static const uint32_t modes[] = { 0, LVT_PERIODIC, LVT_TSC_DEADLINE, LVT_PERIODIC | LVT_TSC_DEADLINE };
    world_apic_write(LAPIC_SVR, LAPIC_ENABLE | SPURIOUS_VECTOR);
    world_apic_write(LAPIC_TIMER_DIVIDE, (uint32_t)chance_below(16));
    world_apic_write(LAPIC_LVT_TIMER, modes[chance_below(4)] | (uint32_t)chance_below(256));
    world_apic_write(LAPIC_TIMER_INITIAL, chance_one_in(2) ? (uint32_t)chance_value() : (uint32_t)chance_below(5000));
    wrmsr(IA32_TSC_DEADLINE, chance_one_in(2) ? rdtsc() + chance_below(5000) : chance_value());
    interrupts_on();
    spin();
}

static void old_timers(void)
{
    out8(0x21, (uint8_t)(chance_one_in(2) ? 0 : chance()));
    out8(0xa1, (uint8_t)(chance_one_in(2) ? 0 : chance()));
    out8(0x43, (uint8_t)chance());
    out8(0x40, (uint8_t)chance_below(8));
    out8(0x40, (uint8_t)chance_below(2));
    out8(0x70, 0x0b);
    out8(0x71, (uint8_t)chance());
    out8(0x70, 0x0a);
    out8(0x71, 0x20 | (uint8_t)chance_below(16));
    interrupts_on();
    spin();
}

/* The PIT as NMI, level-triggered lines, pins to anywhere: what a redirection entry can say. */
static void routes(void)
{
    for (uint64_t n = 1 + chance_below(6); n; n--) {
        uint32_t pin = (uint32_t)(chance_one_in(2) ? chance_below(3) : chance_below(24)), low = (uint32_t)chance() & 0x1ffff;
        if ((low & ICR_MODE) == ICR_INIT)
            low ^= 1 << 8;
        mmio_write(IOAPIC, 0x10 + 2 * pin);
        mmio_write(IOAPIC + 0x10, low);
        mmio_write(IOAPIC, 0x11 + 2 * pin);
        mmio_write(IOAPIC + 0x10, (uint32_t)chance());
    }
    interrupts_on();
    spin();
}

/* The moment between STI or MOV SS and the next instruction, single steps over it, and instructions that exit in it. */
static void shadows(void)
{
    uint64_t flags = (chance_one_in(2) ? FLAG_TF : 0) | (chance_one_in(2) ? FLAG_IF : 0) | 2;
    uint32_t low = ICR_SELF | (chance_one_in(3) ? 4u << 8 : 0) | 0x41;
    asm volatile("push %0; popfq" : : "r"(flags) : "cc");
    send(0, low);
    switch (chance_below(9)) {
    case 0: asm volatile("sti; cpuid" : : "a"(0), "c"(0) : "rbx", "rdx"); break;
    case 1: asm volatile("sti; hlt"); break;
    case 2: asm volatile("mov %%ss, %%eax; mov %%eax, %%ss; cpuid" : : : "rax", "rbx", "rcx", "rdx"); break;
    case 3: asm volatile("mov %%ss, %%eax; mov %%eax, %%ss; int3" : : : "rax"); break;
    case 4: asm volatile("mov %%ss, %%eax; mov %%eax, %%ss; int $0x80" : : : "rax"); break;
    case 5: asm volatile("sti; inb $0x80, %%al" : : : "rax"); break;
    case 6: asm volatile("mov %%ss, %%eax; mov %%eax, %%ss; .byte 0xf1" : : : "rax"); break;
    case 7: asm volatile("sti; rdmsr" : : "c"(0x1b) : "rax", "rdx"); break;
    default: asm volatile("mov %%ss, %%eax; sti; mov %%eax, %%ss; sti; outb %%al, $0x80" : : : "rax"); break;
    }
}

static void halt(void)
{
    if (chance_one_in(8))
        asm volatile("cli; hlt");
    timer();
    asm volatile("sti; hlt");
}

/* INT n for any n, and interrupts that the controller delivers as exceptions' vectors. */
static void software(void)
{
    static uint8_t code[4];
    code[0] = 0xcd;
    code[1] = (uint8_t)chance();
    code[2] = 0xc3;
    ((void (*)(void))(uint64_t)code)();
}

const struct action interrupt_actions[] = {
    { "messages", messages, 10 }, { "self-IPI storm", self_storm, 3 }, { "x2APIC messages", x2apic_messages, 4 }, { "APIC timer", timer, 6 },
    { "PIT and RTC", old_timers, 5 }, { "IOAPIC routes", routes, 6 }, { "shadows", shadows, 10 }, { "halt", halt, 3 }, { "INT n", software, 6 }, { 0 },
};
