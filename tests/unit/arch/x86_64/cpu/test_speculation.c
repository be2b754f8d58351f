#include "arch/x86_64/cpu/speculation.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/str.h"
#include "tests/unit/test.h"

enum { USED = SPECULATION_USED, NEEDLESS = SPECULATION_NEEDLESS, MISSING = SPECULATION_MISSING };

#define OLD_INTEL   { .intel = true }
#define PATCHED_EDX (CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_L1D_FLUSH | CPUID_7_EDX_MD_CLEAR | CPUID_7_EDX_SSBD)

/* What follows for IBPB, L1D, VERW, SSBD, in this order. */
static const struct {
    struct speculation_facts facts;
    int expected[SPECULATION_MEASURES];
} cases[] = {
    { OLD_INTEL, { MISSING, MISSING, MISSING, MISSING } }, /* no new microcode */
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
    { { .extended_ebx = CPUID_80000008_EBX_IBPB | CPUID_80000008_EBX_SSBD }, { USED, NEEDLESS, NEEDLESS, USED } },
    { { .extended_ebx = CPUID_80000008_EBX_IBPB | CPUID_80000008_EBX_SSB_NO }, { USED, NEEDLESS, NEEDLESS, NEEDLESS } },
};

TEST(each_measure_follows_from_what_the_cpu_reports)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct speculation_policy policy;
        speculation_decide(&cases[i].facts, &policy);
        for (unsigned m = 0; m < SPECULATION_MEASURES; m++)
            CHECK_EQ(policy.state[m], cases[i].expected[m]);
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
            for (unsigned m = 0; m < SPECULATION_MEASURES; m++) {
                CHECK(poor.state[m] != SPECULATION_USED && rich.state[m] != SPECULATION_MISSING);
                CHECK((poor.state[m] == SPECULATION_NEEDLESS) == (rich.state[m] == SPECULATION_NEEDLESS));
            }
        }
}

TEST(each_state_has_its_words)
{
    for (unsigned m = 0; m < SPECULATION_MEASURES; m++)
        for (unsigned s = 0; s <= SPECULATION_MISSING; s++)
            CHECK(speculation_text(m, s) && strlen(speculation_text(m, s)) < 79);
}
