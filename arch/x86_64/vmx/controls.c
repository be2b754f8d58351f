/* The first contents of a vCPU's VMCS: controls, host state, bitmaps. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/idt.h"
#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "arch/x86_64/mmu/host.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"
#include "hv/lib/str.h"

/* MSRs that the guest may access without an exit: the VMCS or guest_state.c switches each of them. */
static const struct { uint32_t msr; bool write; } pass[] = {
    { IA32_SYSENTER_CS, true }, { IA32_SYSENTER_ESP, true }, { IA32_SYSENTER_EIP, true }, { IA32_FS_BASE, true },
    { IA32_GS_BASE, true }, { IA32_KERNEL_GS_BASE, true }, { IA32_STAR, true }, { IA32_LSTAR, true },
    { IA32_CSTAR, true }, { IA32_FMASK, true }, { IA32_EFER, false }, { IA32_PAT, false },
};

/* Layout: SDM vol 3, "MSR-Bitmap Address": reads low, reads high, writes low, writes high, 1 KiB each. */
void vmx_msr_pass(struct vmx_vcpu *v, uint32_t msr, bool read, bool write)
{
    unsigned half = msr >= 0xc0000000 ? 1024 : 0;
    uint32_t n = msr & 0x1fff;
    uint8_t bit = (uint8_t)(1u << (n & 7));
    uint8_t *r = &v->msr_bits[half + n / 8], *w = &v->msr_bits[2048 + half + n / 8];
    *r = (uint8_t)(read ? *r & ~bit : *r | bit);
    *w = (uint8_t)(write ? *w & ~bit : *w | bit);
}

static void setup_msr_bitmap(struct vmx_vcpu *v)
{
    memset(v->msr_bits, 0xff, PAGE_SIZE);
    for (size_t i = 0; i < ARRAY_SIZE(pass); i++)
        vmx_msr_pass(v, pass[i].msr, true, pass[i].write);
    if (guest_state_has_msr(GUEST_TSC_AUX))
        vmx_msr_pass(v, IA32_TSC_AUX, true, true);
    if (v->config.spec_ctrl && !mitigation_spec_ctrl)
        vmx_msr_pass(v, IA32_SPEC_CTRL, true, true);
    vmwrite(VMCS_MSR_BITMAP_ADDRESS, v->msr_bitmap.raw);
}

/* Every port exits: one pair of pages of ones serves all vCPUs. */
static void setup_io_bitmaps(void)
{
    static uint8_t ones[2 * PAGE_SIZE] __attribute__((aligned(4096)));
    if (!ones[0])
        memset(ones, 0xff, sizeof ones);
    hpa_t at = vmx_env.image_hpa(ones);
    vmwrite(VMCS_IO_BITMAP_A_ADDRESS, at.raw);
    vmwrite(VMCS_IO_BITMAP_B_ADDRESS, at.raw + PAGE_SIZE);
}

static uint64_t exit_door(const struct vmx_vcpu *v)
{
    static void (*const doors[])(void) = {
        [RETURNS_AS_THEY_ARE] = vmx_exit_entry, [RETURNS_ONE_CALL] = vmx_exit_one_call, [RETURNS_REFILL] = vmx_exit_refill,
    };
    return (uint64_t)(uintptr_t)(v->spec_ctrl_passed ? vmx_exit_swap : doors[mitigation_policy()->returns]);
}

/* While a guest is content with 0 it runs with the hypervisor's value, which is stricter, and nothing has to be swapped. */
void vmx_pass_spec_ctrl(struct vmx_vcpu *v)
{
    v->spec_ctrl_passed = true;
    vmx_msr_pass(v, IA32_SPEC_CTRL, true, true);
    vmwrite(VMCS_HOST_RIP, exit_door(v));
    vmx_env.ops->run = vmx_run_swapping;
}

/* Everything the VMCS restores at an exit that is the same on all pCPUs, and what differs: GDT, TSS, per-CPU data. */
void vmx_host_setup(const struct vmx_vcpu *v)
{
    const struct pcpu *p = pcpu_this();
    vmwrite(VMCS_HOST_CR0, read_cr0());
    vmwrite(VMCS_HOST_CR3, read_cr3());
    vmwrite(VMCS_HOST_CR4, read_cr4());
    vmwrite(VMCS_HOST_CS_SELECTOR, HOST_SEL_CODE);
    vmwrite(VMCS_HOST_SS_SELECTOR, HOST_SEL_DATA);
    vmwrite(VMCS_HOST_DS_SELECTOR, 0);
    vmwrite(VMCS_HOST_ES_SELECTOR, 0);
    vmwrite(VMCS_HOST_FS_SELECTOR, 0);
    vmwrite(VMCS_HOST_GS_SELECTOR, 0);
    vmwrite(VMCS_HOST_TR_SELECTOR, HOST_SEL_TSS);
    vmwrite(VMCS_HOST_FS_BASE, 0);
    vmwrite(VMCS_HOST_GS_BASE, rdmsr(IA32_GS_BASE));
    vmwrite(VMCS_HOST_TR_BASE, (uint64_t)(uintptr_t)&p->tss);
    vmwrite(VMCS_HOST_GDTR_BASE, (uint64_t)(uintptr_t)p->gdt);
    vmwrite(VMCS_HOST_IDTR_BASE, idt_base());
    vmwrite(VMCS_HOST_IA32_EFER, rdmsr(IA32_EFER));
    vmwrite(VMCS_HOST_IA32_PAT, rdmsr(IA32_PAT));
    vmwrite(VMCS_HOST_IA32_SYSENTER_CS, 0);
    vmwrite(VMCS_HOST_IA32_SYSENTER_ESP, 0);
    vmwrite(VMCS_HOST_IA32_SYSENTER_EIP, 0);
    vmwrite(VMCS_HOST_RIP, exit_door(v));
}

