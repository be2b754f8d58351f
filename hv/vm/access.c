/* The guest's address space as its CPU sees it now. */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/mmu/guest_walk.h"
#include "hv/vm/vm.h"

unsigned vcpu_cpl(struct vcpu *v)
{
    return VT_ACCESS_DPL(vt.get(v->vt, VT_ACCESS + VT_SS));
}

enum insn_mode vcpu_insn_mode(struct vcpu *v)
{
    uint64_t access = vt.get(v->vt, VT_ACCESS + VT_CS);
    if ((access & VT_ACCESS_L) && (vt.get(v->vt, VT_EFER) & EFER_LMA))
        return INSN_MODE_64;
    return access & VT_ACCESS_DB ? INSN_MODE_32 : INSN_MODE_16;
}

void vcpu_paging(struct vcpu *v, struct guest_paging *out)
{
    out->cr0 = vt.get(v->vt, VT_CR0);
    out->cr3 = vt.get(v->vt, VT_CR3);
    out->cr4 = vt.get(v->vt, VT_CR4);
    out->efer = vt.get(v->vt, VT_EFER);
    out->rflags = vt.get(v->vt, VT_RFLAGS);
    out->pkru = UNLIKELY(out->cr4 & CR4_PKE) ? vt.pkru(v->vt) : 0;
    out->cpl = (uint8_t)vcpu_cpl(v);
    out->physical_bits = (uint8_t)cpuid_physical_bits(&v->cpuid);
    out->huge_pages = cpuid_offers_huge_pages(&v->cpuid);
    out->pdptes_loaded = false;
    if (UNLIKELY((out->cr0 & CR0_PG) && (out->cr4 & CR4_PAE) && !(out->efer & EFER_LMA))) {
        out->pdptes_loaded = vt.features()->pdpte_registers;
        for (unsigned i = 0; i < 4; i++)
            out->pdpte[i] = vt.get(v->vt, VT_PDPTE0 + i);
    }
}
