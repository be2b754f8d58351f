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

/* Which guards all of the hypervisor once it is on. Intel: IBRS_ALL; AMD APM vol 2, "Automatic IBRS". Older kinds of IBRS, to be
 * written anew at each exit, are not used. */
static bool has_lasting_ibrs(const struct speculation_facts *f)
{
    if (f->without >> SPECULATION_IBRS & 1)
        return false;
    return f->intel ? f->features_edx & CPUID_7_EDX_SPEC_CTRL && f->arch_capabilities & ARCH_CAP_IBRS_ALL
                    : f->extended_3_eax & CPUID_80000021_EAX_AUTO_IBRS;
}

static bool has_no_lasting_ibrs(const struct speculation_facts *f)
{
    return !has_lasting_ibrs(f);
}

/* Intel's lasting IBRS does not reach the first return without a call ("Post-Barrier Return Stack Buffer Predictions"); AMD's
 * clears all predictions of returns at each exit. */
static bool trusts_returns(const struct speculation_facts *f)
{
    return !has_lasting_ibrs(f) || !reports(f, ARCH_CAP_PBRSB_NO);
}

/* Intel, "Branch History Injection and Intra-mode Branch Target Injection". */
static bool keeps_history(const struct speculation_facts *f)
{
    return has_lasting_ibrs(f) && !reports(f, ARCH_CAP_BHI_NO);
}

static bool has_history_switch(const struct speculation_facts *f)
{
    return f->features_2_edx & CPUID_7_2_EDX_BHI_CTRL;
}

static const struct {
    const char *key;
    bool (*needed)(const struct speculation_facts *f);
    uint32_t features_edx, extended_ebx; /* either offers it, */
    bool (*offered)(const struct speculation_facts *f); /* or this does */
    const char *text[3];
} rows[SPECULATION_MEASURES] = {
    [SPECULATION_IBPB] = { "ibpb", always, CPUID_7_EDX_SPEC_CTRL, CPUID_80000008_EBX_IBPB, NULL,
        { "IBPB when another partition comes", "IBPB: not needed",
          "no IBPB: partitions on one CPU share its branch predictors" } },
    [SPECULATION_L1D] = { "l1d-flush", leaks_l1d, CPUID_7_EDX_L1D_FLUSH, 0, NULL,
        { "L1D flushed when another partition comes", "L1D flush: not needed, as the CPU reports",
          "no L1D flush: what one partition cached, another on that CPU may find (L1TF)" } },
    [SPECULATION_VERW] = { "verw", leaks_buffers, CPUID_7_EDX_MD_CLEAR, 0, NULL,
        { "CPU buffers cleared (VERW) when another partition comes", "VERW: not needed, as the CPU reports",
          "no VERW clearing: what one partition moved, another on that CPU may find (MDS)" } },
    [SPECULATION_SSBD] = { "ssbd", bypasses_stores, CPUID_7_EDX_SSBD, 0 /* AMD's: guests are not given it */, NULL,
        { "SSBD: guests switch it themselves", "SSBD: not needed, as the CPU reports", "no SSBD: guests cannot switch it" } },
    [SPECULATION_IBRS] = { "ibrs", always, 0, 0, has_lasting_ibrs,
        { "IBRS always on in the hypervisor (enhanced, or AMD's automatic one)", "IBRS: not needed",
          "no enhanced or automatic IBRS" } },
    [SPECULATION_RETPOLINE] = { "retpoline", has_no_lasting_ibrs, 0, 0, always,
        { "indirect branches of the hypervisor are retpolines", "retpolines: not needed with such an IBRS",
          "no retpolines: guests may steer the hypervisor's speculation (Spectre v2)" } },
    [SPECULATION_RETURNS] = { "return-stack", trusts_returns, 0, 0, always,
        { "return stack cleared of what the guest left, at each exit", "return stack: no need to clear it, as the CPU reports",
          "return stack not cleared: guests may steer returns of the hypervisor" } },
    [SPECULATION_HISTORY] = { "bhi", keeps_history, 0, 0, has_history_switch,
        { "branch history of guests not used (BHI_DIS_S)", "branch history: nothing to be done",
          "no BHI_DIS_S: guests may choose among the hypervisor's branch targets (BHI)" } },
};

static enum speculation_state decide(enum speculation_measure m, const struct speculation_facts *f)
{
    bool offered = (f->features_edx & rows[m].features_edx) || (f->extended_ebx & rows[m].extended_ebx) ||
                   (rows[m].offered && rows[m].offered(f));
    if (!rows[m].needed(f))
        return SPECULATION_NEEDLESS;
    return offered && !(f->without >> m & 1) ? SPECULATION_USED : SPECULATION_MISSING;
}

void speculation_decide(const struct speculation_facts *f, struct speculation_policy *out)
{
    *out = (struct speculation_policy){ .returns = RETURNS_AS_THEY_ARE };
    for (unsigned m = 0; m < SPECULATION_MEASURES; m++)
        out->state[m] = decide(m, f);
    bool ibrs = out->state[SPECULATION_IBRS] == SPECULATION_USED;
    if (ibrs && f->intel)
        out->spec_ctrl = SPEC_CTRL_IBRS | (out->state[SPECULATION_HISTORY] == SPECULATION_USED ? SPEC_CTRL_BHI_DIS_S : 0);
    else if (ibrs)
        out->efer = EFER_AIBRSE;
    if (out->state[SPECULATION_RETURNS] == SPECULATION_USED)
        out->returns = ibrs ? RETURNS_ONE_CALL : RETURNS_REFILL;
}

const char *speculation_text(enum speculation_measure m, enum speculation_state s)
{
    return rows[m].text[s];
}

const char *speculation_key(enum speculation_measure m)
{
    return rows[m].key;
}
