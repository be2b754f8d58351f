/* The guest's registers one by one: from the VMCB, from guest_state.c, or with the rules that SVM adds. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/vt/policy.h"

/* CR0 bits that the guest may write and not have: caching is not its to switch. */
#define CR0_SHOWN (CR0_CD | CR0_NW)

#define PLACE(member, part) { (uint16_t)offsetof(struct vmcb, member), sizeof((struct vmcb *)0)->member, part }
#define SEGMENT_ROWS(field, member, part) \
    [field + VT_ES] = PLACE(es.member, part), [field + VT_CS] = PLACE(cs.member, part), \
    [field + VT_SS] = PLACE(ss.member, part), [field + VT_DS] = PLACE(ds.member, part), \
    [field + VT_FS] = PLACE(fs.member, 0), [field + VT_GS] = PLACE(gs.member, 0), \
    [field + VT_LDTR] = PLACE(ldtr.member, 0), [field + VT_TR] = PLACE(tr.member, 0)

/* Where it is in the VMCB, how wide, and which clean bit a write costs. Width 0: not plainly in the VMCB. */
static const struct place { uint16_t offset; uint8_t width; uint32_t part; } places[VT_FIELD_COUNT] = {
    SEGMENT_ROWS(VT_SELECTOR, selector, CLEAN_SEG),
    SEGMENT_ROWS(VT_BASE, base, CLEAN_SEG),
    SEGMENT_ROWS(VT_LIMIT, limit, CLEAN_SEG),
    [VT_GDTR_BASE] = PLACE(gdtr.base, CLEAN_DT), [VT_GDTR_LIMIT] = PLACE(gdtr.limit, CLEAN_DT),
    [VT_IDTR_BASE] = PLACE(idtr.base, CLEAN_DT), [VT_IDTR_LIMIT] = PLACE(idtr.limit, CLEAN_DT),
    [VT_RIP] = PLACE(rip, 0), [VT_RSP_] = PLACE(rsp, 0),
    [VT_CR3] = PLACE(cr3, CLEAN_CRX), [VT_PAT] = PLACE(g_pat, CLEAN_NP),
    [VT_CR2] = PLACE(cr2, CLEAN_CR2), [VT_DR6] = PLACE(dr6, CLEAN_DRX), [VT_DR7] = PLACE(dr7, CLEAN_DRX),
    [VT_SYSENTER_CS] = PLACE(sysenter_cs, 0), [VT_SYSENTER_ESP] = PLACE(sysenter_esp, 0),
    [VT_SYSENTER_EIP] = PLACE(sysenter_eip, 0), [VT_DEBUGCTL] = PLACE(dbgctl, CLEAN_LBR),
    [VT_KERNEL_GS_BASE] = PLACE(kernel_gs_base, 0), [VT_STAR] = PLACE(star, 0), [VT_LSTAR] = PLACE(lstar, 0),
    [VT_CSTAR] = PLACE(cstar, 0), [VT_SFMASK] = PLACE(sfmask, 0),
};

/* ---- what is not plainly in the VMCB: one row each --------------------------------------------------------------- */

static uint64_t get_cr0(struct svm_vcpu *v)
{
    return (v->vmcb->cr0 & ~CR0_SHOWN) | (v->cr0 & CR0_SHOWN);
}

/* A register whose value is not what the guest wrote is read by an exit, as is one that the policy names. */
static void show(struct svm_vcpu *v, unsigned cr, bool differs)
{
    differs |= v->policy & (cr == 0 ? VT_CONTROL_BIT(CR0_READ) : VT_CONTROL_BIT(CR4_READ));
    uint16_t reads = (uint16_t)((v->vmcb->intercept_cr_read & ~(1u << cr)) | (unsigned)differs << cr);
    if (reads == v->vmcb->intercept_cr_read)
        return;
    v->vmcb->intercept_cr_read = reads;
    svm_dirty(v, CLEAN_I);
}

static void set_cr0(struct svm_vcpu *v, uint64_t value)
{
    v->cr0 = value;
    v->vmcb->cr0 = (value & ~CR0_SHOWN) | CR0_ET;
    show(v, 0, value & CR0_SHOWN);
    svm_dirty(v, CLEAN_CRX);
}

static uint64_t get_cr4(struct svm_vcpu *v)
{
    return v->cr4;
}

/* CR4.MCE stays on: with it off a machine check would shut the whole machine down. Every write exits. */
static void set_cr4(struct svm_vcpu *v, uint64_t value)
{
    v->cr4 = value;
    v->vmcb->cr4 = value | CR4_MCE;
    show(v, 4, !(value & CR4_MCE));
    svm_dirty(v, CLEAN_CRX);
}

