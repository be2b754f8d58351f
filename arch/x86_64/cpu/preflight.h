/* Preflight: can this CPU run Trapeze? Says line by line what is there and what is missing, and what to change.
 * Pure: the CPU is reached through callbacks, so it runs in the UEFI loader, in the hypervisor and in unit tests. */
#ifndef ARCH_X86_64_CPU_PREFLIGHT_H
#define ARCH_X86_64_CPU_PREFLIGHT_H

#include "hv/lib/types.h"

struct preflight_cpu {
    /* eax, ebx, ecx, edx; only leaves up to the reported maximum are asked for. */
    void (*cpuid)(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);
    /* Only MSRs that the CPU has, according to what was read before. */
    uint64_t (*rdmsr)(void *ctx, uint32_t msr);
    /* One line of text, without a line end. */
    void (*say)(void *ctx, const char *line);
    void *ctx;
};

/* True if every requirement is met. If not, the lines said name each missing one and the remedy. */
bool preflight_run(const struct preflight_cpu *cpu) MUST_CHECK;

#endif
