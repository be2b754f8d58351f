/* Bochs quirks of AMD-V, those of interrupts in particular: bochs.c says which, and what is done about them. */
#ifndef ARCH_X86_64_SVM_BOCHS_H
#define ARCH_X86_64_SVM_BOCHS_H

#include "arch/x86_64/vt/vt.h"

/* Once, on a machine where interrupts do not end a stay while the guest masks them: ops->run is then run with what Bochs needs. */
void svm_bochs_init(struct vt_ops *ops);

#endif
