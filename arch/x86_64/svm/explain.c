/* Why the CPU refused an entry, in words; and the VMCB by its fields' names. */
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/svm/entry_check.h"
#include "arch/x86_64/svm/svm.h"
#include "hv/lib/fmt.h"

#define MAX_VIOLATIONS 16

/* Names as in the manual's appendix "Layout of VMCB". */
#define FIELD(member, name) { (uint16_t)offsetof(struct vmcb, member), sizeof((struct vmcb *)0)->member, name }
#define SEGMENT(member, name) FIELD(member.selector, name " selector"), FIELD(member.attributes, name " attrib"), \
                              FIELD(member.limit, name " limit"), FIELD(member.base, name " base")
static const struct { uint16_t offset; uint8_t width; const char *name; } fields[] = {
    FIELD(intercept_cr_read, "Intercept reads of CR0-15"), FIELD(intercept_cr_write, "Intercept writes of CR0-15"),
    FIELD(intercept_dr_read, "Intercept reads of DR0-15"), FIELD(intercept_dr_write, "Intercept writes of DR0-15"),
    FIELD(intercept_exceptions, "Intercept exception vectors 0-31"), FIELD(intercept_1, "Intercept INTR, NMI ... shutdown"),
    FIELD(intercept_2, "Intercept VMRUN, VMMCALL ..."), FIELD(intercept_3, "Intercept INVLPGB, INVPCID ..."),
    FIELD(pause_threshold, "PAUSE Filter Threshold"), FIELD(pause_count, "PAUSE Filter Count"),
    FIELD(iopm_base_pa, "IOPM_BASE_PA"), FIELD(msrpm_base_pa, "MSRPM_BASE_PA"), FIELD(tsc_offset, "TSC_OFFSET"),
    FIELD(guest_asid, "Guest ASID"), FIELD(tlb_control, "TLB_CONTROL"), FIELD(v_intr, "V_TPR, V_IRQ, VGIF, V_INTR_PRIO ..."),
    FIELD(v_intr_vector, "V_INTR_VECTOR"), FIELD(interrupt_shadow, "INTERRUPT_SHADOW"), FIELD(exitcode, "EXITCODE"),
    FIELD(exitinfo1, "EXITINFO1"), FIELD(exitinfo2, "EXITINFO2"), FIELD(exitintinfo, "EXITINTINFO"),
    FIELD(np_enable, "NP_ENABLE"), FIELD(eventinj, "EVENTINJ"), FIELD(n_cr3, "N_CR3"),
    FIELD(lbr_virtualization, "LBR_VIRTUALIZATION_ENABLE"), FIELD(clean, "VMCB Clean Bits"),
    FIELD(nrip, "nRIP"), FIELD(fetched, "Number of bytes fetched"),
    SEGMENT(es, "ES"), SEGMENT(cs, "CS"), SEGMENT(ss, "SS"), SEGMENT(ds, "DS"), SEGMENT(fs, "FS"), SEGMENT(gs, "GS"),
    SEGMENT(ldtr, "LDTR"), SEGMENT(tr, "TR"), FIELD(gdtr.limit, "GDTR limit"), FIELD(gdtr.base, "GDTR base"),
    FIELD(idtr.limit, "IDTR limit"), FIELD(idtr.base, "IDTR base"), FIELD(cpl, "CPL"), FIELD(efer, "EFER"),
    FIELD(cr4, "CR4"), FIELD(cr3, "CR3"), FIELD(cr0, "CR0"), FIELD(dr7, "DR7"), FIELD(dr6, "DR6"), FIELD(rflags, "RFLAGS"),
    FIELD(rip, "RIP"), FIELD(rsp, "RSP"), FIELD(rax, "RAX"), FIELD(star, "STAR"), FIELD(lstar, "LSTAR"),
    FIELD(cstar, "CSTAR"), FIELD(sfmask, "SFMASK"), FIELD(kernel_gs_base, "KernelGsBase"),
    FIELD(sysenter_cs, "SYSENTER_CS"), FIELD(sysenter_esp, "SYSENTER_ESP"), FIELD(sysenter_eip, "SYSENTER_EIP"),
    FIELD(cr2, "CR2"), FIELD(g_pat, "G_PAT"), FIELD(dbgctl, "DBGCTL"), FIELD(br_from, "BR_FROM"),
    FIELD(br_to, "BR_TO"), FIELD(last_excp_from, "LASTEXCPFROM"), FIELD(last_excp_to, "LASTEXCPTO"),
};
#undef FIELD
#undef SEGMENT

static uint64_t value_of(const struct vmcb *c, size_t i)
{
    const uint8_t *at = (const uint8_t *)c + fields[i].offset;
    uint64_t value = 0;
    for (unsigned n = fields[i].width; n; n--)
        value = value << 8 | at[n - 1];
    return value;
}

void svm_dump(struct vt_vcpu *vt, void (*field)(void *ctx, const struct vt_hw_field *f), void *ctx)
{
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        field(ctx, &(struct vt_hw_field){ fields[i].name, value_of(svm_of(vt)->vmcb, i), fields[i].offset });
}

/* Bochs quirk: an entry that is refused saves the registers as they are into the VMCB: the hypervisor's own, at its VMRUN. */
static bool overwritten(const struct vmcb *c)
{
    return c->rip == (uint64_t)(uintptr_t)svm_run_vmrun || c->rip == (uint64_t)(uintptr_t)svm_run_refill_vmrun;
}

unsigned svm_explain_entry(struct vt_vcpu *vt, void (*line)(void *ctx, const char *text), void *ctx)
{
    struct svm_entry_violation found[MAX_VIOLATIONS];
    char text[240];
    if (overwritten(svm_of(vt)->vmcb)) {
        line(ctx, "which rule it broke is not known: this emulator put the hypervisor's registers in the place of the guest's");
        return 1;
    }
    unsigned count = svm_entry_check(svm_of(vt)->vmcb, cpu_features.physical_bits, found, MAX_VIOLATIONS);
    for (unsigned i = 0; i < MIN(count, (unsigned)MAX_VIOLATIONS); i++) {
        fmt_print(text, sizeof text, "%s = 0x%lx: %s (APM vol 2, \"Canonicalization and Consistency Checks\")",
                  found[i].field, found[i].value, found[i].rule);
        line(ctx, text);
    }
    return count;
}
