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
    VT_BACKEND(VT_MEMBER, svm)
    .features = svm_features,
    .dump_name = "VMCB",
};
