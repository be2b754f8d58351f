/* Exit controls (vt/policy.h) as bits of the VMCS. SDM vol 3, "Processor-Based VM-Execution Controls". */
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"
#include "arch/x86_64/vt/policy.h"

/* The rows whose bits vmx_init() has chosen already are fixed: Trapeze needs them. */
static const struct { unsigned control; uint32_t primary, secondary; } rows[] = {
    { VT_CONTROL_DESCRIPTOR_TABLES, 0, PROC2_DESCRIPTOR_TABLE_EXITING },
    { VT_CONTROL_RDTSC, PROC_RDTSC_EXITING, 0 },
    { VT_CONTROL_RDPMC, PROC_RDPMC_EXITING, 0 },
    { VT_CONTROL_CR3, PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING, 0 },
    { VT_CONTROL_CR8, PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING, 0 },
    { VT_CONTROL_MOV_DR, PROC_MOV_DR_EXITING, 0 },
    { VT_CONTROL_INVLPG, PROC_INVLPG_EXITING, 0 },
    { VT_CONTROL_WBINVD, 0, PROC2_WBINVD_EXITING },
    { VT_CONTROL_PAUSE, PROC_PAUSE_EXITING, 0 },
    { VT_CONTROL_HLT, PROC_HLT_EXITING, 0 },
    { VT_CONTROL_MWAIT, PROC_MONITOR_EXITING | PROC_MWAIT_EXITING, 0 },
    { VT_CONTROL_RDRAND, 0, PROC2_RDRAND_EXITING },
    { VT_CONTROL_RDSEED, 0, PROC2_RDSEED_EXITING },
    { VT_CONTROL_IO, PROC_USE_IO_BITMAPS, 0 }, /* all ones: controls.c */
};

void vmx_policy_init(struct vmx_caps *c)
{
    uint64_t fixed = (uint64_t)EXC_ALWAYS_EXIT << VT_CONTROL_EXCEPTION;
    uint64_t switched = (uint64_t)EXC_MAY_EXIT << VT_CONTROL_EXCEPTION | VT_CONTROL_BIT(CR0_WRITE) | VT_CONTROL_BIT(CR4_WRITE);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t bit = UINT64_C(1) << rows[i].control;
        if ((c->primary & rows[i].primary) == rows[i].primary && (c->secondary & rows[i].secondary) == rows[i].secondary)
            fixed |= bit;
        else if ((c->primary_may & rows[i].primary) == rows[i].primary && (c->secondary_may & rows[i].secondary) == rows[i].secondary)
            switched |= bit;
    }
    if (c->primary_must & PROC_USE_MSR_BITMAPS)
        switched &= ~VT_CONTROL_BIT(MSR);
    else
        switched |= VT_CONTROL_BIT(MSR);
    c->features.controls_fixed = fixed;
    c->features.controls_switched = switched;
}

static void set_words(struct vmx_vcpu *v, uint64_t on)
{
    uint32_t primary = v->primary | PROC_USE_MSR_BITMAPS, secondary = v->secondary;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t bit = UINT64_C(1) << rows[i].control;
        if (!(vmx_caps.features.controls_switched & bit))
            continue;
        primary = (primary & ~rows[i].primary) | (on & bit ? rows[i].primary : 0);
        secondary = (secondary & ~rows[i].secondary) | (on & bit ? rows[i].secondary : 0);
    }
    if (on & VT_CONTROL_BIT(MSR))
        primary &= ~(uint32_t)PROC_USE_MSR_BITMAPS;
    v->primary = primary;
    v->secondary = secondary;
    vmwrite(VMCS_PRIMARY_PROC_CONTROLS, primary);
    vmwrite(VMCS_SECONDARY_PROC_CONTROLS, secondary);
}

void vmx_set_policy(struct vt_vcpu *vt, uint64_t controls)
{
    struct vmx_vcpu *v = vmx_of(vt);
    uint64_t on = controls & vmx_caps.features.controls_switched;
    uint64_t cr0 = vmx_get(vt, VT_CR0), cr4 = vmx_get(vt, VT_CR4); /* as the masks of before show them */

    set_words(v, on);
    vmwrite(VMCS_EXCEPTION_BITMAP, EXC_ALWAYS_EXIT | VT_POLICY_EXCEPTIONS(on));
    vmx_masks_setup(v, on & VT_CONTROL_BIT(CR0_WRITE), on & VT_CONTROL_BIT(CR4_WRITE));
    vmx_set(vt, VT_CR0, cr0);
    vmx_set(vt, VT_CR4, cr4);
}
