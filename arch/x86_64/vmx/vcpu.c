/* Life of a vCPU: its VMCS, bitmaps and extended state; loading it on a pCPU and taking it off. */
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/mmu/host.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"
#include "hv/lib/str.h"

#include <stdatomic.h>

#define NO_CPU UINT32_MAX
/* The extended state is in the same block, behind the vCPU. */
#define XSAVE_OFFSET ALIGN_UP(sizeof(struct vmx_vcpu), 64)

/* VPID 0 is the hypervisor's own. With 65,535 vCPUs created the numbers start anew, and nothing of the old is cached. */
static uint16_t next_vpid(void)
{
    static _Atomic uint16_t last; /* no partner: any distinct value will do */
    uint16_t id;
    do
        id = (uint16_t)(atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1);
    while (!id);
    return id;
}

static unsigned block_order(void)
{
    return page_order(XSAVE_OFFSET + guest_state_xsave_size());
}

void vmx_vcpu_destroy(struct vt_vcpu *vt)
{
    struct vmx_vcpu *v = vmx_of(vt);
    if (v->msr_bitmap.raw)
        vmx_env.page_free(v->msr_bitmap, 0);
    if (v->vmcs.raw)
        vmx_env.page_free(v->vmcs, 0);
    vmx_env.page_free(ptr_to_hpa(v), block_order());
}

enum vt_status vmx_vcpu_create(const struct vt_vcpu_config *config, struct vt_vcpu **out)
{
    hpa_t self = vmx_env.page_alloc(block_order());
    if (!self.raw)
        return VT_NO_MEMORY;
    struct vmx_vcpu *v = hpa_to_ptr(self);
    v->config = *config;
    v->vmcs = vmx_env.page_alloc(0);
    v->msr_bitmap = vmx_env.page_alloc(0);
    if (!v->vmcs.raw || !v->msr_bitmap.raw) {
        vmx_vcpu_destroy(&v->vt);
        return VT_NO_MEMORY;
    }
    v->msr_bits = hpa_to_ptr(v->msr_bitmap);
    v->state.xsave = (uint8_t *)v + XSAVE_OFFSET;
    v->vpid = next_vpid();
    v->loaded_cpu = NO_CPU;
    guest_state_reset(&v->state);
    *(uint32_t *)hpa_to_ptr(v->vmcs) = vmx_caps.revision;
    vmclear(v->vmcs);
    vmptrld(v->vmcs);
    vmx_controls_setup(v);
    vmwrite(VMCS_HOST_RSP, (uintptr_t)v); /* entry.asm says why */
    vmclear(v->vmcs);
    *out = &v->vt;
    return VT_OK;
}

void vmx_load(struct vt_vcpu *vt, struct vt_vcpu *previous)
{
    struct vmx_vcpu *v = vmx_of(vt);
    unsigned cpu = pcpu_this()->index;

    vmptrld(v->vmcs);
    if (UNLIKELY(v->loaded_cpu != cpu)) {
        vmx_host_setup(v);
        v->loaded_cpu = cpu;
        /* What this pCPU cached of the vCPU the last time it was here may be stale. */
        if (vmx_caps.invvpid)
            invvpid(vmx_caps.invvpid_single ? INVVPID_SINGLE_CONTEXT : INVVPID_ALL_CONTEXTS, v->vpid);
        vmx_nested_flush(v->config.nested_root);
    }
    guest_state_load(&v->state, previous ? &vmx_of(previous)->state : NULL);
}

/* VMCLEAR writes the VMCS back to memory, so that another pCPU may load it (SDM vol 3, "Ensuring VMCS Coherency"). */
void vmx_unload(struct vt_vcpu *vt, bool stays)
{
    struct vmx_vcpu *v = vmx_of(vt);
    guest_state_save(&v->state);
    if (!stays)
        vmclear(v->vmcs);
}

void vmx_reset_extended(struct vt_vcpu *vt)
{
    guest_state_reset(&vmx_of(vt)->state);
}
