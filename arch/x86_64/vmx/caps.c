/* What this CPU's VMX offers, and the control words made from it. One row per optional feature: when a bit is not
 * there, the row says in the boot log what is done instead. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "arch/x86_64/vmx/vmx.h"
#include "hv/lib/log.h"

struct vmx_caps vmx_caps;
struct vt_env vmx_env;

enum word { PIN, PRIMARY, SECONDARY, EXIT, ENTRY, WORDS };

static const struct {
    uint32_t msr, true_msr;
    const char *name;
} words[WORDS] = {
    [PIN]       = { IA32_VMX_PINBASED_CTLS, IA32_VMX_TRUE_PINBASED_CTLS, "pin-based" },
    [PRIMARY]   = { IA32_VMX_PROCBASED_CTLS, IA32_VMX_TRUE_PROCBASED_CTLS, "primary processor-based" },
    [SECONDARY] = { IA32_VMX_PROCBASED_CTLS2, IA32_VMX_PROCBASED_CTLS2, "secondary processor-based" },
    [EXIT]      = { IA32_VMX_EXIT_CTLS, IA32_VMX_TRUE_EXIT_CTLS, "VM-exit" },
    [ENTRY]     = { IA32_VMX_ENTRY_CTLS, IA32_VMX_TRUE_ENTRY_CTLS, "VM-entry" },
};

/* Without these there is no Trapeze: no fallback. */
static const uint32_t required[WORDS] = {
    [PIN] = PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
    [PRIMARY] = PROC_USE_TSC_OFFSETTING | PROC_HLT_EXITING | PROC_MWAIT_EXITING | PROC_MONITOR_EXITING |
                PROC_RDPMC_EXITING | PROC_USE_IO_BITMAPS | PROC_USE_MSR_BITMAPS | PROC_ACTIVATE_SECONDARY_CONTROLS,
    [SECONDARY] = PROC2_ENABLE_EPT | PROC2_UNRESTRICTED_GUEST,
    [EXIT] = EXIT_SAVE_DEBUG_CONTROLS | EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_ACKNOWLEDGE_INTERRUPT | EXIT_SAVE_PAT |
             EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER,
    [ENTRY] = ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER,
};

static const struct {
    enum word word;
    uint32_t bit;
    const char *key, *name, *fallback; /* key: as in "without=" on the hypervisor's command line */
} optional[] = {
    { PIN, PIN_PREEMPTION_TIMER, "preemption-timer", "preemption timer", "turns end by the local APIC timer's interrupt" },
    { PRIMARY, PROC_USE_TPR_SHADOW, "tpr-shadow", "TPR shadow", "MOV CR8 exits" },
    { SECONDARY, PROC2_ENABLE_VPID, "vpid", "VPID", "every entry and exit flushes the TLB" },
    { SECONDARY, PROC2_VIRTUALIZE_APIC_ACCESSES, "apicv", "APIC-access page", "xAPIC accesses are decoded" },
    { SECONDARY, PROC2_APIC_REGISTER_VIRTUALIZATION, "apicv", "APIC-register virtualization", "APIC reads exit" },
    { SECONDARY, PROC2_VIRTUAL_INTERRUPT_DELIVERY, "apicv", "virtual-interrupt delivery", "EOI and self-IPI exit" },
    { SECONDARY, PROC2_VIRTUALIZE_X2APIC_MODE, "apicv", "x2APIC virtualization", "x2APIC MSRs exit" },
    { SECONDARY, PROC2_ENABLE_RDTSCP, "rdtscp", "RDTSCP and RDPID", "hidden from guests" },
    { SECONDARY, PROC2_ENABLE_INVPCID, "invpcid", "INVPCID", "hidden from guests" },
    { SECONDARY, PROC2_WBINVD_EXITING, "wbinvd", "WBINVD exiting", "a guest's WBINVD flushes the caches of all" },
};

