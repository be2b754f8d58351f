/* What entry.asm needs of the C structs. */
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/vmx/vmx.h"
#include "hv/lib/offsets.h"

#define GPR(name) VALUE(OFF_GPR_##name, offsetof(struct vt_vcpu, gpr) + 8 * VT_##name)

OFFSETS_BEGIN(vmx)
    GPR(RAX) GPR(RCX) GPR(RDX) GPR(RBX) GPR(RBP) GPR(RSI) GPR(RDI)
    GPR(R8) GPR(R9) GPR(R10) GPR(R11) GPR(R12) GPR(R13) GPR(R14) GPR(R15)
    OFFSET(OFF_VCPU_HOST_RSP, struct vmx_vcpu, host_rsp)
    OFFSET(OFF_VCPU_TIMER_SHIFT, struct vmx_vcpu, timer_shift)
    OFFSET(OFF_VCPU_TIMER_FIELD, struct vmx_vcpu, timer_field)
    OFFSET(OFF_VCPU_EXIT_TSC, struct vmx_vcpu, vt.exit_tsc)
    OFFSET(OFF_VCPU_EXIT_RIP, struct vmx_vcpu, vt.exit.rip)
    OFFSET(OFF_VCPU_SPEC_CTRL_PASSED, struct vmx_vcpu, spec_ctrl_passed)
    OFFSET(OFF_VCPU_SPEC_CTRL, struct vmx_vcpu, state.msr[GUEST_SPEC_CTRL])
    VALUE(OFF_MSR_SPEC_CTRL, IA32_SPEC_CTRL)
    VALUE(OFF_VMCS_GUEST_RIP, VMCS_GUEST_RIP)
    VALUE(OFF_VMCS_HOST_RSP, VMCS_HOST_RSP)
    VALUE(OFF_VMCS_EXIT_REASON, VMCS_EXIT_REASON)
OFFSETS_END
