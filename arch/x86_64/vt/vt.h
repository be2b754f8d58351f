/* The one interface between the hypervisor and the CPU's virtualization extension. A backend (vmx, svm) fills in one
 * const `struct vt_ops`; everything above sees only what is declared here and never learns which one it talks to.
 *
 * run() enters the guest and *returns* a neutral exit; nothing calls upward. What an exit does not need is not read:
 * registers other than the general-purpose ones are fetched one by one with get(). A vCPU is touched only by the pCPU
 * that it is loaded on (load/unload), or by anyone while it is loaded nowhere. */
#ifndef ARCH_VT_VT_H
#define ARCH_VT_VT_H

#include "hv/lib/types.h"

/* Order of the general-purpose registers as instructions encode them. gpr[VT_RSP] is not kept: use get(VT_RSP_). */
enum vt_gpr {
    VT_RAX, VT_RCX, VT_RDX, VT_RBX, VT_RSP, VT_RBP, VT_RSI, VT_RDI,
    VT_R8, VT_R9, VT_R10, VT_R11, VT_R12, VT_R13, VT_R14, VT_R15,
    VT_GPR_COUNT
};

/* Segment registers, in the manuals' encoding order; each has four fields in enum vt_field. */
enum vt_seg { VT_ES, VT_CS, VT_SS, VT_DS, VT_FS, VT_GS, VT_LDTR, VT_TR, VT_SEG_COUNT };

enum vt_field {
    VT_SELECTOR, /* + enum vt_seg */
    VT_BASE = VT_SELECTOR + VT_SEG_COUNT,
    VT_LIMIT = VT_BASE + VT_SEG_COUNT,   /* bytes - 1, granularity applied */
    VT_ACCESS = VT_LIMIT + VT_SEG_COUNT, /* access rights in VMX layout: type 3:0, S 4, DPL 6:5, P 7, L 13, D/B 14, G 15, unusable 16 */
    VT_GDTR_BASE = VT_ACCESS + VT_SEG_COUNT, VT_GDTR_LIMIT, VT_IDTR_BASE, VT_IDTR_LIMIT,
    VT_RIP, VT_RSP_, VT_RFLAGS,
    VT_CR0, VT_CR3, VT_CR4, VT_EFER, VT_PAT, VT_DR7, /* CR0, CR4: as the guest sees them */
    VT_SYSENTER_CS, VT_SYSENTER_ESP, VT_SYSENTER_EIP, VT_DEBUGCTL,
    VT_PDPTE0, VT_PDPTE1, VT_PDPTE2, VT_PDPTE3, /* used by the CPU in PAE paging only */
    VT_PENDING_DEBUG, /* DR6-shaped: debug exceptions that wait for the end of a shadow */
    VT_INTERRUPT_SHADOW, /* bit 0: blocking by STI, bit 1: blocking by MOV SS, bit 3: blocking by NMI */
    /* State that the hardware does not switch: see cpu/guest_state.h. */
    VT_CR2, VT_DR0, VT_DR1, VT_DR2, VT_DR3, VT_DR6, VT_XCR0, VT_KERNEL_GS_BASE, VT_STAR, VT_LSTAR, VT_CSTAR, VT_SFMASK,
    VT_TSC_AUX, VT_SPEC_CTRL,
    VT_FIELD_COUNT
};
#define VT_SHADOW_STI    1u
#define VT_SHADOW_MOV_SS 2u
#define VT_SHADOW_NMI    8u

#define VT_ACCESS_DPL(a)   (((a) >> 5) & 3)
#define VT_ACCESS_P        (1u << 7)
#define VT_ACCESS_L        (1u << 13)
#define VT_ACCESS_DB       (1u << 14)
#define VT_ACCESS_UNUSABLE (1u << 16)