static uint64_t get_efer(struct svm_vcpu *v)
{
    return v->vmcb->efer & ~EFER_SVME;
}

static void set_efer(struct svm_vcpu *v, uint64_t value)
{
    v->vmcb->efer = value | EFER_SVME;
    svm_dirty(v, CLEAN_CRX);
}

static uint64_t get_rflags(struct svm_vcpu *v)
{
    return v->stepping && !v->guest_tf ? v->vmcb->rflags & ~RFLAGS_TF : v->vmcb->rflags;
}

static void set_rflags(struct svm_vcpu *v, uint64_t value)
{
    v->guest_tf = value & RFLAGS_TF;
    v->vmcb->rflags = value | RFLAGS_ONE | (v->stepping ? RFLAGS_TF : 0);
}

static uint64_t get_xcr0(struct svm_vcpu *v)
{
    svm_take_xcr0(v);
    return v->state.xcr0;
}

static void set_xcr0(struct svm_vcpu *v, uint64_t value)
{
    v->state.xcr0 = value;
    if (v->state.loaded && guest_state_xcr0_mask())
        xsetbv(0, value);
}

/* One kind of shadow is all that SVM knows: APM vol 2, "Interrupt Shadows". */
static uint64_t get_shadow(struct svm_vcpu *v)
{
    return (v->vmcb->interrupt_shadow & VMCB_SHADOW_ACTIVE ? VT_SHADOW_STI : 0) |
           (v->nmi != SVM_NMI_OPEN ? VT_SHADOW_NMI : 0);
}

static void set_shadow(struct svm_vcpu *v, uint64_t value)
{
    v->vmcb->interrupt_shadow = value & (VT_SHADOW_STI | VT_SHADOW_MOV_SS) ? VMCB_SHADOW_ACTIVE : 0;
    if (!(value & VT_SHADOW_NMI))
        v->nmi = SVM_NMI_OPEN;
}

/* There is no such field; a single-step trap is injected as the exception that it becomes. */
static uint64_t get_pending_debug(struct svm_vcpu *v)
{
    return v->event_set && EVENT_VECTOR(v->vmcb->eventinj) == EXC_DB ? DR6_BS : 0;
}

static uint64_t get_nothing(struct svm_vcpu *v) { return 0; }
static void set_nothing(struct svm_vcpu *v, uint64_t value) { }

/* In the CPU while the vCPU is loaded, in guest_state otherwise. */
#define STATE_REGISTER(name, reg, place) \
    static uint64_t get_##name(struct svm_vcpu *v) { return v->state.loaded ? read_##reg() : v->state.place; } \
    static void set_##name(struct svm_vcpu *v, uint64_t value) \
    { \
        v->state.place = value; \
        if (v->state.loaded) \
            write_##reg(value); \
    }
STATE_REGISTER(dr0, dr0, dr[0])
STATE_REGISTER(dr1, dr1, dr[1])
STATE_REGISTER(dr2, dr2, dr[2])
STATE_REGISTER(dr3, dr3, dr[3])
#undef STATE_REGISTER

#define STATE_MSR(name, m) \
    static uint64_t get_##name(struct svm_vcpu *v) \
    { \
        if (!guest_state_has_msr(m)) \
            return 0; \
        return v->state.loaded ? rdmsr(guest_state_msr_number(m)) : v->state.msr[m]; \
    } \
    static void set_##name(struct svm_vcpu *v, uint64_t value) \
    { \
        if (!guest_state_has_msr(m)) \
            return; \
        v->state.msr[m] = value; \
        if (v->state.loaded) \
            wrmsr(guest_state_msr_number(m), value); \
    }
STATE_MSR(tsc_aux, GUEST_TSC_AUX)
STATE_MSR(spec_ctrl, GUEST_SPEC_CTRL)
#undef STATE_MSR

static const struct {
    uint64_t (*get)(struct svm_vcpu *v);
    void (*set)(struct svm_vcpu *v, uint64_t value);
} special[VT_FIELD_COUNT] = {
#define SPECIAL(field, name) [field] = { get_##name, set_##name }
    SPECIAL(VT_CR0, cr0), SPECIAL(VT_CR4, cr4), SPECIAL(VT_EFER, efer), SPECIAL(VT_RFLAGS, rflags),
    SPECIAL(VT_XCR0, xcr0), SPECIAL(VT_DR0, dr0), SPECIAL(VT_DR1, dr1), SPECIAL(VT_DR2, dr2), SPECIAL(VT_DR3, dr3),
    SPECIAL(VT_TSC_AUX, tsc_aux), SPECIAL(VT_SPEC_CTRL, spec_ctrl), SPECIAL(VT_INTERRUPT_SHADOW, shadow),
    [VT_PENDING_DEBUG] = { get_pending_debug, set_nothing },
    [VT_PDPTE0] = { get_nothing, set_nothing }, [VT_PDPTE1] = { get_nothing, set_nothing },
    [VT_PDPTE2] = { get_nothing, set_nothing }, [VT_PDPTE3] = { get_nothing, set_nothing },
#undef SPECIAL
};

