/* One-instruction wrappers of the SVM instructions; the ones around VMRUN are in entry.asm. */
#ifndef ARCH_SVM_INSN_H
#define ARCH_SVM_INSN_H

#include "hv/lib/types.h"

/* FS, GS, TR, LDTR, KernelGsBase, STAR, LSTAR, CSTAR, SFMASK and the SYSENTER MSRs to the VMCB. */
static inline void vmsave(hpa_t vmcb)
{
    __asm__ volatile("vmsave %0" : : "a"(vmcb.raw) : "memory");
}

#endif
