/* Why a VM exit happened and how its details are encoded; VM-instruction errors.
 * Facts only: Intel SDM vol 3, appendix "VMX Basic Exit Reasons", sections "Basic VM-Exit Information", "Information
 * for VM Exits Due to Vectored Events", "VM-Exit Instruction-Information Field" and "VM Instruction Error Numbers". */
#ifndef ARCH_X86_64_ISA_VMX_EXITS_H
#define ARCH_X86_64_ISA_VMX_EXITS_H

#include <stdint.h>

/* name, number, what a person reads */
#define VMX_EXIT_REASONS(X) \
    X(EXIT_REASON_EXCEPTION_OR_NMI,       0, "exception or NMI") \
    X(EXIT_REASON_EXTERNAL_INTERRUPT,     1, "external interrupt") \
    X(EXIT_REASON_TRIPLE_FAULT,           2, "triple fault") \
    X(EXIT_REASON_INIT,                   3, "INIT signal") \
    X(EXIT_REASON_SIPI,                   4, "start-up IPI") \
    X(EXIT_REASON_IO_SMI,                 5, "SMI after an I/O instruction") \
    X(EXIT_REASON_OTHER_SMI,              6, "SMI") \
    X(EXIT_REASON_INTERRUPT_WINDOW,       7, "interrupt window") \
    X(EXIT_REASON_NMI_WINDOW,             8, "NMI window") \
    X(EXIT_REASON_TASK_SWITCH,            9, "task switch") \
    X(EXIT_REASON_CPUID,                 10, "CPUID") \
    X(EXIT_REASON_GETSEC,                11, "GETSEC") \
    X(EXIT_REASON_HLT,                   12, "HLT") \
    X(EXIT_REASON_INVD,                  13, "INVD") \
    X(EXIT_REASON_INVLPG,                14, "INVLPG") \
    X(EXIT_REASON_RDPMC,                 15, "RDPMC") \
    X(EXIT_REASON_RDTSC,                 16, "RDTSC") \
    X(EXIT_REASON_RSM,                   17, "RSM") \
    X(EXIT_REASON_VMCALL,                18, "VMCALL") \
    X(EXIT_REASON_VMCLEAR,               19, "VMCLEAR") \
    X(EXIT_REASON_VMLAUNCH,              20, "VMLAUNCH") \
    X(EXIT_REASON_VMPTRLD,               21, "VMPTRLD") \
    X(EXIT_REASON_VMPTRST,               22, "VMPTRST") \
    X(EXIT_REASON_VMREAD,                23, "VMREAD") \
    X(EXIT_REASON_VMRESUME,              24, "VMRESUME") \
    X(EXIT_REASON_VMWRITE,               25, "VMWRITE") \
    X(EXIT_REASON_VMXOFF,                26, "VMXOFF") \
    X(EXIT_REASON_VMXON,                 27, "VMXON") \
    X(EXIT_REASON_CR_ACCESS,             28, "control-register access") \
    X(EXIT_REASON_MOV_DR,                29, "MOV DR") \
    X(EXIT_REASON_IO_INSTRUCTION,        30, "I/O instruction") \
    X(EXIT_REASON_RDMSR,                 31, "RDMSR") \
    X(EXIT_REASON_WRMSR,                 32, "WRMSR") \
    X(EXIT_REASON_INVALID_GUEST_STATE,   33, "VM entry failed: invalid guest state") \
    X(EXIT_REASON_MSR_LOADING,           34, "VM entry failed: MSR loading") \
    X(EXIT_REASON_MWAIT,                 36, "MWAIT") \
    X(EXIT_REASON_MONITOR_TRAP_FLAG,     37, "monitor trap flag") \
    X(EXIT_REASON_MONITOR,               39, "MONITOR") \
    X(EXIT_REASON_PAUSE,                 40, "PAUSE") \
    X(EXIT_REASON_MACHINE_CHECK,         41, "VM entry failed: machine check") \
    X(EXIT_REASON_TPR_BELOW_THRESHOLD,   43, "TPR below threshold") \
    X(EXIT_REASON_APIC_ACCESS,           44, "APIC access") \
    X(EXIT_REASON_VIRTUALIZED_EOI,       45, "virtualized EOI") \
    X(EXIT_REASON_GDTR_IDTR_ACCESS,      46, "GDTR or IDTR access") \
    X(EXIT_REASON_LDTR_TR_ACCESS,        47, "LDTR or TR access") \
    X(EXIT_REASON_EPT_VIOLATION,         48, "EPT violation") \
    X(EXIT_REASON_EPT_MISCONFIGURATION,  49, "EPT misconfiguration") \
    X(EXIT_REASON_INVEPT,                50, "INVEPT") \
    X(EXIT_REASON_RDTSCP,                51, "RDTSCP") \
    X(EXIT_REASON_PREEMPTION_TIMER,      52, "VMX-preemption timer") \
    X(EXIT_REASON_INVVPID,               53, "INVVPID") \
    X(EXIT_REASON_WBINVD,                54, "WBINVD") \
    X(EXIT_REASON_XSETBV,                55, "XSETBV") \
    X(EXIT_REASON_APIC_WRITE,            56, "APIC write") \
    X(EXIT_REASON_RDRAND,                57, "RDRAND") \
    X(EXIT_REASON_INVPCID,               58, "INVPCID") \
    X(EXIT_REASON_VMFUNC,                59, "VMFUNC") \
    X(EXIT_REASON_ENCLS,                 60, "ENCLS") \
    X(EXIT_REASON_RDSEED,                61, "RDSEED") \
    X(EXIT_REASON_PML_FULL,              62, "page-modification log full") \
    X(EXIT_REASON_XSAVES,                63, "XSAVES") \
    X(EXIT_REASON_XRSTORS,               64, "XRSTORS") \
    X(EXIT_REASON_PCONFIG,               65, "PCONFIG") \
    X(EXIT_REASON_SPP_EVENT,             66, "sub-page permission event") \
    X(EXIT_REASON_UMWAIT,                67, "UMWAIT") \
    X(EXIT_REASON_TPAUSE,                68, "TPAUSE") \
    X(EXIT_REASON_LOADIWKEY,             69, "LOADIWKEY") \
    X(EXIT_REASON_ENCLV,                 70, "ENCLV") \
    X(EXIT_REASON_ENQCMD_PASID,          72, "ENQCMD PASID translation failure") \
    X(EXIT_REASON_ENQCMDS_PASID,         73, "ENQCMDS PASID translation failure") \
    X(EXIT_REASON_BUS_LOCK,              74, "bus lock") \
    X(EXIT_REASON_INSTRUCTION_TIMEOUT,   75, "instruction timeout") \
    X(EXIT_REASON_SEAMCALL,              76, "SEAMCALL") \
    X(EXIT_REASON_TDCALL,                77, "TDCALL") \
    X(EXIT_REASON_RDMSRLIST,             78, "RDMSRLIST") \
    X(EXIT_REASON_WRMSRLIST,             79, "WRMSRLIST")

