/* Life of a vCPU: its VMCB, permission map and extended state; loading it on a pCPU and taking it off. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/mmu/host.h"
#include "arch/x86_64/svm/svm.h"

#define MSRPM_ORDER    1
#define LAPIC_TPR_BYTE 0x80
/* The extended state is in the same block, behind the vCPU. */
#define XSAVE_OFFSET ALIGN_UP(sizeof(struct svm_vcpu), 64)

static unsigned block_order(void)
{
    return page_order(XSAVE_OFFSET + guest_state_xsave_size());
}

void svm_vcpu_destroy(struct vt_vcpu *vt)
{
    struct svm_vcpu *v = svm_of(vt);
    if (v->msrpm.raw)
        svm_env.page_free(v->msrpm, MSRPM_ORDER);
    if (v->vmcb_hpa.raw)
        svm_env.page_free(v->vmcb_hpa, 0);
    svm_env.page_free(ptr_to_hpa(v), block_order());
}

enum vt_status svm_vcpu_create(const struct vt_vcpu_config *config, struct vt_vcpu **out)
{
    hpa_t self = svm_env.page_alloc(block_order());
    if (!self.raw)
        return VT_NO_MEMORY;
    struct svm_vcpu *v = hpa_to_ptr(self);
    v->config = *config;
    v->vmcb_hpa = svm_env.page_alloc(0);
    v->msrpm = svm_env.page_alloc(MSRPM_ORDER);
    if (!v->vmcb_hpa.raw || !v->msrpm.raw) {
        svm_vcpu_destroy(&v->vt);
        return VT_NO_MEMORY;
    }
    v->vmcb = hpa_to_ptr(v->vmcb_hpa);
    v->msr_bits = hpa_to_ptr(v->msrpm);
    v->tpr = v->config.apic_page + LAPIC_TPR_BYTE;
    v->state.xsave = (uint8_t *)v + XSAVE_OFFSET;
    guest_state_reset(&v->state);
    v->unsettled = !svm_caps.nrip;
    svm_controls_setup(v);
    *out = &v->vt;
    return VT_OK;
}

void svm_load(struct vt_vcpu *vt, struct vt_vcpu *previous)
{
    struct svm_vcpu *v = svm_of(vt);
    struct svm_cpu *c = &svm_cpus[pcpu_this()->index];

    if (UNLIKELY(v->cpu != c)) {
        v->cpu = c;
        v->host_vmcb = c->host_vmcb;
        v->generation = 0; /* its number belonged to the other pCPU */
        svm_dirty(v, CLEAN_ALL);
    }
    guest_state_load(&v->state, previous ? &svm_of(previous)->state : NULL);
}

/* QEMU quirk: its XSETBV does not look at the intercept, so the guest may have written XCR0 by itself. */
void svm_take_xcr0(struct svm_vcpu *v)
{
    if (v->state.loaded && guest_state_xcr0_mask())
        v->state.xcr0 = xgetbv(0);
}

/* The VMCB is plain memory: nothing has to be written back before another pCPU may load it. */
void svm_unload(struct vt_vcpu *vt, bool stays)
{
    svm_take_xcr0(svm_of(vt));
    guest_state_save(&svm_of(vt)->state);
}

void svm_reset_extended(struct vt_vcpu *vt)
{
    svm_take_xcr0(svm_of(vt));
    guest_state_reset(&svm_of(vt)->state);
}
