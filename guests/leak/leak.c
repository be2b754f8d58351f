/* leak: two partitions with different seeds share a CPU. Each fills the CPU state that has no room in the hardware's own
 * guest state with a pattern of its seed, waits until it was switched out and in again, and looks whether all is as it
 * left it. The word `seed=N` on the command line tells them apart. */
#include "leak/leak.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"
#include "lib/print.h"

#ifndef EXPECT_WRONG
#define EXPECT_WRONG 0 /* 1: a variant that must report a failure of every state */
#endif

enum { SWITCHES = 30, GAP = 20000, AX_DX_TURNS = 300000, MAX_STATES = 48, GENERAL = 13 };
#define XCR0_AVX512 UINT64_C(0xe0)

static uint64_t seed;
static char name;
static bool failed[MAX_STATES];

static uint64_t pattern(unsigned state, unsigned word)
{
    uint64_t x = (seed << 32 | state << 16 | word) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 32;
}

static uint64_t expected(const struct state *s, unsigned index, unsigned word)
{
    return ((pattern(index, word) & s->mask) | s->fixed) ^ EXPECT_WRONG;
}

static const struct state *state_at(unsigned index)
{
    return index < register_state_count ? &register_states[index] : &extended_states[index - register_state_count];
}

static unsigned state_count(void)
{
    return register_state_count + extended_state_count;
}

static void complain(unsigned index, const char *what, const char *when, unsigned word, uint64_t seen, uint64_t wanted)
{
    if (!failed[index])
        print("leak: %c: FAIL: %s%s, word %u: 0x%lx instead of 0x%lx\n", name, what, when, word, seen, wanted);
    failed[index] = true;
}

static uint64_t first[MAX_STATES][MAX_WORDS];

/* Before anything else: what does the CPU hold that this guest never put there? */
static void read_first(void)
{
    extended_init();
    for (unsigned i = 0; i < state_count(); i++)
        if (state_at(i)->present(state_at(i)))
            state_at(i)->read(state_at(i), first[i]);
}

static void fill(void)
{
    uint64_t words[MAX_WORDS];
    for (unsigned i = 0; i < state_count(); i++) {
        const struct state *s = state_at(i);
        for (unsigned w = 0; w < s->words; w++)
            words[w] = expected(s, i, w) ^ EXPECT_WRONG;
        if (s->present(s))
            s->write(s, words);
    }
}

static void check_first(void)
{
    unsigned present = 0, wrong = 0;
    for (unsigned i = 0; i < state_count(); i++) {
        const struct state *s = state_at(i);
        if (!s->present(s))
            continue;
        present++;
        for (unsigned w = 0; w < s->words; w++)
            if (first[i][w] != s->reset)
                complain(i, s->name, " at the start", w, first[i][w], s->reset);
        wrong += failed[i];
    }
    print("leak: %c: %u of %u states start as after a reset\n", name, present - wrong, present);
}

static void check(void)
{
    uint64_t words[MAX_WORDS];
    for (unsigned i = 0; i < state_count(); i++) {
        const struct state *s = state_at(i);
        if (!s->present(s))
            continue;
        s->read(s, words);
        for (unsigned w = 0; w < s->words; w++)
            if (words[w] != expected(s, i, w))
                complain(i, s->name, "", w, words[w], expected(s, i, w));
    }
}

/* The general registers can hold a pattern only in loops made for that. Returns after at least one switch. */
static void spin(unsigned general_index)
{
    uint64_t words[GENERAL], ax_dx[2] = { pattern(general_index, 100), pattern(general_index, 101) };
    for (unsigned w = 0; w < GENERAL; w++)
        words[w] = pattern(general_index, w);
    leak_spin(words, GAP);
    leak_spin_ax_dx(ax_dx, AX_DX_TURNS);
    for (unsigned w = 0; w < GENERAL; w++)
        if (words[w] != (pattern(general_index, w) ^ EXPECT_WRONG))
            complain(general_index, "general registers", "", w, words[w], pattern(general_index, w) ^ EXPECT_WRONG);
    for (unsigned w = 0; w < 2; w++)
        if (ax_dx[w] != (pattern(general_index, 100 + w) ^ EXPECT_WRONG))
            complain(general_index, "RAX, RDX", "", w, ax_dx[w], pattern(general_index, 100 + w) ^ EXPECT_WRONG);
}

static void result(unsigned general_index)
{
    unsigned kept = 0, present = 0;
    for (unsigned i = 0; i <= general_index; i++) {
        bool is_general = i == general_index;
        const char *what = is_general ? "general registers" : state_at(i)->name;
        if (!is_general && !state_at(i)->present(state_at(i))) {
            print("leak: %c: %s: not in use\n", name, what);
            continue;
        }
        present++;
        kept += !failed[i];
        if (!failed[i])
            print("leak: %c: %s kept over %d switches\n", name, what, SWITCHES);
    }
    if (kept == present)
        print("leak: %c: all %u states kept\n", name, present);
    else
        print("leak: %c: FAIL: %u of %u states kept\n", name, kept, present);
}

void guest_main(const char *cmdline);
void guest_main(const char *cmdline)
{
    read_first();
    seed = cmdline_number(cmdline, "seed=", 1);
    name = (char)('A' + (seed - 1) % 26);
    unsigned general_index = state_count();
    if (seed % 2 == 0) /* the two have different sets of state, too */
        extended_choose(extended_offered() & ~XCR0_AVX512);
    fill(); /* before the first word is printed: the neighbour may come next */
    print_init();
    interrupt_init();
    check_first();
    for (unsigned i = 0; i < SWITCHES; i++) {
        spin(general_index);
        check();
    }
    result(general_index);
    for (;;) /* the neighbour still needs somebody to be switched with */
        spin(general_index);
}
