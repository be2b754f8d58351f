/* Model-specific registers: numbers and bits as in Intel SDM vol 4, "Architectural MSRs" and "MSRs in Processors
 * Based on Intel 64 Architecture", SDM vol 3, appendix "VMX Capability Reporting Facility", and AMD APM vol 2,
 * "Model-Specific Registers (MSRs)". Facts only. */
#ifndef ARCH_X86_64_ISA_MSR_H
#define ARCH_X86_64_ISA_MSR_H

#include "hv/lib/types.h"

enum msr {
    IA32_P5_MC_ADDR          = 0x000,
    IA32_P5_MC_TYPE          = 0x001,
    IA32_TIME_STAMP_COUNTER  = 0x010,
    IA32_PLATFORM_ID         = 0x017,
    IA32_APIC_BASE           = 0x01b,
    MSR_EBL_CR_POWERON       = 0x02a,
    IA32_FEATURE_CONTROL     = 0x03a,
    IA32_TSC_ADJUST          = 0x03b,
    IA32_SPEC_CTRL           = 0x048,
    IA32_PRED_CMD            = 0x049,
    IA32_BIOS_UPDT_TRIG      = 0x079,
    IA32_BIOS_SIGN_ID        = 0x08b,
    IA32_SMM_MONITOR_CTL     = 0x09b,
    IA32_PMC0                = 0x0c1,
    MSR_PLATFORM_INFO        = 0x0ce,
    IA32_MTRRCAP             = 0x0fe,
    IA32_ARCH_CAPABILITIES   = 0x10a,
    IA32_FLUSH_CMD           = 0x10b,
    IA32_SYSENTER_CS         = 0x174,
    IA32_SYSENTER_ESP        = 0x175,
    IA32_SYSENTER_EIP        = 0x176,
    IA32_MCG_CAP             = 0x179,
    IA32_MCG_STATUS          = 0x17a,
    IA32_PERF_STATUS         = 0x198,
    IA32_MISC_ENABLE         = 0x1a0,
    IA32_DEBUGCTL            = 0x1d9,
    IA32_MTRR_PHYSBASE0      = 0x200, /* + 2n; PHYSMASKn is one above */
    IA32_MTRR_FIX64K_00000   = 0x250,
    IA32_MTRR_FIX16K_80000   = 0x258,
    IA32_MTRR_FIX16K_A0000   = 0x259,
    IA32_MTRR_FIX4K_C0000    = 0x268, /* ... FIX4K_F8000 is 0x26f */
    IA32_MTRR_FIX4K_F8000    = 0x26f,
    IA32_PAT                 = 0x277,
    IA32_MTRR_DEF_TYPE       = 0x2ff,
    IA32_PERF_GLOBAL_CTRL    = 0x38f,
    IA32_MC0_STATUS          = 0x401, /* + 4n */
    IA32_MC0_ADDR            = 0x402,
    IA32_VMX_BASIC           = 0x480,
    IA32_VMX_PINBASED_CTLS   = 0x481,
    IA32_VMX_PROCBASED_CTLS  = 0x482,
    IA32_VMX_EXIT_CTLS       = 0x483,
    IA32_VMX_ENTRY_CTLS      = 0x484,
    IA32_VMX_MISC            = 0x485,
    IA32_VMX_CR0_FIXED0      = 0x486,
    IA32_VMX_CR0_FIXED1      = 0x487,
    IA32_VMX_CR4_FIXED0      = 0x488,
    IA32_VMX_CR4_FIXED1      = 0x489,
    IA32_VMX_VMCS_ENUM       = 0x48a,
    IA32_VMX_PROCBASED_CTLS2 = 0x48b,
    IA32_VMX_EPT_VPID_CAP    = 0x48c,
    IA32_VMX_TRUE_PINBASED_CTLS  = 0x48d,
    IA32_VMX_TRUE_PROCBASED_CTLS = 0x48e,
    IA32_VMX_TRUE_EXIT_CTLS  = 0x48f,
    IA32_VMX_TRUE_ENTRY_CTLS = 0x490,
    IA32_VMX_VMFUNC          = 0x491,
    IA32_VMX_PROCBASED_CTLS3 = 0x492,
    IA32_VMX_EXIT_CTLS2      = 0x493,
    IA32_S_CET               = 0x6a2,
    IA32_INTERRUPT_SSP_TABLE_ADDR = 0x6a8,
    IA32_TSC_DEADLINE        = 0x6e0,
    IA32_PKRS                = 0x6e1,
    IA32_X2APIC_FIRST        = 0x800, /* the register at xAPIC offset o is 0x800 + o / 16 */
    IA32_X2APIC_APICID       = 0x802,
    IA32_X2APIC_VERSION      = 0x803,
    IA32_X2APIC_TPR          = 0x808,
    IA32_X2APIC_PPR          = 0x80a,
    IA32_X2APIC_EOI          = 0x80b,
    IA32_X2APIC_LDR          = 0x80d,
    IA32_X2APIC_SIVR         = 0x80f,
    IA32_X2APIC_ESR          = 0x828,
    IA32_X2APIC_ICR          = 0x830,
    IA32_X2APIC_LVT_TIMER    = 0x832,
    IA32_X2APIC_INIT_COUNT   = 0x838,
    IA32_X2APIC_DIV_CONF     = 0x83e,
    IA32_X2APIC_SELF_IPI     = 0x83f,
    IA32_X2APIC_LAST         = 0x8ff,
    IA32_XSS                 = 0xda0,
    IA32_EFER                = 0xc0000080,
    IA32_STAR                = 0xc0000081,
    IA32_LSTAR               = 0xc0000082,
    IA32_CSTAR               = 0xc0000083,
    IA32_FMASK               = 0xc0000084, /* "SFMASK" in the APM */
    IA32_FS_BASE             = 0xc0000100,
    IA32_GS_BASE             = 0xc0000101,
    IA32_KERNEL_GS_BASE      = 0xc0000102,
    IA32_TSC_AUX             = 0xc0000103,
};

