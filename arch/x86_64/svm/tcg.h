/* QEMU quirks of events on their way into a guest: TCG, its translator, departs from the manual in two ways that no guest
 * survives for long. tcg.c says which, and what is done about them. */
#ifndef ARCH_X86_64_SVM_TCG_H
#define ARCH_X86_64_SVM_TCG_H

#include "arch/x86_64/svm/svm.h"

/* Once: whether this is TCG; then svm_tcg_run() takes the place of svm_run(). */
bool svm_tcg_init(const struct vt_env *env);

/* On each pCPU of such a machine. */
void svm_tcg_cpu_enable(void);

#endif