static uint32_t allowed(enum word w, uint32_t want, uint32_t *must)
{
    bool true_controls = rdmsr(IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;
    uint64_t cap = rdmsr(true_controls ? words[w].true_msr : words[w].msr);
    *must = VMX_CTLS_MUST(cap);
    return want & VMX_CTLS_MAY(cap);
}

static bool collect_word(enum word w, uint32_t *out)
{
    uint32_t must, got = allowed(w, required[w], &must);
    if (got != required[w]) {
        log_line("vmx: the CPU lacks required %s controls 0x%x", words[w].name, required[w] & ~got);
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
        if (optional[i].word != w)
            continue;
        bool unwanted = vmx_env.without(optional[i].key);
        uint32_t bit = unwanted ? 0 : allowed(w, optional[i].bit, &must);
        if (!bit)
            log_line("vmx: no %s%s: %s", optional[i].name, unwanted ? " (as asked for)" : "", optional[i].fallback);
        got |= bit;
    }
    *out = got | must;
    return true;
}

static void read_switchable(struct vmx_caps *c)
{
    uint32_t must;
    c->primary_may = allowed(PRIMARY, UINT32_MAX, &c->primary_must);
    c->secondary_may = allowed(SECONDARY, UINT32_MAX, &must);
}

static bool has(uint32_t word, uint32_t bits)
{
    return (word & bits) == bits;
}

/* APICv is used as a whole or not at all: the three parts share one page of registers. */
static void settle_apicv(struct vmx_caps *c)
{
    const uint32_t parts = PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUAL_INTERRUPT_DELIVERY |
                           PROC2_VIRTUALIZE_X2APIC_MODE | PROC2_VIRTUALIZE_APIC_ACCESSES;
    c->features.tpr_shadow = has(c->primary, PROC_USE_TPR_SHADOW);
    c->features.apicv = c->features.tpr_shadow && has(c->secondary, parts);
    c->features.apic_access_page = c->features.apicv;
    c->secondary &= ~parts; /* switched on when the vCPU's APIC mode is known: apicv.c */
    if (!c->features.apicv && !c->features.tpr_shadow)
        c->primary |= PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING;
}

static void read_ept_vpid(struct vmx_caps *c)
{
    uint64_t cap = rdmsr(IA32_VMX_EPT_VPID_CAP);
    c->features.nested_1g = cap & VMX_EPT_1G_PAGES;
    c->features.nested_2m = cap & VMX_EPT_2M_PAGES;
    c->features.nested_ad = cap & VMX_EPT_ACCESS_DIRTY;
    c->features.vpid = has(c->secondary, PROC2_ENABLE_VPID);
    c->invept_single = cap & VMX_EPT_INVEPT_SINGLE;
    c->invvpid_single = cap & VMX_VPID_INVVPID_SINGLE;
    c->invvpid = c->features.vpid && (cap & VMX_VPID_INVVPID) && (cap & (VMX_VPID_INVVPID_SINGLE | VMX_VPID_INVVPID_ALL));
    if (c->features.vpid && !c->invvpid) {
        log_line("vmx: no INVVPID: VPID is not used, every entry and exit flushes the TLB");
        c->secondary &= ~(uint32_t)PROC2_ENABLE_VPID;
        c->features.vpid = false;
    }
}

enum vt_status vmx_init(const struct vt_env *env)
{
    struct vmx_caps *c = &vmx_caps;
    uint32_t *const word[WORDS] = { &c->pin, &c->primary, &c->secondary, &c->exit, &c->entry };

    vmx_env = *env;
    for (unsigned w = 0; w < WORDS; w++)
        if (!collect_word(w, word[w]))
            return VT_UNSUPPORTED;
    c->revision = VMX_BASIC_REVISION(rdmsr(IA32_VMX_BASIC));
    c->cr0_fixed0 = rdmsr(IA32_VMX_CR0_FIXED0);
    c->cr0_fixed1 = rdmsr(IA32_VMX_CR0_FIXED1);
    /* PE and PG are free for an unrestricted guest: SDM vol 3, "Restrictions on VMX Operation". */
    c->cr0_ones = (c->cr0_fixed0 & ~(CR0_PE | CR0_PG)) | CR0_ET;
    c->cr0_allowed = c->cr0_fixed1 & ~(CR0_CD | CR0_NW);
    c->cr4_fixed0 = rdmsr(IA32_VMX_CR4_FIXED0);
    c->cr4_fixed1 = rdmsr(IA32_VMX_CR4_FIXED1);
    c->timer_shift = VMX_MISC_TIMER_SHIFT(rdmsr(IA32_VMX_MISC));
    c->features.preemption_timer = has(c->pin, PIN_PREEMPTION_TIMER);
    /* It counts whenever TSC bit `shift` changes: what is left of the present unit, and of the deadline's, is lost. */
    c->features.timer_granularity = c->timer_shift ? 2u << c->timer_shift : 0;
    c->features.rdtscp = has(c->secondary, PROC2_ENABLE_RDTSCP);
    c->features.invpcid = has(c->secondary, PROC2_ENABLE_INVPCID);
    c->features.pdpte_registers = true;
    c->features.masked_interrupts_exit = true;
    settle_apicv(c);
    read_switchable(c);
    vmx_policy_init(c);
    read_ept_vpid(c);
    log_line("vmx: EPT pages 4K%s%s%s, VPID %s, APICv %s, preemption timer %s (TSC >> %u)",
             c->features.nested_2m ? " 2M" : "", c->features.nested_1g ? " 1G" : "", c->features.nested_ad ? ", A/D" : "",
             c->features.vpid ? "yes" : "no", c->features.apicv ? "yes" : "no",
             c->features.preemption_timer ? "yes" : "no", c->timer_shift);
    return VT_OK;
}
