/* SDM, "Checks on the Guest State Area", except for the segment registers. */
#include "arch/x86_64/vmx/entry_check_private.h"

#include "arch/x86_64/isa/exception.h"

/* ---- "Checks on Guest Control Registers, Debug Registers, and MSRs" ---------------------------------------------------- */

/* Bits of IA32_DEBUGCTL that some CPU defines (this one may reserve more): LBR, BTF, bus lock, TR .. RTM. */
#define DEBUGCTL_VALID UINT64_C(0xffc7)

static void check_control_registers(struct check *c)
{
    uint64_t exempt = CR0_NW | CR0_CD | (c->unrestricted ? CR0_PE | CR0_PG : 0);
    check_fixed_bits(c, VMCS_GUEST_CR0, IA32_VMX_CR0_FIXED0, exempt);
    check_require(c, !(c->cr0 & CR0_PG) || c->cr0 & CR0_PE, VMCS_GUEST_CR0, "paging (PG) needs protected mode (PE)");
    check_fixed_bits(c, VMCS_GUEST_CR4, IA32_VMX_CR4_FIXED0, 0);
    check_require(c, !(c->cr4 & CR4_CET) || c->cr0 & CR0_WP, VMCS_GUEST_CR4, "CET needs CR0.WP");
    if (c->ia32e) {
        check_require(c, c->cr0 & CR0_PG, VMCS_GUEST_CR0, "PG must be 1 with \"IA-32e mode guest\"");
        check_require(c, c->cr4 & CR4_PAE, VMCS_GUEST_CR4, "PAE must be 1 with \"IA-32e mode guest\"");
    } else {
        check_require(c, !(c->cr4 & CR4_PCIDE), VMCS_GUEST_CR4, "PCIDE must be 0 without \"IA-32e mode guest\"");
    }
    uint64_t lam = c->in->cpu->lam ? CR3_LAM_U48 | CR3_LAM_U57 : 0;
    check_require(c, fits_physical(c, field(c, VMCS_GUEST_CR3) & ~lam), VMCS_GUEST_CR3,
                  "bits above the physical-address width must be 0");
}

static void check_guest_msrs(struct check *c)
{
    if (c->entry & ENTRY_LOAD_DEBUG_CONTROLS) {
        check_require(c, (field(c, VMCS_GUEST_IA32_DEBUGCTL) & ~DEBUGCTL_VALID) == 0, VMCS_GUEST_IA32_DEBUGCTL, "reserved bits must be 0");
        check_require(c, field(c, VMCS_GUEST_DR7) <= UINT32_MAX, VMCS_GUEST_DR7, "bits 63:32 must be 0");
    }
    check_canonical(c, VMCS_GUEST_IA32_SYSENTER_ESP);
    check_canonical(c, VMCS_GUEST_IA32_SYSENTER_EIP);
    if (c->entry & ENTRY_LOAD_PAT)
        check_pat(c, VMCS_GUEST_IA32_PAT);
    if (c->entry & ENTRY_LOAD_EFER) {
        uint64_t efer = field(c, VMCS_GUEST_IA32_EFER);
        check_efer(c, VMCS_GUEST_IA32_EFER, c->ia32e);
        check_require(c, !(c->cr0 & CR0_PG) || !(efer & EFER_LMA) == !(efer & EFER_LME), VMCS_GUEST_IA32_EFER,
                      "LME must equal LMA while paging is on");
    }
    if (c->entry & ENTRY_LOAD_BNDCFGS) {
        check_canonical(c, VMCS_GUEST_IA32_BNDCFGS);
        check_require(c, (field(c, VMCS_GUEST_IA32_BNDCFGS) & 0xffc) == 0, VMCS_GUEST_IA32_BNDCFGS, "bits 11:2 must be 0");
    }
    if (c->entry & ENTRY_LOAD_CET_STATE)
        check_cet(c, VMCS_GUEST_IA32_S_CET, VMCS_GUEST_SSP, VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR);
    if (c->entry & ENTRY_LOAD_PKRS)
        check_require(c, field(c, VMCS_GUEST_IA32_PKRS) <= UINT32_MAX, VMCS_GUEST_IA32_PKRS, "bits 63:32 must be 0");
}

void check_guest_registers(struct check *c)
{
    c->section = "Checks on Guest Control Registers, Debug Registers, and MSRs";
    check_control_registers(c);
    check_guest_msrs(c);
}