/* X(kind, text): every neutral exit, with the words the monitor shows. The table of handlers has one row for each. */
#define VT_EXIT_LIST(X) \
    X(UNKNOWN, "unknown exit") X(CPUID, "CPUID") X(HYPERCALL, "hypercall") X(IO, "port I/O") X(MMIO, "memory-mapped I/O or first touch") \
    X(RDMSR, "RDMSR") X(WRMSR, "WRMSR") X(INTERRUPT, "external interrupt") X(TIMER, "slice or timer end") \
    X(HOST_EVENT, "interrupt or NMI of the machine") \
    X(INTERRUPT_WINDOW, "interrupt window") X(NMI_WINDOW, "NMI window") X(HLT, "HLT") X(PAUSE, "PAUSE loop") \
    X(CR_INSN, "control register access") X(CR_WRITE, "control register write") X(CR_READ, "control register read") X(DR_ACCESS, "debug register access") \
    X(XSETBV, "XSETBV") X(EXCEPTION, "exception") X(NMI, "NMI") X(TRIPLE_FAULT, "triple fault") \
    X(APIC_WRITE, "virtual-APIC write") X(APIC_ACCESS, "APIC page access") X(APIC_EOI, "level-triggered EOI") \
    X(TPR_BELOW, "TPR below threshold") \
    X(RDTSC, "RDTSC or RDTSCP") X(RDPMC, "RDPMC") X(INVLPG, "INVLPG") X(INVPCID, "INVPCID") X(WBINVD, "INVD or WBINVD") \
    X(DESCRIPTOR, "descriptor-table access") X(FLAGS, "PUSHF or POPF") X(RDRAND, "RDRAND or RDSEED") X(MWAIT, "MONITOR or MWAIT") X(UNDEFINED, "instruction of a hidden feature") \
    X(TASK_SWITCH, "hardware task switch") X(INIT, "INIT signal") X(SIPI, "start-up IPI") \
    X(BAD_NESTED_PAGE, "nested-paging misconfiguration") X(ENTRY_FAILED, "VM-entry failure")

/* INTERRUPT: taken from the interrupt controller, the vector is known. HOST_EVENT: not taken; irq_poll() serves it.
 * CR_WRITE, CR_READ: decoded. CR_INSN: the hardware does not tell the operands; the instruction has to be decoded. */
enum vt_exit_kind {
#define VT_EXIT_ENUM(kind, text) VT_EXIT_##kind,
    VT_EXIT_LIST(VT_EXIT_ENUM)
    VT_EXIT_KINDS
};

/* Kinds with a qualification; that of another is what an earlier exit left. */
#define VT_EXIT_BIT(kind) (UINT64_C(1) << VT_EXIT_##kind)
#define VT_EXITS_QUALIFIED (VT_EXIT_BIT(IO) | VT_EXIT_BIT(MMIO) | VT_EXIT_BIT(CR_INSN) | VT_EXIT_BIT(CR_WRITE) | VT_EXIT_BIT(CR_READ) | \
                            VT_EXIT_BIT(DR_ACCESS) | VT_EXIT_BIT(EXCEPTION) | VT_EXIT_BIT(NMI) | VT_EXIT_BIT(APIC_ACCESS) | \
                            VT_EXIT_BIT(APIC_WRITE) | VT_EXIT_BIT(APIC_EOI) | VT_EXIT_BIT(INVLPG) | VT_EXIT_BIT(INVPCID) | \
                            VT_EXIT_BIT(DESCRIPTOR) | VT_EXIT_BIT(TASK_SWITCH) | VT_EXIT_BIT(SIPI))

enum vt_event_type { VT_EVENT_INTERRUPT = 0, VT_EVENT_NMI = 2, VT_EVENT_EXCEPTION = 3, VT_EVENT_SOFT_INTERRUPT = 4,
                     VT_EVENT_PRIV_SOFT_EXCEPTION = 5, VT_EVENT_SOFT_EXCEPTION = 6 };

struct vt_event {
    uint8_t vector;
    uint8_t type;        /* enum vt_event_type */
    bool has_error_code;
    uint32_t error_code;
};

enum vt_cr_how { VT_CR_MOV, VT_CR_CLTS, VT_CR_LMSW };
enum vt_task_source { VT_TASK_CALL = 0, VT_TASK_IRET = 1, VT_TASK_JMP = 2, VT_TASK_IDT = 3 };

/* A port access; 8 bytes, so that a backend can copy a prepared one. */
struct vt_io {
    uint16_t port;
    uint8_t size;
    bool in, string, rep;
    uint16_t reserved;
};

