/* Would this VMCS pass VM entry? The manual's checks done in software, so that a refused entry can be explained: which
 * field, which value, which rule. Pure: fields come by callback. Intel SDM vol 3, chapter "VM Entries"; each violation
 * names the section by title. Not checked: what only memory would tell (the VMCS behind the link pointer, MSR lists). */
#ifndef ARCH_X86_64_VMX_ENTRY_CHECK_H
#define ARCH_X86_64_VMX_ENTRY_CHECK_H

#include "hv/lib/types.h"

#define ENTRY_CHECK_MSRS 20u /* IA32_VMX_BASIC (480h) .. IA32_VMX_EXIT_CTLS2 (493h) */

struct entry_check_cpu {
    uint64_t capability[ENTRY_CHECK_MSRS]; /* [index - 480h]; 0 where the CPU has no such MSR */
    uint8_t physical_bits, linear_bits;    /* of the host: CPUID 80000008h; linear 48, or 57 with CR4.LA57 */
    bool lam;                              /* linear-address masking: CR3 has two bits of it */
};

struct entry_check_input {
    const struct entry_check_cpu *cpu;
    uint64_t (*read)(void *ctx, uint32_t field); /* 0 for a field the CPU does not have */
    void *ctx;
    const uint8_t *apic_page; /* the virtual-APIC page, NULL: TPR threshold is not compared with it */
};

struct entry_violation {
    uint32_t field;      /* VMCS encoding */
    const char *name;    /* of the field */
    uint64_t value;
    const char *bit;     /* the control bit concerned, or NULL */
    const char *rule;    /* what has to hold */
    const char *section; /* of the manual */
};

/* Reads those capability MSRs that this CPU has. */
void entry_check_read_cpu(struct entry_check_cpu *cpu, uint64_t (*rdmsr)(void *ctx, uint32_t msr), void *ctx,
                          unsigned physical_bits, unsigned linear_bits, bool lam);

/* Stores the first `max` violations; returns how many there are, 0 if the entry is legal. */
unsigned entry_check(const struct entry_check_input *input, struct entry_violation *out, unsigned max);

/* One line of text; returns its length as snprintf does. */
size_t entry_violation_print(char *buf, size_t size, const struct entry_violation *v);

/* "VMCS_GUEST_CS_SELECTOR", or "unknown field". */
const char *entry_check_field_name(uint32_t field);

#endif
