/* The hot path's C half, around entry.asm. */
#include "arch/x86_64/svm/svm.h"

/* The guest's MOV to CR8 goes to V_TPR (svm_decode() takes it from there), its other ways to the TPR lead to the
 * register page. */
static __attribute__((noinline)) void show_tpr(struct svm_vcpu *v)
{
    v->tpr_seen = *v->tpr;
    v->vmcb->v_intr = (v->vmcb->v_intr & ~(uint32_t)V_TPR) | v->tpr_seen >> 4;
    v->v_tpr_seen = v->tpr_seen >> 4;
    svm_dirty(v, CLEAN_TPR);
}

/* There is no timer to end the stay: the caller has armed the APIC's (features.preemption_timer is false). */
uint32_t svm_run(struct vt_vcpu *vt, uint64_t ticks)
{
    struct svm_vcpu *v = svm_of(vt);
    (void)ticks;

    if (UNLIKELY(v->generation != v->cpu->generation))
        svm_new_asid(v);
    if (UNLIKELY(*v->tpr != v->tpr_seen))
        show_tpr(v);
    v->vmcb->rax = vt->gpr[VT_RAX];
    return svm_enter(v);
}
