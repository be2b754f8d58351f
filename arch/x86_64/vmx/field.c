/* The guest's registers one by one: from the VMCS, from guest_state.c, or (CR0, CR4, EFER) with the rules that VMX adds. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"

#define SEGMENT_ROWS(field, name) \
    [field + VT_ES] = VMCS_GUEST_ES_##name, [field + VT_CS] = VMCS_GUEST_CS_##name, \
    [field + VT_SS] = VMCS_GUEST_SS_##name, [field + VT_DS] = VMCS_GUEST_DS_##name, \
    [field + VT_FS] = VMCS_GUEST_FS_##name, [field + VT_GS] = VMCS_GUEST_GS_##name, \
    [field + VT_LDTR] = VMCS_GUEST_LDTR_##name, [field + VT_TR] = VMCS_GUEST_TR_##name

/* 0 (which is the encoding of the VPID field): not plainly in the VMCS. */
static const uint16_t encoding[VT_FIELD_COUNT] = {
    SEGMENT_ROWS(VT_SELECTOR, SELECTOR),
    SEGMENT_ROWS(VT_BASE, BASE),
    SEGMENT_ROWS(VT_LIMIT, LIMIT),
    SEGMENT_ROWS(VT_ACCESS, ACCESS_RIGHTS),
    [VT_GDTR_BASE] = VMCS_GUEST_GDTR_BASE, [VT_GDTR_LIMIT] = VMCS_GUEST_GDTR_LIMIT,
    [VT_IDTR_BASE] = VMCS_GUEST_IDTR_BASE, [VT_IDTR_LIMIT] = VMCS_GUEST_IDTR_LIMIT,
    [VT_RIP] = VMCS_GUEST_RIP, [VT_RSP_] = VMCS_GUEST_RSP, [VT_RFLAGS] = VMCS_GUEST_RFLAGS,
    [VT_CR3] = VMCS_GUEST_CR3, [VT_EFER] = VMCS_GUEST_IA32_EFER, [VT_PAT] = VMCS_GUEST_IA32_PAT,
    [VT_DR7] = VMCS_GUEST_DR7, [VT_SYSENTER_CS] = VMCS_GUEST_IA32_SYSENTER_CS,
    [VT_SYSENTER_ESP] = VMCS_GUEST_IA32_SYSENTER_ESP, [VT_SYSENTER_EIP] = VMCS_GUEST_IA32_SYSENTER_EIP,
    [VT_DEBUGCTL] = VMCS_GUEST_IA32_DEBUGCTL,
    [VT_PDPTE0] = VMCS_GUEST_PDPTE0, [VT_PDPTE1] = VMCS_GUEST_PDPTE1,
    [VT_PDPTE2] = VMCS_GUEST_PDPTE2, [VT_PDPTE3] = VMCS_GUEST_PDPTE3,
    [VT_PENDING_DEBUG] = VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
    [VT_INTERRUPT_SHADOW] = VMCS_GUEST_INTERRUPTIBILITY_STATE,
};

/* ---- what is not plainly a VMCS field: one row each -------------------------------------------------------------- */

static uint64_t masked(uint32_t field, uint32_t shadow, uint64_t mask)
{
    return (vmread(field) & ~mask) | (vmread(shadow) & mask);
}

static uint64_t get_cr0(struct vmx_vcpu *v)
{
    return masked(VMCS_GUEST_CR0, VMCS_CR0_READ_SHADOW, v->cr0_mask);
}

static uint64_t get_cr4(struct vmx_vcpu *v)
{
    return masked(VMCS_GUEST_CR4, VMCS_CR4_READ_SHADOW, v->cr4_mask);
}

static void set_cr0(struct vmx_vcpu *v, uint64_t value)
{
    vmwrite(VMCS_CR0_READ_SHADOW, value);
    vmwrite(VMCS_GUEST_CR0, (value | vmx_caps.cr0_ones) & vmx_caps.cr0_allowed);
}

static void set_cr4(struct vmx_vcpu *v, uint64_t value)
{
    vmwrite(VMCS_CR4_READ_SHADOW, value);
    vmwrite(VMCS_GUEST_CR4, value | vmx_caps.cr4_fixed0 | CR4_MCE);
}