/* ---- "Checks on Guest RIP, RFLAGS, and SSP" ---------------------------------------------------------------------------- */

static void check_rip_and_flags(struct check *c)
{
    c->section = "Checks on Guest RIP, RFLAGS, and SSP";
    bool code64 = c->ia32e && field(c, VMCS_GUEST_CS_ACCESS_RIGHTS) & VMCS_AR_L;
    bool external = c->entry_info & INTERRUPTION_VALID && INTERRUPTION_TYPE(c->entry_info) == INTERRUPTION_EXTERNAL;
    if (code64)
        check_canonical(c, VMCS_GUEST_RIP);
    else
        check_require(c, field(c, VMCS_GUEST_RIP) <= UINT32_MAX, VMCS_GUEST_RIP, "bits 63:32 must be 0 outside 64-bit mode");
    check_require(c, (c->rflags & ~RFLAGS_DEFINED) == 0, VMCS_GUEST_RFLAGS, "reserved bits (63:22, 15, 5, 3) must be 0");
    check_require(c, c->rflags & RFLAGS_ONE, VMCS_GUEST_RFLAGS, "bit 1 must be 1");
    check_require(c, !c->v8086 || (!c->ia32e && c->cr0 & CR0_PE), VMCS_GUEST_RFLAGS,
                  "VM must be 0 in IA-32e mode and in real mode");
    check_require(c, !external || c->rflags & RFLAGS_IF, VMCS_GUEST_RFLAGS, "IF must be 1 to inject an external interrupt");
}

static void check_descriptor_tables(struct check *c)
{
    c->section = "Checks on Guest Descriptor-Table Registers";
    check_canonical(c, VMCS_GUEST_GDTR_BASE);
    check_canonical(c, VMCS_GUEST_IDTR_BASE);
    check_require(c, field(c, VMCS_GUEST_GDTR_LIMIT) <= 0xffff, VMCS_GUEST_GDTR_LIMIT, "bits 31:16 must be 0");
    check_require(c, field(c, VMCS_GUEST_IDTR_LIMIT) <= 0xffff, VMCS_GUEST_IDTR_LIMIT, "bits 31:16 must be 0");
}

/* ---- "Checks on Guest Non-Register State" ------------------------------------------------------------------------------ */

static bool activity_is_supported(const struct check *c, uint64_t activity)
{
    static const uint64_t needs[] = { 0, VMX_MISC_ACTIVITY_HLT, VMX_MISC_ACTIVITY_SHUTDOWN, VMX_MISC_ACTIVITY_SIPI };
    return activity <= VMCS_WAIT_FOR_SIPI && (!needs[activity] || capability(c, IA32_VMX_MISC) & needs[activity]);
}

/* May this event be injected into a CPU that is not active? */
static bool activity_takes_event(uint64_t activity, uint64_t type, uint64_t vector)
{
    bool exception = type == INTERRUPTION_HARDWARE_EXCEPTION, machine_check = exception && vector == EXC_MC;
    switch (activity) {
    case VMCS_ACTIVE:
        return true;
    case VMCS_HLT:
        return type == INTERRUPTION_EXTERNAL || type == INTERRUPTION_NMI || machine_check || (exception && vector == EXC_DB) ||
               type == INTERRUPTION_OTHER_EVENT;
    case VMCS_SHUTDOWN:
        return type == INTERRUPTION_NMI || machine_check;
    default:
        return false;
    }
}

static void check_activity(struct check *c)
{
    uint64_t activity = field(c, VMCS_GUEST_ACTIVITY_STATE), blocking = field(c, VMCS_GUEST_INTERRUPTIBILITY_STATE);
    const uint32_t f = VMCS_GUEST_ACTIVITY_STATE;
    check_require(c, activity_is_supported(c, activity), f, "must be a state (0 to 3) that IA32_VMX_MISC offers");
    check_require(c, activity != VMCS_HLT || (field(c, VMCS_GUEST_SS_ACCESS_RIGHTS) & VMCS_AR_DPL) == 0, f, "HLT needs SS.DPL = 0");
    check_require(c, activity == VMCS_ACTIVE || !(blocking & (VMCS_BLOCKING_BY_STI | VMCS_BLOCKING_BY_MOV_SS)), f,
                  "must be active while STI or MOV SS blocks events");
    if (c->entry_info & INTERRUPTION_VALID)
        check_require(c, activity_takes_event(activity, INTERRUPTION_TYPE(c->entry_info), INTERRUPTION_VECTOR(c->entry_info)), f,
                      "this event cannot be injected in this activity state");
}