/* ---- access rights: the VMCB has the same bits, packed ----------------------------------------------------------- */

static inline struct vmcb_segment *segment(struct svm_vcpu *v, unsigned seg)
{
    static const uint16_t at[VT_SEG_COUNT] = {
        [VT_ES] = offsetof(struct vmcb, es), [VT_CS] = offsetof(struct vmcb, cs), [VT_SS] = offsetof(struct vmcb, ss),
        [VT_DS] = offsetof(struct vmcb, ds), [VT_FS] = offsetof(struct vmcb, fs), [VT_GS] = offsetof(struct vmcb, gs),
        [VT_LDTR] = offsetof(struct vmcb, ldtr), [VT_TR] = offsetof(struct vmcb, tr),
    };
    return (void *)((char *)v->vmcb + at[seg]);
}

/* CPL has a field of its own, and G is lost at an exit: it follows from the limit. */
static inline uint64_t get_access(struct svm_vcpu *v, unsigned seg)
{
    const struct vmcb_segment *s = segment(v, seg);
    uint64_t access = (s->attributes & 0xffu) | (s->attributes & 0x700u) << 4 | (s->limit > 0xfffff ? 0x8000u : 0);
    if (seg == VT_SS)
        access = (access & ~UINT64_C(0x60)) | (uint64_t)v->vmcb->cpl << 5;
    return s->attributes & VMCB_ATTRIBUTE_P ? access : access | VT_ACCESS_UNUSABLE;
}

enum { TYPE_BUSY = 2 };

static void set_access(struct svm_vcpu *v, unsigned seg, uint64_t access)
{
    uint16_t attributes = (uint16_t)((access & 0xff) | (access >> 4 & 0xf00));
    /* QEMU quirk: TR's cached type is that of a TSS that is not busy, as LTR found it. With the other its CPU refuses ring 3
     * every port that the TSS allows, and QEMU itself aborts ("invalid tss type") when ring 3 takes an exception. */
    if (seg == VT_TR && svm_caps.lenient)
        attributes &= (uint16_t)~TYPE_BUSY;
    segment(v, seg)->attributes = access & VT_ACCESS_UNUSABLE ? 0 : attributes;
    if (seg == VT_SS)
        v->vmcb->cpl = (uint8_t)VT_ACCESS_DPL(access);
    svm_dirty(v, CLEAN_SEG);
}

/* ---- the two doors ----------------------------------------------------------------------------------------------- */

static uint64_t load(const void *from, unsigned width)
{
    switch (width) {
    case 2: return *(const uint16_t *)from;
    case 4: return *(const uint32_t *)from;
    default: return *(const uint64_t *)from;
    }
}

uint64_t svm_get(struct vt_vcpu *vt, enum vt_field field)
{
    struct svm_vcpu *v = svm_of(vt);
    const struct place *p = &places[field];
    if (LIKELY(p->width))
        return load((const char *)v->vmcb + p->offset, p->width);
    if (field >= VT_ACCESS && field < VT_ACCESS + VT_SEG_COUNT)
        return get_access(v, field - VT_ACCESS);
    return special[field].get(v);
}

static __attribute__((noinline)) void set_apart(struct svm_vcpu *v, enum vt_field field, uint64_t value)
{
    if (field >= VT_ACCESS && field < VT_ACCESS + VT_SEG_COUNT)
        set_access(v, field - VT_ACCESS, value);
    else
        special[field].set(v, value);
}

void svm_set(struct vt_vcpu *vt, enum vt_field field, uint64_t value)
{
    struct svm_vcpu *v = svm_of(vt);
    const struct place *p = &places[field];
    void *to = (char *)v->vmcb + p->offset;
    if (!p->width) {
        set_apart(v, field, value);
        return;
    }
    svm_dirty(v, p->part);
    if (p->width == 2)
        *(uint16_t *)to = (uint16_t)value;
    else if (p->width == 4)
        *(uint32_t *)to = (uint32_t)value;
    else
        *(uint64_t *)to = value;
}

/* ---- the end of an instruction ----------------------------------------------------------------------------------- */

