/* The hot path's C half: entry.asm comes here straight after an exit. */
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/svm/svm.h"

/* The guest's MOV to CR8 goes to V_TPR, its other ways to the TPR lead to the register page. */
static void take_tpr(struct svm_vcpu *v)
{
    v->v_tpr_seen = (uint8_t)v->vmcb->v_intr;
    v->tpr_seen = *v->tpr = (uint8_t)(v->v_tpr_seen << 4);
}

/* What the entry asked for is done; it shall not be done again. */
static void settle(struct svm_vcpu *v)
{
    v->event_set = false;
    v->vmcb->eventinj = 0;
    v->vmcb->tlb_control = TLB_NOTHING;
    if (v->nmi == SVM_NMI_IRET && !v->stepping && v->vmcb->rip != v->nmi_iret_rip)
        v->nmi = SVM_NMI_OPEN;
    v->unsettled = v->nmi == SVM_NMI_IRET || !svm_caps.nrip;
}

/* Delivery of an event was cut short by this exit: keep it, so that it is repeated. Not INT n, INT3 and INTO: RIP is
 * still on the instruction, which is executed again; but for one that was injected, behind which RIP is. */
static void keep_event(struct svm_vcpu *v, uint64_t info)
{
    unsigned type = EVENT_TYPE(info), vector = EVENT_VECTOR(info);
    bool soft = type == EVENT_SOFT_INTERRUPT || (type == EVENT_EXCEPTION && (vector == EXC_BP || vector == EXC_OF));
    if (soft && v->soft_rip != v->vmcb->rip)
        return;
    svm_set_event(v, info);
}

static inline uint32_t decode(struct svm_vcpu *v, uint64_t code)
{
    struct vt_exit *exit = &v->vt.exit;
    if (UNLIKELY(code >= SVM_EXIT_ROWS))
        return svm_decode_beyond(v, exit, code);
    exit->raw = (uint32_t)code;
    if (svm_exit_rows[code].decode)
        return svm_exit_rows[code].decode(v, exit);
    return exit->kind = svm_exit_rows[code].kind; /* 0: VT_EXIT_UNKNOWN */
}

static __attribute__((noinline)) uint32_t settle_and_decode(struct svm_vcpu *v)
{
    if ((uint8_t)v->vmcb->v_intr != v->v_tpr_seen)
        take_tpr(v);
    if (v->unsettled)
        settle(v);
    if (v->vmcb->exitintinfo & EVENT_VALID)
        keep_event(v, v->vmcb->exitintinfo);
    uint32_t kind = decode(v, v->vmcb->exitcode);
    return LIKELY(svm_caps.nrip) ? kind : svm_find_next(v, kind);
}

uint32_t svm_decode(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    v->vt.gpr[VT_RAX] = c->rax;
    v->vt.exit.rip = c->rip;
    c->clean = svm_caps.clean;
    if (UNLIKELY((uint8_t)c->v_intr != v->v_tpr_seen) || UNLIKELY(c->exitintinfo & EVENT_VALID) || UNLIKELY(v->unsettled))
        return settle_and_decode(v);
    return decode(v, c->exitcode);
}