static uint64_t get_efer(struct vmx_vcpu *v)
{
    return vmread(VMCS_GUEST_IA32_EFER);
}

/* SDM vol 3, "Checks on Guest Control Registers, Debug Registers, and MSRs": the entry control says what LMA says. */
static void set_efer(struct vmx_vcpu *v, uint64_t value)
{
    uint64_t entry = vmread(VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_IA32E_MODE_GUEST;
    vmwrite(VMCS_ENTRY_CONTROLS, entry | (value & EFER_LMA ? ENTRY_IA32E_MODE_GUEST : 0));
    vmwrite(VMCS_GUEST_IA32_EFER, value);
}

static uint64_t get_xcr0(struct vmx_vcpu *v)
{
    return v->state.xcr0;
}

static void set_xcr0(struct vmx_vcpu *v, uint64_t value)
{
    v->state.xcr0 = value;
    if (v->state.loaded && guest_state_xcr0_mask())
        xsetbv(0, value);
}

/* In the CPU while the vCPU is loaded, in guest_state otherwise. */
#define STATE_REGISTER(name, reg, place) \
    static uint64_t get_##name(struct vmx_vcpu *v) { return v->state.loaded ? read_##reg() : v->state.place; } \
    static void set_##name(struct vmx_vcpu *v, uint64_t value) \
    { \
        v->state.place = value; \
        if (v->state.loaded) \
            write_##reg(value); \
    }
STATE_REGISTER(cr2, cr2, cr2)
STATE_REGISTER(dr0, dr0, dr[0])
STATE_REGISTER(dr1, dr1, dr[1])
STATE_REGISTER(dr2, dr2, dr[2])
STATE_REGISTER(dr3, dr3, dr[3])
STATE_REGISTER(dr6, dr6, dr6)
#undef STATE_REGISTER

static uint64_t get_msr(struct vmx_vcpu *v, enum guest_msr m)
{
    if (!guest_state_has_msr(m))
        return 0;
    return v->state.loaded ? rdmsr(guest_state_msr_number(m)) : v->state.msr[m];
}

static void set_msr(struct vmx_vcpu *v, enum guest_msr m, uint64_t value)
{
    if (!guest_state_has_msr(m))
        return;
    v->state.msr[m] = value;
    if (v->state.loaded)
        wrmsr(guest_state_msr_number(m), value);
}

#define STATE_MSR(name, msr) \
    static uint64_t get_##name(struct vmx_vcpu *v) { return get_msr(v, msr); } \
    static void set_##name(struct vmx_vcpu *v, uint64_t value) { set_msr(v, msr, value); }
STATE_MSR(kernel_gs_base, GUEST_KERNEL_GS_BASE)
STATE_MSR(star, GUEST_STAR)
STATE_MSR(lstar, GUEST_LSTAR)
STATE_MSR(cstar, GUEST_CSTAR)
STATE_MSR(sfmask, GUEST_SFMASK)
STATE_MSR(tsc_aux, GUEST_TSC_AUX)
#undef STATE_MSR

/* Where the hypervisor has a value of its own, the register holds that, and the guest's is always in memory. */
static uint64_t get_spec_ctrl(struct vmx_vcpu *v)
{
    return mitigation_spec_ctrl ? v->state.msr[GUEST_SPEC_CTRL] : get_msr(v, GUEST_SPEC_CTRL);
}

static void set_spec_ctrl(struct vmx_vcpu *v, uint64_t value)
{
    if (!mitigation_spec_ctrl) {
        set_msr(v, GUEST_SPEC_CTRL, value);
        return;
    }
    v->state.msr[GUEST_SPEC_CTRL] = value;
    if (value && !v->spec_ctrl_passed)
        vmx_pass_spec_ctrl(v);
}

static const struct {
    uint64_t (*get)(struct vmx_vcpu *v);
    void (*set)(struct vmx_vcpu *v, uint64_t value);
} special[VT_FIELD_COUNT] = {
#define SPECIAL(field, name) [field] = { get_##name, set_##name }
    SPECIAL(VT_CR0, cr0), SPECIAL(VT_CR4, cr4), SPECIAL(VT_EFER, efer), SPECIAL(VT_XCR0, xcr0), SPECIAL(VT_CR2, cr2),
    SPECIAL(VT_DR0, dr0), SPECIAL(VT_DR1, dr1), SPECIAL(VT_DR2, dr2), SPECIAL(VT_DR3, dr3), SPECIAL(VT_DR6, dr6),
    SPECIAL(VT_KERNEL_GS_BASE, kernel_gs_base), SPECIAL(VT_STAR, star), SPECIAL(VT_LSTAR, lstar),
    SPECIAL(VT_CSTAR, cstar), SPECIAL(VT_SFMASK, sfmask), SPECIAL(VT_TSC_AUX, tsc_aux),
    SPECIAL(VT_SPEC_CTRL, spec_ctrl),
#undef SPECIAL
};

uint64_t vmx_get(struct vt_vcpu *vt, enum vt_field field)
{
    if (LIKELY(encoding[field]))
        return vmread(encoding[field]);
    return special[field].get(vmx_of(vt));
}

void vmx_set(struct vt_vcpu *vt, enum vt_field field, uint64_t value)
{
    if (special[field].set)
        special[field].set(vmx_of(vt), value);
    else
        vmwrite(encoding[field], value);
}

/* SDM vol 3, "Debug Exceptions": a single step ends after the emulated instruction, too. */
static void single_step(void)
{
    if (vmread(VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF)
        return;
    vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | DR6_BS);
}

static __attribute__((noinline)) void end_step(uint64_t flags)
{
    vmwrite(VMCS_GUEST_RFLAGS, flags & ~RFLAGS_RF);
    if (flags & RFLAGS_TF)
        single_step();
}

static __attribute__((noinline)) void end_shadow(uint64_t shadow)
{
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, shadow & ~(uint64_t)(VT_SHADOW_STI | VT_SHADOW_MOV_SS));
}

