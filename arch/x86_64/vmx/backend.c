/* The VMX backend's face to the rest: arch/x86_64/vt/vt.h says what each entry does. */
#include "arch/x86_64/mmu/pt.h"
#include "arch/x86_64/vmx/backend.h"
#include "arch/x86_64/vmx/vmx.h"

static const struct vt_features *vmx_features(void)
{
    return &vmx_caps.features;
}

const struct vt_ops vmx_ops = {
    .name = "VT-x",
    .nested_format = &pt_ept,
    VT_BACKEND(VT_MEMBER, vmx)
    .features = vmx_features,
    .apic_set_status = vmx_apic_set_status,
    .apic_request = vmx_apic_request,
    .apic_requested = vmx_apic_requested,
    .apic_eoi_exits = vmx_apic_eoi_exits,
    .apic_mode = vmx_apic_mode,
    .dump_name = "VMCS",
};
