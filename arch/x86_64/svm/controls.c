/* The first contents of a vCPU's VMCB: intercepts and permission maps; and the controls that change while it runs. */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/vt/policy.h"
#include "hv/lib/str.h"

/* MSRs that the guest may access without an exit: the VMCB or guest_state.c switches each of them. */
static const struct { uint32_t msr; bool address; } pass[] = {
    { IA32_SYSENTER_CS, false }, { IA32_SYSENTER_ESP, true }, { IA32_SYSENTER_EIP, true }, { IA32_FS_BASE, true },
    { IA32_GS_BASE, true }, { IA32_KERNEL_GS_BASE, true }, { IA32_STAR, false }, { IA32_LSTAR, true },
    { IA32_CSTAR, true }, { IA32_FMASK, false },
};

/* Layout: APM vol 2, "MSR Intercepts": a read and a write bit per MSR, 2 KiB per range. */
static void pass_msr(struct svm_vcpu *v, uint32_t msr, bool write)
{
    unsigned range = msr >= 0xc0010000 ? 2 : msr >= 0xc0000000 ? 1 : 0;
    uint32_t bit = (msr & 0x1fff) * 2;
    v->msr_bits[range * 2048 + bit / 8] &= (uint8_t)~((write ? 3u : 1u) << (bit & 7));
}

static void setup_msrpm(struct svm_vcpu *v)
{
    memset(v->msr_bits, 0xff, MSRPM_SIZE);
    for (size_t i = 0; i < ARRAY_SIZE(pass); i++)
        pass_msr(v, pass[i].msr, !(pass[i].address && svm_caps.lenient));
    if (guest_state_has_msr(GUEST_TSC_AUX))
        pass_msr(v, IA32_TSC_AUX, true);
    if (v->config.spec_ctrl)
        pass_msr(v, IA32_SPEC_CTRL, true);
    v->vmcb->msrpm_base_pa = v->msrpm.raw;
}

/* Every port exits: one map of ones serves all vCPUs. */
static void setup_iopm(struct svm_vcpu *v)
{
    static uint8_t ones[IOPM_SIZE] __attribute__((aligned(4096)));
    if (!ones[0])
        memset(ones, 0xff, sizeof ones);
    v->vmcb->iopm_base_pa = svm_env.image_hpa(ones).raw;
}

void svm_controls_setup(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    /* CR3 and DR0-7 are the guest's own. All writes to CR0, not only the "selective" ones: Bochs 2.7 lacks that intercept,
     * and QEMU's overlooks the upper half; today's kernels hardly ever change TS. */
    c->intercept_cr_write = 1u << 0 | 1u << 4 | (svm_caps.lenient ? 1u << 8 : 0u);
    c->intercept_exceptions = EXC_ALWAYS_EXIT;
    c->intercept_1 = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_SMI | INTERCEPT_INIT | INTERCEPT_RDPMC |
                     INTERCEPT_CPUID | INTERCEPT_RSM | INTERCEPT_INVD | INTERCEPT_HLT |
                     INTERCEPT_INVLPGA | INTERCEPT_IOIO_PROT | INTERCEPT_MSR_PROT | INTERCEPT_SHUTDOWN;
    c->intercept_2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI |
                     INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_WBINVD | INTERCEPT_MONITOR | INTERCEPT_MWAIT |
                     INTERCEPT_MWAIT_ARMED | INTERCEPT_XSETBV | INTERCEPT_RDPRU;
    c->intercept_3 = INTERCEPT_INVLPGB | INTERCEPT_INVLPGB_ILLEGAL | INTERCEPT_MCOMMIT | INTERCEPT_TLBSYNC;
    c->v_intr = V_INTR_MASKING;
    c->np_enable = VMCB_NP_ENABLE;
    c->n_cr3 = v->config.nested_root.raw;
    c->efer = EFER_SVME; /* VMRUN demands it; the guest is shown 0 */
    c->g_pat = PAT_RESET;
    c->dr6 = DR6_RESET;
    c->dr7 = DR7_RESET;
    c->rflags = RFLAGS_ONE;
    setup_msrpm(v);
    setup_iopm(v);
}

void svm_set_tsc_offset(struct vt_vcpu *vt, uint64_t offset)
{
    struct svm_vcpu *v = svm_of(vt);
    vt->tsc_offset = offset;
    v->vmcb->tsc_offset = offset;
    svm_dirty(v, CLEAN_I);
}

static __attribute__((noinline)) void show_tpr(struct svm_vcpu *v)
{
    v->tpr_seen = *v->tpr;
    v->v_tpr_seen = v->tpr_seen >> 4;
    v->vmcb->v_intr = (v->vmcb->v_intr & ~(uint32_t)V_TPR) | v->v_tpr_seen;
    svm_dirty(v, CLEAN_TPR);
}

/* MOV to CR8 goes to V_TPR without an exit, but while an interrupt waits for a lower TPR; MOV from CR8 reads V_TPR, so
 * that it has to follow the register page. */
void svm_tpr_threshold(struct vt_vcpu *vt, uint8_t class)
{
    struct svm_vcpu *v = svm_of(vt);
    bool exits = class || svm_caps.lenient || (v->policy & VT_CONTROL_BIT(CR8));
    if (UNLIKELY(*v->tpr != v->tpr_seen))
        show_tpr(v);
    uint16_t want = (uint16_t)((v->vmcb->intercept_cr_write & ~(1u << 8)) | (exits ? 1u << 8 : 0));
    if (want == v->vmcb->intercept_cr_write)
        return;
    v->vmcb->intercept_cr_write = want;
    svm_dirty(v, CLEAN_I);
}
