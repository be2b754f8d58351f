#ifndef GUESTS_LEAK_LEAK_H
#define GUESTS_LEAK_LEAK_H

#include <stdbool.h>
#include <stdint.h>

/* A piece of CPU state that two partitions on one CPU take turns in using. */
struct state {
    const char *name;
    unsigned words;                    /* of 64 bits */
    bool (*present)(const struct state *s);
    void (*read)(const struct state *s, uint64_t *words);
    void (*write)(const struct state *s, const uint64_t *words);
    uint64_t mask;                     /* which bits of each word the test may choose */
    uint64_t fixed;                    /* bits that are always set */
    uint64_t reset;                    /* each word after a reset */
    uint32_t number;                   /* an MSR's number, an XSAVE component's number */
};

#define MAX_WORDS 128

/* registers.c, extended.c */
extern const struct state register_states[], extended_states[];
extern const unsigned register_state_count, extended_state_count;

/* Switches on everything that XSAVE offers; false: no XSAVE. choose() sets XCR0 again. */
bool extended_init(void);
uint64_t extended_offered(void);
void extended_choose(uint64_t xcr0);

/* spin.asm: puts words[0..12] into RBX RCX RSI RDI RBP R8-R15, reads the TSC until two readings are `gap` ticks apart,
 * and stores the registers back into words[]. */
void leak_spin(uint64_t words[13], uint64_t gap);
/* The same for RAX and RDX, whose loop cannot read the TSC: `count` turns of a loop. */
void leak_spin_ax_dx(uint64_t words[2], uint64_t count);

#endif
