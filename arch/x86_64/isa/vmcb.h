/* The virtual machine control block: AMD APM vol 2, appendix "Layout of VMCB". Facts only. */
#ifndef ARCH_X86_64_ISA_VMCB_H
#define ARCH_X86_64_ISA_VMCB_H

#include "hv/lib/types.h"

struct vmcb_segment {
    uint16_t selector;
    uint16_t attributes; /* descriptor bits 47:40 in 7:0, bits 55:52 (AVL, L, D/B, G) in 11:8 */
    uint32_t limit;      /* in bytes - 1 */
    uint64_t base;
};
HW_SIZE(struct vmcb_segment, 16);

struct vmcb {
    /* control area */
    uint16_t intercept_cr_read, intercept_cr_write; /* a bit per register */
    uint16_t intercept_dr_read, intercept_dr_write;
    uint32_t intercept_exceptions;                  /* a bit per vector */
    uint32_t intercept_1, intercept_2, intercept_3; /* enum vmcb_intercept_* */
    uint8_t reserved_018[0x3c - 0x18];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm_base_pa, msrpm_base_pa;
    uint64_t tsc_offset;
    uint32_t guest_asid;
    uint8_t tlb_control; /* enum vmcb_tlb_control */
    uint8_t reserved_05d[3];
    uint32_t v_intr;     /* enum vmcb_v_intr; V_TPR in 7:0 */
    uint32_t v_intr_vector;
    uint64_t interrupt_shadow;
    uint64_t exitcode, exitinfo1, exitinfo2;
    uint64_t exitintinfo; /* as eventinj */
    uint64_t np_enable;
    uint64_t avic_apic_bar, ghcb_pa;
    uint64_t eventinj;
    uint64_t n_cr3;
    uint64_t lbr_virtualization;
    uint32_t clean; /* enum vmcb_clean */
    uint32_t reserved_0c4;
    uint64_t nrip;
    uint8_t fetched, bytes[15];
    uint64_t avic_backing_page, reserved_0e8, avic_logical_table, avic_physical_table;
    uint8_t reserved_100[0x400 - 0x100];

