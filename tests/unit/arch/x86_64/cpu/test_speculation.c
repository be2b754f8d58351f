#include "arch/x86_64/cpu/speculation.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/str.h"
#include "tests/unit/test.h"

enum { USED = SPECULATION_USED, NEEDLESS = SPECULATION_NEEDLESS, MISSING = SPECULATION_MISSING };

#define PATCHED_EDX (CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_L1D_FLUSH | CPUID_7_EDX_MD_CLEAR | CPUID_7_EDX_SSBD)

/* What follows for IBPB, L1D, VERW, SSBD, in this order. */
static const struct {
    struct speculation_facts facts;
    int expected[SPECULATION_SSBD + 1];
} between_guests[] = {
    { { .intel = true }, { MISSING, MISSING, MISSING, MISSING } }, /* no new microcode */
    { { .intel = true, .features_edx = PATCHED_EDX }, { USED, USED, USED, USED } },
    { { .intel = true, .features_edx = PATCHED_EDX, .arch_capabilities = ARCH_CAP_RDCL_NO }, { USED, NEEDLESS, USED, USED } },
    { { .intel = true, .features_edx = PATCHED_EDX, .arch_capabilities = ARCH_CAP_SKIP_L1DFL_VMENTRY }, { USED, NEEDLESS, USED, USED } },
    { { .intel = true, .features_edx = PATCHED_EDX, .arch_capabilities = ARCH_CAP_MDS_NO }, { USED, USED, NEEDLESS, USED } },
    { { .intel = true, .features_edx = PATCHED_EDX, .features_ebx = CPUID_7_EBX_RTM, .arch_capabilities = ARCH_CAP_MDS_NO },
      { USED, USED, USED, USED } }, /* TAA */
    { { .intel = true, .features_edx = PATCHED_EDX, .features_ebx = CPUID_7_EBX_RTM, .arch_capabilities = ARCH_CAP_MDS_NO | ARCH_CAP_TAA_NO },
      { USED, USED, NEEDLESS, USED } },
    { { .intel = true, .features_edx = PATCHED_EDX, .arch_capabilities = ARCH_CAP_RDCL_NO | ARCH_CAP_MDS_NO | ARCH_CAP_SSB_NO },
      { USED, NEEDLESS, NEEDLESS, NEEDLESS } },
    { { .intel = false }, { MISSING, NEEDLESS, NEEDLESS, MISSING } }, /* AMD */
    { { .extended_ebx = CPUID_80000008_EBX_IBPB | CPUID_80000008_EBX_SSBD }, { USED, NEEDLESS, NEEDLESS, MISSING } },
    { { .extended_ebx = CPUID_80000008_EBX_IBPB | CPUID_80000008_EBX_SSB_NO }, { USED, NEEDLESS, NEEDLESS, NEEDLESS } },
    { { .intel = true, .features_edx = PATCHED_EDX, .without = 1u << SPECULATION_VERW }, { USED, USED, MISSING, USED } },
};

TEST(each_measure_between_guests_follows_from_what_the_cpu_reports)
{
    for (size_t i = 0; i < ARRAY_SIZE(between_guests); i++) {
        struct speculation_policy policy;
        speculation_decide(&between_guests[i].facts, &policy);
        for (unsigned m = 0; m <= SPECULATION_SSBD; m++)
            CHECK_EQ(policy.state[m], between_guests[i].expected[m]);
    }
}

/* The hypervisor's own branches: IBRS, retpolines, return stack, branch history; what is done for returns, IA32_SPEC_CTRL, EFER. */
#define IBRS    CPUID_7_EDX_SPEC_CTRL
#define CAP(c)  .arch_capabilities = ARCH_CAP_IBRS_ALL | (c)
static const struct {
    const char *cpu;
    struct speculation_facts facts;
    int expected[4], returns;
    uint64_t spec_ctrl, efer;
} own[] = {
    { "Intel of before 2018", { .intel = true }, { MISSING, USED, USED, NEEDLESS }, RETURNS_REFILL, 0, 0 },
    { "the same with microcode", { .intel = true, .features_edx = IBRS }, { MISSING, USED, USED, NEEDLESS }, RETURNS_REFILL, 0, 0 },
    { "a report without the MSR", { .intel = true, CAP(0) }, { MISSING, USED, USED, NEEDLESS }, RETURNS_REFILL, 0, 0 },
    { "Intel with enhanced IBRS", { .intel = true, .features_edx = IBRS, CAP(0) }, { USED, NEEDLESS, USED, MISSING }, RETURNS_ONE_CALL,
      SPEC_CTRL_IBRS, 0 },
    { "PBRSB_NO", { .intel = true, .features_edx = IBRS, CAP(ARCH_CAP_PBRSB_NO) }, { USED, NEEDLESS, NEEDLESS, MISSING },
      RETURNS_AS_THEY_ARE, SPEC_CTRL_IBRS, 0 },
    { "BHI_NO", { .intel = true, .features_edx = IBRS, CAP(ARCH_CAP_PBRSB_NO | ARCH_CAP_BHI_NO) },
      { USED, NEEDLESS, NEEDLESS, NEEDLESS }, RETURNS_AS_THEY_ARE, SPEC_CTRL_IBRS, 0 },
    { "BHI_CTRL", { .intel = true, .features_edx = IBRS, .features_2_edx = CPUID_7_2_EDX_BHI_CTRL, CAP(ARCH_CAP_PBRSB_NO) },
      { USED, NEEDLESS, NEEDLESS, USED }, RETURNS_AS_THEY_ARE, SPEC_CTRL_IBRS | SPEC_CTRL_BHI_DIS_S, 0 },
    { "AMD of before Zen 4", { .extended_ebx = CPUID_80000008_EBX_IBPB | CPUID_80000008_EBX_IBRS }, { MISSING, USED, USED, NEEDLESS },
      RETURNS_REFILL, 0, 0 },
    { "AMD with automatic IBRS", { .extended_3_eax = CPUID_80000021_EAX_AUTO_IBRS }, { USED, NEEDLESS, NEEDLESS, NEEDLESS },
      RETURNS_AS_THEY_ARE, 0, EFER_AIBRSE },
    { "without=ibrs on Intel", { .intel = true, .features_edx = IBRS, CAP(0), .without = 1u << SPECULATION_IBRS },
      { MISSING, USED, USED, NEEDLESS }, RETURNS_REFILL, 0, 0 },
    { "without=ibrs on AMD", { .extended_3_eax = CPUID_80000021_EAX_AUTO_IBRS, .without = 1u << SPECULATION_IBRS },
      { MISSING, USED, USED, NEEDLESS }, RETURNS_REFILL, 0, 0 },
    { "without=retpoline,return-stack", { .intel = true, .without = 1u << SPECULATION_RETPOLINE | 1u << SPECULATION_RETURNS },
      { MISSING, MISSING, MISSING, NEEDLESS }, RETURNS_AS_THEY_ARE, 0, 0 },
};