enum vmx_exit_reason {
#define VMX_REASON_ROW(name, number, text) name = number,
    VMX_EXIT_REASONS(VMX_REASON_ROW)
#undef VMX_REASON_ROW
    EXIT_REASONS = 80,
};
/* The exit-reason field: the basic reason in bits 15:0, flags above. */
#define EXIT_REASON_BUS_LOCK_FLAG  (UINT32_C(1) << 26)
#define EXIT_REASON_ENCLAVE        (UINT32_C(1) << 27)
#define EXIT_REASON_PENDING_MTF    (UINT32_C(1) << 28)
#define EXIT_REASON_FROM_ROOT      (UINT32_C(1) << 29)
#define EXIT_REASON_ENTRY_FAILURE  (UINT32_C(1) << 31)

/* ---- VM-entry, VM-exit and IDT-vectoring interruption information: one format ----------------------------------- */

#define INTERRUPTION_VECTOR(info)    ((uint32_t)(info) & 0xff)
#define INTERRUPTION_TYPE(info)      (((uint32_t)(info) >> 8) & 7)
#define INTERRUPTION_ERROR_CODE      (UINT32_C(1) << 11) /* an error code is valid (exit) or delivered (entry) */
#define INTERRUPTION_NMI_UNBLOCKING  (UINT32_C(1) << 12) /* exit only: IRET had unblocked NMIs */
#define INTERRUPTION_VALID           (UINT32_C(1) << 31)
#define INTERRUPTION_ENTRY_RESERVED  UINT32_C(0x7ffff000)
enum vmx_interruption_type {
    INTERRUPTION_EXTERNAL = 0, INTERRUPTION_NMI = 2, INTERRUPTION_HARDWARE_EXCEPTION = 3, INTERRUPTION_SOFTWARE = 4,
    INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION = 5, INTERRUPTION_SOFTWARE_EXCEPTION = 6, INTERRUPTION_OTHER_EVENT = 7,
};

/* ---- exit qualifications: "Basic VM-Exit Information" ----------------------------------------------------------- */

/* Control-register accesses */
#define QUALIFICATION_CR_NUMBER(q)      ((unsigned)((q) & 15))
#define QUALIFICATION_CR_ACCESS(q)      ((unsigned)(((q) >> 4) & 3)) /* enum vmx_cr_access */
#define QUALIFICATION_CR_REGISTER(q)    ((unsigned)(((q) >> 8) & 15)) /* 0 RAX, 1 RCX, ... 15 R15 */
#define QUALIFICATION_CR_LMSW_SOURCE(q) ((uint16_t)((q) >> 16))
enum vmx_cr_access { CR_ACCESS_WRITE = 0, CR_ACCESS_READ = 1, CR_ACCESS_CLTS = 2, CR_ACCESS_LMSW = 3 };

