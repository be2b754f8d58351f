/* CPUID leaves and bits: Intel SDM vol 2, "CPUID-CPU Identification", and AMD APM vol 3, "Obtaining Processor
 * Information Via the CPUID Instruction". A bit's name says its register: CPUID_1_ECX_VMX is leaf 1, ECX.
 * Sub-leaf 0 unless the name says another: CPUID_D_1_EAX_XSAVES. Facts only. */
#ifndef ARCH_X86_64_ISA_CPUID_H
#define ARCH_X86_64_ISA_CPUID_H

#include "hv/lib/types.h"

/* What the instruction returns. */
struct cpuid_regs { uint32_t eax, ebx, ecx, edx; };

#define CPUID_BIT(n) (UINT32_C(1) << (n))

enum cpuid_leaf {
    CPUID_VENDOR          = 0x00000000, /* EAX: highest basic leaf; EBX, EDX, ECX: vendor */
    CPUID_FEATURES        = 0x00000001,
    CPUID_CACHE_DESC      = 0x00000002,
    CPUID_CACHE           = 0x00000004,
    CPUID_POWER           = 0x00000006,
    CPUID_EXT_FEATURES    = 0x00000007,
    CPUID_TOPOLOGY        = 0x0000000b,
    CPUID_XSTATE          = 0x0000000d,
    CPUID_TSC             = 0x00000015, /* EBX/EAX: TSC to crystal, ECX: crystal Hz */
    CPUID_TOPOLOGY_V2     = 0x0000001f,
    CPUID_HYPERVISOR_BASE = 0x40000000,
    CPUID_EXT_MAX         = 0x80000000,
    CPUID_EXT_FEATURES_2  = 0x80000001,
    CPUID_BRAND_0         = 0x80000002,
    CPUID_L2              = 0x80000006,
    CPUID_POWER_EXT       = 0x80000007,
    CPUID_ADDRESS_SIZES   = 0x80000008,
    CPUID_SVM             = 0x8000000a,
    CPUID_EXT_FEATURES_3  = 0x80000021,
};

/* Leaf 1. EAX: stepping 3:0, model 7:4, family 11:8, type 13:12, extended model 19:16, extended family 27:20.
 * EBX: brand 7:0, CLFLUSH size in 8 bytes 15:8, logical processors 23:16, initial APIC ID 31:24. */
