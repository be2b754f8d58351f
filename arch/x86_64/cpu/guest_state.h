/* The state of a vCPU that VT-x or AMD-V does not switch by itself: extended (FPU) state with XCR0 and PKRU, CR2, the
 * debug address registers and DR6, and the MSRs that guests access without an exit. What is not switched here leaks
 * from one partition to the next. The hypervisor itself uses none of it, so it changes hands only when another vCPU
 * is loaded. */
#ifndef ARCH_CPU_GUEST_STATE_H
#define ARCH_CPU_GUEST_STATE_H

#include "hv/lib/types.h"

/* Rows of the table in guest_state.c, in this order. */
enum guest_msr { GUEST_STAR, GUEST_LSTAR, GUEST_CSTAR, GUEST_SFMASK, GUEST_KERNEL_GS_BASE, GUEST_TSC_AUX, GUEST_SPEC_CTRL,
                 GUEST_MSR_COUNT };

struct guest_state {
    bool loaded;    /* the values below are stale: the registers hold them */
    uint64_t xcr0;  /* always current: every write comes through an exit */
    uint64_t cr2, dr[4], dr6;
    uint64_t msr[GUEST_MSR_COUNT];
    void *xsave;    /* guest_state_xsave_size() bytes, aligned to 64; owned by the vCPU */
};

/* On the boot CPU: which components and MSRs exist here; logs fallbacks. MSRs in `switched` (1 << enum guest_msr) are left
 * to the hardware, which may also have CR2 and DR6 of its own (AMD-V): those are then loaded in vain. On every CPU:
 * cpu_enable. */
void guest_state_init(uint32_t switched);
void guest_state_cpu_enable(void);

size_t guest_state_xsave_size(void);   /* bytes, for all components the CPU has */
uint64_t guest_state_xcr0_mask(void);  /* XCR0 bits that exist; 0 without XSAVE */
bool guest_state_has_msr(enum guest_msr which);
uint32_t guest_state_msr_number(enum guest_msr which);

/* As after RESET (Intel SDM vol 3, "Processor State Following Power-up, Reset, or INIT"); in the registers, too, if it is loaded. */
void guest_state_reset(struct guest_state *s);
/* `previous`: what guest_state_save() left on this CPU, where nothing was loaded since; NULL: not known. */
void guest_state_load(struct guest_state *s, const struct guest_state *previous);
void guest_state_save(struct guest_state *s);
/* Between two guests that do not trust each other: what one taught the branch predictors, or left in the caches and buffers that
 * this CPU is known to leak, is not there for the next. After work of the hypervisor for others the latter alone. */
void guest_state_barrier(void);
void guest_state_cleanse(void);

#endif
