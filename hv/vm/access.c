/* The guest's segments and address space as its CPU sees them. */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/mmu/guest_walk.h"
#include "hv/vm/vm.h"

unsigned vcpu_cpl(struct vcpu *v)
{
    return VT_ACCESS_DPL(vt.get(v->vt, VT_ACCESS + VT_SS));
}

enum insn_mode vcpu_insn_mode(struct vcpu *v)
{
    return vcpu_mode_of(&(struct vt_snapshot){ .cs_mode = (uint32_t)vt.get(v->vt, VT_ACCESS + VT_CS),
                                               .efer = vt.get(v->vt, VT_EFER) });
}

void vcpu_paging_of(struct vcpu *v, const struct vt_snapshot *regs, struct guest_paging *out)
{
    out->cr0 = regs->cr0;
    out->cr3 = regs->cr3;
    out->cr4 = regs->cr4;
    out->efer = regs->efer;
    out->rflags = regs->rflags;
    out->pkru = UNLIKELY(out->cr4 & CR4_PKE) ? vt.pkru(v->vt) : 0;
    out->cpl = (uint8_t)regs->cpl;
    out->physical_bits = (uint8_t)cpuid_physical_bits(&v->cpuid);
    out->huge_pages = cpuid_offers_huge_pages(&v->cpuid);
    out->pdptes_loaded = false;
    if (UNLIKELY((out->cr0 & CR0_PG) && (out->cr4 & CR4_PAE) && !(out->efer & EFER_LMA))) {
        out->pdptes_loaded = vt.features()->pdpte_registers;
        for (unsigned i = 0; i < 4; i++)
            out->pdpte[i] = vt.get(v->vt, VT_PDPTE0 + i);
    }
}

void vcpu_paging(struct vcpu *v, struct guest_paging *out)
{
    struct vt_snapshot regs;
    vt.snapshot(v->vt, &regs);
    vcpu_paging_of(v, &regs, out);
}

void vcpu_set_segment(struct vcpu *v, unsigned seg, uint16_t selector, uint64_t base, uint32_t limit, uint32_t access)
{
    vt.set(v->vt, VT_SELECTOR + seg, selector);
    vt.set(v->vt, VT_BASE + seg, base);
    vt.set(v->vt, VT_LIMIT + seg, limit);
    vt.set(v->vt, VT_ACCESS + seg, access);
}