struct vt_exit {
    uint32_t kind;          /* enum vt_exit_kind */
    uint32_t raw;           /* the hardware's reason, for messages and the trace */
    uint64_t qualification; /* the hardware's detail, for VT_EXITS_QUALIFIED */
    uint64_t rip;           /* of the guest, as it was at the exit */
    union {
        struct vt_io io;
        struct { gpa_t gpa; bool own, read, write, fetch; } mem; /* own: the instruction's access, no table walk */
        struct { uint8_t cr, gpr, how /* enum vt_cr_how */; uint16_t lmsw_value; } cr;
        struct { uint8_t number, gpr /* VT_GPR_COUNT: the instruction has to be decoded */; bool read; } dr;
        struct { bool aux; } tsc; /* RDTSCP: TSC_AUX, too */
        struct { bool seed; } random;
        struct { uint8_t vector, type; bool has_error_code; uint32_t error_code; } exception; /* type: vt_event_type; #PF: the qualification is the address */
        struct { uint8_t vector; } interrupt;
        struct { uint16_t offset; bool own, write; } apic; /* own: the instruction's access to data */
        struct {
            uint16_t selector;
            uint8_t source;        /* enum vt_task_source */
            uint8_t length;        /* of the instruction to continue after; 0: at RIP itself */
            struct vt_event event; /* IDT: what was being delivered, and is not any more */
        } task;
    };
};

/* What the CPU was found to offer; the boot log and `cpus` show it, nothing above decides by vendor. */
struct vt_features {
    bool apicv;            /* virtual-interrupt delivery and APIC-register virtualization */
    bool apic_access_page; /* xAPIC accesses at the access page are virtualized */
    uint32_t timer_granularity; /* ticks of the TSC by which run() may end too early */
    bool tpr_shadow, vpid, preemption_timer, nested_1g, nested_2m, nested_ad;
    bool rdtscp, invpcid;       /* the instructions work in a guest */
    bool masked_interrupts_exit; /* an interrupt of the machine, or run()'s limit, ends it whatever the guest's RFLAGS.IF; known
                                  * once the boot CPU is enabled */
    bool pdpte_registers;       /* PAE: VT_PDPTE0.. are what the CPU uses */
    uint64_t controls_fixed, controls_switched; /* vt/policy.h: what always exits, and what set_policy() can switch */
};

/* What the vCPU's creator decides. */
struct vt_vcpu_config {
    hpa_t nested_root;      /* root of the partition's nested page tables */
    uint8_t *apic_page;     /* 4 KiB, the vlapic's register page; stays the caller's */
    hpa_t apic_page_hpa;
    hpa_t apic_access_hpa;  /* the page mapped at FEE00000h, or 0 */
    uint64_t cr4_allowed;   /* CR4 bits the guest may set by itself (others exit) */
    bool spec_ctrl;         /* the guest may use IA32_SPEC_CTRL */
    /* For a CPU that does not tell it: the length of the instruction at RIP, found by decoding; 0: it cannot be read. */
    unsigned (*insn_length)(void *ctx);
    void *ctx;
};

/* What most of an instruction's meaning depends on, and what `info` shows of a vCPU that runs or is loaded elsewhere. */
struct vt_snapshot {
    uint64_t rip, rsp, rflags, cr0, cr3, cr4, efer;
    uint32_t cs, cs_mode; /* the selector; VT_ACCESS_P, L and DB */
    uint32_t cpl;
};

struct vt_vcpu {
    uint64_t gpr[VT_GPR_COUNT];
    uint64_t exit_tsc;            /* host TSC at the last exit */
    uint64_t tsc_offset;          /* guest TSC = host TSC + tsc_offset */
    struct vt_exit exit;          /* the last one */
    /* the rest is the backend's */
};

/* A field of the structure that holds a vCPU for the hardware. */
struct vt_hw_field {
    const char *name;  /* as in the manual; a constant */
    uint64_t value;
    uint32_t where;    /* VMCS: its encoding, VMCB: its offset */
};

enum vt_status { VT_OK, VT_NO_MEMORY, VT_UNSUPPORTED };

struct vt_ops;

/* Memory and reporting handed in by the owner of the machine. */
struct vt_env {
    hpa_t (*page_alloc)(unsigned order); /* zeroed; raw 0: none left */
    void (*page_free)(hpa_t page, unsigned order);
    hpa_t (*image_hpa)(const void *global); /* physical address of a global */
    bool (*without)(const char *feature);   /* the user asks to do without it, so that its fallback can be tried */
    struct vt_ops *ops;                     /* the copy in use: init() may put in variants that this CPU needs */
};

struct pt_format;

struct vt_ops {
    const char *name;
    const struct pt_format *nested_format; /* of the nested page tables */
    uint32_t switched_msrs; /* bits of enum guest_msr (cpu/guest_state.h) that the hardware switches by itself */

    /* Once, on the boot CPU: read capabilities, log what is used and each fallback. */
    enum vt_status (*init)(const struct vt_env *env);
    /* On each pCPU: enter root operation. */
    enum vt_status (*cpu_enable)(unsigned cpu) MUST_CHECK;
    void (*cpu_disable)(void);
    const struct vt_features *(*features)(void);