    /* state save area */
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_4a0[0x4cb - 0x4a0];
    uint8_t cpl;
    uint32_t reserved_4cc;
    uint64_t efer;
    uint8_t reserved_4d8[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_580[0x5d8 - 0x580];
    uint64_t rsp, s_cet, ssp, isst_addr, rax;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2;
    uint8_t reserved_648[0x668 - 0x648];
    uint64_t g_pat, dbgctl, br_from, br_to, last_excp_from, last_excp_to;
    uint8_t reserved_698[0x1000 - 0x698];
};
HW_SIZE(struct vmcb, 4096);
HW_OFFSET(struct vmcb, intercept_1, 0x00c);
HW_OFFSET(struct vmcb, pause_threshold, 0x03c);
HW_OFFSET(struct vmcb, iopm_base_pa, 0x040);
HW_OFFSET(struct vmcb, guest_asid, 0x058);
HW_OFFSET(struct vmcb, v_intr, 0x060);
HW_OFFSET(struct vmcb, interrupt_shadow, 0x068);
HW_OFFSET(struct vmcb, exitcode, 0x070);
HW_OFFSET(struct vmcb, exitintinfo, 0x088);
HW_OFFSET(struct vmcb, eventinj, 0x0a8);
HW_OFFSET(struct vmcb, n_cr3, 0x0b0);
HW_OFFSET(struct vmcb, clean, 0x0c0);
HW_OFFSET(struct vmcb, nrip, 0x0c8);
HW_OFFSET(struct vmcb, fetched, 0x0d0);
HW_OFFSET(struct vmcb, avic_backing_page, 0x0e0);
HW_OFFSET(struct vmcb, es, 0x400);
HW_OFFSET(struct vmcb, tr, 0x490);
HW_OFFSET(struct vmcb, cpl, 0x4cb);
HW_OFFSET(struct vmcb, efer, 0x4d0);
HW_OFFSET(struct vmcb, cr4, 0x548);
HW_OFFSET(struct vmcb, rip, 0x578);
HW_OFFSET(struct vmcb, rsp, 0x5d8);
HW_OFFSET(struct vmcb, rax, 0x5f8);
HW_OFFSET(struct vmcb, star, 0x600);
HW_OFFSET(struct vmcb, sysenter_eip, 0x638);
HW_OFFSET(struct vmcb, cr2, 0x640);
HW_OFFSET(struct vmcb, g_pat, 0x668);

#define VMCB_ATTRIBUTE_P    (1u << 7)
#define VMCB_SHADOW_ACTIVE  UINT64_C(1) /* interrupt_shadow */
#define VMCB_NP_ENABLE      UINT64_C(1)

enum vmcb_intercept_1 {
    INTERCEPT_INTR         = 1 << 0,
    INTERCEPT_NMI          = 1 << 1,
    INTERCEPT_SMI          = 1 << 2,
    INTERCEPT_INIT         = 1 << 3,
    INTERCEPT_VINTR        = 1 << 4,
    INTERCEPT_IDTR_READ    = 1 << 6,
    INTERCEPT_GDTR_READ    = 1 << 7,
    INTERCEPT_LDTR_READ    = 1 << 8,
    INTERCEPT_TR_READ      = 1 << 9,
    INTERCEPT_IDTR_WRITE   = 1 << 10,
    INTERCEPT_GDTR_WRITE   = 1 << 11,
    INTERCEPT_LDTR_WRITE   = 1 << 12,
    INTERCEPT_TR_WRITE     = 1 << 13,
    INTERCEPT_RDTSC        = 1 << 14,
    INTERCEPT_RDPMC        = 1 << 15,
    INTERCEPT_PUSHF        = 1 << 16,
    INTERCEPT_POPF         = 1 << 17,
    INTERCEPT_CPUID        = 1 << 18,
    INTERCEPT_RSM          = 1 << 19,
    INTERCEPT_IRET         = 1 << 20,
    INTERCEPT_INVD         = 1 << 22,
    INTERCEPT_PAUSE        = 1 << 23,
    INTERCEPT_HLT          = 1 << 24,
    INTERCEPT_INVLPG       = 1 << 25,
    INTERCEPT_INVLPGA      = 1 << 26,
    INTERCEPT_IOIO_PROT    = 1 << 27,
    INTERCEPT_MSR_PROT     = 1 << 28,
    INTERCEPT_SHUTDOWN     = 1u << 31,
};

enum vmcb_intercept_2 {
    INTERCEPT_VMRUN        = 1 << 0,
    INTERCEPT_VMMCALL      = 1 << 1,
    INTERCEPT_VMLOAD       = 1 << 2,
    INTERCEPT_VMSAVE       = 1 << 3,
    INTERCEPT_STGI         = 1 << 4,
    INTERCEPT_CLGI         = 1 << 5,
    INTERCEPT_SKINIT       = 1 << 6,
    INTERCEPT_RDTSCP       = 1 << 7,
    INTERCEPT_WBINVD       = 1 << 9,
    INTERCEPT_MONITOR      = 1 << 10,
    INTERCEPT_MWAIT        = 1 << 11,
    INTERCEPT_MWAIT_ARMED  = 1 << 12,
    INTERCEPT_XSETBV       = 1 << 13,
    INTERCEPT_RDPRU        = 1 << 14,
};

enum vmcb_intercept_3 {
    INTERCEPT_INVLPGB      = 1 << 0,
    INTERCEPT_INVLPGB_ILLEGAL = 1 << 1,
    INTERCEPT_INVPCID      = 1 << 2,
    INTERCEPT_MCOMMIT      = 1 << 3,
    INTERCEPT_TLBSYNC      = 1 << 4,
};

enum vmcb_tlb_control { TLB_NOTHING = 0, TLB_FLUSH_ALL = 1, TLB_FLUSH_ASID = 3, TLB_FLUSH_ASID_NON_GLOBAL = 7 };

enum vmcb_v_intr {
    V_TPR            = 0xff,
    V_IRQ            = 1 << 8,
    V_INTR_PRIO      = 0xf << 16,
    V_IGN_TPR        = 1 << 20,
    V_INTR_MASKING   = 1 << 24, /* RFLAGS.IF and CR8 of the guest are its own; the host's IF rules physical interrupts */
};

/* EVENTINJ and EXITINTINFO: APM vol 2, "Event Injection". */
#define EVENT_VECTOR(info)  ((info) & 0xff)
#define EVENT_TYPE(info)    ((info) >> 8 & 7)
#define EVENT_ERROR(info)   ((uint32_t)((info) >> 32))
#define EVENT_TYPE_SHIFT    8
#define EVENT_ERROR_SHIFT   32
#define EVENT_ERROR_VALID   (UINT64_C(1) << 11)
#define EVENT_VALID         (UINT64_C(1) << 31)
enum vmcb_event_type { EVENT_INTR = 0, EVENT_NMI = 2, EVENT_EXCEPTION = 3, EVENT_SOFT_INTERRUPT = 4 };

/* What VMRUN may keep from the last time: APM vol 2, "VMCB State Caching". */
enum vmcb_clean {
    CLEAN_I    = 1 << 0,  /* intercepts, TSC offset, pause filter */
    CLEAN_IOPM = 1 << 1,  /* IOPM, MSRPM */
    CLEAN_ASID = 1 << 2,
    CLEAN_TPR  = 1 << 3,  /* V_INTR */
    CLEAN_NP   = 1 << 4,  /* nested paging, G_PAT */
    CLEAN_CRX  = 1 << 5,  /* CR0, CR3, CR4, EFER */
    CLEAN_DRX  = 1 << 6,
    CLEAN_DT   = 1 << 7,  /* GDTR, IDTR */
    CLEAN_SEG  = 1 << 8,  /* CS, DS, SS, ES, CPL */
    CLEAN_CR2  = 1 << 9,
    CLEAN_LBR  = 1 << 10,
    CLEAN_ALL  = 0x1fff,
};

/* APM vol 2, appendix "SVM Intercept Exit Codes". */
enum vmcb_exit_code {
    VMEXIT_CR0_READ   = 0x00,
    VMEXIT_CR0_WRITE  = 0x10,
    VMEXIT_DR0_READ   = 0x20,
    VMEXIT_DR0_WRITE  = 0x30,
    VMEXIT_EXCP0      = 0x40,
    VMEXIT_INTR       = 0x60,
    VMEXIT_NMI        = 0x61,
    VMEXIT_SMI        = 0x62,
    VMEXIT_INIT       = 0x63,
    VMEXIT_VINTR      = 0x64,
    VMEXIT_CR0_SEL_WRITE = 0x65,
    VMEXIT_IDTR_READ  = 0x66,
    VMEXIT_GDTR_READ  = 0x67,
    VMEXIT_LDTR_READ  = 0x68,
    VMEXIT_TR_READ    = 0x69,
    VMEXIT_IDTR_WRITE = 0x6a,
    VMEXIT_GDTR_WRITE = 0x6b,
    VMEXIT_LDTR_WRITE = 0x6c,
    VMEXIT_TR_WRITE   = 0x6d,
    VMEXIT_RDTSC      = 0x6e,
    VMEXIT_RDPMC      = 0x6f,
    VMEXIT_PUSHF      = 0x70,
    VMEXIT_POPF       = 0x71,
    VMEXIT_CPUID      = 0x72,
    VMEXIT_RSM        = 0x73,
    VMEXIT_IRET       = 0x74,
    VMEXIT_SWINT      = 0x75,
    VMEXIT_INVD       = 0x76,
    VMEXIT_PAUSE      = 0x77,
    VMEXIT_HLT        = 0x78,
    VMEXIT_INVLPG     = 0x79,
    VMEXIT_INVLPGA    = 0x7a,
    VMEXIT_IOIO       = 0x7b,
    VMEXIT_MSR        = 0x7c,
    VMEXIT_TASK_SWITCH = 0x7d,
    VMEXIT_SHUTDOWN   = 0x7f,
    VMEXIT_VMRUN      = 0x80,
    VMEXIT_VMMCALL    = 0x81,
    VMEXIT_VMLOAD     = 0x82,
    VMEXIT_VMSAVE     = 0x83,
    VMEXIT_STGI       = 0x84,
    VMEXIT_CLGI       = 0x85,
    VMEXIT_SKINIT     = 0x86,
    VMEXIT_RDTSCP     = 0x87,
    VMEXIT_ICEBP      = 0x88,
    VMEXIT_WBINVD     = 0x89,
    VMEXIT_MONITOR    = 0x8a,
    VMEXIT_MWAIT      = 0x8b,
    VMEXIT_MWAIT_ARMED = 0x8c,
    VMEXIT_XSETBV     = 0x8d,
    VMEXIT_RDPRU      = 0x8e,
    VMEXIT_INVLPGB    = 0xa0,
    VMEXIT_INVLPGB_ILLEGAL = 0xa1,
    VMEXIT_INVPCID    = 0xa2,
    VMEXIT_MCOMMIT    = 0xa3,
    VMEXIT_TLBSYNC    = 0xa4,
    VMEXIT_NPF        = 0x400,
};
#define VMEXIT_INVALID UINT64_MAX

/* EXITINFO1 of an IOIO exit; EXITINFO2 is the next RIP. APM vol 2, "IOIO Intercept Information". */
#define IOIO_IN       (UINT64_C(1) << 0)
#define IOIO_STRING   (UINT64_C(1) << 2)
#define IOIO_REP      (UINT64_C(1) << 3)
#define IOIO_SIZE(i)  ((i) >> 4 & 7) /* 1, 2 or 4 bytes */
#define IOIO_PORT(i)  ((uint16_t)((i) >> 16))

/* EXITINFO1 of an MSR exit. */
#define MSR_EXIT_WRITE UINT64_C(1)

/* EXITINFO1 of a MOV to or from CR or DR, with decode assists: bit 63 says that it was MOV, 3:0 is the register. */
#define CR_EXIT_MOV    (UINT64_C(1) << 63)
#define CR_EXIT_GPR(i) ((i) & 0xf)

/* EXITINFO1 of a nested page fault; EXITINFO2 is the guest-physical address. APM vol 2, "Nested Page Faults". */
#define NPF_W          (UINT64_C(1) << 1)
#define NPF_RSV        (UINT64_C(1) << 3)
#define NPF_ID         (UINT64_C(1) << 4)
#define NPF_FINAL      (UINT64_C(1) << 32) /* the translated address itself */

/* MSRPM: two bits an MSR (read, write), 2 KiB a range. APM vol 2, "MSR Intercepts". */
#define MSRPM_SIZE     8192u
#define IOPM_SIZE      12288u

#endif
