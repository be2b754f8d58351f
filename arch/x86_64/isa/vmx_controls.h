/* The bits of the VMX control words, and the capability MSRs that say which of them a CPU accepts.
 * Facts only: Intel SDM vol 3, chapter "Virtual Machine Control Structures" and appendix "VMX Capability Reporting
 * Facility". Each control word is a list of rows (name, bit), so that a message can name a bit. */
#ifndef ARCH_X86_64_ISA_VMX_CONTROLS_H
#define ARCH_X86_64_ISA_VMX_CONTROLS_H

#include <stdint.h>

#define VMX_PIN_CONTROLS(X) \
    X(PIN_EXTERNAL_INTERRUPT_EXITING,    0) \
    X(PIN_NMI_EXITING,                   3) \
    X(PIN_VIRTUAL_NMIS,                  5) \
    X(PIN_PREEMPTION_TIMER,              6) \
    X(PIN_PROCESS_POSTED_INTERRUPTS,     7)

#define VMX_PRIMARY_PROC_CONTROLS(X) \
    X(PROC_INTERRUPT_WINDOW_EXITING,     2) \
    X(PROC_USE_TSC_OFFSETTING,           3) \
    X(PROC_HLT_EXITING,                  7) \
    X(PROC_INVLPG_EXITING,               9) \
    X(PROC_MWAIT_EXITING,               10) \
    X(PROC_RDPMC_EXITING,               11) \
    X(PROC_RDTSC_EXITING,               12) \
    X(PROC_CR3_LOAD_EXITING,            15) \
    X(PROC_CR3_STORE_EXITING,           16) \
    X(PROC_ACTIVATE_TERTIARY_CONTROLS,  17) \
    X(PROC_CR8_LOAD_EXITING,            19) \
    X(PROC_CR8_STORE_EXITING,           20) \
    X(PROC_USE_TPR_SHADOW,              21) \
    X(PROC_NMI_WINDOW_EXITING,          22) \
    X(PROC_MOV_DR_EXITING,              23) \
    X(PROC_UNCONDITIONAL_IO_EXITING,    24) \
    X(PROC_USE_IO_BITMAPS,              25) \
    X(PROC_MONITOR_TRAP_FLAG,           27) \
    X(PROC_USE_MSR_BITMAPS,             28) \
    X(PROC_MONITOR_EXITING,             29) \
    X(PROC_PAUSE_EXITING,               30) \
    X(PROC_ACTIVATE_SECONDARY_CONTROLS, 31)

#define VMX_SECONDARY_PROC_CONTROLS(X) \
    X(PROC2_VIRTUALIZE_APIC_ACCESSES,    0) \
    X(PROC2_ENABLE_EPT,                  1) \
    X(PROC2_DESCRIPTOR_TABLE_EXITING,    2) \
    X(PROC2_ENABLE_RDTSCP,               3) \
    X(PROC2_VIRTUALIZE_X2APIC_MODE,      4) \
    X(PROC2_ENABLE_VPID,                 5) \
    X(PROC2_WBINVD_EXITING,              6) \
    X(PROC2_UNRESTRICTED_GUEST,          7) \
    X(PROC2_APIC_REGISTER_VIRTUALIZATION, 8) \
    X(PROC2_VIRTUAL_INTERRUPT_DELIVERY,  9) \
    X(PROC2_PAUSE_LOOP_EXITING,         10) \
    X(PROC2_RDRAND_EXITING,             11) \
    X(PROC2_ENABLE_INVPCID,             12) \
    X(PROC2_ENABLE_VM_FUNCTIONS,        13) \
    X(PROC2_VMCS_SHADOWING,             14) \
    X(PROC2_ENABLE_ENCLS_EXITING,       15) \
    X(PROC2_RDSEED_EXITING,             16) \
    X(PROC2_ENABLE_PML,                 17) \
    X(PROC2_EPT_VIOLATION_VE,           18) \
    X(PROC2_CONCEAL_VMX_FROM_PT,        19) \
    X(PROC2_ENABLE_XSAVES,              20) \
    X(PROC2_PASID_TRANSLATION,          21) \
    X(PROC2_MODE_BASED_EXECUTE_EPT,     22) \
    X(PROC2_SUB_PAGE_WRITE_PERMISSIONS, 23) \
    X(PROC2_PT_USES_GUEST_PHYSICAL,     24) \
    X(PROC2_USE_TSC_SCALING,            25) \
    X(PROC2_ENABLE_USER_WAIT_PAUSE,     26) \
    X(PROC2_ENABLE_PCONFIG,             27) \
    X(PROC2_ENABLE_ENCLV_EXITING,       28) \
    X(PROC2_BUS_LOCK_DETECTION,         30) \
    X(PROC2_INSTRUCTION_TIMEOUT,        31)

