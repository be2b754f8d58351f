/* What this CPU has that the hypervisor's own running depends on, and its control registers set accordingly. */
#ifndef ARCH_X86_64_CPU_FEATURES_H
#define ARCH_X86_64_CPU_FEATURES_H

#include "hv/lib/types.h"

/* The boot CPU's; a CPU that lacks one of them fails to start (smp.h). */
struct cpu_features {
    char vendor[13];
    char brand[49];              /* "" if CPUID has none */
    unsigned physical_bits, linear_bits;
    bool nx, pages_1g, pat, pge, mce;
    bool smep, smap, umip, lam;
    bool pcid, invpcid, fsgsbase, pku;
    bool xsave;
    bool x2apic, tsc_deadline, tsc_adjust, rdtscp;
    bool vmx, svm, hypervisor;
};
extern struct cpu_features cpu_features;

void cpu_features_read(struct cpu_features *f);

/* On each CPU: CR0, CR4 (every protection and state-saving bit it has), EFER.NXE and the PAT of pt.h. */
void cpu_control_setup(const struct cpu_features *f);

/* CR3, with everything flushed that was cached. */
void cpu_load_tables(uint64_t root);

#endif
