/* What this CPU's SVM offers (AMD APM vol 3, CPUID Fn8000_000A). One row per optional feature: when a bit is not there,
 * the row says in the boot log what is done instead. */
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/fixup.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/svm/tcg.h"
#include "hv/lib/log.h"

struct svm_caps svm_caps;
struct vt_env svm_env;

static const struct {
    uint32_t bit;
    const char *key, *name, *fallback; /* key: as in "without=" on the hypervisor's command line */
} optional[] = {
    { CPUID_8000000A_EDX_NRIPS, "nrip", "next RIP", "lengths of instructions are found by decoding them" },
    { CPUID_8000000A_EDX_DECODE_ASSISTS, "decode-assists", "decode assists", "MOV to CR is decoded" },
    { CPUID_8000000A_EDX_FLUSH_BY_ASID, "flush-by-asid", "flush by ASID", "a new ASID takes the place of a flush" },
    { CPUID_8000000A_EDX_VMCB_CLEAN, "vmcb-clean", "VMCB clean bits", "every entry loads the whole VMCB" },
};

static uint32_t collect_optional(uint32_t edx)
{
    uint32_t got = 0;
    for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
        bool unwanted = svm_env.without(optional[i].key);
        if ((edx & optional[i].bit) && !unwanted)
            got |= optional[i].bit;
        else
            log_line("svm: no %s%s: %s", optional[i].name, unwanted ? " (as asked for)" : "", optional[i].fallback);
    }
    return got;
}

/* QEMU quirk: where a CPU raises #GP for an address that is not canonical, or for reserved bits, TCG takes them. What the
 * guest could otherwise write by itself then exits, so that it meets a CPU. */
static void find_leniency(struct svm_caps *c)
{
    c->lenient = wrmsr_safe(IA32_LSTAR, UINT64_C(1) << 63);
    if (!c->lenient)
        return;
    wrmsr(IA32_LSTAR, 0);
    log_line("svm: this CPU does not check addresses and reserved bits (an emulator): such registers' writes exit");
}

enum vt_status svm_init(const struct vt_env *env)
{
    struct svm_caps *c = &svm_caps;
    struct cpuid_regs r = cpuid(CPUID_SVM, 0);

    svm_env = *env;
    if (!(r.edx & CPUID_8000000A_EDX_NP)) {
        log_line("svm: the CPU lacks nested paging, which is required");
        return VT_UNSUPPORTED;
    }
    if (r.ebx < 2) {
        log_line("svm: the CPU has %u address space identifiers; one for the host and one for a guest are required", r.ebx);
        return VT_UNSUPPORTED;
    }
    uint32_t got = collect_optional(r.edx);
    c->asids = r.ebx;
    c->nrip = got & CPUID_8000000A_EDX_NRIPS;
    c->decode_assists = got & CPUID_8000000A_EDX_DECODE_ASSISTS;
    c->flush_one = got & CPUID_8000000A_EDX_FLUSH_BY_ASID ? TLB_FLUSH_ASID : 0;
    c->clean = got & CPUID_8000000A_EDX_VMCB_CLEAN ? CLEAN_ALL : 0;
    c->features = (struct vt_features){
        .tpr_shadow = true, .vpid = true, .nested_2m = true, .nested_1g = cpu_features.pages_1g, .nested_ad = true,
        .rdtscp = cpu_features.rdtscp, .invpcid = cpu_features.invpcid,
    };
    find_leniency(c);
    svm_policy_init(c);
    if (mitigation_policy()->returns == RETURNS_REFILL)
        env->ops->run = svm_run_refill;
    c->tcg = svm_tcg_init(env);
    log_line("svm: nested pages 4K 2M%s, %u ASIDs, next RIP %s, decode assists %s, VMCB clean bits %s",
             c->features.nested_1g ? " 1G" : "", c->asids, c->nrip ? "yes" : "no", c->decode_assists ? "yes" : "no",
             c->clean ? "yes" : "no");
    log_line("svm: no preemption timer: turns end by the local APIC timer's interrupt");
    return VT_OK;
}
