/* One pCPU in and out of VMX root operation (SDM vol 3, "Enabling and Entering VMX Operation"). */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/panic.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/vmx_exits.h"
#include "arch/x86_64/mmu/host.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"
#include "hv/lib/log.h"

static bool unlock_feature_control(unsigned cpu)
{
    uint64_t v = rdmsr(IA32_FEATURE_CONTROL);
    if (!(v & FEATURE_CONTROL_LOCK)) {
        wrmsr(IA32_FEATURE_CONTROL, v | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
        return true;
    }
    if (v & FEATURE_CONTROL_VMX)
        return true;
    log_line("vmx: CPU %u: the firmware has locked VMX off (IA32_FEATURE_CONTROL = 0x%lx): look for \"Intel "
             "Virtualization Technology\" or \"VT-x\" in the BIOS set-up, switch it on and power the machine off and on",
             cpu, v);
    return false;
}

enum vt_status vmx_cpu_enable(unsigned cpu)
{
    if (!unlock_feature_control(cpu))
        return VT_UNSUPPORTED;
    hpa_t region = vmx_env.page_alloc(0);
    if (!region.raw)
        return VT_NO_MEMORY;
    *(uint32_t *)hpa_to_ptr(region) = vmx_caps.revision;
    write_cr0((read_cr0() | vmx_caps.cr0_fixed0) & vmx_caps.cr0_fixed1);
    write_cr4(read_cr4() | CR4_VMXE | vmx_caps.cr4_fixed0);
    if (!vmxon(region)) {
        log_line("vmx: CPU %u: VMXON failed (CR0 0x%lx, CR4 0x%lx, IA32_FEATURE_CONTROL 0x%lx)", cpu, read_cr0(),
                 read_cr4(), rdmsr(IA32_FEATURE_CONTROL));
        return VT_UNSUPPORTED;
    }
    return VT_OK;
}

void vmx_cpu_disable(void)
{
    vmxoff();
    write_cr4(read_cr4() & ~(uint64_t)CR4_VMXE);
}

void vmx_nested_flush(hpa_t nested_root)
{
    if (vmx_caps.invept_single)
        invept(INVEPT_SINGLE_CONTEXT, pt_ept_pointer(nested_root, vmx_caps.features.nested_ad));
    else
        invept(INVEPT_ALL_CONTEXTS, 0);
}

static const char *error_text(uint64_t number)
{
    switch (number) {
#define ERROR_CASE(name, n, text) case n: return text;
        VMX_INSTRUCTION_ERRORS(ERROR_CASE)
#undef ERROR_CASE
    default: return "unknown VM-instruction error";
    }
}

void vmx_insn_failed(const char *insn, uint64_t operand)
{
    uint64_t error = 0;
    bool current = vmread_try(VMCS_VM_INSTRUCTION_ERROR, &error);
    panic("%s of 0x%lx failed: %s", insn, operand, current ? error_text(error) : "there is no current VMCS");
}