#define CPUID_1_EBX_COUNT_SHIFT    16
#define CPUID_1_EBX_APIC_ID_SHIFT  24
#define CPUID_1_ECX_SSE3           CPUID_BIT(0)
#define CPUID_1_ECX_PCLMULQDQ      CPUID_BIT(1)
#define CPUID_1_ECX_DTES64         CPUID_BIT(2)
#define CPUID_1_ECX_MONITOR        CPUID_BIT(3)
#define CPUID_1_ECX_VMX            CPUID_BIT(5)
#define CPUID_1_ECX_SMX            CPUID_BIT(6)
#define CPUID_1_ECX_EIST           CPUID_BIT(7)
#define CPUID_1_ECX_TM2            CPUID_BIT(8)
#define CPUID_1_ECX_SSSE3          CPUID_BIT(9)
#define CPUID_1_ECX_SDBG           CPUID_BIT(11)
#define CPUID_1_ECX_FMA            CPUID_BIT(12)
#define CPUID_1_ECX_CMPXCHG16B     CPUID_BIT(13)
#define CPUID_1_ECX_PDCM           CPUID_BIT(15)
#define CPUID_1_ECX_PCID           CPUID_BIT(17)
#define CPUID_1_ECX_SSE4_1         CPUID_BIT(19)
#define CPUID_1_ECX_SSE4_2         CPUID_BIT(20)
#define CPUID_1_ECX_X2APIC         CPUID_BIT(21)
#define CPUID_1_ECX_MOVBE          CPUID_BIT(22)
#define CPUID_1_ECX_POPCNT         CPUID_BIT(23)
#define CPUID_1_ECX_TSC_DEADLINE   CPUID_BIT(24)
#define CPUID_1_ECX_AES            CPUID_BIT(25)
#define CPUID_1_ECX_XSAVE          CPUID_BIT(26)
#define CPUID_1_ECX_OSXSAVE        CPUID_BIT(27)
#define CPUID_1_ECX_AVX            CPUID_BIT(28)
#define CPUID_1_ECX_F16C           CPUID_BIT(29)
#define CPUID_1_ECX_RDRAND         CPUID_BIT(30)
#define CPUID_1_ECX_HYPERVISOR     CPUID_BIT(31)
#define CPUID_1_EDX_FPU            CPUID_BIT(0)
#define CPUID_1_EDX_VME            CPUID_BIT(1)
#define CPUID_1_EDX_DE             CPUID_BIT(2)
#define CPUID_1_EDX_PSE            CPUID_BIT(3)
#define CPUID_1_EDX_TSC            CPUID_BIT(4)
#define CPUID_1_EDX_MSR            CPUID_BIT(5)
#define CPUID_1_EDX_PAE            CPUID_BIT(6)
#define CPUID_1_EDX_MCE            CPUID_BIT(7)
#define CPUID_1_EDX_CX8            CPUID_BIT(8)
#define CPUID_1_EDX_APIC           CPUID_BIT(9)
#define CPUID_1_EDX_SEP            CPUID_BIT(11)
#define CPUID_1_EDX_MTRR           CPUID_BIT(12)
#define CPUID_1_EDX_PGE            CPUID_BIT(13)
#define CPUID_1_EDX_MCA            CPUID_BIT(14)
#define CPUID_1_EDX_CMOV           CPUID_BIT(15)
#define CPUID_1_EDX_PAT            CPUID_BIT(16)
#define CPUID_1_EDX_PSE36          CPUID_BIT(17)
#define CPUID_1_EDX_PSN            CPUID_BIT(18)
#define CPUID_1_EDX_CLFSH          CPUID_BIT(19)
#define CPUID_1_EDX_DS             CPUID_BIT(21)
#define CPUID_1_EDX_ACPI           CPUID_BIT(22)
#define CPUID_1_EDX_MMX            CPUID_BIT(23)
#define CPUID_1_EDX_FXSR           CPUID_BIT(24)
#define CPUID_1_EDX_SSE            CPUID_BIT(25)
#define CPUID_1_EDX_SSE2           CPUID_BIT(26)
#define CPUID_1_EDX_SS             CPUID_BIT(27)
#define CPUID_1_EDX_HTT            CPUID_BIT(28)
#define CPUID_1_EDX_TM             CPUID_BIT(29)
#define CPUID_1_EDX_PBE            CPUID_BIT(31)

#define CPUID_6_EAX_ARAT           CPUID_BIT(2)

