/* What the exercises share: how a check is announced, and how its failure is reported. scripts/lab reads these lines. */
#ifndef GUESTS_EXERCISE_EXERCISE_H
#define GUESTS_EXERCISE_EXERCISE_H

#include "lib/cpu.h"
#include "lib/print.h"

/* From here on `name` is what is checked: if nothing more comes, it was this that hung. */
void check(const char *name);
/* The present check failed: "saw X; expected Y", as for print(). Does not return. */
#define WRONG(...)            \
    do {                      \
        wrong_begin();        \
        print(__VA_ARGS__);   \
        wrong_end();          \
    } while (0)
void wrong_begin(void);
void wrong_end(void) __attribute__((noreturn));

/* Spins that many ticks of the TSC, which is measured by differences: it may jump between. */
void wait_ticks(uint64_t ticks);

/* One file each; `memory` is the guest's memory in bytes. */
struct setting {
    const char *cmdline;
    uint64_t memory;
};
void exercise_cpuid(const struct setting *s);
void exercise_msr(const struct setting *s);
void exercise_memory(const struct setting *s);
void exercise_timer(const struct setting *s);
void exercise_share(const struct setting *s);

#endif