/* A 64-bit word. */
#define VMX_TERTIARY_PROC_CONTROLS(X) \
    X(PROC3_LOADIWKEY_EXITING,           0) \
    X(PROC3_ENABLE_HLAT,                 1) \
    X(PROC3_EPT_PAGING_WRITE_CONTROL,    2) \
    X(PROC3_GUEST_PAGING_VERIFICATION,   3) \
    X(PROC3_IPI_VIRTUALIZATION,          4) \
    X(PROC3_ENABLE_MSR_LIST,             6) \
    X(PROC3_VIRTUALIZE_SPEC_CTRL,        7)

#define VMX_EXIT_CONTROLS(X) \
    X(EXIT_SAVE_DEBUG_CONTROLS,          2) \
    X(EXIT_HOST_ADDRESS_SPACE_SIZE,      9) \
    X(EXIT_LOAD_PERF_GLOBAL_CTRL,       12) \
    X(EXIT_ACKNOWLEDGE_INTERRUPT,       15) \
    X(EXIT_SAVE_PAT,                    18) \
    X(EXIT_LOAD_PAT,                    19) \
    X(EXIT_SAVE_EFER,                   20) \
    X(EXIT_LOAD_EFER,                   21) \
    X(EXIT_SAVE_PREEMPTION_TIMER,       22) \
    X(EXIT_CLEAR_BNDCFGS,               23) \
    X(EXIT_CONCEAL_VMX_FROM_PT,         24) \
    X(EXIT_CLEAR_RTIT_CTL,              25) \
    X(EXIT_CLEAR_LBR_CTL,               26) \
    X(EXIT_CLEAR_UINV,                  27) \
    X(EXIT_LOAD_CET_STATE,              28) \
    X(EXIT_LOAD_PKRS,                   29) \
    X(EXIT_SAVE_PERF_GLOBAL_CTRL,       30) \
    X(EXIT_ACTIVATE_SECONDARY_CONTROLS, 31)

#define VMX_ENTRY_CONTROLS(X) \
    X(ENTRY_LOAD_DEBUG_CONTROLS,         2) \
    X(ENTRY_IA32E_MODE_GUEST,            9) \
    X(ENTRY_TO_SMM,                     10) \
    X(ENTRY_DEACTIVATE_DUAL_MONITOR,    11) \
    X(ENTRY_LOAD_PERF_GLOBAL_CTRL,      13) \
    X(ENTRY_LOAD_PAT,                   14) \
    X(ENTRY_LOAD_EFER,                  15) \
    X(ENTRY_LOAD_BNDCFGS,               16) \
    X(ENTRY_CONCEAL_VMX_FROM_PT,        17) \
    X(ENTRY_LOAD_RTIT_CTL,              18) \
    X(ENTRY_LOAD_UINV,                  19) \
    X(ENTRY_LOAD_CET_STATE,             20) \
    X(ENTRY_LOAD_LBR_CTL,               21) \
    X(ENTRY_LOAD_PKRS,                  22)

