/* What entry.asm needs of the C structs. */
#include "arch/x86_64/svm/svm.h"
#include "hv/lib/offsets.h"

#define GPR(name) VALUE(OFF_GPR_##name, offsetof(struct vt_vcpu, gpr) + 8 * VT_##name)

OFFSETS_BEGIN(svm)
    GPR(RAX) GPR(RCX) GPR(RDX) GPR(RBX) GPR(RBP) GPR(RSI) GPR(RDI)
    GPR(R8) GPR(R9) GPR(R10) GPR(R11) GPR(R12) GPR(R13) GPR(R14) GPR(R15)
    OFFSET(OFF_VCPU_VMCB, struct svm_vcpu, vmcb)
    OFFSET(OFF_VMCB_RAX, struct vmcb, rax)
    OFFSET(OFF_VCPU_CPU, struct svm_vcpu, cpu)
    OFFSET(OFF_VCPU_GENERATION, struct svm_vcpu, generation)
    OFFSET(OFF_CPU_GENERATION, struct svm_cpu, generation)
    OFFSET(OFF_VCPU_VMCB_HPA, struct svm_vcpu, vmcb_hpa)
    OFFSET(OFF_VCPU_HOST_VMCB, struct svm_vcpu, host_vmcb)
    OFFSET(OFF_VCPU_EXIT_TSC, struct svm_vcpu, vt.exit_tsc)
OFFSETS_END