TEST(what_guards_the_hypervisors_own_branches_follows_from_what_the_cpu_reports)
{
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        struct speculation_policy policy;
        speculation_decide(&own[i].facts, &policy);
        bool same = policy.returns == (unsigned)own[i].returns && policy.spec_ctrl == own[i].spec_ctrl && policy.efer == own[i].efer;
        for (unsigned m = 0; m < 4; m++)
            same = same && policy.state[SPECULATION_IBRS + m] == (unsigned)own[i].expected[m];
        if (!same)
            printf("  %s\n", own[i].cpu);
        CHECK(same);
    }
}

/* Reporting more "not affected" never adds a measure, and offering more never takes one away. */
TEST(for_all_reports_a_measure_is_used_only_where_needed_and_offered)
{
    static const uint64_t caps[] = { ARCH_CAP_RDCL_NO, ARCH_CAP_SKIP_L1DFL_VMENTRY, ARCH_CAP_MDS_NO, ARCH_CAP_TAA_NO, ARCH_CAP_SSB_NO };
    for (unsigned bits = 0; bits < 1u << ARRAY_SIZE(caps); bits++)
        for (unsigned rtm = 0; rtm < 2; rtm++) {
            struct speculation_facts f = { .intel = true, .features_ebx = rtm ? CPUID_7_EBX_RTM : 0 };
            for (unsigned i = 0; i < ARRAY_SIZE(caps); i++)
                f.arch_capabilities |= bits >> i & 1 ? caps[i] : 0;
            struct speculation_policy poor, rich;
            speculation_decide(&f, &poor);
            f.features_edx = PATCHED_EDX;
            speculation_decide(&f, &rich);
            for (unsigned m = 0; m <= SPECULATION_SSBD; m++) {
                CHECK(poor.state[m] != SPECULATION_USED && rich.state[m] != SPECULATION_MISSING);
                CHECK((poor.state[m] == SPECULATION_NEEDLESS) == (rich.state[m] == SPECULATION_NEEDLESS));
            }
        }
}

/* Unless somebody asked to do without: then it is said. */
TEST(for_all_reports_the_hypervisors_branches_and_returns_are_guarded_by_one_or_the_other)
{
    static const uint64_t caps[] = { ARCH_CAP_IBRS_ALL, ARCH_CAP_PBRSB_NO, ARCH_CAP_BHI_NO };
    for (unsigned bits = 0; bits < 1u << 7; bits++) {
        struct speculation_facts f = { .intel = bits & 8, .features_edx = bits & 16 ? CPUID_7_EDX_SPEC_CTRL : 0 };
        for (unsigned i = 0; i < ARRAY_SIZE(caps); i++)
            f.arch_capabilities |= bits >> i & 1 ? caps[i] : 0;
        f.extended_3_eax = bits & 32 ? CPUID_80000021_EAX_AUTO_IBRS : 0;
        f.without = bits & 64 ? 1u << SPECULATION_IBRS : 0;
        struct speculation_policy p;
        speculation_decide(&f, &p);
        bool ibrs = p.spec_ctrl & SPEC_CTRL_IBRS || p.efer & EFER_AIBRSE;
        CHECK_EQ(ibrs, p.state[SPECULATION_IBRS] == SPECULATION_USED);
        CHECK_EQ(!ibrs, p.state[SPECULATION_RETPOLINE] == SPECULATION_USED);
        CHECK(ibrs || p.returns == RETURNS_REFILL);
        CHECK(p.state[SPECULATION_RETURNS] != SPECULATION_MISSING && !(p.spec_ctrl && !f.intel) && !(p.efer && f.intel));
    }
}

TEST(each_state_has_its_words_and_each_measure_a_key_of_its_own)
{
    for (unsigned m = 0; m < SPECULATION_MEASURES; m++) {
        for (unsigned s = 0; s <= SPECULATION_MISSING; s++)
            CHECK(speculation_text(m, s) && strlen(speculation_text(m, s)) < 79);
        for (unsigned other = 0; other < m; other++)
            CHECK(strcmp(speculation_key(m), speculation_key(other)) != 0);
    }
}
