/* What the CPU reports of its own speculation, and which measure follows from it. Pure; mitigation.c and guest_state.c carry it
 * out. What each measure is for, and what is left open: docs/security.md. */
#ifndef ARCH_X86_64_CPU_SPECULATION_H
#define ARCH_X86_64_CPU_SPECULATION_H

#include "hv/lib/types.h"

enum speculation_measure {
    SPECULATION_IBPB,      /* between partitions: branch predictors */
    SPECULATION_L1D,       /* between partitions, and after work for others: the first-level data cache */
    SPECULATION_VERW,      /* as L1D: fill buffers, store buffers, load ports */
    SPECULATION_SSBD,      /* store bypass: left to the guest, which is given the switch */
    SPECULATION_IBRS,      /* in the hypervisor, always on: no guest steers its indirect branches */
    SPECULATION_RETPOLINE, /* the same without such an IBRS: they are not predicted */
    SPECULATION_RETURNS,   /* at each exit: predictions of returns that the guest left */
    SPECULATION_HISTORY,   /* with IBRS: branch history that the guest left */
    SPECULATION_MEASURES
};

struct speculation_facts {
    bool intel;
    uint32_t features_ebx, features_edx; /* CPUID leaf 7 */
    uint32_t features_2_edx;             /* leaf 7, subleaf 2 */
    uint32_t extended_ebx;               /* CPUID leaf 80000008h */
    uint32_t extended_3_eax;             /* CPUID leaf 80000021h */
    uint64_t arch_capabilities;          /* IA32_ARCH_CAPABILITIES, 0 if there is none */
    uint32_t without;                    /* bits 1 << enum speculation_measure: taken for not offered, as asked for */
};

enum speculation_state {
    SPECULATION_USED,
    SPECULATION_NEEDLESS, /* the CPU reports that it is not affected */
    SPECULATION_MISSING,  /* it may be affected, and offers nothing for it */
};

/* How the return stack is cleared after an exit. */
enum speculation_returns { RETURNS_AS_THEY_ARE, RETURNS_ONE_CALL, RETURNS_REFILL };

struct speculation_policy {
    enum speculation_state state[SPECULATION_MEASURES];
    enum speculation_returns returns;
    uint64_t spec_ctrl; /* IA32_SPEC_CTRL while the hypervisor runs; 0: whatever the guest chose */
    uint64_t efer;      /* bits to be set in IA32_EFER */
};

void speculation_decide(const struct speculation_facts *f, struct speculation_policy *out);

/* One line for people; the word for "without=" on the hypervisor's command line. */
const char *speculation_text(enum speculation_measure m, enum speculation_state s);
const char *speculation_key(enum speculation_measure m);

#endif
