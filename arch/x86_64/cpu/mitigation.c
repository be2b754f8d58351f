#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/fixup.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"

/* hv/lib/thunks.asm: one for each register, in the order in which instructions encode them, all of this size. */
#define THUNKS     16u
#define THUNK_SIZE 32u
#define NO_THUNK   4u /* RSP */
#define INT3       0xcc
extern uint8_t indirect_thunks[THUNKS * THUNK_SIZE];

static struct speculation_policy policy;
uint64_t mitigation_spec_ctrl;

static struct cpuid_regs leaf_or_none(uint32_t number, uint32_t subleaf)
{
    return cpuid(number & 0x80000000, 0).eax >= number ? cpuid(number, subleaf) : (struct cpuid_regs){ 0, 0, 0, 0 };
}

/* Whoever is not AMD's kind is taken for Intel's, which reports what it is not affected by. */
static void read_facts(struct speculation_facts *f)
{
    struct cpuid_regs r = leaf_or_none(CPUID_EXT_FEATURES, 0);
    *f = (struct speculation_facts){ .intel = !cpu_features.svm, .features_ebx = r.ebx, .features_edx = r.edx };
    if (r.eax >= 2)
        f->features_2_edx = cpuid(CPUID_EXT_FEATURES, 2).edx;
    f->extended_ebx = leaf_or_none(CPUID_ADDRESS_SIZES, 0).ebx;
    f->extended_3_eax = leaf_or_none(CPUID_EXT_FEATURES_3, 0).eax;
    if (!(r.edx & CPUID_7_EDX_ARCH_CAPABILITIES) || !rdmsr_safe(IA32_ARCH_CAPABILITIES, &f->arch_capabilities))
        f->arch_capabilities = 0;
}

/* Each thunk jumps through its register as if it were not there: JMP r64. */
static void make_thunks_plain(void)
{
    for (uint32_t reg = 0; reg < THUNKS; reg++) {
        const uint8_t jump[] = { reg >= 8 ? 0x41 : 0x40 /* REX */, 0xff, (uint8_t)(0xe0 | (reg & 7)) };
        uint8_t *thunk = indirect_thunks + reg * THUNK_SIZE;
        memset(thunk, INT3, THUNK_SIZE);
        if (reg != NO_THUNK)
            memcpy(thunk, jump, sizeof jump);
    }
    (void)cpuid(CPUID_VENDOR, 0); /* serializes: what was fetched before is fetched anew */
}

/* What can only be written: a write is the proof that it is there. */
static void try_command(enum speculation_measure m, uint32_t msr, uint64_t command)
{
    if (policy.state[m] == SPECULATION_USED && !wrmsr_safe(msr, command))
        policy.state[m] = SPECULATION_MISSING;
}

void mitigation_init(bool (*without)(const char *feature))
{
    struct speculation_facts facts;
    read_facts(&facts);
    for (unsigned m = 0; m < SPECULATION_MEASURES; m++)
        facts.without |= without && without(speculation_key(m)) ? 1u << m : 0;
    speculation_decide(&facts, &policy);
    try_command(SPECULATION_IBPB, IA32_PRED_CMD, PRED_CMD_IBPB);
    try_command(SPECULATION_L1D, IA32_FLUSH_CMD, FLUSH_CMD_L1D);
    mitigation_spec_ctrl = policy.spec_ctrl;
    if (policy.state[SPECULATION_RETPOLINE] != SPECULATION_USED)
        make_thunks_plain();
    for (unsigned m = 0; m < SPECULATION_MEASURES; m++)
        if (policy.state[m] == SPECULATION_MISSING)
            log_line("cpu: %s", speculation_text(m, policy.state[m]));
}

void mitigation_cpu_enable(void)
{
    if (policy.spec_ctrl)
        wrmsr(IA32_SPEC_CTRL, policy.spec_ctrl);
    if (policy.efer)
        wrmsr(IA32_EFER, rdmsr(IA32_EFER) | policy.efer);
}

const struct speculation_policy *mitigation_policy(void)
{
    return &policy;
}