static inline void advance(uint64_t rip)
{
    vmwrite(VMCS_GUEST_RIP, rip);
    uint64_t shadow = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);
    if (UNLIKELY(shadow & (VT_SHADOW_STI | VT_SHADOW_MOV_SS)))
        end_shadow(shadow);
    uint64_t flags = vmread(VMCS_GUEST_RFLAGS);
    if (UNLIKELY(flags & (RFLAGS_TF | RFLAGS_RF)))
        end_step(flags);
}

void vmx_advance(struct vt_vcpu *vt, uint64_t rip)
{
    advance(rip);
}

void vmx_skip(struct vt_vcpu *vt)
{
    advance(vt->exit.rip + vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
}

/* SDM vol 3, "Information for VM Exits Due to Instruction Execution". */
unsigned vmx_insn_length(struct vt_vcpu *vt)
{
    return (unsigned)vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
}

uint32_t vmx_pkru(struct vt_vcpu *vt)
{
    return rdpkru(); /* asked only while the guest has CR4.PKE, so the CPU has it; the host switches it on for itself, too */
}

void vmx_flush_linear(struct vt_vcpu *vt)
{
    if (vmx_caps.invvpid)
        invvpid(vmx_caps.invvpid_single ? INVVPID_SINGLE_CONTEXT : INVVPID_ALL_CONTEXTS, vmx_of(vt)->vpid);
}

void vmx_snapshot(struct vt_vcpu *vt, struct vt_snapshot *out)
{
    struct vmx_vcpu *v = vmx_of(vt);
    out->rip = vmread(VMCS_GUEST_RIP);
    out->rsp = vmread(VMCS_GUEST_RSP);
    out->rflags = vmread(VMCS_GUEST_RFLAGS);
    out->cr0 = get_cr0(v);
    out->cr3 = vmread(VMCS_GUEST_CR3);
    out->cr4 = get_cr4(v);
    out->efer = vmread(VMCS_GUEST_IA32_EFER);
    out->cs = (uint32_t)vmread(VMCS_GUEST_CS_SELECTOR);
    out->cs_mode = (uint32_t)vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & (VT_ACCESS_P | VT_ACCESS_L | VT_ACCESS_DB);
    out->cpl = VT_ACCESS_DPL((uint32_t)vmread(VMCS_GUEST_SS_ACCESS_RIGHTS));
}
