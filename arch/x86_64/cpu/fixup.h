/* Accesses that may fault and say so, by a table of instructions and where to go on after a fault (fixup.asm). */
#ifndef ARCH_X86_64_CPU_FIXUP_H
#define ARCH_X86_64_CPU_FIXUP_H

#include "arch/x86_64/cpu/idt.h"
#include "hv/lib/types.h"

/* False: the access raised an exception; *value is untouched. Not to be used in an NMI handler. */
bool rdmsr_safe(uint32_t msr, uint64_t *value) MUST_CHECK;
bool wrmsr_safe(uint32_t msr, uint64_t value) MUST_CHECK;
bool xsetbv_safe(uint32_t index, uint64_t value) MUST_CHECK;
bool load64_safe(const void *address, uint64_t *value) MUST_CHECK;

/* For trap_dispatch: if the instruction is in the table, continue at its recovery and return true. */
bool fixup_apply(struct trap_frame *frame) MUST_CHECK;

#endif
