/* The SVM backend's face to the rest: arch/x86_64/vt/vt.h says what each entry does. */
#include "arch/x86_64/mmu/pt.h"
#include "arch/x86_64/svm/backend.h"
#include "arch/x86_64/svm/svm.h"

static const struct vt_features *svm_features(void)
{
    return &svm_caps.features;
}

const struct vt_ops svm_ops = {
    .name = "AMD-V",
    .nested_format = &pt_npt,
    /* by VMLOAD and VMSAVE */
    .switched_msrs = 1u << GUEST_STAR | 1u << GUEST_LSTAR | 1u << GUEST_CSTAR | 1u << GUEST_SFMASK | 1u << GUEST_KERNEL_GS_BASE,
    .init = svm_init,
    .cpu_enable = svm_cpu_enable,
    .cpu_disable = svm_cpu_disable,
    .features = svm_features,
    .vcpu_create = svm_vcpu_create,
    .vcpu_destroy = svm_vcpu_destroy,
    .load = svm_load,
    .unload = svm_unload,
    .reset_extended = svm_reset_extended,
    .run = svm_run,
    .get = svm_get,
    .set = svm_set,
    .skip = svm_skip,
    .advance = svm_advance,
    .pkru = svm_pkru,
    .flush_linear = svm_flush_linear,
    .set_policy = svm_set_policy,
    .insn_length = svm_insn_length,
    .inject = svm_inject,
    .drop_event = svm_drop_event,
    .event_pending = svm_event_pending,
    .pending_event = svm_pending_event,
    .can_take_interrupt = svm_can_take_interrupt,
    .can_take_nmi = svm_can_take_nmi,
    .request_window = svm_request_window,
    .tpr_threshold = svm_tpr_threshold,
    .set_tsc_offset = svm_set_tsc_offset,
    .nested_flush = svm_nested_flush,
    .snapshot = svm_snapshot,
    .explain_entry = svm_explain_entry,
    .dump_name = "VMCB",
    .dump = svm_dump,
};
