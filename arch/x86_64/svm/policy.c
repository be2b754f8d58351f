/* Exit controls (vt/policy.h) as bits of the VMCB. AMD APM vol 2, "Intercept Operation". */
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/vt/policy.h"
#include "hv/lib/str.h"

static const struct { uint32_t control, word_1, word_2, word_3; } rows[] = {
    { VT_CONTROL_DESCRIPTOR_TABLES, INTERCEPT_IDTR_READ | INTERCEPT_GDTR_READ | INTERCEPT_LDTR_READ | INTERCEPT_TR_READ |
      INTERCEPT_IDTR_WRITE | INTERCEPT_GDTR_WRITE | INTERCEPT_LDTR_WRITE | INTERCEPT_TR_WRITE, 0, 0 },
    { VT_CONTROL_RDTSC, INTERCEPT_RDTSC, INTERCEPT_RDTSCP, 0 },
    { VT_CONTROL_INVLPG, INTERCEPT_INVLPG, 0, INTERCEPT_INVPCID },
    { VT_CONTROL_PAUSE, INTERCEPT_PAUSE, 0, 0 },
    { VT_CONTROL_PUSHF, INTERCEPT_PUSHF, 0, 0 },
    { VT_CONTROL_POPF, INTERCEPT_POPF, 0, 0 },
};

/* CR0 and CR4: every write exits anyway; reads by field.c. */
static const struct { uint32_t control, cr; } registers[] = { { VT_CONTROL_CR3, 1u << 3 }, { VT_CONTROL_CR8, 1u << 8 } };

static const uint64_t fixed = VT_CONTROL_BIT(RDPMC) | VT_CONTROL_BIT(CR0_WRITE) | VT_CONTROL_BIT(CR4_WRITE) | VT_CONTROL_BIT(WBINVD) |
                              VT_CONTROL_BIT(HLT) | VT_CONTROL_BIT(MWAIT) | VT_CONTROL_BIT(IO) |
                              (uint64_t)EXC_ALWAYS_EXIT << VT_CONTROL_EXCEPTION;

void svm_policy_init(struct svm_caps *c)
{
    uint64_t switched = (uint64_t)EXC_MAY_EXIT << VT_CONTROL_EXCEPTION | VT_CONTROL_BIT(CR0_READ) |
                        VT_CONTROL_BIT(CR4_READ) | VT_CONTROL_BIT(MOV_DR) | VT_CONTROL_BIT(MSR);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        switched |= UINT64_C(1) << rows[i].control;
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
        switched |= UINT64_C(1) << registers[i].control;
    c->features.controls_fixed = fixed;
    c->features.controls_switched = switched;
}

static uint32_t with(uint32_t word, uint32_t bits, bool on)
{
    return on ? word | bits : word & ~bits;
}

/* One map of ones serves all vCPUs. */
static hpa_t map_of_ones(void)
{
    static uint8_t ones[MSRPM_SIZE] __attribute__((aligned(4096)));
    if (!ones[0])
        memset(ones, 0xff, sizeof ones);
    return svm_env.image_hpa(ones);
}

static void set_registers(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
        bool on = v->policy >> registers[i].control & 1;
        c->intercept_cr_read = (uint16_t)with(c->intercept_cr_read, registers[i].cr, on);
        if (registers[i].control != VT_CONTROL_CR8 || on || !svm_caps.lenient)
            c->intercept_cr_write = (uint16_t)with(c->intercept_cr_write, registers[i].cr, on);
    }
    c->intercept_dr_read = c->intercept_dr_write = v->policy & VT_CONTROL_BIT(MOV_DR) ? 0xffff : 0;
}

void svm_set_policy(struct vt_vcpu *vt, uint64_t controls)
{
    struct svm_vcpu *v = svm_of(vt);
    struct vmcb *c = v->vmcb;
    v->soft_rip = 0;
    v->policy = controls & svm_caps.features.controls_switched;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        bool on = v->policy >> rows[i].control & 1;
        c->intercept_1 = with(c->intercept_1, rows[i].word_1, on);
        c->intercept_2 = with(c->intercept_2, rows[i].word_2, on);
        c->intercept_3 = with(c->intercept_3, rows[i].word_3, on);
    }
    set_registers(v);
    c->intercept_exceptions = EXC_ALWAYS_EXIT | VT_POLICY_EXCEPTIONS(v->policy);
    c->msrpm_base_pa = v->policy & VT_CONTROL_BIT(MSR) ? map_of_ones().raw : v->msrpm.raw;
    svm_dirty(v, CLEAN_I | CLEAN_IOPM);
    svm_set(vt, VT_CR0, svm_get(vt, VT_CR0)); /* and which of them exit when they are read */
    svm_set(vt, VT_CR4, svm_get(vt, VT_CR4));
}
