/* Private to the VMX backend: what its files share. Callers outside use arch/x86_64/vt/vt.h. */
#ifndef ARCH_VMX_VMX_H
#define ARCH_VMX_VMX_H

#include "arch/x86_64/cpu/guest_state.h"
#include "arch/x86_64/isa/vmcs.h"
#include "arch/x86_64/vt/backend.h"

/* Found once on the boot CPU; constant afterwards. */
struct vmx_caps {
    struct vt_features features;
    uint32_t revision;
    uint32_t pin, primary, secondary, exit, entry; /* controls every vCPU starts from */
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t cr0_ones, cr0_allowed; /* what every guest's real CR0 has, and may have: caching stays on */
    uint32_t timer_shift;    /* the preemption timer counts TSC >> shift */
    bool invvpid, invvpid_single, invept_single;
    uint32_t primary_may, primary_must, secondary_may; /* which processor-based controls can be 1, and cannot be 0 */
};
extern struct vmx_caps vmx_caps;

struct vmx_vcpu {
    struct vt_vcpu vt; /* first: vt.h hands out this pointer */
    uint64_t host_rsp; /* the stack pointer to go on with after an exit */
    uint32_t timer_shift;
    uint32_t timer_field; /* the VMCS field that takes the ticks; a CPU without preemption timer gets one that is not used */
    bool spec_ctrl_passed; /* state.msr[GUEST_SPEC_CTRL] is swapped with the hypervisor's at each entry and exit */
    bool nmi_injected;     /* and no exit has shown since that the guest's IRET opened NMIs again */
    unsigned loaded_cpu;   /* last pCPU it was loaded on */
    uint32_t primary, secondary; /* processor-based controls now in the VMCS */
    uint64_t vectoring;    /* IDT-vectoring information of the last exit, 0 if none */
    uint64_t cr0_mask, cr4_mask;
    uint64_t eptp;
    hpa_t vmcs, msr_bitmap;
    uint8_t *msr_bits;
    uint16_t vpid;
    struct guest_state state;
    struct vt_vcpu_config config;
};

static inline struct vmx_vcpu *vmx_of(struct vt_vcpu *v)
{
    return (struct vmx_vcpu *)v;
}

/* vmx_init() and what else vt/backend.h lists. */
VT_BACKEND(VT_DECLARE, vmx)

/* entry.asm. vmx_run() enters by VMRESUME and, after the exit, ends in vmx_decode(); if there was no entry, in
 * vmx_not_entered(). vmx_launch() is the same with VMLAUNCH, for the first entry after VMCLEAR. They keep no register
 * but RSP: only vt_enter() may call them, or a function that they end in. */
uint32_t vmx_launch(struct vt_vcpu *v);
uint32_t vmx_decode(struct vmx_vcpu *v, uint64_t reason);
uint32_t vmx_not_entered(struct vmx_vcpu *v);
NORETURN void vmx_no_vmcs(void);
/* The same, where a guest has its own IA32_SPEC_CTRL. */
uint32_t vmx_run_swapping(struct vt_vcpu *v, uint64_t ticks);
/* The address the CPU jumps to at an exit; never called. */
void vmx_exit_entry(void);
void vmx_exit_one_call(void); /* the same, with what speculation.h wants before any return: RETURNS_ONE_CALL, */
void vmx_exit_refill(void);   /* RETURNS_REFILL, */
void vmx_exit_swap(void);     /* and the former together with the hypervisor's IA32_SPEC_CTRL */

/* caps.c */
extern struct vt_env vmx_env;

/* controls.c: the VMCS's first contents, and the controls that change while it runs */
void vmx_controls_setup(struct vmx_vcpu *v);
void vmx_pass_spec_ctrl(struct vmx_vcpu *v); /* from now on the guest changes it without an exit */
void vmx_host_setup(const struct vmx_vcpu *v); /* host state of this pCPU into the current VMCS */
void vmx_masks_setup(struct vmx_vcpu *v, bool whole_cr0, bool whole_cr4); /* what of CR0 and CR4 exits when it changes */
void vmx_msr_pass(struct vmx_vcpu *v, uint32_t msr, bool read, bool write);

/* policy.c */
void vmx_policy_init(struct vmx_caps *c);

/* exit.c: a row per basic exit reason: the neutral kind, and what else there is to read. */
struct vmx_exit_row {
    uint32_t kind;
    uint32_t (*decode)(struct vmx_vcpu *v, struct vt_exit *exit); /* sets and returns exit->kind */
};
enum { VMX_EXIT_ROWS = 80 };
extern const struct vmx_exit_row vmx_exit_rows[VMX_EXIT_ROWS];

/* apicv.c */
void vmx_apic_set_status(struct vt_vcpu *v, uint16_t status);
uint8_t vmx_apic_requested(struct vt_vcpu *v);
void vmx_apic_request(struct vt_vcpu *v, uint8_t vector);
void vmx_apic_eoi_exits(struct vt_vcpu *v, const uint64_t bitmap[4]);
void vmx_apic_mode(struct vt_vcpu *v, bool enabled, bool x2apic);

#endif
