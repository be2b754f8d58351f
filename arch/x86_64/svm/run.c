/* The hot path's C half, around entry.asm. */
#include "arch/x86_64/svm/svm.h"

/* The guest's MOV to CR8 goes to V_TPR, its other ways to the TPR go to the register page: one of them is newer. */
static inline void show_tpr(struct svm_vcpu *v)
{
    uint32_t tpr = *v->tpr >> 4;
    if (UNLIKELY((v->vmcb->v_intr & V_TPR) != tpr)) {
        v->vmcb->v_intr = (v->vmcb->v_intr & ~(uint32_t)V_TPR) | tpr;
        svm_dirty(v, CLEAN_TPR);
    }
}

static inline void take_tpr(struct svm_vcpu *v)
{
    uint32_t tpr = v->vmcb->v_intr & V_TPR;
    if (UNLIKELY(*v->tpr >> 4 != tpr))
        *v->tpr = (uint8_t)(tpr << 4);
}

/* There is no timer to end the stay: the caller has armed the APIC's (features.preemption_timer is false). */
uint32_t svm_run(struct vt_vcpu *vt, uint64_t ticks)
{
    struct svm_vcpu *v = svm_of(vt);
    struct vmcb *c = v->vmcb;
    (void)ticks;

    if (UNLIKELY(v->generation != v->cpu->generation))
        svm_new_asid(v);
    c->tlb_control = v->tlb_control;
    v->tlb_control = TLB_NOTHING;
    show_tpr(v);
    c->rax = vt->gpr[VT_RAX];
    svm_enter(v);
    vt->gpr[VT_RAX] = c->rax;
    take_tpr(v);
    c->clean = svm_caps.clean;
    return svm_decode(v);
}
