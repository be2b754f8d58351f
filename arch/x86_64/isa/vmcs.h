/* The fields of a VMCS: one row each, with full name, encoding, width in bits (0 is natural width),
 * and the name that the manual gives it.
 * Facts only: Intel SDM vol 3, appendix "Field Encoding in VMCS". Control-word bits are in vmx_controls.h, exit
 * reasons and the formats of exit information in vmx_exits.h. A program that expands VMCS_FIELDS gets every field. */
#ifndef ARCH_X86_64_ISA_VMCS_H
#define ARCH_X86_64_ISA_VMCS_H

#include <stdint.h>

#define VMCS_NATURAL 0

#define VMCS_FIELDS(X) \
    /* 16-bit control fields */ \
    X(VMCS_VIRTUAL_PROCESSOR_ID,                  0x0000, 16, "Virtual-processor identifier (VPID)") \
    X(VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR,  0x0002, 16, "Posted-interrupt notification vector") \
    X(VMCS_EPTP_INDEX,                            0x0004, 16, "EPTP index") \
    X(VMCS_HLAT_PREFIX_SIZE,                      0x0006, 16, "HLAT prefix size") \
    X(VMCS_LAST_PID_POINTER_INDEX,                0x0008, 16, "Last PID-pointer index") \
    /* 16-bit guest-state fields */ \
    X(VMCS_GUEST_ES_SELECTOR,                     0x0800, 16, "Guest ES selector") \
    X(VMCS_GUEST_CS_SELECTOR,                     0x0802, 16, "Guest CS selector") \
    X(VMCS_GUEST_SS_SELECTOR,                     0x0804, 16, "Guest SS selector") \
    X(VMCS_GUEST_DS_SELECTOR,                     0x0806, 16, "Guest DS selector") \
    X(VMCS_GUEST_FS_SELECTOR,                     0x0808, 16, "Guest FS selector") \
    X(VMCS_GUEST_GS_SELECTOR,                     0x080a, 16, "Guest GS selector") \
    X(VMCS_GUEST_LDTR_SELECTOR,                   0x080c, 16, "Guest LDTR selector") \
    X(VMCS_GUEST_TR_SELECTOR,                     0x080e, 16, "Guest TR selector") \
    X(VMCS_GUEST_INTERRUPT_STATUS,                0x0810, 16, "Guest interrupt status") /* low byte RVI, high byte SVI */ \
    X(VMCS_GUEST_PML_INDEX,                       0x0812, 16, "PML index") \
    X(VMCS_GUEST_UINV,                            0x0814, 16, "Guest UINV") \
    /* 16-bit host-state fields */ \
    X(VMCS_HOST_ES_SELECTOR,                      0x0c00, 16, "Host ES selector") \
    X(VMCS_HOST_CS_SELECTOR,                      0x0c02, 16, "Host CS selector") \
    X(VMCS_HOST_SS_SELECTOR,                      0x0c04, 16, "Host SS selector") \
    X(VMCS_HOST_DS_SELECTOR,                      0x0c06, 16, "Host DS selector") \
    X(VMCS_HOST_FS_SELECTOR,                      0x0c08, 16, "Host FS selector") \
    X(VMCS_HOST_GS_SELECTOR,                      0x0c0a, 16, "Host GS selector") \
    X(VMCS_HOST_TR_SELECTOR,                      0x0c0c, 16, "Host TR selector") \
    /* 64-bit control fields */ \
    X(VMCS_IO_BITMAP_A_ADDRESS,                   0x2000, 64, "Address of I/O bitmap A") \
    X(VMCS_IO_BITMAP_B_ADDRESS,                   0x2002, 64, "Address of I/O bitmap B") \
    X(VMCS_MSR_BITMAP_ADDRESS,                    0x2004, 64, "Address of MSR bitmaps") \
    X(VMCS_EXIT_MSR_STORE_ADDRESS,                0x2006, 64, "VM-exit MSR-store address") \
    X(VMCS_EXIT_MSR_LOAD_ADDRESS,                 0x2008, 64, "VM-exit MSR-load address") \
    X(VMCS_ENTRY_MSR_LOAD_ADDRESS,                0x200a, 64, "VM-entry MSR-load address") \
    X(VMCS_EXECUTIVE_VMCS_POINTER,                0x200c, 64, "Executive-VMCS pointer") \
    X(VMCS_PML_ADDRESS,                           0x200e, 64, "PML address") \
    X(VMCS_TSC_OFFSET,                            0x2010, 64, "TSC offset") \
    X(VMCS_VIRTUAL_APIC_ADDRESS,                  0x2012, 64, "Virtual-APIC address") \
    X(VMCS_APIC_ACCESS_ADDRESS,                   0x2014, 64, "APIC-access address") \
    X(VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS,   0x2016, 64, "Posted-interrupt descriptor address") \
    X(VMCS_VM_FUNCTION_CONTROLS,                  0x2018, 64, "VM-function controls") \
    X(VMCS_EPT_POINTER,                           0x201a, 64, "EPT pointer (EPTP)") \
    X(VMCS_EOI_EXIT_BITMAP_0,                     0x201c, 64, "EOI-exit bitmap 0 (EOI_EXIT0)") \
    X(VMCS_EOI_EXIT_BITMAP_1,                     0x201e, 64, "EOI-exit bitmap 1 (EOI_EXIT1)") \
    X(VMCS_EOI_EXIT_BITMAP_2,                     0x2020, 64, "EOI-exit bitmap 2 (EOI_EXIT2)") \
    X(VMCS_EOI_EXIT_BITMAP_3,                     0x2022, 64, "EOI-exit bitmap 3 (EOI_EXIT3)") \
    X(VMCS_EPTP_LIST_ADDRESS,                     0x2024, 64, "EPTP-list address") \
    X(VMCS_VMREAD_BITMAP_ADDRESS,                 0x2026, 64, "VMREAD-bitmap address") \
    X(VMCS_VMWRITE_BITMAP_ADDRESS,                0x2028, 64, "VMWRITE-bitmap address") \
    X(VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS,      0x202a, 64, "Virtualization-exception information address") \
    X(VMCS_XSS_EXITING_BITMAP,                    0x202c, 64, "XSS-exiting bitmap") \
    X(VMCS_ENCLS_EXITING_BITMAP,                  0x202e, 64, "ENCLS-exiting bitmap") \
    X(VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER,     0x2030, 64, "Sub-page-permission-table pointer") \
    X(VMCS_TSC_MULTIPLIER,                        0x2032, 64, "TSC multiplier") \
    X(VMCS_TERTIARY_PROC_CONTROLS,                0x2034, 64, "Tertiary processor-based VM-execution controls") \
    X(VMCS_ENCLV_EXITING_BITMAP,                  0x2036, 64, "ENCLV-exiting bitmap") \
    X(VMCS_LOW_PASID_DIRECTORY_ADDRESS,           0x2038, 64, "Low PASID directory address") \
    X(VMCS_HIGH_PASID_DIRECTORY_ADDRESS,          0x203a, 64, "High PASID directory address") \
    X(VMCS_SHARED_EPT_POINTER,                    0x203c, 64, "Shared EPT pointer") \
    X(VMCS_PCONFIG_EXITING_BITMAP,                0x203e, 64, "PCONFIG-exiting bitmap") \
    X(VMCS_HLAT_POINTER,                          0x2040, 64, "Hypervisor-managed linear-address translation pointer") \
    X(VMCS_PID_POINTER_TABLE_ADDRESS,             0x2042, 64, "PID-pointer table address") \
    X(VMCS_SECONDARY_EXIT_CONTROLS,               0x2044, 64, "Secondary VM-exit controls") \
    X(VMCS_IA32_SPEC_CTRL_MASK,                   0x204a, 64, "IA32_SPEC_CTRL mask") \
    X(VMCS_IA32_SPEC_CTRL_SHADOW,                 0x204c, 64, "IA32_SPEC_CTRL shadow") \
    /* 64-bit read-only data field */ \
    X(VMCS_GUEST_PHYSICAL_ADDRESS,                0x2400, 64, "Guest-physical address") \
    /* 64-bit guest-state fields */ \
    X(VMCS_LINK_POINTER,                          0x2800, 64, "VMCS link pointer") \
    X(VMCS_GUEST_IA32_DEBUGCTL,                   0x2802, 64, "Guest IA32_DEBUGCTL") \
    X(VMCS_GUEST_IA32_PAT,                        0x2804, 64, "Guest IA32_PAT") \
    X(VMCS_GUEST_IA32_EFER,                       0x2806, 64, "Guest IA32_EFER") \
    X(VMCS_GUEST_IA32_PERF_GLOBAL_CTRL,           0x2808, 64, "Guest IA32_PERF_GLOBAL_CTRL") \
    X(VMCS_GUEST_PDPTE0,                          0x280a, 64, "Guest PDPTE0") \
    X(VMCS_GUEST_PDPTE1,                          0x280c, 64, "Guest PDPTE1") \
    X(VMCS_GUEST_PDPTE2,                          0x280e, 64, "Guest PDPTE2") \
    X(VMCS_GUEST_PDPTE3,                          0x2810, 64, "Guest PDPTE3") \
    X(VMCS_GUEST_IA32_BNDCFGS,                    0x2812, 64, "Guest IA32_BNDCFGS") \
    X(VMCS_GUEST_IA32_RTIT_CTL,                   0x2814, 64, "Guest IA32_RTIT_CTL") \
    X(VMCS_GUEST_IA32_LBR_CTL,                    0x2816, 64, "Guest IA32_LBR_CTL") \
    X(VMCS_GUEST_IA32_PKRS,                       0x2818, 64, "Guest IA32_PKRS") \
    /* 64-bit host-state fields */ \
    X(VMCS_HOST_IA32_PAT,                         0x2c00, 64, "Host IA32_PAT") \
    X(VMCS_HOST_IA32_EFER,                        0x2c02, 64, "Host IA32_EFER") \
    X(VMCS_HOST_IA32_PERF_GLOBAL_CTRL,            0x2c04, 64, "Host IA32_PERF_GLOBAL_CTRL") \
    X(VMCS_HOST_IA32_PKRS,                        0x2c06, 64, "Host IA32_PKRS") \
    /* 32-bit control fields */ \
    X(VMCS_PIN_CONTROLS,                          0x4000, 32, "Pin-based VM-execution controls") \
    X(VMCS_PRIMARY_PROC_CONTROLS,                 0x4002, 32, "Primary processor-based VM-execution controls") \
    X(VMCS_EXCEPTION_BITMAP,                      0x4004, 32, "Exception bitmap") \
    X(VMCS_PAGE_FAULT_ERROR_CODE_MASK,            0x4006, 32, "Page-fault error-code mask") \
    X(VMCS_PAGE_FAULT_ERROR_CODE_MATCH,           0x4008, 32, "Page-fault error-code match") \
    X(VMCS_CR3_TARGET_COUNT,                      0x400a, 32, "CR3-target count") \
    X(VMCS_EXIT_CONTROLS,                         0x400c, 32, "Primary VM-exit controls") \
    X(VMCS_EXIT_MSR_STORE_COUNT,                  0x400e, 32, "VM-exit MSR-store count") \
    X(VMCS_EXIT_MSR_LOAD_COUNT,                   0x4010, 32, "VM-exit MSR-load count") \
    X(VMCS_ENTRY_CONTROLS,                        0x4012, 32, "VM-entry controls") \
    X(VMCS_ENTRY_MSR_LOAD_COUNT,                  0x4014, 32, "VM-entry MSR-load count") \
    X(VMCS_ENTRY_INTERRUPTION_INFORMATION,        0x4016, 32, "VM-entry interruption-information field") \
    X(VMCS_ENTRY_EXCEPTION_ERROR_CODE,            0x4018, 32, "VM-entry exception error code") \
    X(VMCS_ENTRY_INSTRUCTION_LENGTH,              0x401a, 32, "VM-entry instruction length") \
    X(VMCS_TPR_THRESHOLD,                         0x401c, 32, "TPR threshold") \
    X(VMCS_SECONDARY_PROC_CONTROLS,               0x401e, 32, "Secondary processor-based VM-execution controls") \
    X(VMCS_PLE_GAP,                               0x4020, 32, "PLE_Gap") \
    X(VMCS_PLE_WINDOW,                            0x4022, 32, "PLE_Window") \
    X(VMCS_INSTRUCTION_TIMEOUT_CONTROL,           0x4024, 32, "Instruction-timeout control") \
    /* 32-bit read-only data fields */ \
    X(VMCS_VM_INSTRUCTION_ERROR,                  0x4400, 32, "VM-instruction error") \
    X(VMCS_EXIT_REASON,                           0x4402, 32, "Exit reason") \
    X(VMCS_EXIT_INTERRUPTION_INFORMATION,         0x4404, 32, "VM-exit interruption information") \
    X(VMCS_EXIT_INTERRUPTION_ERROR_CODE,          0x4406, 32, "VM-exit interruption error code") \
    X(VMCS_IDT_VECTORING_INFORMATION,             0x4408, 32, "IDT-vectoring information field") \
    X(VMCS_IDT_VECTORING_ERROR_CODE,              0x440a, 32, "IDT-vectoring error code") \
    X(VMCS_EXIT_INSTRUCTION_LENGTH,               0x440c, 32, "VM-exit instruction length") \
    X(VMCS_EXIT_INSTRUCTION_INFORMATION,          0x440e, 32, "VM-exit instruction information") \
    /* 32-bit guest-state fields */ \
    X(VMCS_GUEST_ES_LIMIT,                        0x4800, 32, "Guest ES limit") \
    X(VMCS_GUEST_CS_LIMIT,                        0x4802, 32, "Guest CS limit") \
    X(VMCS_GUEST_SS_LIMIT,                        0x4804, 32, "Guest SS limit") \
    X(VMCS_GUEST_DS_LIMIT,                        0x4806, 32, "Guest DS limit") \
    X(VMCS_GUEST_FS_LIMIT,                        0x4808, 32, "Guest FS limit") \
    X(VMCS_GUEST_GS_LIMIT,                        0x480a, 32, "Guest GS limit") \
    X(VMCS_GUEST_LDTR_LIMIT,                      0x480c, 32, "Guest LDTR limit") \
    X(VMCS_GUEST_TR_LIMIT,                        0x480e, 32, "Guest TR limit") \
    X(VMCS_GUEST_GDTR_LIMIT,                      0x4810, 32, "Guest GDTR limit") \
    X(VMCS_GUEST_IDTR_LIMIT,                      0x4812, 32, "Guest IDTR limit") \
    X(VMCS_GUEST_ES_ACCESS_RIGHTS,                0x4814, 32, "Guest ES access rights") \
    X(VMCS_GUEST_CS_ACCESS_RIGHTS,                0x4816, 32, "Guest CS access rights") \
    X(VMCS_GUEST_SS_ACCESS_RIGHTS,                0x4818, 32, "Guest SS access rights") \
    X(VMCS_GUEST_DS_ACCESS_RIGHTS,                0x481a, 32, "Guest DS access rights") \
    X(VMCS_GUEST_FS_ACCESS_RIGHTS,                0x481c, 32, "Guest FS access rights") \
    X(VMCS_GUEST_GS_ACCESS_RIGHTS,                0x481e, 32, "Guest GS access rights") \
    X(VMCS_GUEST_LDTR_ACCESS_RIGHTS,              0x4820, 32, "Guest LDTR access rights") \
    X(VMCS_GUEST_TR_ACCESS_RIGHTS,                0x4822, 32, "Guest TR access rights") \
    X(VMCS_GUEST_INTERRUPTIBILITY_STATE,          0x4824, 32, "Guest interruptibility state") \
    X(VMCS_GUEST_ACTIVITY_STATE,                  0x4826, 32, "Guest activity state") \
    X(VMCS_GUEST_SMBASE,                          0x4828, 32, "Guest SMBASE") \
    X(VMCS_GUEST_IA32_SYSENTER_CS,                0x482a, 32, "Guest IA32_SYSENTER_CS") \
    X(VMCS_GUEST_PREEMPTION_TIMER_VALUE,          0x482e, 32, "VMX-preemption timer value") \
    /* 32-bit host-state field */ \
    X(VMCS_HOST_IA32_SYSENTER_CS,                 0x4c00, 32, "Host IA32_SYSENTER_CS") \
    /* natural-width control fields */ \
    X(VMCS_CR0_GUEST_HOST_MASK,                   0x6000, VMCS_NATURAL, "CR0 guest/host mask") \
    X(VMCS_CR4_GUEST_HOST_MASK,                   0x6002, VMCS_NATURAL, "CR4 guest/host mask") \
    X(VMCS_CR0_READ_SHADOW,                       0x6004, VMCS_NATURAL, "CR0 read shadow") \
    X(VMCS_CR4_READ_SHADOW,                       0x6006, VMCS_NATURAL, "CR4 read shadow") \
    X(VMCS_CR3_TARGET_VALUE_0,                    0x6008, VMCS_NATURAL, "CR3-target value 0") \
    X(VMCS_CR3_TARGET_VALUE_1,                    0x600a, VMCS_NATURAL, "CR3-target value 1") \
    X(VMCS_CR3_TARGET_VALUE_2,                    0x600c, VMCS_NATURAL, "CR3-target value 2") \
    X(VMCS_CR3_TARGET_VALUE_3,                    0x600e, VMCS_NATURAL, "CR3-target value 3") \
    /* natural-width read-only data fields */ \
    X(VMCS_EXIT_QUALIFICATION,                    0x6400, VMCS_NATURAL, "Exit qualification") \
    X(VMCS_IO_RCX,                                0x6402, VMCS_NATURAL, "I/O RCX") \
    X(VMCS_IO_RSI,                                0x6404, VMCS_NATURAL, "I/O RSI") \
    X(VMCS_IO_RDI,                                0x6406, VMCS_NATURAL, "I/O RDI") \
    X(VMCS_IO_RIP,                                0x6408, VMCS_NATURAL, "I/O RIP") \
    X(VMCS_GUEST_LINEAR_ADDRESS,                  0x640a, VMCS_NATURAL, "Guest-linear address") \
    /* natural-width guest-state fields */ \
    X(VMCS_GUEST_CR0,                             0x6800, VMCS_NATURAL, "Guest CR0") \
    X(VMCS_GUEST_CR3,                             0x6802, VMCS_NATURAL, "Guest CR3") \
    X(VMCS_GUEST_CR4,                             0x6804, VMCS_NATURAL, "Guest CR4") \
    X(VMCS_GUEST_ES_BASE,                         0x6806, VMCS_NATURAL, "Guest ES base") \
    X(VMCS_GUEST_CS_BASE,                         0x6808, VMCS_NATURAL, "Guest CS base") \
    X(VMCS_GUEST_SS_BASE,                         0x680a, VMCS_NATURAL, "Guest SS base") \
    X(VMCS_GUEST_DS_BASE,                         0x680c, VMCS_NATURAL, "Guest DS base") \
    X(VMCS_GUEST_FS_BASE,                         0x680e, VMCS_NATURAL, "Guest FS base") \
    X(VMCS_GUEST_GS_BASE,                         0x6810, VMCS_NATURAL, "Guest GS base") \
    X(VMCS_GUEST_LDTR_BASE,                       0x6812, VMCS_NATURAL, "Guest LDTR base") \
    X(VMCS_GUEST_TR_BASE,                         0x6814, VMCS_NATURAL, "Guest TR base") \
    X(VMCS_GUEST_GDTR_BASE,                       0x6816, VMCS_NATURAL, "Guest GDTR base") \
    X(VMCS_GUEST_IDTR_BASE,                       0x6818, VMCS_NATURAL, "Guest IDTR base") \
    X(VMCS_GUEST_DR7,                             0x681a, VMCS_NATURAL, "Guest DR7") \
    X(VMCS_GUEST_RSP,                             0x681c, VMCS_NATURAL, "Guest RSP") \
    X(VMCS_GUEST_RIP,                             0x681e, VMCS_NATURAL, "Guest RIP") \
    X(VMCS_GUEST_RFLAGS,                          0x6820, VMCS_NATURAL, "Guest RFLAGS") \
    X(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,        0x6822, VMCS_NATURAL, "Guest pending debug exceptions") \
    X(VMCS_GUEST_IA32_SYSENTER_ESP,               0x6824, VMCS_NATURAL, "Guest IA32_SYSENTER_ESP") \
    X(VMCS_GUEST_IA32_SYSENTER_EIP,               0x6826, VMCS_NATURAL, "Guest IA32_SYSENTER_EIP") \
    X(VMCS_GUEST_IA32_S_CET,                      0x6828, VMCS_NATURAL, "Guest IA32_S_CET") \
    X(VMCS_GUEST_SSP,                             0x682a, VMCS_NATURAL, "Guest SSP") \
    X(VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR,   0x682c, VMCS_NATURAL, "Guest IA32_INTERRUPT_SSP_TABLE_ADDR") \
    /* natural-width host-state fields */ \
    X(VMCS_HOST_CR0,                              0x6c00, VMCS_NATURAL, "Host CR0") \
    X(VMCS_HOST_CR3,                              0x6c02, VMCS_NATURAL, "Host CR3") \
    X(VMCS_HOST_CR4,                              0x6c04, VMCS_NATURAL, "Host CR4") \
    X(VMCS_HOST_FS_BASE,                          0x6c06, VMCS_NATURAL, "Host FS base") \
    X(VMCS_HOST_GS_BASE,                          0x6c08, VMCS_NATURAL, "Host GS base") \
    X(VMCS_HOST_TR_BASE,                          0x6c0a, VMCS_NATURAL, "Host TR base") \
    X(VMCS_HOST_GDTR_BASE,                        0x6c0c, VMCS_NATURAL, "Host GDTR base") \
    X(VMCS_HOST_IDTR_BASE,                        0x6c0e, VMCS_NATURAL, "Host IDTR base") \
    X(VMCS_HOST_IA32_SYSENTER_ESP,                0x6c10, VMCS_NATURAL, "Host IA32_SYSENTER_ESP") \
    X(VMCS_HOST_IA32_SYSENTER_EIP,                0x6c12, VMCS_NATURAL, "Host IA32_SYSENTER_EIP") \
    X(VMCS_HOST_RSP,                              0x6c14, VMCS_NATURAL, "Host RSP") \
    X(VMCS_HOST_RIP,                              0x6c16, VMCS_NATURAL, "Host RIP") \
    X(VMCS_HOST_IA32_S_CET,                       0x6c18, VMCS_NATURAL, "Host IA32_S_CET") \
    X(VMCS_HOST_SSP,                              0x6c1a, VMCS_NATURAL, "Host SSP") \
    X(VMCS_HOST_IA32_INTERRUPT_SSP_TABLE_ADDR,    0x6c1c, VMCS_NATURAL, "Host IA32_INTERRUPT_SSP_TABLE_ADDR")

