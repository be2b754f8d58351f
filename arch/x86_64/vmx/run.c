/* The hot path's C half: entry.asm comes here straight after an exit. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/vmx_exits.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"

uint32_t vmx_decode(struct vmx_vcpu *v, uint64_t reason)
{
    struct vt_exit *exit = &v->vt.exit;

    exit->raw = (uint32_t)reason;
    if (UNLIKELY(reason >= VMX_EXIT_ROWS))
        return exit->kind = reason & EXIT_REASON_ENTRY_FAILURE ? VT_EXIT_ENTRY_FAILED : VT_EXIT_UNKNOWN;
    const struct vmx_exit_row *row = &vmx_exit_rows[reason];
    if (UNLIKELY(row->decode != NULL))
        return row->decode(v, exit);
    return exit->kind = row->kind;
}

/* The usual reason: the VMCS was cleared since it last ran, and wants VMLAUNCH. */
uint32_t vmx_not_entered(struct vmx_vcpu *v)
{
    uint64_t error = vmread(VMCS_VM_INSTRUCTION_ERROR);
    if (error == VMX_ERROR_VMRESUME_NOT_LAUNCHED)
        return vmx_launch(&v->vt);
    if (mitigation_spec_ctrl)
        wrmsr(IA32_SPEC_CTRL, mitigation_spec_ctrl); /* vmx_run_swapping() may have loaded the guest's */
    v->vt.exit.raw = (uint32_t)error;
    v->vt.exit.rip = vmread(VMCS_GUEST_RIP);
    return v->vt.exit.kind = VT_EXIT_ENTRY_FAILED;
}

void vmx_no_vmcs(void)
{
    vmx_insn_failed("VMRESUME without a current VMCS", 0);
}