/* Enumerators are ints: to clear one, `word & ~(uint32_t)PIN_...`. */
#define VMX_CONTROL_ROW(name, bit) name = UINT32_C(1) << (bit),
enum vmx_pin_controls            { VMX_PIN_CONTROLS(VMX_CONTROL_ROW) };
enum vmx_primary_proc_controls   { VMX_PRIMARY_PROC_CONTROLS(VMX_CONTROL_ROW) };
enum vmx_secondary_proc_controls { VMX_SECONDARY_PROC_CONTROLS(VMX_CONTROL_ROW) };
enum vmx_tertiary_proc_controls  { VMX_TERTIARY_PROC_CONTROLS(VMX_CONTROL_ROW) };
enum vmx_exit_controls           { VMX_EXIT_CONTROLS(VMX_CONTROL_ROW) };
enum vmx_entry_controls          { VMX_ENTRY_CONTROLS(VMX_CONTROL_ROW) };
#undef VMX_CONTROL_ROW

/* ---- capability MSRs: appendix "VMX Capability Reporting Facility" ---------------------------------------------- */

/* A control-word capability: low half = bits that must be 1 (allowed 0-settings), high half = bits that may be 1. */
#define VMX_CTLS_MUST(capability) ((uint32_t)(capability))
#define VMX_CTLS_MAY(capability)  ((uint32_t)((capability) >> 32))

/* IA32_VMX_BASIC */
#define VMX_BASIC_REVISION(basic)     ((uint32_t)((basic) & 0x7fffffff))
#define VMX_BASIC_INS_OUTS_INFO       (UINT64_C(1) << 54)
#define VMX_BASIC_TRUE_CONTROLS       (UINT64_C(1) << 55)
#define VMX_BASIC_ANY_ERROR_CODE      (UINT64_C(1) << 56) /* exceptions may be injected with or without error code */

/* IA32_VMX_MISC */
#define VMX_MISC_TIMER_SHIFT(misc)    ((uint32_t)((misc) & 31)) /* the preemption timer counts TSC >> this */
#define VMX_MISC_ACTIVITY_HLT         (UINT64_C(1) << 6)
#define VMX_MISC_ACTIVITY_SHUTDOWN    (UINT64_C(1) << 7)
#define VMX_MISC_ACTIVITY_SIPI        (UINT64_C(1) << 8)
#define VMX_MISC_CR3_TARGETS(misc)    ((uint32_t)(((misc) >> 16) & 0x1ff))
#define VMX_MISC_INJECT_LENGTH_ZERO   (UINT64_C(1) << 30)

/* IA32_VMX_EPT_VPID_CAP */
#define VMX_EPT_WALK_4                (UINT64_C(1) << 6)
#define VMX_EPT_WALK_5                (UINT64_C(1) << 7)
#define VMX_EPT_UNCACHEABLE           (UINT64_C(1) << 8)
#define VMX_EPT_WRITE_BACK            (UINT64_C(1) << 14)
#define VMX_EPT_2M_PAGES              (UINT64_C(1) << 16)
#define VMX_EPT_1G_PAGES              (UINT64_C(1) << 17)
#define VMX_EPT_INVEPT                (UINT64_C(1) << 20)
#define VMX_EPT_ACCESS_DIRTY          (UINT64_C(1) << 21)
#define VMX_EPT_SUPERVISOR_SHADOW_STACK (UINT64_C(1) << 23)
#define VMX_EPT_INVEPT_SINGLE         (UINT64_C(1) << 25)
#define VMX_VPID_INVVPID              (UINT64_C(1) << 32)
#define VMX_VPID_INVVPID_SINGLE       (UINT64_C(1) << 41)
#define VMX_VPID_INVVPID_ALL          (UINT64_C(1) << 42)

enum vmx_invept_type  { INVEPT_SINGLE_CONTEXT = 1, INVEPT_ALL_CONTEXTS = 2 };
enum vmx_invvpid_type {
    INVVPID_INDIVIDUAL_ADDRESS = 0, INVVPID_SINGLE_CONTEXT = 1, INVVPID_ALL_CONTEXTS = 2,
};

#endif
