/* Events into the guest: the VM-entry interruption-information field (SDM vol 3, "Event Injection"). */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/vmx_exits.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"

void vmx_inject(struct vt_vcpu *vt, const struct vt_event *event)
{
    struct vmx_vcpu *v = vmx_of(vt);
    uint64_t info = INTERRUPTION_VALID | (uint64_t)event->type << 8 | event->vector;
    /* Real mode pushes no error codes: SDM vol 3, "VM-Entry Controls for Event Injection". */
    if (event->has_error_code && (vmread(VMCS_GUEST_CR0) & CR0_PE)) {
        info |= INTERRUPTION_ERROR_CODE;
        vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, event->error_code);
    }
    if (event->type >= VT_EVENT_SOFT_INTERRUPT)
        vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFORMATION, info);
    if (event->type == VT_EVENT_NMI)
        v->nmi_injected = true;
}

void vmx_drop_event(struct vt_vcpu *vt)
{
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0);
    vmx_of(vt)->nmi_injected = false;
}

/* A VM exit clears the valid bit: SDM vol 3, "Recording VM-Exit Information and Updating VM-entry Control Fields". */
static bool event_set(void)
{
    return vmread(VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID;
}

bool vmx_event_pending(struct vt_vcpu *v)
{
    return event_set();
}

bool vmx_pending_event(struct vt_vcpu *vt, struct vt_event *event)
{
    uint64_t info = vmread(VMCS_ENTRY_INTERRUPTION_INFORMATION);
    if (!(info & INTERRUPTION_VALID))
        return false;
    *event = (struct vt_event){
        .vector = (uint8_t)INTERRUPTION_VECTOR(info),
        .type = (uint8_t)INTERRUPTION_TYPE(info),
        .has_error_code = info & INTERRUPTION_ERROR_CODE,
    };
    return true;
}

bool vmx_can_take_interrupt(struct vt_vcpu *v)
{
    return !event_set() && (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF) &&
           !(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & (VT_SHADOW_STI | VT_SHADOW_MOV_SS));
}

bool vmx_can_take_nmi(struct vt_vcpu *v)
{
    return !event_set() &&
           !(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & (VT_SHADOW_STI | VT_SHADOW_MOV_SS | VT_SHADOW_NMI));
}

void vmx_request_window(struct vt_vcpu *vt, bool interrupt, bool nmi)
{
    struct vmx_vcpu *v = vmx_of(vt);
    uint32_t want = v->primary & ~(uint32_t)(PROC_INTERRUPT_WINDOW_EXITING | PROC_NMI_WINDOW_EXITING);
    want |= interrupt ? PROC_INTERRUPT_WINDOW_EXITING : 0;
    want |= nmi ? PROC_NMI_WINDOW_EXITING : 0;
    if (want == v->primary)
        return;
    v->primary = want;
    vmwrite(VMCS_PRIMARY_PROC_CONTROLS, want);
}