#define CPUID_7_EBX_FSGSBASE       CPUID_BIT(0)
#define CPUID_7_EBX_TSC_ADJUST     CPUID_BIT(1)
#define CPUID_7_EBX_SGX            CPUID_BIT(2)
#define CPUID_7_EBX_BMI1           CPUID_BIT(3)
#define CPUID_7_EBX_HLE            CPUID_BIT(4)
#define CPUID_7_EBX_AVX2           CPUID_BIT(5)
#define CPUID_7_EBX_FDP_EXCPTN     CPUID_BIT(6)
#define CPUID_7_EBX_SMEP           CPUID_BIT(7)
#define CPUID_7_EBX_BMI2           CPUID_BIT(8)
#define CPUID_7_EBX_ERMS           CPUID_BIT(9)
#define CPUID_7_EBX_INVPCID        CPUID_BIT(10)
#define CPUID_7_EBX_RTM            CPUID_BIT(11)
#define CPUID_7_EBX_RDT_M          CPUID_BIT(12)
#define CPUID_7_EBX_FCS_FDS        CPUID_BIT(13)
#define CPUID_7_EBX_MPX            CPUID_BIT(14)
#define CPUID_7_EBX_RDT_A          CPUID_BIT(15)
#define CPUID_7_EBX_AVX512F        CPUID_BIT(16)
#define CPUID_7_EBX_AVX512DQ       CPUID_BIT(17)
#define CPUID_7_EBX_RDSEED         CPUID_BIT(18)
#define CPUID_7_EBX_ADX            CPUID_BIT(19)
#define CPUID_7_EBX_SMAP           CPUID_BIT(20)
#define CPUID_7_EBX_AVX512_IFMA    CPUID_BIT(21)
#define CPUID_7_EBX_CLFLUSHOPT     CPUID_BIT(23)
#define CPUID_7_EBX_CLWB           CPUID_BIT(24)
#define CPUID_7_EBX_PT             CPUID_BIT(25)
#define CPUID_7_EBX_AVX512CD       CPUID_BIT(28)
#define CPUID_7_EBX_SHA            CPUID_BIT(29)
#define CPUID_7_EBX_AVX512BW       CPUID_BIT(30)
#define CPUID_7_EBX_AVX512VL       CPUID_BIT(31)
#define CPUID_7_ECX_AVX512_VBMI    CPUID_BIT(1)
#define CPUID_7_ECX_UMIP           CPUID_BIT(2)
#define CPUID_7_ECX_PKU            CPUID_BIT(3)
#define CPUID_7_ECX_OSPKE          CPUID_BIT(4)
#define CPUID_7_ECX_WAITPKG        CPUID_BIT(5)
#define CPUID_7_ECX_AVX512_VBMI2   CPUID_BIT(6)
#define CPUID_7_ECX_CET_SS         CPUID_BIT(7)
#define CPUID_7_ECX_GFNI           CPUID_BIT(8)
#define CPUID_7_ECX_VAES           CPUID_BIT(9)
#define CPUID_7_ECX_VPCLMULQDQ     CPUID_BIT(10)
#define CPUID_7_ECX_AVX512_VNNI    CPUID_BIT(11)
#define CPUID_7_ECX_AVX512_BITALG  CPUID_BIT(12)
#define CPUID_7_ECX_TME            CPUID_BIT(13)
#define CPUID_7_ECX_AVX512_VPOPCNTDQ CPUID_BIT(14)
#define CPUID_7_ECX_LA57           CPUID_BIT(16)
#define CPUID_7_ECX_RDPID          CPUID_BIT(22)
#define CPUID_7_ECX_KL             CPUID_BIT(23)
#define CPUID_7_ECX_MOVDIRI        CPUID_BIT(27)
#define CPUID_7_ECX_MOVDIR64B      CPUID_BIT(28)
#define CPUID_7_ECX_ENQCMD         CPUID_BIT(29)
#define CPUID_7_ECX_PKS            CPUID_BIT(31)
#define CPUID_7_EDX_FSRM           CPUID_BIT(4)
#define CPUID_7_EDX_UINTR          CPUID_BIT(5)
#define CPUID_7_EDX_AVX512_VP2INTERSECT CPUID_BIT(8)
#define CPUID_7_EDX_MD_CLEAR       CPUID_BIT(10)
#define CPUID_7_EDX_SERIALIZE      CPUID_BIT(14)
#define CPUID_7_EDX_HYBRID         CPUID_BIT(15)
#define CPUID_7_EDX_PCONFIG        CPUID_BIT(18)
#define CPUID_7_EDX_LBR            CPUID_BIT(19)
#define CPUID_7_EDX_CET_IBT        CPUID_BIT(20)
#define CPUID_7_EDX_AVX512_FP16    CPUID_BIT(23)
#define CPUID_7_EDX_AMX_TILE       CPUID_BIT(24)
#define CPUID_7_EDX_SPEC_CTRL      CPUID_BIT(26) /* IBRS and IBPB */
#define CPUID_7_EDX_STIBP          CPUID_BIT(27)
#define CPUID_7_EDX_L1D_FLUSH      CPUID_BIT(28)
#define CPUID_7_EDX_ARCH_CAPABILITIES CPUID_BIT(29)
#define CPUID_7_EDX_CORE_CAPABILITIES CPUID_BIT(30)
#define CPUID_7_EDX_SSBD           CPUID_BIT(31)
#define CPUID_7_1_EAX_AVX_VNNI     CPUID_BIT(4)
#define CPUID_7_1_EAX_AVX512_BF16  CPUID_BIT(5)
#define CPUID_7_1_EAX_LAM          CPUID_BIT(26)
#define CPUID_7_2_EDX_BHI_CTRL     CPUID_BIT(4)

