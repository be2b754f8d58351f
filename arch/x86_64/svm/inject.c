/* Events into the guest: EVENTINJ, and the exits that tell when one could be taken (APM vol 2, "Event Injection",
 * "Virtual Interrupts"). */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/svm/svm.h"

/* Exceptions by INT1, INT3 and INTO are exceptions here; the RIP that is pushed is the one in the VMCB.
 * Bochs quirk: an injected NMI keeps the machine's NMIs out until the guest's IRET, though they are intercepted; and there
 * they are what ends the stay of a guest with RFLAGS.IF = 0. As an interrupt, vector 2 is delivered the same way. */
static uint64_t type_of(const struct vt_event *event)
{
    if (event->type == VT_EVENT_NMI && !svm_caps.features.masked_interrupts_exit)
        return EVENT_INTR;
    return event->type >= VT_EVENT_PRIV_SOFT_EXCEPTION ? EVENT_EXCEPTION : event->type;
}

/* The handler of INT3 or INTO returns behind it: RIP, or with next-RIP saving the field of that name, is what is pushed. */
static void pass_instruction(struct svm_vcpu *v)
{
    v->vmcb->rip += svm_insn_length(&v->vt);
    v->vmcb->nrip = v->soft_rip = v->vmcb->rip;
}

/* NMIs stay out until the guest's IRET. */
static void block_nmi(struct svm_vcpu *v)
{
    v->nmi = SVM_NMI_BLOCKED;
    v->vmcb->intercept_1 |= INTERCEPT_IRET;
    svm_dirty(v, CLEAN_I);
}

void svm_inject(struct vt_vcpu *vt, const struct vt_event *event)
{
    struct svm_vcpu *v = svm_of(vt);
    uint64_t info = EVENT_VALID | type_of(event) << EVENT_TYPE_SHIFT | event->vector;
    /* Real mode pushes no error codes. */
    if (event->has_error_code && (v->vmcb->cr0 & CR0_PE))
        info |= EVENT_ERROR_VALID | (uint64_t)event->error_code << EVENT_ERROR_SHIFT;
    if (UNLIKELY(v->stepping))
        svm_stop_stepping(v);
    if (UNLIKELY(event->type == VT_EVENT_SOFT_EXCEPTION))
        pass_instruction(v);
    svm_set_event(v, info);
    if (event->type == VT_EVENT_NMI)
        block_nmi(v);
}

void svm_drop_event(struct vt_vcpu *vt)
{
    struct svm_vcpu *v = svm_of(vt);
    if (v->stepping)
        svm_stop_stepping(v);
    v->vmcb->eventinj = 0;
    v->event_set = false;
}

bool svm_event_pending(struct vt_vcpu *v)
{
    return svm_of(v)->event_set;
}

bool svm_pending_event(struct vt_vcpu *vt, struct vt_event *event)
{
    uint64_t info = svm_of(vt)->vmcb->eventinj;
    if (!svm_of(vt)->event_set)
        return false;
    *event = (struct vt_event){
        .vector = (uint8_t)EVENT_VECTOR(info),
        .type = (uint8_t)EVENT_TYPE(info),
        .has_error_code = info & EVENT_ERROR_VALID,
        .error_code = EVENT_ERROR(info),
    };
    return true;
}

bool svm_can_take_interrupt(struct vt_vcpu *vt)
{
    struct svm_vcpu *v = svm_of(vt);
    return !v->event_set && (v->vmcb->rflags & RFLAGS_IF) && !v->vmcb->interrupt_shadow;
}

bool svm_can_take_nmi(struct vt_vcpu *vt)
{
    struct svm_vcpu *v = svm_of(vt);
    return !v->event_set && v->nmi == SVM_NMI_OPEN && !v->vmcb->interrupt_shadow;
}

/* A virtual interrupt of the highest priority, whose delivery is intercepted. */
static void request_interrupt_window(struct svm_vcpu *v, bool on)
{
    struct vmcb *c = v->vmcb;
    if (on == v->interrupt_window)
        return;
    v->interrupt_window = on;
    c->v_intr &= ~(uint32_t)(V_IRQ | V_INTR_PRIO | V_IGN_TPR);
    c->v_intr |= on ? V_IRQ | V_INTR_PRIO | V_IGN_TPR : 0;
    c->intercept_1 = (c->intercept_1 & ~(uint32_t)INTERCEPT_VINTR) | (on ? INTERCEPT_VINTR : 0);
    svm_dirty(v, CLEAN_I | CLEAN_TPR);
}

/* NMIs are blocked until IRET, whose intercept comes by itself; after it, or in a shadow, one instruction is left to
 * be done, which a single step finds the end of. */
static void request_nmi_window(struct svm_vcpu *v)
{
    if (v->nmi == SVM_NMI_BLOCKED || v->stepping || v->event_set) /* an event would push our TF on the guest's stack */
        return;
    v->guest_tf = v->vmcb->rflags & RFLAGS_TF;
    v->stepping = true;
    v->vmcb->rflags |= RFLAGS_TF;
}

void svm_stop_stepping(struct svm_vcpu *v)
{
    bool iret = v->nmi == SVM_NMI_IRET; /* it has loaded the flags: TF is the guest's again */
    v->stepping = false;
    if (iret)
        v->guest_tf = v->vmcb->rflags & RFLAGS_TF;
    else if (!v->guest_tf)
        v->vmcb->rflags &= ~RFLAGS_TF;
    v->nmi = iret ? SVM_NMI_OPEN : v->nmi;
}

void svm_request_window(struct vt_vcpu *vt, bool interrupt, bool nmi)
{
    struct svm_vcpu *v = svm_of(vt);
    request_interrupt_window(v, interrupt);
    if (UNLIKELY(nmi))
        request_nmi_window(v);
}
