#include "arch/x86_64/cpu/speculation.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/msr.h"

/* Intel reports what a CPU is not affected by, AMD's are affected by none of these two. Intel, "Speculative Execution Side
 * Channel Mitigations": without the bit a CPU has to be taken for affected. */
static bool reports(const struct speculation_facts *f, uint64_t bits)
{
    return !f->intel || (f->arch_capabilities & bits) != 0;
}

static bool always(const struct speculation_facts *f)
{
    (void)f;
    return true;
}

static bool leaks_l1d(const struct speculation_facts *f)
{
    return !reports(f, ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1DFL_VMENTRY);
}

/* TAA is the same leak by transactions, on CPUs that have them. */
static bool leaks_buffers(const struct speculation_facts *f)
{
    return !reports(f, ARCH_CAP_MDS_NO) || (f->features_ebx & CPUID_7_EBX_RTM && !reports(f, ARCH_CAP_TAA_NO));
}

static bool bypasses_stores(const struct speculation_facts *f)
{
    return !(f->arch_capabilities & ARCH_CAP_SSB_NO) && !(f->extended_ebx & CPUID_80000008_EBX_SSB_NO);
}

static const struct {
    bool (*needed)(const struct speculation_facts *f);
    uint32_t features_edx, extended_ebx; /* either offers it */
    const char *text[3];
} rows[SPECULATION_MEASURES] = {
    [SPECULATION_IBPB] = { always, CPUID_7_EDX_SPEC_CTRL, CPUID_80000008_EBX_IBPB,
        { "IBPB when another partition comes", "IBPB: not needed",
          "no IBPB: partitions on one CPU share its branch predictors" } },
    [SPECULATION_L1D] = { leaks_l1d, CPUID_7_EDX_L1D_FLUSH, 0,
        { "L1D flushed when another partition comes", "L1D flush: not needed, as the CPU reports",
          "no L1D flush: what one partition cached, another on that CPU may find (L1TF)" } },
    [SPECULATION_VERW] = { leaks_buffers, CPUID_7_EDX_MD_CLEAR, 0,
        { "CPU buffers cleared (VERW) when another partition comes", "VERW: not needed, as the CPU reports",
          "no VERW clearing: what one partition moved, another on that CPU may find (MDS)" } },
    [SPECULATION_SSBD] = { bypasses_stores, CPUID_7_EDX_SSBD, CPUID_80000008_EBX_SSBD,
        { "SSBD: guests switch it themselves", "SSBD: not needed, as the CPU reports", "no SSBD: guests cannot switch it" } },
};

void speculation_decide(const struct speculation_facts *f, struct speculation_policy *out)
{
    for (unsigned m = 0; m < SPECULATION_MEASURES; m++) {
        bool offered = (f->features_edx & rows[m].features_edx) || (f->extended_ebx & rows[m].extended_ebx);
        out->state[m] = !rows[m].needed(f) ? SPECULATION_NEEDLESS : offered ? SPECULATION_USED : SPECULATION_MISSING;
    }
}

const char *speculation_text(enum speculation_measure m, enum speculation_state s)
{
    return rows[m].text[s];
}
