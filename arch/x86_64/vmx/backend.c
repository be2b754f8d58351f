/* The VMX backend's face to the rest: arch/x86_64/vt/vt.h says what each entry does. */
#include "arch/x86_64/mmu/pt.h"
#include "arch/x86_64/vmx/backend.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"

static const struct vt_features *vmx_features(void)
{
    return &vmx_caps.features;
}

static void vmx_set_tsc_offset(struct vt_vcpu *v, uint64_t offset)
{
    v->tsc_offset = offset;
    vmwrite(VMCS_TSC_OFFSET, offset);
}

const struct vt_ops vmx_ops = {
    .name = "VT-x",
    .nested_format = &pt_ept,
    .init = vmx_init,
    .cpu_enable = vmx_cpu_enable,
    .cpu_disable = vmx_cpu_disable,
    .features = vmx_features,
    .vcpu_create = vmx_vcpu_create,
    .vcpu_destroy = vmx_vcpu_destroy,
    .load = vmx_load,
    .unload = vmx_unload,
    .reset_extended = vmx_reset_extended,
    .run = vmx_run,
    .get = vmx_get,
    .set = vmx_set,
    .skip = vmx_skip,
    .advance = vmx_advance,
    .pkru = vmx_pkru,
    .flush_linear = vmx_flush_linear,
    .set_policy = vmx_set_policy,
    .insn_length = vmx_insn_length,
    .inject = vmx_inject,
    .drop_event = vmx_drop_event,
    .event_pending = vmx_event_pending,
    .pending_event = vmx_pending_event,
    .can_take_interrupt = vmx_can_take_interrupt,
    .can_take_nmi = vmx_can_take_nmi,
    .request_window = vmx_request_window,
    .apic_set_status = vmx_apic_set_status,
    .apic_request = vmx_apic_request,
    .apic_requested = vmx_apic_requested,
    .apic_eoi_exits = vmx_apic_eoi_exits,
    .apic_mode = vmx_apic_mode,
    .tpr_threshold = vmx_tpr_threshold,
    .set_tsc_offset = vmx_set_tsc_offset,
    .nested_flush = vmx_nested_flush,
    .snapshot = vmx_snapshot,
    .explain_entry = vmx_explain_entry,
    .dump_name = "VMCS",
    .dump = vmx_dump,
};
