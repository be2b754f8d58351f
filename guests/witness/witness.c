/* witness: the neighbour of a hostile guest. Every second of its own time it looks whether its memory, its registers and
 * its clock are as it left them, and says so. `seconds=N` on the command line: how long; then it ends with a status
 * (0: all was well) by the port of debug-exit, F4h. */
#include "leak/leak.h"
#include "lib/clock.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"
#include "lib/print.h"

enum { TICKS_PER_S = 100, PIC_BASE = 0x20, DEBUG_EXIT = 0xf4, GENERAL = 13, MAX_STATES = 48, SPINS = 20000, GAP = 300 };
#define LOW_START UINT64_C(0x10000) /* below lie the Multiboot information and the BIOS's data */
#define LOW_END   UINT64_C(0x9f000)
#define MIX       UINT64_C(0x9e3779b97f4a7c15)
/* Hypervisor and neighbours may keep the CPU for some turns of 10 ms each, and no longer. */
#define LATE_MS   200

extern char guest_start[], guest_data[], guest_end[];

static uint64_t memory_end, started, last_tick, worst_gap, ms_ticks;
static volatile uint64_t ticks;
static unsigned failures;

static void fail(const char *what, uint64_t where, uint64_t seen, uint64_t wanted)
{
    failures++;
    print("witness: FAIL: %s: 0x%lx: 0x%lx instead of 0x%lx\n", what, where, seen, wanted);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static uint64_t pattern(uint64_t address)
{
    uint64_t x = address * MIX;
    return x ^ x >> 31;
}

/* What it does not use itself is filled with words that tell their own address. */
static void fill(uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += 8)
        *(volatile uint64_t *)at = pattern(at);
}

static uint64_t check_filled(uint64_t from, uint64_t to, uint64_t sum)
{
    unsigned said = 0;
    for (uint64_t at = from; at < to; at += 8) {
        uint64_t word = *(volatile uint64_t *)at;
        if (word != pattern(at) && said++ < 4)
            fail("memory", at, word, pattern(at));
        sum = (sum ^ word) * MIX;
    }
    return sum;
}

static uint64_t free_start(void)
{
    return ((uint64_t)guest_end + 4095) & ~UINT64_C(4095);
}

static uint64_t check_memory(void)
{
    uint64_t sum = check_filled(LOW_START, LOW_END, 0);
    for (const uint64_t *word = (const uint64_t *)guest_start; word < (const uint64_t *)guest_data; word++)
        sum = (sum ^ *word) * MIX;
    return check_filled(free_start(), memory_end, sum);
}

/* ---- registers --------------------------------------------------------------------------------------------------- */

static const struct state *state_at(unsigned index)
{
    return index < register_state_count ? &register_states[index] : &extended_states[index - register_state_count];
}

/* CR8 would hold interrupts back. */
static bool skipped(const struct state *s)
{
    return !s->present(s) || (s->name[0] == 'C' && s->name[1] == 'R' && s->name[2] == '8');
}

static uint64_t value_of(const struct state *s, unsigned index, unsigned word)
{
    return (pattern(index << 8 | word | UINT64_C(1) << 40) & s->mask) | s->fixed;
}

static void fill_registers(void)
{
    uint64_t words[MAX_WORDS];
    for (unsigned i = 0; i < register_state_count + extended_state_count; i++) {
        const struct state *s = state_at(i);
        if (skipped(s))
            continue;
        for (unsigned w = 0; w < s->words; w++)
            words[w] = value_of(s, i, w);
        s->write(s, words);
    }
}

static void check_registers(void)
{
    uint64_t words[MAX_WORDS];
    for (unsigned i = 0; i < register_state_count + extended_state_count; i++) {
        const struct state *s = state_at(i);
        if (skipped(s))
            continue;
        s->read(s, words);
        for (unsigned w = 0; w < s->words; w++)
            if (words[w] != value_of(s, i, w))
                fail(s->name, w, words[w], value_of(s, i, w));
    }
}

/* The general registers, in loops made for that: until the next turn of another, or for a while. */
static void check_general(void)
{
    uint64_t words[GENERAL], pair[2] = { pattern(100), pattern(101) };
    for (unsigned w = 0; w < GENERAL; w++)
        words[w] = pattern(w);
    leak_spin(words, GAP);
    leak_spin_ax_dx(pair, SPINS);
    for (unsigned w = 0; w < GENERAL; w++)
        if (words[w] != pattern(w))
            fail("general register", w, words[w], pattern(w));
    for (unsigned w = 0; w < 2; w++)
        if (pair[w] != pattern(100 + w))
            fail("RAX or RDX", w, pair[w], pattern(100 + w));
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static void tick(struct frame *f)
{
    uint64_t now = rdtsc(), gap = now - last_tick;
    (void)f;
    if (now < last_tick)
        fail("the clock went back", 0, now, last_tick);
    if (ticks && gap > worst_gap)
        worst_gap = gap;
    last_tick = now;
    ticks++;
    pic_eoi(0);
}

static void wait_until(uint64_t tsc)
{
    while (rdtsc() < tsc)
        halt_until_interrupt();
}

static void beat(unsigned number)
{
    static uint64_t first_sum;
    uint64_t at_ms = (rdtsc() - started) / ms_ticks, due = (uint64_t)number * 1000;
    uint64_t sum = check_memory();
    check_registers();
    check_general();
    if (number == 1)
        first_sum = sum;
    if (sum != first_sum)
        fail("sum of all memory", number, sum, first_sum);
    uint64_t gap_ms = worst_gap / ms_ticks;
    if (gap_ms > LATE_MS || at_ms > due + LATE_MS || at_ms < due)
        fail("late: due at ms, seen at ms, longest gap in ms", due, at_ms, gap_ms);
    print("witness: beat %u at %lu ms, longest gap %lu ms, sum 0x%lx\n", number, at_ms, gap_ms, sum);
    worst_gap = 0;
}

void guest_main(const char *cmdline, uint32_t upper_kib);
void guest_main(const char *cmdline, uint32_t upper_kib)
{
    unsigned seconds = (unsigned)cmdline_number(cmdline, "seconds=", 10);
    memory_end = (1 << 20) + (uint64_t)upper_kib * 1024;
    print_init();
    interrupt_init();
    extended_init();
    struct clock clock = clock_init();
    ms_ticks = clock.tsc_hz / 1000;
    fill(LOW_START, LOW_END);
    fill(free_start(), memory_end);
    fill_registers();
    pic_init(PIC_BASE, 1);
    interrupt_set(PIC_BASE, tick);
    (void)pit_start(TICKS_PER_S);
    started = last_tick = rdtsc();
    for (unsigned i = 1; i <= seconds; i++) {
        wait_until(started + i * clock.tsc_hz);
        beat(i);
    }
    print("witness: %u beats, %u failures\n", seconds, failures);
    out32(DEBUG_EXIT, failures != 0);
}