/* APM vol 2, "Debug Exceptions": a single step ends after the emulated instruction, too. */
static __attribute__((noinline)) void end_step(struct svm_vcpu *v)
{
    uint64_t flags = get_rflags(v);
    v->vmcb->rflags &= ~RFLAGS_RF;
    if (!(flags & RFLAGS_TF) || (v->vmcb->dbgctl & DEBUGCTL_BTF) || v->event_set)
        return;
    const struct vt_event e = { .vector = EXC_DB, .type = VT_EVENT_EXCEPTION };
    v->vmcb->dr6 |= DR6_BS;
    svm_dirty(v, CLEAN_DRX);
    svm_inject(&v->vt, &e);
}

static inline void advance(struct svm_vcpu *v, uint64_t rip)
{
    struct vmcb *c = v->vmcb;
    c->rip = rip;
    c->interrupt_shadow = 0;
    if (UNLIKELY(c->rflags & (RFLAGS_TF | RFLAGS_RF)))
        end_step(v);
}

void svm_advance(struct vt_vcpu *vt, uint64_t rip)
{
    advance(svm_of(vt), rip);
}

/* Without next-RIP saving, as the registers are now. RIP itself: the instruction cannot be read. */
static uint64_t next_rip(struct svm_vcpu *v)
{
    if (v->vt.exit.raw == VMEXIT_IOIO)
        return v->vmcb->exitinfo2;
    uint64_t rip = v->vmcb->rip + v->config.insn_length(v->config.ctx);
    bool code64 = (v->vmcb->efer & EFER_LMA) && (get_access(v, VT_CS) & VT_ACCESS_L);
    return code64 ? rip : (uint32_t)rip;
}

unsigned svm_insn_length(struct vt_vcpu *vt)
{
    struct svm_vcpu *v = svm_of(vt);
    uint64_t next = svm_caps.nrip ? v->vmcb->nrip : next_rip(v);
    return next > v->vmcb->rip && next - v->vmcb->rip <= 15 ? (unsigned)(next - v->vmcb->rip) : 0;
}

void svm_skip(struct vt_vcpu *vt)
{
    struct svm_vcpu *v = svm_of(vt);
    advance(v, v->vmcb->nrip);
}

/* The kinds whose handlers may call svm_skip(); some decode the instruction themselves, and settle what is wrong with it. */
#define SKIPPED (VT_EXIT_BIT(CPUID) | VT_EXIT_BIT(HYPERCALL) | VT_EXIT_BIT(IO) | VT_EXIT_BIT(RDMSR) | VT_EXIT_BIT(WRMSR) | \
                 VT_EXIT_BIT(HLT) | VT_EXIT_BIT(PAUSE) | VT_EXIT_BIT(XSETBV) | VT_EXIT_BIT(RDTSC) | VT_EXIT_BIT(INVLPG) | \
                 VT_EXIT_BIT(WBINVD) | SKIPPED_AND_DECODED)
#define SKIPPED_AND_DECODED (VT_EXIT_BIT(CR_INSN) | VT_EXIT_BIT(CR_WRITE) | VT_EXIT_BIT(CR_READ) | VT_EXIT_BIT(DR_ACCESS))

/* A handler may change what the instruction was fetched with: CR0, CR3, EFER. So what comes behind it is found before. If its
 * page was changed since the CPU fetched it, it is executed again: an exit in which nothing happened. */
uint32_t svm_find_next(struct svm_vcpu *v, uint32_t kind)
{
    if (!(SKIPPED >> kind & 1))
        return kind;
    v->vmcb->nrip = next_rip(v);
    if (LIKELY(v->vmcb->nrip != v->vmcb->rip) || SKIPPED_AND_DECODED >> kind & 1)
        return kind;
    svm_flush_linear(&v->vt);
    return v->vt.exit.kind = VT_EXIT_HOST_EVENT;
}

uint32_t svm_pkru(struct vt_vcpu *vt)
{
    return rdpkru(); /* asked only while the guest has CR4.PKE, so the CPU has it; the host switches it on for itself, too */
}

void svm_flush_linear(struct vt_vcpu *vt)
{
    struct svm_vcpu *v = svm_of(vt);
    if (svm_caps.flush_one)
        svm_set_flush(v, svm_caps.flush_one);
    else
        v->generation = 0; /* a new ASID at the next entry */
}

void svm_snapshot(struct vt_vcpu *vt, struct vt_snapshot *out)
{
    struct svm_vcpu *v = svm_of(vt);
    const struct vmcb *c = v->vmcb;
    out->rip = c->rip;
    out->rsp = c->rsp;
    out->rflags = get_rflags(v);
    out->cr0 = get_cr0(v);
    out->cr3 = c->cr3;
    out->cr4 = get_cr4(v);
    out->efer = get_efer(v);
    out->cs = c->cs.selector;
    out->cs_mode = (c->cs.attributes & VT_ACCESS_P) | ((uint32_t)c->cs.attributes << 4 & (VT_ACCESS_L | VT_ACCESS_DB));
    out->cpl = c->cpl;
}
