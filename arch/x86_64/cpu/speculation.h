/* What the CPU reports of its own speculation, and which measure follows from it. Pure; guest_state.c carries it out. What each
 * measure is for, and what is left open: docs/security.md. */
#ifndef ARCH_X86_64_CPU_SPECULATION_H
#define ARCH_X86_64_CPU_SPECULATION_H

#include "hv/lib/types.h"

struct speculation_facts {
    bool intel;
    uint32_t features_ebx, features_edx; /* CPUID leaf 7 */
    uint32_t extended_ebx;               /* CPUID leaf 80000008h */
    uint64_t arch_capabilities;          /* IA32_ARCH_CAPABILITIES, 0 if there is none */
};

enum speculation_measure {
    SPECULATION_IBPB,  /* between partitions: branch predictors */
    SPECULATION_L1D,   /* between partitions, and after work for others: the first-level data cache */
    SPECULATION_VERW,  /* as L1D: fill buffers, store buffers, load ports */
    SPECULATION_SSBD,  /* store bypass: left to the guest, which is given the switch */
    SPECULATION_MEASURES
};

enum speculation_state {
    SPECULATION_USED,
    SPECULATION_NEEDLESS, /* the CPU reports that it is not affected */
    SPECULATION_MISSING,  /* it may be affected, and offers nothing for it */
};

struct speculation_policy {
    enum speculation_state state[SPECULATION_MEASURES];
};

void speculation_decide(const struct speculation_facts *f, struct speculation_policy *out);

/* One line for people. */
const char *speculation_text(enum speculation_measure m, enum speculation_state s);

#endif