enum vmcs_field {
#define VMCS_ENUM_ROW(name, encoding, width, title) name = encoding,
    VMCS_FIELDS(VMCS_ENUM_ROW)
#undef VMCS_ENUM_ROW
};

/* Bits 14:13 of an encoding give the width, bit 0 the high half of a 64-bit field. */
#define VMCS_ENCODED_WIDTH(encoding) \
    ((((encoding) >> 13) & 3) == 0 ? 16 : (((encoding) >> 13) & 3) == 1 ? 64 : (((encoding) >> 13) & 3) == 2 ? 32 : VMCS_NATURAL)

#define VMCS_CHECK_ROW(name, encoding, width, title) \
    _Static_assert(VMCS_ENCODED_WIDTH(encoding) == (width) && ((encoding) & 0x9001) == 0, "width of " #name);
VMCS_FIELDS(VMCS_CHECK_ROW)
#undef VMCS_CHECK_ROW

/* The segment fields step by 2 from ES in the order ES CS SS DS FS GS LDTR TR. */
enum vmcs_segment {
    VMCS_ES, VMCS_CS, VMCS_SS, VMCS_DS, VMCS_FS, VMCS_GS, VMCS_LDTR, VMCS_TR, VMCS_SEGMENTS
};
#define VMCS_GUEST_SELECTOR(segment)      ((uint32_t)VMCS_GUEST_ES_SELECTOR + 2u * (uint32_t)(segment))
#define VMCS_GUEST_LIMIT(segment)         ((uint32_t)VMCS_GUEST_ES_LIMIT + 2u * (uint32_t)(segment))
#define VMCS_GUEST_ACCESS_RIGHTS(segment) ((uint32_t)VMCS_GUEST_ES_ACCESS_RIGHTS + 2u * (uint32_t)(segment))
#define VMCS_GUEST_BASE(segment)          ((uint32_t)VMCS_GUEST_ES_BASE + 2u * (uint32_t)(segment))
#define VMCS_EOI_EXIT_BITMAP(n)           ((uint32_t)VMCS_EOI_EXIT_BITMAP_0 + 2u * (uint32_t)(n))

/* Segment access rights: SDM, "Guest Register State", table "Format of Access Rights". */
enum vmcs_access_rights {
    VMCS_AR_TYPE        = 0xf,
    VMCS_AR_WRITABLE    = 1 << 1, /* data: writable; code: readable */
    VMCS_AR_CONFORMING  = 1 << 2, /* code: conforming; data: expand down */
    VMCS_AR_CODE        = 1 << 3,
    VMCS_AR_S           = 1 << 4, /* 1: code or data, 0: system */
    VMCS_AR_DPL         = 3 << 5,
    VMCS_AR_DPL_SHIFT   = 5,
    VMCS_AR_PRESENT     = 1 << 7,
    VMCS_AR_RESERVED_LO = 0xf << 8,
    VMCS_AR_L           = 1 << 13,
    VMCS_AR_DB          = 1 << 14,
    VMCS_AR_G           = 1 << 15,
    VMCS_AR_UNUSABLE    = 1 << 16,
};
enum vmcs_segment_type { VMCS_TYPE_LDT = 2, VMCS_TYPE_TSS16_BUSY = 3, VMCS_TYPE_TSS_BUSY = 11 };

/* SDM, "Guest Non-Register State". */
enum vmcs_interruptibility {
    VMCS_BLOCKING_BY_STI       = 1 << 0,
    VMCS_BLOCKING_BY_MOV_SS    = 1 << 1,
    VMCS_BLOCKING_BY_SMI       = 1 << 2,
    VMCS_BLOCKING_BY_NMI       = 1 << 3,
    VMCS_ENCLAVE_INTERRUPTION  = 1 << 4,
};
enum vmcs_activity { VMCS_ACTIVE = 0, VMCS_HLT = 1, VMCS_SHUTDOWN = 2, VMCS_WAIT_FOR_SIPI = 3 };

enum vmcs_pending_debug {
    VMCS_PENDING_DEBUG_B0_B3   = 0xf,
    VMCS_PENDING_DEBUG_BLD     = 1 << 11,
    VMCS_PENDING_DEBUG_ENABLED = 1 << 12,
    VMCS_PENDING_DEBUG_BS      = 1 << 14,
    VMCS_PENDING_DEBUG_RTM     = 1 << 16,
};

/* EPT pointer: SDM, "Extended-Page-Table Pointer (EPTP)". */
enum vmcs_eptp {
    VMCS_EPTP_MEMORY_TYPE  = 7,      /* 0 uncacheable, 6 write-back */
    VMCS_EPTP_WALK_SHIFT   = 3,      /* bits 5:3: page-walk length minus 1 */
    VMCS_EPTP_WALK         = 7 << 3,
    VMCS_EPTP_ACCESS_DIRTY = 1 << 6,
    VMCS_EPTP_SUPERVISOR_SHADOW_STACK = 1 << 7,
};

#define VMCS_NO_LINK         UINT64_MAX          /* VMCS_LINK_POINTER when there is no shadow VMCS */

#endif
