/* The hardware's part of the virtual APIC (SDM vol 3, "APIC Virtualization and Virtual Interrupts"). */
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"

#define MODE_BITS (PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUALIZE_X2APIC_MODE | \
                   PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUAL_INTERRUPT_DELIVERY)

void vmx_apic_set_status(struct vt_vcpu *vt, uint16_t status)
{
    vmwrite(VMCS_GUEST_INTERRUPT_STATUS, status);
}

void vmx_apic_request(struct vt_vcpu *vt, uint8_t vector)
{
    uint64_t status = vmread(VMCS_GUEST_INTERRUPT_STATUS);
    if (vector > (uint8_t)status)
        vmwrite(VMCS_GUEST_INTERRUPT_STATUS, (status & 0xff00) | vector);
}

uint8_t vmx_apic_requested(struct vt_vcpu *vt)
{
    return (uint8_t)vmread(VMCS_GUEST_INTERRUPT_STATUS);
}

void vmx_apic_eoi_exits(struct vt_vcpu *vt, const uint64_t bitmap[4])
{
    for (unsigned i = 0; i < 4; i++)
        vmwrite(VMCS_EOI_EXIT_BITMAP(i), bitmap[i]);
}

/* Registers whose reads the hardware serves from the page. It would serve any of the range, so the others exit and get
 * their #GP; so does the current count, which is computed. */
static const struct { uint16_t first, last; } plain_reads[] = {
    { IA32_X2APIC_APICID, IA32_X2APIC_VERSION }, { IA32_X2APIC_TPR, IA32_X2APIC_TPR },
    { IA32_X2APIC_PPR, IA32_X2APIC_PPR },        { IA32_X2APIC_LDR, IA32_X2APIC_LDR },
    { IA32_X2APIC_SIVR, IA32_X2APIC_ESR },       { IA32_X2APIC_ICR, IA32_X2APIC_ICR },
    { IA32_X2APIC_LVT_TIMER, IA32_X2APIC_INIT_COUNT }, { IA32_X2APIC_DIV_CONF, IA32_X2APIC_DIV_CONF },
};

static void pass_x2apic(struct vmx_vcpu *v, bool on)
{
    for (size_t i = 0; i < ARRAY_SIZE(plain_reads); i++)
        for (uint32_t msr = plain_reads[i].first; msr <= plain_reads[i].last; msr++)
            vmx_msr_pass(v, msr, on, false);
    vmx_msr_pass(v, IA32_X2APIC_TPR, on, on);
    vmx_msr_pass(v, IA32_X2APIC_EOI, false, on);
    vmx_msr_pass(v, IA32_X2APIC_SELF_IPI, false, on);
}

void vmx_apic_mode(struct vt_vcpu *vt, bool enabled, bool x2apic)
{
    struct vmx_vcpu *v = vmx_of(vt);
    uint32_t bits = 0;
    if (enabled)
        bits = PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUAL_INTERRUPT_DELIVERY |
               (x2apic ? PROC2_VIRTUALIZE_X2APIC_MODE : PROC2_VIRTUALIZE_APIC_ACCESSES);
    v->secondary = (v->secondary & ~(uint32_t)MODE_BITS) | bits;
    vmwrite(VMCS_SECONDARY_PROC_CONTROLS, v->secondary);
    pass_x2apic(v, enabled && x2apic);
}

void vmx_tpr_threshold(struct vt_vcpu *vt, uint8_t class)
{
    if (vmx_caps.features.tpr_shadow && !vmx_caps.features.apicv)
        vmwrite(VMCS_TPR_THRESHOLD, class);
}