    enum vt_status (*vcpu_create)(const struct vt_vcpu_config *config, struct vt_vcpu **out) MUST_CHECK;
    void (*vcpu_destroy)(struct vt_vcpu *v);
    /* Make current on this pCPU, with all state the hardware does not switch. `previous`: what was just unloaded here and
     * ran nowhere since; NULL: nothing. */
    void (*load)(struct vt_vcpu *v, struct vt_vcpu *previous);
    /* Save all of it. Afterwards any pCPU may load it; with `stays` only this one, which is cheaper. */
    void (*unload)(struct vt_vcpu *v, bool stays);

    /* Enter until an exit, at the latest after `ticks` of the TSC; v->exit says what it was; returns its kind. May keep no
     * register but RSP: to be called by vt_enter(). */
    uint32_t (*run)(struct vt_vcpu *v, uint64_t ticks);

    uint64_t (*get)(struct vt_vcpu *v, enum vt_field field);
    void (*set)(struct vt_vcpu *v, enum vt_field field, uint64_t value);
    void (*skip)(struct vt_vcpu *v); /* the exiting instruction is done: advance RIP, end shadows, honour TF */
    void (*advance)(struct vt_vcpu *v, uint64_t rip); /* the same, to a RIP that the caller knows */
    uint32_t (*pkru)(struct vt_vcpu *v);
    void (*flush_linear)(struct vt_vcpu *v); /* all translations of linear addresses, as MOV to CR3 does */

    void (*reset_extended)(struct vt_vcpu *v); /* x87, SSE, AVX, XCR0 as after power-up */

    /* Loaded. Of the set (vt/policy.h) what features() says can be switched; the rest stays as it is. */
    void (*set_policy)(struct vt_vcpu *v, uint64_t controls);
    /* Loaded. Of the instruction that just exited; 0: unknown, or the exit was no instruction's. */
    unsigned (*insn_length)(struct vt_vcpu *v);

    /* One event for the next entry; the caller asked can_inject() first (exceptions always can). */
    void (*inject)(struct vt_vcpu *v, const struct vt_event *event);
    void (*drop_event)(struct vt_vcpu *v); /* at a reset: nothing is to be delivered any more */
    bool (*event_pending)(struct vt_vcpu *v); /* an injection is already set up, or was interrupted and will be repeated */
    bool (*pending_event)(struct vt_vcpu *v, struct vt_event *event); /* the same, and which */
    bool (*can_take_interrupt)(struct vt_vcpu *v);
    bool (*can_take_nmi)(struct vt_vcpu *v);
    void (*request_window)(struct vt_vcpu *v, bool interrupt, bool nmi); /* exit as soon as one could be taken */

    /* Virtual-interrupt delivery: tell the hardware what the register page now holds. NULL without features()->apicv. */
    void (*apic_set_status)(struct vt_vcpu *v, uint16_t status); /* SVI << 8 | RVI: highest vector in service, highest requested */
    uint8_t (*apic_requested)(struct vt_vcpu *v); /* RVI: the highest vector requested that the hardware knows of */
    void (*apic_request)(struct vt_vcpu *v, uint8_t vector); /* RVI is to be no lower than this */
    void (*apic_eoi_exits)(struct vt_vcpu *v, const uint64_t bitmap[4]); /* vectors whose EOI has to exit */
    void (*apic_mode)(struct vt_vcpu *v, bool enabled, bool x2apic);
    /* Without it: exit when the TPR's class falls below; 0: never. Called, too, after each change of the page's TPR. */
    void (*tpr_threshold)(struct vt_vcpu *v, uint8_t class);

    void (*set_tsc_offset)(struct vt_vcpu *v, uint64_t offset);
    void (*nested_flush)(hpa_t nested_root); /* after an entry of the nested tables was made stricter, on this pCPU */

    /* Explain the failed entry: one line per broken rule; returns how many. */
    unsigned (*explain_entry)(struct vt_vcpu *v, void (*line)(void *ctx, const char *text), void *ctx);
    void (*snapshot)(struct vt_vcpu *v, struct vt_snapshot *out); /* while it is loaded: several registers in one go */
    /* Loaded. The hardware's own fields (VMCS or VMCB), for `info`. */
    const char *dump_name;
    void (*dump)(struct vt_vcpu *v, void (*field)(void *ctx, const struct vt_hw_field *f), void *ctx);
};

const char *vt_exit_name(enum vt_exit_kind kind);

#endif
