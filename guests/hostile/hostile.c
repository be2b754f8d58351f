/* hostile: throws random and boundary values at everything that a guest can reach. On the command line: `seed=S`, from which
 * all follows; `lives=L` and `actions=N`: each life is N actions long at most, and ends by a reset, the last one by
 * soft-off. A life may end early, by what it did to itself. Each action's name is written to a port first, where a
 * debug-console may be. */
#include "hostile/hostile.h"
#include "lib/cpu.h"
#include "lib/print.h"

enum { CPUID_TRAPEZE = 0x40000101, CALM_EVERY = 16, REPORT_EVERY = 16, GROUPS = 7, NAMES = 0x4711, PM1_CONTROL = 0x604, SOFT_OFF = 5 << 10 | 1 << 13 };

static const struct action *const groups[GROUPS] = { port_actions, mmio_actions, register_actions, interrupt_actions, code_actions,
                                                     table_actions, mode_actions };
bool no_breakpoints;
static uint64_t seed, life;
static const struct action *next;

static const struct action *choose(void)
{
    uint64_t all = 0, at;
    for (unsigned g = 0; g < GROUPS; g++)
        for (const struct action *a = groups[g]; a->name; a++)
            all += a->weight;
    at = chance_below(all);
    for (unsigned g = 0; g < GROUPS; g++)
        for (const struct action *a = groups[g]; a->name; at -= a->weight, a++)
            if (at < a->weight)
                return a;
    return groups[0];
}

static void report(const char *more)
{
    print("hostile: seed %lu life %lu: %lu actions, %lu faults, %lu interrupts%s\n", seed, life, world_actions, world_faults, world_interrupts, more);
}

/* The carriage return: over what an action may have written there. */
static void say_next(void)
{
    out8(NAMES, '\r');
    out8(NAMES, '#');
    out8(NAMES, ' ');
    for (const char *at = next->name; *at; at++)
        out8(NAMES, (uint8_t)*at);
    out8(NAMES, '\n');
}

static void say_progress(void) { report(""); }
static void say_done(void) { report(", done"); }

static void by_port_92(void) { out8(0x92, in8(0x92) & ~1); out8(0x92, in8(0x92) | 1); }
static void by_keyboard(void) { out8(0x64, 0xfe); }
static void by_pci(void) { out8(0xcf9, 6); }
static void by_triple_fault(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };
    asm volatile("lidt %0; int3" : : "m"(none));
}
static void by_init(void) { world_apic_write(LAPIC_ICR_HIGH, 0); world_apic_write(LAPIC_ICR_LOW, 0x4500); }
static void by_soft_off(void) { asm volatile("outw %w0, %w1" : : "a"(SOFT_OFF), "d"(PM1_CONTROL)); }

static void end(bool last)
{
    static void (*const ways[])(void) = { by_port_92, by_keyboard, by_pci, by_triple_fault, by_init };
    world_calm();
    if (last) {
        (void)world_run(say_done);
        (void)world_run(by_soft_off);
    }
    (void)world_run(ways[chance_below(sizeof ways / sizeof ways[0])]);
    for (;;)
        (void)world_run(by_pci);
}

void guest_main(const char *cmdline);
void guest_main(const char *cmdline)
{
    uint64_t lives = cmdline_number(cmdline, "lives=", 4), actions = cmdline_number(cmdline, "actions=", 500);
    bool tell = cmdline_has(cmdline, "tell");
    no_breakpoints = cmdline_has(cmdline, "no-breakpoints");
    seed = cmdline_number(cmdline, "seed=", 1);
    life = cpuid(CPUID_TRAPEZE, 0).ecx;
    world_init();
    world_calm();
    (void)world_run(say_progress);
    if (life > lives)
        end(true);
    for (; world_actions < actions; world_actions++) {
        if (world_actions % CALM_EVERY == 0 || watch_hit) {
            world_calm();
            watch_keep();
            if (world_actions % REPORT_EVERY == 0 && world_actions)
                (void)world_run(say_progress);
        }
        chance_seed(seed << 40 ^ life << 24 ^ world_actions);
        next = choose();
        (void)world_run(say_next);
        if (tell) {
            world_calm();
            print("hostile: %lu: %s\n", world_actions, next->name);
        }
        int vector = world_run(next->run);
        if (tell)
            print("hostile: %lu: vector %d\n", world_actions, vector);
    }
    end(life >= lives);
}
