/* Would VMRUN accept this VMCB? The manual's checks done in software, so that a refused entry can be explained. Pure.
 * AMD APM vol 2, "Canonicalization and Consistency Checks". Not checked: what only memory would tell. */
#ifndef ARCH_X86_64_SVM_ENTRY_CHECK_H
#define ARCH_X86_64_SVM_ENTRY_CHECK_H

#include "arch/x86_64/isa/vmcb.h"

struct svm_entry_violation {
    const char *field;
    uint64_t value;
    const char *rule; /* what has to hold */
};

/* Stores the first `max` violations; returns how many there are, 0 if the entry is legal. */
unsigned svm_entry_check(const struct vmcb *c, unsigned physical_bits, struct svm_entry_violation *out, unsigned max);

#endif