/* AMD only. */
enum msr_amd {
    MSR_AMD_PERFEVTSEL0      = 0xc0010000,
    MSR_AMD_PERFCTR3         = 0xc0010007,
    MSR_AMD_SYSCFG           = 0xc0010010,
    MSR_AMD_HWCR             = 0xc0010015,
    MSR_AMD_NB_CFG           = 0xc001001f,
    MSR_AMD_PATCH_LOADER     = 0xc0010020,
    MSR_AMD_INT_PENDING      = 0xc0010055,
    MSR_AMD_VM_CR            = 0xc0010114,
    MSR_AMD_VM_HSAVE_PA      = 0xc0010117,
    MSR_AMD_LS_CFG           = 0xc0011020,
    MSR_AMD_DE_CFG           = 0xc0011029,
};

/* KVM's paravirtual MSRs: Linux, Documentation/virt/kvm/x86/msr.rst. */
enum msr_kvm {
    MSR_KVM_WALL_CLOCK       = 0x11,
    MSR_KVM_SYSTEM_TIME      = 0x12,
    MSR_KVM_WALL_CLOCK_NEW   = 0x4b564d00,
    MSR_KVM_SYSTEM_TIME_NEW  = 0x4b564d01,
    MSR_KVM_PV_EOI_EN        = 0x4b564d04,
};

#define EFER_SCE    (UINT64_C(1) << 0)
#define EFER_LME    (UINT64_C(1) << 8)
#define EFER_LMA    (UINT64_C(1) << 10)
#define EFER_NXE    (UINT64_C(1) << 11)
#define EFER_SVME   (UINT64_C(1) << 12)
#define EFER_LMSLE  (UINT64_C(1) << 13)
#define EFER_FFXSR  (UINT64_C(1) << 14)
#define EFER_TCE    (UINT64_C(1) << 15)
#define EFER_AIBRSE (UINT64_C(1) << 21) /* automatic IBRS */

#define APIC_BASE_BSP    (UINT64_C(1) << 8)
#define APIC_BASE_EXTD   (UINT64_C(1) << 10) /* x2APIC */
#define APIC_BASE_EN     (UINT64_C(1) << 11)
#define APIC_BASE_ADDR   UINT64_C(0x000ffffffffff000)

