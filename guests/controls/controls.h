#ifndef GUESTS_CONTROLS_CONTROLS_H
#define GUESTS_CONTROLS_CONTROLS_H

#include "lib/trapeze.h"

enum control_needs { NEEDS_NOTHING, NEEDS_RDTSCP, NEEDS_RDRAND, NEEDS_RDSEED, NEEDS_INVPCID };

/* One row for each instruction: the result says all that a program can see of it, but for time and chance. */
struct control_test {
    const char *name;
    unsigned control; /* TRAPEZE_CONTROL_... */
    uint64_t (*run)(uint64_t);
    enum control_needs needs;
};

extern const struct control_test control_tests[];
extern const unsigned control_test_count;
extern bool controls_amd;

/* A GDT with an LDT and a TSS. */
void controls_setup(void);

#endif
