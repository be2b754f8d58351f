/* Private to the SVM backend: what its files share. Callers outside use arch/x86_64/vt/vt.h. */
#ifndef ARCH_SVM_SVM_H
#define ARCH_SVM_SVM_H

#include "arch/x86_64/cpu/guest_state.h"
#include "arch/x86_64/isa/vmcb.h"
#include "arch/x86_64/vt/backend.h"

/* Found once on the boot CPU; constant afterwards. */
struct svm_caps {
    struct vt_features features;
    uint32_t asids;         /* how many there are; 0 is the host's */
    uint8_t flush_one;      /* TLB_CONTROL that flushes one ASID, 0: there is none */
    uint32_t clean;         /* VMCB clean bits that may be set after an exit; 0: the CPU does not look at them */
    bool nrip, decode_assists;
    bool tcg;               /* QEMU's translator: see tcg.h */
    bool lenient;           /* an emulator that takes any value for addresses, CR0 and CR8: see find_leniency() */
};
extern struct svm_caps svm_caps;

/* One per pCPU. An ASID belongs to a vCPU as long as the generation it was drawn in lasts. */
struct svm_cpu {
    hpa_t host_vmcb;        /* VMSAVE and VMLOAD: the host's share of the state that VMRUN leaves alone */
    hpa_t host_save;        /* VM_HSAVE_PA */
    uint64_t generation;    /* 0 is nobody's */
    uint32_t next_asid;
    bool flush_all;         /* at the next entry: the numbers start anew */
};
extern struct svm_cpu svm_cpus[];

/* What of the way out of NMI blocking is under way: without hardware help it ends after the next IRET. */
enum svm_nmi { SVM_NMI_OPEN, SVM_NMI_BLOCKED /* IRET is intercepted */, SVM_NMI_IRET /* it is at nmi_iret_rip */ };

struct svm_vcpu {
    struct vt_vcpu vt;      /* first: vt.h hands out this pointer */
    struct vmcb *vmcb;
    hpa_t vmcb_hpa;
    hpa_t host_vmcb;        /* of the pCPU it is loaded on */
    struct svm_cpu *cpu;    /* the same; NULL: it was nowhere yet */
    uint64_t generation;    /* of the ASID in the VMCB */
    uint8_t *tpr;           /* in the register page */
    uint8_t tpr_seen, v_tpr_seen; /* *tpr and V_TPR when they were last equal */
    bool event_set;         /* EVENTINJ is in use */
    bool unsettled;         /* after the next exit there is something to do: an event, a flush, an IRET to watch, no next RIP */
    bool interrupt_window;  /* V_IRQ and the VINTR intercept are on */
    bool v_irq_entered;     /* they were at the last entry (tcg.c) */
    bool stepping;          /* TF is ours: NMI window */
    bool guest_tf;          /* what TF is to the guest while stepping */
    uint8_t nmi;            /* enum svm_nmi */
    uint64_t nmi_iret_rip;
    uint64_t soft_rip;      /* behind an INT3 or INTO that was injected; 0: none */
    uint64_t policy;        /* exit controls that are switched on: vt/policy.h */
    uint64_t cr0, cr4;      /* as the guest wrote them, for the bits that are not its own */
    hpa_t msrpm;
    uint8_t *msr_bits;
    struct guest_state state;
    struct vt_vcpu_config config;
};

static inline struct svm_vcpu *svm_of(struct vt_vcpu *v)
{
    return (struct svm_vcpu *)v;
}

/* What the CPU may have kept of the VMCB is out of date. */
static inline void svm_dirty(struct svm_vcpu *v, uint32_t parts)
{
    v->vmcb->clean &= ~parts;
}

static inline void svm_set_event(struct svm_vcpu *v, uint64_t info)
{
    v->vmcb->eventinj = info;
    v->event_set = v->unsettled = true;
}

static inline void svm_set_flush(struct svm_vcpu *v, uint8_t tlb_control)
{
    v->vmcb->tlb_control = tlb_control;
    v->unsettled = true;
}

/* svm_init() and what else vt/backend.h lists. For svm_run() there is no timer to end the stay: the caller has armed the APIC's
 * (features.preemption_timer is false). */
VT_BACKEND(VT_DECLARE, svm)
uint32_t svm_run_refill(struct vt_vcpu *v, uint64_t ticks); /* svm_run() for RETURNS_REFILL of cpu/speculation.h */

/* entry.asm: where their VMRUNs are */
extern const char svm_run_vmrun[], svm_run_refill_vmrun[];

/* caps.c */
extern struct vt_env svm_env;

/* cpu.c */
void svm_new_asid(struct svm_vcpu *v);

/* vcpu.c */
void svm_take_xcr0(struct svm_vcpu *v); /* from the CPU into state.xcr0 */

/* controls.c: the VMCB's first contents, and the controls that change while it runs */
void svm_controls_setup(struct svm_vcpu *v);

/* policy.c */
void svm_policy_init(struct svm_caps *c);

/* run.c: v->vt.exit from the VMCB; returns its kind */
uint32_t svm_decode(struct svm_vcpu *v);

/* field.c: on a CPU that does not save the next RIP, straight after an exit of this kind; returns what the exit is now */
uint32_t svm_find_next(struct svm_vcpu *v, uint32_t kind);

/* exit.c */
struct svm_exit_row {
    uint32_t kind;
    uint32_t (*decode)(struct svm_vcpu *v, struct vt_exit *exit); /* sets and returns exit->kind; NULL: kind is all */
};
#define SVM_EXIT_ROWS (VMEXIT_TLBSYNC + 1)
extern const struct svm_exit_row svm_exit_rows[SVM_EXIT_ROWS];
uint32_t svm_decode_beyond(struct svm_vcpu *v, struct vt_exit *exit, uint64_t code); /* codes that have no row */

/* inject.c */
void svm_stop_stepping(struct svm_vcpu *v);

#endif
