/* Bochs quirks of AMD-V, those of interrupts in particular: bochs.c says which, and what is done about them. */
#ifndef ARCH_X86_64_SVM_BOCHS_H
#define ARCH_X86_64_SVM_BOCHS_H

#include "arch/x86_64/vt/vt.h"

/* Once, on a machine where interrupts do not end a stay while the guest masks them: takes the place of svm_run(). */
uint32_t svm_bochs_run(struct vt_vcpu *v, uint64_t ticks);

#endif
