/* What the files of the entry check share: one file per part of the manual's chapter. Nobody else includes this. */
#ifndef ARCH_X86_64_VMX_ENTRY_CHECK_PRIVATE_H
#define ARCH_X86_64_VMX_ENTRY_CHECK_PRIVATE_H

#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/segment.h"
#include "arch/x86_64/isa/vmcs.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "arch/x86_64/isa/vmx_exits.h"
#include "arch/x86_64/vmx/entry_check.h"

struct check {
    const struct entry_check_input *in;
    struct entry_violation *out;
    unsigned max, count;
    const char *section;
    /* fields that many rules look at; secondary is 0 while not activated */
    uint64_t pin, primary, secondary, exit, entry, cr0, cr4, rflags, entry_info;
    bool ia32e, unrestricted, v8086;
};

static inline uint64_t field(const struct check *c, uint32_t encoding)
{
    return c->in->read(c->in->ctx, encoding);
}

static inline uint64_t capability(const struct check *c, uint32_t msr)
{
    return c->in->cpu->capability[msr - IA32_VMX_BASIC];
}

/* Records a violation unless `holds`. */
void check_require(struct check *c, bool holds, uint32_t encoding, const char *rule);

static inline bool fits_physical(const struct check *c, uint64_t address)
{
    return address >> c->in->cpu->physical_bits == 0;
}

static inline bool is_canonical(const struct check *c, uint64_t address)
{
    unsigned shift = 64u - c->in->cpu->linear_bits;
    return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

/* An address field: aligned to `alignment` and below the physical-address width. */
void check_address(struct check *c, uint32_t encoding, uint64_t alignment);
void check_canonical(struct check *c, uint32_t encoding);
/* CR0 or CR4: every bit that the CPU fixes in VMX operation has that value; bits in `exempt` may have any. */
void check_fixed_bits(struct check *c, uint32_t encoding, uint32_t fixed0_msr, uint64_t exempt);
void check_pat(struct check *c, uint32_t encoding);
/* EFER: no reserved bit; LMA as `lma`. */
void check_efer(struct check *c, uint32_t encoding, bool lma);
void check_cet(struct check *c, uint32_t s_cet, uint32_t ssp, uint32_t table);

void check_execution_controls(struct check *c);
void check_exit_and_entry_controls(struct check *c);
void check_host(struct check *c);
void check_guest_registers(struct check *c);
void check_guest_segments(struct check *c);
void check_guest_other(struct check *c);

#endif