/* MOV DR */
#define QUALIFICATION_DR_NUMBER(q)      ((unsigned)((q) & 7))
#define QUALIFICATION_DR_READ           (UINT64_C(1) << 4) /* MOV from DR */
#define QUALIFICATION_DR_REGISTER(q)    ((unsigned)(((q) >> 8) & 15))

/* I/O instructions */
#define QUALIFICATION_IO_IN             (UINT64_C(1) << 3)
#define QUALIFICATION_IO_STRING         (UINT64_C(1) << 4)
#define QUALIFICATION_IO_REP            (UINT64_C(1) << 5)

/* EPT violations */
#define QUALIFICATION_EPT_READ          (UINT64_C(1) << 0)
#define QUALIFICATION_EPT_WRITE         (UINT64_C(1) << 1)
#define QUALIFICATION_EPT_FETCH         (UINT64_C(1) << 2)
#define QUALIFICATION_EPT_LINEAR_VALID  (UINT64_C(1) << 7)
#define QUALIFICATION_EPT_TRANSLATED    (UINT64_C(1) << 8) /* with LINEAR_VALID: the final access, not a table walk */
#define QUALIFICATION_EPT_NMI_UNBLOCKING (UINT64_C(1) << 12)

/* Task switches */
#define QUALIFICATION_TASK_SELECTOR(q)  ((uint16_t)(q))
#define QUALIFICATION_TASK_SOURCE(q)    ((unsigned)(((q) >> 30) & 3))

/* ---- VM-instruction errors -------------------------------------------------------------------------------------- */

/* name, number, what was wrong */
#define VMX_INSTRUCTION_ERRORS(X) \
    X(VMX_ERROR_VMCALL_IN_ROOT,             1, "VMCALL in VMX root operation") \
    X(VMX_ERROR_VMCLEAR_ADDRESS,            2, "VMCLEAR of an invalid physical address") \
    X(VMX_ERROR_VMCLEAR_VMXON_POINTER,      3, "VMCLEAR of the VMXON region") \
    X(VMX_ERROR_VMLAUNCH_NOT_CLEAR,         4, "VMLAUNCH of a VMCS whose state is not clear") \
    X(VMX_ERROR_VMRESUME_NOT_LAUNCHED,      5, "VMRESUME of a VMCS that was not launched") \
    X(VMX_ERROR_VMRESUME_AFTER_VMXOFF,      6, "VMRESUME after VMXOFF") \
    X(VMX_ERROR_ENTRY_CONTROLS,             7, "VM entry: a control field is invalid") \
    X(VMX_ERROR_ENTRY_HOST_STATE,           8, "VM entry: a host-state field is invalid") \
    X(VMX_ERROR_VMPTRLD_ADDRESS,            9, "VMPTRLD of an invalid physical address") \
    X(VMX_ERROR_VMPTRLD_VMXON_POINTER,     10, "VMPTRLD of the VMXON region") \
    X(VMX_ERROR_VMPTRLD_REVISION,          11, "VMPTRLD of a region with a wrong revision identifier") \
    X(VMX_ERROR_UNSUPPORTED_FIELD,         12, "VMREAD or VMWRITE of a field this CPU does not have") \
    X(VMX_ERROR_READ_ONLY_FIELD,           13, "VMWRITE to a read-only field") \
    X(VMX_ERROR_VMXON_IN_ROOT,             15, "VMXON in VMX root operation") \
    X(VMX_ERROR_EXECUTIVE_POINTER,         16, "VM entry: invalid executive-VMCS pointer") \
    X(VMX_ERROR_EXECUTIVE_NOT_LAUNCHED,    17, "VM entry: executive VMCS not launched") \
    X(VMX_ERROR_EXECUTIVE_NOT_VMXON,       18, "VM entry: executive-VMCS pointer is not the VMXON pointer") \
    X(VMX_ERROR_VMCALL_NOT_CLEAR,          19, "VMCALL with a VMCS whose state is not clear") \
    X(VMX_ERROR_VMCALL_EXIT_CONTROLS,      20, "VMCALL with invalid VM-exit controls") \
    X(VMX_ERROR_VMCALL_MSEG_REVISION,      22, "VMCALL with a wrong MSEG revision identifier") \
    X(VMX_ERROR_VMXOFF_DUAL_MONITOR,       23, "VMXOFF under dual-monitor treatment of SMM") \
    X(VMX_ERROR_VMCALL_SMM_FEATURES,       24, "VMCALL with invalid SMM-monitor features") \
    X(VMX_ERROR_EXECUTIVE_CONTROLS,        25, "VM entry: invalid execution controls in the executive VMCS") \
    X(VMX_ERROR_ENTRY_MOV_SS,              26, "VM entry while events are blocked by MOV SS") \
    X(VMX_ERROR_INVEPT_INVVPID_OPERAND,    28, "INVEPT or INVVPID with an invalid operand")

enum vmx_instruction_error {
#define VMX_ERROR_ROW(name, number, text) name = number,
    VMX_INSTRUCTION_ERRORS(VMX_ERROR_ROW)
#undef VMX_ERROR_ROW
};

#endif
