/* The instruction at a vCPU's RIP: fetched through the guest's page tables as its CPU would, and decoded.
 *
 * Drivers and polling loops execute the same few instructions again and again, so what was decoded is remembered, with all
 * that it depended on: the registers, the page-table entries on the way and the bytes themselves. All are compared with
 * what they are now, each time, so that there is nothing to invalidate when the guest changes any of them. */
#ifndef HV_VM_FETCH_H
#define HV_VM_FETCH_H

#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/mmu/guest_walk.h"
#include "arch/x86_64/vt/vt.h"

struct vcpu;

enum { FETCH_ROWS = 8 };

/* MOV of four bytes between memory and a register or immediate, as drivers' accessors to device registers are: how to do
 * it in a few steps. FETCH_OTHER: not that simple. */
enum fetch_move { FETCH_OTHER, FETCH_LOAD, FETCH_STORE, FETCH_STORE_IMM };

struct fetch_row {
    uint64_t linear, cr0, cr3, cr4, efer;
    uint32_t cs_mode, cpl;         /* CS is present: in a row of zeroes nothing is */
    struct guest_trail trail;
    const void *code;              /* where the bytes are, in guest memory */
    uint64_t bytes[2];             /* of which the instruction has insn.length */
    struct insn insn;
    uint8_t move;                  /* enum fetch_move */
};

struct fetch_cache {
    struct fetch_row rows[FETCH_ROWS];
};

/* What a fetch that failed leaves. */
struct fetch_failure {
    enum insn_status status;
    uint64_t bytes[2];       /* those that could be read */
    size_t length;           /* how many; less than INSN_MAX_LENGTH: the others are on a page that cannot be fetched from */
    struct exec_fault fault; /* why; vector 0: there is no RAM */
};

static inline enum insn_mode vcpu_mode_of(const struct vt_snapshot *regs)
{
    if (LIKELY((regs->cs_mode & VT_ACCESS_L) && (regs->efer & EFER_LMA)))
        return INSN_MODE_64;
    return regs->cs_mode & VT_ACCESS_DB ? INSN_MODE_32 : INSN_MODE_16;
}

void vcpu_paging_of(struct vcpu *v, const struct vt_snapshot *regs, struct guest_paging *out);

/* An address as the guest's instructions use it. FAULT with vector 0: a page-table entry is not in RAM, *gpa is its address. */
enum exec_access vcpu_translate(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, unsigned access,
                                gpa_t *gpa, struct exec_fault *fault) MUST_CHECK;

/* What a walk for a fetch depends on in them; the other bits of paging concern data, or how 32-bit tables are read, and
 * such walks are not remembered (SDM vol 3, "Determination of Access Rights"). */
#define FETCH_CR0 CR0_PG
#define FETCH_CR4 (CR4_PAE | CR4_LA57 | CR4_SMEP)

/* Would the guest's CPU fetch the same bytes and take them for the same instruction? A walk for a fetch depends on these
 * registers, the address and the entries that it meets; what the bytes mean, on CS and EFER. RAM stays where it is while
 * vCPUs run, so the entries and the code are looked at in place. */
static inline bool fetch_is_same(const struct fetch_row *row, const struct vt_snapshot *regs, uint64_t linear)
{
    typedef const volatile uint64_t __attribute__((aligned(1), may_alias)) *words_t;
    uint64_t differs = (row->linear ^ linear) | (row->cr3 ^ regs->cr3) | ((row->cr0 ^ regs->cr0) & FETCH_CR0) |
                       ((row->cr4 ^ regs->cr4) & FETCH_CR4) | (row->efer ^ regs->efer) |
                       (row->cs_mode ^ regs->cs_mode) | (row->cpl ^ regs->cpl);
    if (UNLIKELY(differs) || UNLIKELY(!guest_trail_holds(&row->trail)))
        return false;
    words_t code = row->code;
    return LIKELY(!((code[0] ^ row->bytes[0]) | (code[1] ^ row->bytes[1])));
}

const struct fetch_row *vcpu_fetch_anew(struct vcpu *v, struct fetch_row *row, const struct vt_snapshot *regs,
                                        uint64_t linear, struct fetch_failure *failure);
uint64_t vcpu_fetch_address(struct vcpu *v, const struct vt_snapshot *regs); /* not in 64-bit mode */

/* `regs`: as they are now. NULL: *failure says why. Valid until the next fetch of this vCPU. Inline, since it is on the path
 * of every access to a device's memory. */
static inline const struct fetch_row *vcpu_fetch(struct vcpu *v, struct fetch_cache *cache, const struct vt_snapshot *regs,
                                                 struct fetch_failure *failure)
{
    uint64_t linear = LIKELY(vcpu_mode_of(regs) == INSN_MODE_64) ? regs->rip : vcpu_fetch_address(v, regs);
    struct fetch_row *row = &cache->rows[(linear ^ linear >> 4) % FETCH_ROWS];
    return LIKELY(fetch_is_same(row, regs, linear)) ? row : vcpu_fetch_anew(v, row, regs, linear, failure);
}

#endif