#define FEATURE_CONTROL_LOCK    (UINT64_C(1) << 0)
#define FEATURE_CONTROL_VMX_SMX (UINT64_C(1) << 1)
#define FEATURE_CONTROL_VMX     (UINT64_C(1) << 2) /* outside SMX */

#define SPEC_CTRL_IBRS  (UINT64_C(1) << 0)
#define SPEC_CTRL_STIBP (UINT64_C(1) << 1)
#define SPEC_CTRL_SSBD  (UINT64_C(1) << 2)
#define SPEC_CTRL_BHI_DIS_S (UINT64_C(1) << 10)
#define PRED_CMD_IBPB   (UINT64_C(1) << 0)
#define FLUSH_CMD_L1D   (UINT64_C(1) << 0)

#define ARCH_CAP_RDCL_NO            (UINT64_C(1) << 0)
#define ARCH_CAP_IBRS_ALL           (UINT64_C(1) << 1)
#define ARCH_CAP_RSBA               (UINT64_C(1) << 2)
#define ARCH_CAP_SKIP_L1DFL_VMENTRY (UINT64_C(1) << 3)
#define ARCH_CAP_SSB_NO             (UINT64_C(1) << 4)
#define ARCH_CAP_MDS_NO             (UINT64_C(1) << 5)
#define ARCH_CAP_TAA_NO             (UINT64_C(1) << 8)
#define ARCH_CAP_BHI_NO             (UINT64_C(1) << 20)
#define ARCH_CAP_PBRSB_NO           (UINT64_C(1) << 24)

#define MISC_ENABLE_FAST_STRING   (UINT64_C(1) << 0)
#define MISC_ENABLE_BTS_UNAVAIL   (UINT64_C(1) << 11)
#define MISC_ENABLE_PEBS_UNAVAIL  (UINT64_C(1) << 12)
#define MISC_ENABLE_EIST          (UINT64_C(1) << 16)

#define PLATFORM_INFO_RATIO_SHIFT 8 /* bits 15:8, in units of 100 MHz */
#define DEBUGCTL_LBR              (UINT64_C(1) << 0)
#define DEBUGCTL_BTF              (UINT64_C(1) << 1)

#define MTRRCAP_FIX      (UINT64_C(1) << 8)
#define MTRRCAP_WC       (UINT64_C(1) << 10)
#define MTRR_DEF_TYPE    UINT64_C(0xff)
#define MTRR_DEF_FE      (UINT64_C(1) << 10)
#define MTRR_DEF_E       (UINT64_C(1) << 11)
#define MTRR_PHYSMASK_V  (UINT64_C(1) << 11)

#define MCG_CAP_COUNT    UINT64_C(0xff)
#define MCG_STATUS_RIPV  (UINT64_C(1) << 0)
#define MCG_STATUS_EIPV  (UINT64_C(1) << 1)

#define MC_STATUS_PCC    (UINT64_C(1) << 57) /* the CPU's state is damaged */
#define MC_STATUS_ADDRV  (UINT64_C(1) << 58)
#define MC_STATUS_UC     (UINT64_C(1) << 61)
#define MC_STATUS_OVER   (UINT64_C(1) << 62)
#define MC_STATUS_VAL    (UINT64_C(1) << 63)

#define DE_CFG_LFENCE_SERIALIZE (UINT64_C(1) << 1) /* AMD */
#define VM_CR_LOCK       (UINT64_C(1) << 3)  /* AMD: SVMDIS cannot be changed */
#define VM_CR_SVMDIS     (UINT64_C(1) << 4)

/* Memory types, as in MTRRs, PAT and EPT: SDM vol 3, "Memory Types". */
enum memory_type {
    MEMORY_UC = 0, MEMORY_WC = 1, MEMORY_WT = 4, MEMORY_WP = 5, MEMORY_WB = 6,
    MEMORY_UC_MINUS = 7, /* PAT only */
};
#define PAT_RESET UINT64_C(0x0007040600070406)

#endif
