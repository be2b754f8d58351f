/* Does this CPU do what the manual says? Tried out once, with a guest of three instructions. */
#ifndef ARCH_SVM_PROBE_H
#define ARCH_SVM_PROBE_H

#include "arch/x86_64/svm/svm.h"

/* An interrupt of the machine ends a stay in a guest with RFLAGS.IF = 0. On a CPU that svm_cpu_enable() has set up.
 * True also if it cannot be tried for want of memory. */
bool svm_probe_masked_interrupt(struct svm_cpu *cpu);

/* probe.asm: counts for a while, then halts */
void svm_probe_guest(void);

#endif
