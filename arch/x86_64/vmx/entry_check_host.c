/* SDM, "Checks on Host Control Registers, MSRs, and SSP", "Checks on Host Segment and Descriptor-Table Registers" and
 * "Checks Related to Address-Space Size". The hypervisor itself runs in IA-32e mode. */
#include "arch/x86_64/vmx/entry_check_private.h"

static void check_host_registers(struct check *c)
{
    c->section = "Checks on Host Control Registers, MSRs, and SSP";
    check_fixed_bits(c, VMCS_HOST_CR0, IA32_VMX_CR0_FIXED0, 0);
    check_fixed_bits(c, VMCS_HOST_CR4, IA32_VMX_CR4_FIXED0, 0);
    check_require(c, !(field(c, VMCS_HOST_CR4) & CR4_CET) || field(c, VMCS_HOST_CR0) & CR0_WP, VMCS_HOST_CR4, "CET needs CR0.WP");
    check_require(c, fits_physical(c, field(c, VMCS_HOST_CR3)), VMCS_HOST_CR3, "bits above the physical-address width must be 0");
    check_canonical(c, VMCS_HOST_IA32_SYSENTER_ESP);
    check_canonical(c, VMCS_HOST_IA32_SYSENTER_EIP);
    if (c->exit & EXIT_LOAD_PAT)
        check_pat(c, VMCS_HOST_IA32_PAT);
    if (c->exit & EXIT_LOAD_EFER) {
        uint64_t efer = field(c, VMCS_HOST_IA32_EFER);
        check_efer(c, VMCS_HOST_IA32_EFER, c->exit & EXIT_HOST_ADDRESS_SPACE_SIZE);
        check_require(c, !(efer & EFER_LMA) == !(efer & EFER_LME), VMCS_HOST_IA32_EFER, "LME must equal LMA");
    }
    if (c->exit & EXIT_LOAD_CET_STATE)
        check_cet(c, VMCS_HOST_IA32_S_CET, VMCS_HOST_SSP, VMCS_HOST_IA32_INTERRUPT_SSP_TABLE_ADDR);
    if (c->exit & EXIT_LOAD_PKRS)
        check_require(c, field(c, VMCS_HOST_IA32_PKRS) <= UINT32_MAX, VMCS_HOST_IA32_PKRS, "bits 63:32 must be 0");
}

static void check_host_segments(struct check *c)
{
    static const uint32_t selectors[] = { VMCS_HOST_ES_SELECTOR, VMCS_HOST_CS_SELECTOR, VMCS_HOST_SS_SELECTOR,
        VMCS_HOST_DS_SELECTOR, VMCS_HOST_FS_SELECTOR, VMCS_HOST_GS_SELECTOR, VMCS_HOST_TR_SELECTOR };
    static const uint32_t bases[] = { VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE, VMCS_HOST_TR_BASE, VMCS_HOST_GDTR_BASE,
        VMCS_HOST_IDTR_BASE };
    c->section = "Checks on Host Segment and Descriptor-Table Registers";
    for (unsigned i = 0; i < ARRAY_SIZE(selectors); i++)
        check_require(c, (field(c, selectors[i]) & (SEL_RPL | SEL_TI)) == 0, selectors[i], "RPL and TI (bits 2:0) must be 0");
    check_require(c, field(c, VMCS_HOST_CS_SELECTOR) != 0, VMCS_HOST_CS_SELECTOR, "must not be 0");
    check_require(c, field(c, VMCS_HOST_TR_SELECTOR) != 0, VMCS_HOST_TR_SELECTOR, "must not be 0");
    check_require(c, field(c, VMCS_HOST_SS_SELECTOR) != 0 || c->exit & EXIT_HOST_ADDRESS_SPACE_SIZE, VMCS_HOST_SS_SELECTOR,
                  "must not be 0 with a 32-bit host");
    for (unsigned i = 0; i < ARRAY_SIZE(bases); i++)
        check_canonical(c, bases[i]);
}

static void check_address_space(struct check *c)
{
    c->section = "Checks Related to Address-Space Size";
    check_require(c, c->exit & EXIT_HOST_ADDRESS_SPACE_SIZE, VMCS_EXIT_CONTROLS,
                  "\"host address-space size\" must be 1 while the CPU is in IA-32e mode");
    if (c->exit & EXIT_HOST_ADDRESS_SPACE_SIZE) {
        check_require(c, field(c, VMCS_HOST_CR4) & CR4_PAE, VMCS_HOST_CR4, "PAE must be 1 with a 64-bit host");
        check_canonical(c, VMCS_HOST_RIP);
    } else {
        check_require(c, !c->ia32e, VMCS_ENTRY_CONTROLS, "\"IA-32e mode guest\" needs \"host address-space size\"");
        check_require(c, !(field(c, VMCS_HOST_CR4) & CR4_PCIDE), VMCS_HOST_CR4, "PCIDE must be 0 with a 32-bit host");
        check_require(c, field(c, VMCS_HOST_RIP) <= UINT32_MAX, VMCS_HOST_RIP, "bits 63:32 must be 0 with a 32-bit host");
    }
}

void check_host(struct check *c)
{
    check_host_registers(c);
    check_host_segments(c);
    check_address_space(c);
}