static void check_interruptibility(struct check *c)
{
    const uint32_t f = VMCS_GUEST_INTERRUPTIBILITY_STATE;
    uint64_t s = field(c, f), type = INTERRUPTION_TYPE(c->entry_info);
    bool valid = c->entry_info & INTERRUPTION_VALID, sti = s & VMCS_BLOCKING_BY_STI, mov_ss = s & VMCS_BLOCKING_BY_MOV_SS;
    bool external = valid && type == INTERRUPTION_EXTERNAL, nmi = valid && type == INTERRUPTION_NMI;
    check_require(c, (s & ~UINT64_C(0x1f)) == 0, f, "bits 31:5 must be 0");
    check_require(c, !sti || !mov_ss, f, "blocking by STI and by MOV SS must not both be 1");
    check_require(c, !sti || c->rflags & RFLAGS_IF, f, "blocking by STI must be 0 while RFLAGS.IF is 0");
    check_require(c, !external || !(sti || mov_ss), f, "blocking by STI and MOV SS must be 0 to inject an external interrupt");
    check_require(c, !nmi || !mov_ss, f, "blocking by MOV SS must be 0 to inject an NMI");
    check_require(c, !(s & VMCS_BLOCKING_BY_SMI), f, "blocking by SMI must be 0 outside SMM");
    check_require(c, !nmi || !(c->pin & PIN_VIRTUAL_NMIS) || !(s & VMCS_BLOCKING_BY_NMI), f,
                  "blocking by NMI must be 0 to inject an NMI with \"virtual NMIs\"");
    check_require(c, !(s & VMCS_ENCLAVE_INTERRUPTION) || !mov_ss, f, "blocking by MOV SS must be 0 after an enclave interruption");
}

static void check_pending_debug(struct check *c)
{
    const uint32_t f = VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS;
    uint64_t pending = field(c, f), blocking = field(c, VMCS_GUEST_INTERRUPTIBILITY_STATE);
    uint64_t valid = (uint64_t)VMCS_PENDING_DEBUG_B0_B3 | VMCS_PENDING_DEBUG_BLD | VMCS_PENDING_DEBUG_ENABLED |
                     VMCS_PENDING_DEBUG_BS | VMCS_PENDING_DEBUG_RTM;
    check_require(c, (pending & ~valid) == 0, f, "reserved bits must be 0");
    bool held = (blocking & (VMCS_BLOCKING_BY_STI | VMCS_BLOCKING_BY_MOV_SS)) || field(c, VMCS_GUEST_ACTIVITY_STATE) == VMCS_HLT;
    bool stepping = c->rflags & RFLAGS_TF && !(field(c, VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
    if (held)
        check_require(c, !(pending & VMCS_PENDING_DEBUG_BS) == !stepping, f,
                      "BS (bit 14) must be 1 if RFLAGS.TF is 1 and DEBUGCTL.BTF is 0, else 0, while events are blocked or halted");
}

static void check_link_pointer(struct check *c)
{
    if (field(c, VMCS_LINK_POINTER) != VMCS_NO_LINK)
        check_address(c, VMCS_LINK_POINTER, 4096);
}

/* ---- "Checks on Guest Page-Directory-Pointer-Table Entries" ------------------------------------------------------------ */

static void check_pdptes(struct check *c)
{
    c->section = "Checks on Guest Page-Directory-Pointer-Table Entries";
    if (!(c->cr0 & CR0_PG) || !(c->cr4 & CR4_PAE) || c->ia32e || !(c->secondary & PROC2_ENABLE_EPT))
        return;
    for (uint32_t f = VMCS_GUEST_PDPTE0; f <= VMCS_GUEST_PDPTE3; f += 2) {
        uint64_t entry = field(c, f);
        check_require(c, !(entry & 1) || ((entry & 0x1e6) == 0 && fits_physical(c, entry)), f,
                      "reserved bits (2:1, 8:5, above the physical-address width) of a present entry must be 0");
    }
}

void check_guest_other(struct check *c)
{
    check_descriptor_tables(c);
    check_rip_and_flags(c);
    c->section = "Checks on Guest Non-Register State";
    check_activity(c);
    check_interruptibility(c);
    check_pending_debug(c);
    check_link_pointer(c);
    check_pdptes(c);
}
