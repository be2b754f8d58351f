/* The second CPU: it sees whether the first goes on, ends what does not by an NMI, and resets the machine if that
 * does not help either. Meanwhile it touches the same devices, so that the two disturb each other. */
#include "hostile/hostile.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"
#include "lib/print.h"

enum { PATIENCE_TURNS = 6, LAST_TURN = 40, TIMER_VECTOR = 0x50, TURN_NS = 20000000, STACK = 8192, RESET_PORT = 0xcf9, RESET_NOW = 6,
       ICR_NMI = 0x4400, ICR_INIT_OTHERS = 0xc4500, ICR_SIPI_OTHERS = 0xc4600 };

extern const uint32_t low_second;
static uint8_t stack[STACK] __attribute__((aligned(16)));
static volatile uint64_t beats;
static uint64_t beats_seen;
bool watch_hit;

static void disturb(void)
{
    static const uint16_t ports[] = { 0x20, 0x21, 0x40, 0x42, 0x43, 0x61, 0x71, 0x3fd, 0x608, 0xcf8, 0xcfc, 0x60, 0xa1, 0x4d0 };
    uint64_t now = rdtsc();
    for (unsigned i = 0; i < 4; i++) {
        uint16_t port = ports[(now >> 8 * i & 0xff) % (sizeof ports / sizeof ports[0])];
        if (now >> (32 + i) & 1)
            out8(port, (uint8_t)(now >> (4 + i)));
        else
            (void)in8(port);
    }
}

/* And what the first executes or walks just now: an instruction that accesses a device (code.c), a page table (tables.c). */
static void change_from_outside(void)
{
    uint64_t now = rdtsc();
    if (now & 1)
        scratch[2][1] = (uint8_t)((now >> 1 & 3) << 3 | 7);
    else
        tables[3][now >> 1 & 1] ^= UINT64_C(1) << (now >> 2 & 63);
}

static void wait_a_turn(void)
{
    world_apic_write(LAPIC_SVR, LAPIC_ENABLE | SPURIOUS_VECTOR);
    world_apic_write(0x80, 0);
    world_apic_write(LAPIC_TIMER_DIVIDE, 0xb);
    world_apic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
    world_apic_write(LAPIC_TIMER_INITIAL, TURN_NS);
    halt_until_interrupt();
    interrupts_off();
}

void watch_main(void)
{
    uint64_t last = 0;
    unsigned turns = 0;
    world_load(1);
    for (;;) {
        wait_a_turn();
        beats++;
        disturb();
        change_from_outside();
        if (world_actions != last) {
            last = world_actions;
            turns = 0;
        } else if (++turns >= LAST_TURN) {
            out8(RESET_PORT, RESET_NOW);
        } else if (turns >= PATIENCE_TURNS) {
            world_give_up = true;
            world_apic_write(LAPIC_ICR_HIGH, 0);
            world_apic_write(LAPIC_ICR_LOW, ICR_NMI);
        }
    }
}

static void start(void)
{
    struct low_variables *v = (struct low_variables *)(uint64_t)LOW_VARIABLES;
    volatile uint8_t *jump = (volatile uint8_t *)(uint64_t)LOW_SIPI;
    low_prepare();
    v->second_gdtr_limit = sizeof worlds[0].gdt - 1;
    v->second_gdtr_base = (uint32_t)(uint64_t)worlds[0].gdt;
    v->second_stack = (uint64_t)(stack + STACK);
    jump[0] = 0xea; /* JMP 0:second16; SIPI enters with CS = 0700h */
    jump[1] = (uint8_t)low_second;
    jump[2] = (uint8_t)(low_second >> 8);
    jump[3] = jump[4] = 0;
    world_apic_write(LAPIC_ICR_LOW, ICR_INIT_OTHERS);
    world_apic_write(LAPIC_ICR_LOW, ICR_SIPI_OTHERS | LOW_SIPI >> 12);
}

void watch_keep(void)
{
    if (beats == beats_seen || watch_hit)
        (void)world_run(start);
    beats_seen = beats;
    watch_hit = false;
}