/* Leaf Bh and 1Fh, ECX bits 15:8. */
enum cpuid_topology_level { CPUID_TOPOLOGY_INVALID = 0, CPUID_TOPOLOGY_SMT = 1, CPUID_TOPOLOGY_CORE = 2 };

#define CPUID_D_1_EAX_XSAVEOPT     CPUID_BIT(0)
#define CPUID_D_1_EAX_XSAVEC       CPUID_BIT(1)
#define CPUID_D_1_EAX_XGETBV_1     CPUID_BIT(2)
#define CPUID_D_1_EAX_XSAVES       CPUID_BIT(3)
#define CPUID_D_N_ECX_ALIGN64      CPUID_BIT(1)

#define CPUID_80000001_ECX_LAHF    CPUID_BIT(0)
#define CPUID_80000001_ECX_SVM     CPUID_BIT(2)
#define CPUID_80000001_ECX_ABM     CPUID_BIT(5) /* LZCNT */
#define CPUID_80000001_ECX_SSE4A   CPUID_BIT(6)
#define CPUID_80000001_ECX_MISALIGNSSE CPUID_BIT(7)
#define CPUID_80000001_ECX_PREFETCHW CPUID_BIT(8)
#define CPUID_80000001_ECX_IBS     CPUID_BIT(10)
#define CPUID_80000001_ECX_XOP     CPUID_BIT(11)
#define CPUID_80000001_ECX_SKINIT  CPUID_BIT(12)
#define CPUID_80000001_ECX_FMA4    CPUID_BIT(16)
#define CPUID_80000001_ECX_TBM     CPUID_BIT(21)
#define CPUID_80000001_ECX_TOPOEXT CPUID_BIT(22)
#define CPUID_80000001_EDX_SYSCALL CPUID_BIT(11)
#define CPUID_80000001_EDX_NX      CPUID_BIT(20)
#define CPUID_80000001_EDX_MMXEXT  CPUID_BIT(22)
#define CPUID_80000001_EDX_PAGE1GB CPUID_BIT(26)
#define CPUID_80000001_EDX_RDTSCP  CPUID_BIT(27)
#define CPUID_80000001_EDX_LM      CPUID_BIT(29)
#define CPUID_80000007_EDX_INVARIANT_TSC CPUID_BIT(8)

/* Leaf 80000008h. EAX: physical bits 7:0, linear bits 15:8, guest-physical bits 23:16 (AMD). */
#define CPUID_80000008_EBX_IBPB    CPUID_BIT(12)
#define CPUID_80000008_EBX_IBRS    CPUID_BIT(14)
#define CPUID_80000008_EBX_STIBP   CPUID_BIT(15)
#define CPUID_80000008_EBX_SSBD    CPUID_BIT(24)
#define CPUID_80000008_EBX_SSB_NO  CPUID_BIT(26)
#define CPUID_80000021_EAX_AUTO_IBRS CPUID_BIT(8)

/* Leaf 8000000Ah. EAX: revision 7:0; EBX: number of ASIDs. */
#define CPUID_8000000A_EDX_NP      CPUID_BIT(0)
#define CPUID_8000000A_EDX_NRIPS   CPUID_BIT(3)
#define CPUID_8000000A_EDX_VMCB_CLEAN CPUID_BIT(5)
#define CPUID_8000000A_EDX_FLUSH_BY_ASID CPUID_BIT(6)
#define CPUID_8000000A_EDX_DECODE_ASSISTS CPUID_BIT(7)

#endif
