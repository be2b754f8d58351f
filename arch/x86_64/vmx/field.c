/* The guest's registers one by one: from the VMCS, from guest_state.c, or (CR0, CR4, EFER) with the rules that VMX adds. */
#include "arch/x86_64/cpu/insn.h"
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

static const uint8_t state_msr[VT_FIELD_COUNT] = {
    [VT_STAR] = GUEST_STAR + 1, [VT_LSTAR] = GUEST_LSTAR + 1, [VT_CSTAR] = GUEST_CSTAR + 1,
    [VT_SFMASK] = GUEST_SFMASK + 1, [VT_KERNEL_GS_BASE] = GUEST_KERNEL_GS_BASE + 1,
    [VT_TSC_AUX] = GUEST_TSC_AUX + 1, [VT_SPEC_CTRL] = GUEST_SPEC_CTRL + 1,
};

static uint64_t masked(uint32_t field, uint32_t shadow, uint64_t mask)
{
    return (vmread(field) & ~mask) | (vmread(shadow) & mask);
}

static uint64_t get_state(struct vmx_vcpu *v, enum vt_field field)
{
    struct guest_state *s = &v->state;
    if (state_msr[field]) {
        enum guest_msr m = state_msr[field] - 1u;
        if (!guest_state_has_msr(m))
            return 0;
        return s->loaded ? rdmsr(guest_state_msr_number(m)) : s->msr[m];
    }
    switch (field) {
    case VT_CR0:  return masked(VMCS_GUEST_CR0, VMCS_CR0_READ_SHADOW, v->cr0_mask);
    case VT_CR4:  return masked(VMCS_GUEST_CR4, VMCS_CR4_READ_SHADOW, v->cr4_mask);
    case VT_CR2:  return s->loaded ? read_cr2() : s->cr2;
    case VT_DR0:  return s->loaded ? read_dr0() : s->dr[0];
    case VT_DR1:  return s->loaded ? read_dr1() : s->dr[1];
    case VT_DR2:  return s->loaded ? read_dr2() : s->dr[2];
    case VT_DR3:  return s->loaded ? read_dr3() : s->dr[3];
    case VT_DR6:  return s->loaded ? read_dr6() : s->dr6;
    case VT_XCR0: return s->xcr0;
    default:      return 0;
    }
}

uint64_t vmx_get(struct vt_vcpu *vt, enum vt_field field)
{
    if (LIKELY(encoding[field]))
        return vmread(encoding[field]);
    return get_state(vmx_of(vt), field);
}

static void set_cr0(uint64_t value)
{
    /* PE and PG are free for an unrestricted guest: SDM vol 3, "Restrictions on VMX Operation". */
    uint64_t fixed = vmx_caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);
    vmwrite(VMCS_CR0_READ_SHADOW, value);
    vmwrite(VMCS_GUEST_CR0, ((value & ~(CR0_CD | CR0_NW)) | fixed | CR0_ET) & vmx_caps.cr0_fixed1);
}

static void set_cr4(uint64_t value)
{
    vmwrite(VMCS_CR4_READ_SHADOW, value);
    vmwrite(VMCS_GUEST_CR4, value | vmx_caps.cr4_fixed0 | CR4_MCE);
}

/* SDM vol 3, "Checks on Guest Control Registers, Debug Registers, and MSRs": the entry control says what LMA says. */
static void set_efer(uint64_t value)
{
    uint64_t entry = vmread(VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_IA32E_MODE_GUEST;
    vmwrite(VMCS_ENTRY_CONTROLS, entry | (value & EFER_LMA ? ENTRY_IA32E_MODE_GUEST : 0));
    vmwrite(VMCS_GUEST_IA32_EFER, value);
}

static void set_register(struct guest_state *s, uint64_t *saved, void (*write)(uint64_t), uint64_t value)
{
    if (s->loaded)
        write(value);
    *saved = value;
}

static void set_xcr0(struct guest_state *s, uint64_t value)
{
    s->xcr0 = value;
    if (s->loaded && guest_state_xcr0_mask())
        xsetbv(0, value);
}

static void set_msr(struct guest_state *s, enum guest_msr m, uint64_t value)
{
    if (!guest_state_has_msr(m))
        return;
    s->msr[m] = value;
    if (s->loaded)
        wrmsr(guest_state_msr_number(m), value);
}

void vmx_set(struct vt_vcpu *vt, enum vt_field field, uint64_t value)
{
    struct vmx_vcpu *v = vmx_of(vt);
    struct guest_state *s = &v->state;

    if (state_msr[field]) {
        set_msr(s, state_msr[field] - 1u, value);
        return;
    }
    switch (field) {
    case VT_CR0:  set_cr0(value); return;
    case VT_CR4:  set_cr4(value); return;
    case VT_EFER: set_efer(value); return;
    case VT_CR2:  set_register(s, &s->cr2, write_cr2, value); return;
    case VT_DR0:  set_register(s, &s->dr[0], write_dr0, value); return;
    case VT_DR1:  set_register(s, &s->dr[1], write_dr1, value); return;
    case VT_DR2:  set_register(s, &s->dr[2], write_dr2, value); return;
    case VT_DR3:  set_register(s, &s->dr[3], write_dr3, value); return;
    case VT_DR6:  set_register(s, &s->dr6, write_dr6, value); return;
    case VT_XCR0: set_xcr0(s, value); return;
    default:      vmwrite(encoding[field], value);
    }
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
    (void)vt;
    advance(rip);
}

void vmx_skip(struct vt_vcpu *vt)
{
    (void)vt;
    advance(vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
}

uint32_t vmx_pkru(struct vt_vcpu *vt)
{
    (void)vt;
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
    *out = (struct vt_snapshot){
        .rip = vmread(VMCS_GUEST_RIP),
        .rsp = vmread(VMCS_GUEST_RSP),
        .rflags = vmread(VMCS_GUEST_RFLAGS),
        .cr0 = masked(VMCS_GUEST_CR0, VMCS_CR0_READ_SHADOW, v->cr0_mask),
        .cr3 = vmread(VMCS_GUEST_CR3),
        .cr4 = masked(VMCS_GUEST_CR4, VMCS_CR4_READ_SHADOW, v->cr4_mask),
        .efer = vmread(VMCS_GUEST_IA32_EFER),
        .cs = vmread(VMCS_GUEST_CS_SELECTOR),
    };
}