void vmx_masks_setup(struct vmx_vcpu *v, bool whole_cr0, bool whole_cr4)
{
    /* The guest sees the CR0 it wrote, while NE stays as VMX demands and caching is not the guest's to switch. CR4.MCE
     * stays on: with it off a machine check would shut the whole machine down. */
    v->cr0_mask = whole_cr0 ? UINT64_MAX : CR0_NE | CR0_CD | CR0_NW | ~(uint64_t)CR0_DEFINED;
    v->cr4_mask = whole_cr4 ? UINT64_MAX : ~v->config.cr4_allowed | CR4_MCE | CR4_VMXE;
    vmwrite(VMCS_CR0_GUEST_HOST_MASK, v->cr0_mask);
    vmwrite(VMCS_CR4_GUEST_HOST_MASK, v->cr4_mask);
}

/* A VMCS region is not defined to begin as zeros, whatever VMCLEAR made of the page: SDM vol 3, "Initializing a VMCS". Only
 * fields that every CPU with EPT has. */
static const struct { uint32_t field; uint64_t value; } initial[] = {
    { VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0 }, { VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0 }, /* equal: the exception bitmap decides */
    { VMCS_CR3_TARGET_COUNT, 0 }, { VMCS_EXIT_MSR_STORE_COUNT, 0 }, { VMCS_EXIT_MSR_LOAD_COUNT, 0 },
    { VMCS_ENTRY_MSR_LOAD_COUNT, 0 }, { VMCS_ENTRY_INTERRUPTION_INFORMATION, 0 },
    { VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0 }, { VMCS_ENTRY_INSTRUCTION_LENGTH, 0 }, { VMCS_LINK_POINTER, VMCS_NO_LINK },
    { VMCS_GUEST_ACTIVITY_STATE, 0 }, { VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 },
    { VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0 }, { VMCS_TSC_OFFSET, 0 }, { VMCS_GUEST_PDPTE0, 0 }, { VMCS_GUEST_PDPTE1, 0 },
    { VMCS_GUEST_PDPTE2, 0 }, { VMCS_GUEST_PDPTE3, 0 },
};

void vmx_controls_setup(struct vmx_vcpu *v)
{
    for (size_t i = 0; i < ARRAY_SIZE(initial); i++)
        vmwrite(initial[i].field, initial[i].value);

    v->primary = vmx_caps.primary;
    v->secondary = vmx_caps.secondary;
    v->eptp = pt_ept_pointer(v->config.nested_root, vmx_caps.features.nested_ad);
    vmwrite(VMCS_PIN_CONTROLS, vmx_caps.pin);
    vmwrite(VMCS_PRIMARY_PROC_CONTROLS, v->primary);
    vmwrite(VMCS_SECONDARY_PROC_CONTROLS, v->secondary);
    vmwrite(VMCS_EXIT_CONTROLS, vmx_caps.exit);
    vmwrite(VMCS_ENTRY_CONTROLS, vmx_caps.entry);
    vmwrite(VMCS_EXCEPTION_BITMAP, EXC_ALWAYS_EXIT);
    vmwrite(VMCS_EPT_POINTER, v->eptp);
    if (vmx_caps.features.vpid)
        vmwrite(VMCS_VIRTUAL_PROCESSOR_ID, v->vpid);
    if (vmx_caps.features.tpr_shadow) {
        vmwrite(VMCS_VIRTUAL_APIC_ADDRESS, v->config.apic_page_hpa.raw);
        vmwrite(VMCS_TPR_THRESHOLD, 0);
    }
    if (vmx_caps.features.apic_access_page)
        vmwrite(VMCS_APIC_ACCESS_ADDRESS, v->config.apic_access_hpa.raw);
    v->timer_shift = vmx_caps.timer_shift;
    /* With a count of 0 the CPU does not look at the address of the list: "VM-Exit Controls for MSRs". */
    v->timer_field = vmx_caps.features.preemption_timer ? VMCS_GUEST_PREEMPTION_TIMER_VALUE : VMCS_EXIT_MSR_STORE_ADDRESS;
    vmx_masks_setup(v, false, false);
    setup_msr_bitmap(v);
    setup_io_bitmaps();
    vmx_host_setup(v);
}

void vmx_set_tsc_offset(struct vt_vcpu *v, uint64_t offset)
{
    v->tsc_offset = offset;
    vmwrite(VMCS_TSC_OFFSET, offset);
}
