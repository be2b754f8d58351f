/* SDM, "Checks on VMX Controls". */
#include "arch/x86_64/vmx/entry_check_private.h"

#include "arch/x86_64/isa/exception.h"

/* ---- allowed settings, bit by bit ------------------------------------------------------------------------------------- */

struct bit_name { uint64_t mask; const char *name; };
#define BIT_ROW(name, bit) { UINT64_C(1) << (bit), #name },
static const struct bit_name pin_names[] = { VMX_PIN_CONTROLS(BIT_ROW) { 0, NULL } };
static const struct bit_name primary_names[] = { VMX_PRIMARY_PROC_CONTROLS(BIT_ROW) { 0, NULL } };
static const struct bit_name secondary_names[] = { VMX_SECONDARY_PROC_CONTROLS(BIT_ROW) { 0, NULL } };
static const struct bit_name tertiary_names[] = { VMX_TERTIARY_PROC_CONTROLS(BIT_ROW) { 0, NULL } };
static const struct bit_name exit_names[] = { VMX_EXIT_CONTROLS(BIT_ROW) { 0, NULL } };
static const struct bit_name entry_names[] = { VMX_ENTRY_CONTROLS(BIT_ROW) { 0, NULL } };
#undef BIT_ROW

static const char *bit_name(const struct bit_name *names, uint64_t mask)
{
    while (names->name && names->mask != mask)
        names++;
    return names->name ? names->name : "a reserved bit";
}

static void require_bit(struct check *c, uint32_t encoding, const struct bit_name *names, uint64_t mask, const char *rule)
{
    unsigned at = c->count;
    check_require(c, false, encoding, rule);
    if (at < c->max)
        c->out[at].bit = bit_name(names, mask);
}

static void check_settings(struct check *c, uint32_t encoding, uint64_t must, uint64_t may, const struct bit_name *names)
{
    uint64_t value = field(c, encoding);
    for (uint64_t wrong = must & ~value; wrong; wrong &= wrong - 1)
        require_bit(c, encoding, names, wrong & -wrong, "this CPU requires the bit to be 1 (capability MSR, allowed 0-settings)");
    for (uint64_t wrong = value & ~may; wrong; wrong &= wrong - 1)
        require_bit(c, encoding, names, wrong & -wrong, "this CPU does not allow the bit to be 1 (capability MSR, allowed 1-settings)");
}

static void check_control_word(struct check *c, uint32_t encoding, uint32_t msr, uint32_t true_msr, const struct bit_name *names)
{
    bool use_true = true_msr && capability(c, IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;
    uint64_t allowed = capability(c, use_true ? true_msr : msr);
    check_settings(c, encoding, VMX_CTLS_MUST(allowed), VMX_CTLS_MAY(allowed), names);
}

/* ---- one control needs another ---------------------------------------------------------------------------------------- */

enum word { PIN, PRIMARY, SECONDARY, EXIT, ENTRY };
static const uint32_t word_field[] = { VMCS_PIN_CONTROLS, VMCS_PRIMARY_PROC_CONTROLS, VMCS_SECONDARY_PROC_CONTROLS,
                                       VMCS_EXIT_CONTROLS, VMCS_ENTRY_CONTROLS };

static const struct dependency {
    uint8_t word, needs_word;
    uint32_t bit, needs;
    bool needs_value; /* if `bit` is 1, `needs` must be this */
    const char *rule;
} dependencies[] = {
    { SECONDARY, PRIMARY, PROC2_VIRTUALIZE_X2APIC_MODE, PROC_USE_TPR_SHADOW, true, "\"virtualize x2APIC mode\" needs \"use TPR shadow\"" },
    { SECONDARY, PRIMARY, PROC2_APIC_REGISTER_VIRTUALIZATION, PROC_USE_TPR_SHADOW, true,
      "\"APIC-register virtualization\" needs \"use TPR shadow\"" },
    { SECONDARY, PRIMARY, PROC2_VIRTUAL_INTERRUPT_DELIVERY, PROC_USE_TPR_SHADOW, true,
      "\"virtual-interrupt delivery\" needs \"use TPR shadow\"" },
    { PIN, PIN, PIN_VIRTUAL_NMIS, PIN_NMI_EXITING, true, "\"virtual NMIs\" needs \"NMI exiting\"" },
    { PRIMARY, PIN, PROC_NMI_WINDOW_EXITING, PIN_VIRTUAL_NMIS, true, "\"NMI-window exiting\" needs \"virtual NMIs\"" },
    { SECONDARY, SECONDARY, PROC2_VIRTUALIZE_X2APIC_MODE, PROC2_VIRTUALIZE_APIC_ACCESSES, false,
      "\"virtualize x2APIC mode\" excludes \"virtualize APIC accesses\"" },
    { SECONDARY, PIN, PROC2_VIRTUAL_INTERRUPT_DELIVERY, PIN_EXTERNAL_INTERRUPT_EXITING, true,
      "\"virtual-interrupt delivery\" needs \"external-interrupt exiting\"" },
    { PIN, SECONDARY, PIN_PROCESS_POSTED_INTERRUPTS, PROC2_VIRTUAL_INTERRUPT_DELIVERY, true,
      "\"process posted interrupts\" needs \"virtual-interrupt delivery\"" },
    { PIN, EXIT, PIN_PROCESS_POSTED_INTERRUPTS, EXIT_ACKNOWLEDGE_INTERRUPT, true,
      "\"process posted interrupts\" needs \"acknowledge interrupt on exit\"" },
    { SECONDARY, SECONDARY, PROC2_ENABLE_PML, PROC2_ENABLE_EPT, true, "\"enable PML\" needs \"enable EPT\"" },
    { SECONDARY, SECONDARY, PROC2_UNRESTRICTED_GUEST, PROC2_ENABLE_EPT, true, "\"unrestricted guest\" needs \"enable EPT\"" },
    { SECONDARY, SECONDARY, PROC2_MODE_BASED_EXECUTE_EPT, PROC2_ENABLE_EPT, true,
      "\"mode-based execute control for EPT\" needs \"enable EPT\"" },
    { SECONDARY, SECONDARY, PROC2_SUB_PAGE_WRITE_PERMISSIONS, PROC2_ENABLE_EPT, true,
      "\"sub-page write permissions for EPT\" needs \"enable EPT\"" },
    { SECONDARY, SECONDARY, PROC2_PT_USES_GUEST_PHYSICAL, PROC2_ENABLE_EPT, true,
      "\"Intel PT uses guest physical addresses\" needs \"enable EPT\"" },
    { EXIT, PIN, EXIT_SAVE_PREEMPTION_TIMER, PIN_PREEMPTION_TIMER, true,
      "\"save VMX-preemption timer value\" needs \"activate VMX-preemption timer\"" },
};

static void check_dependencies(struct check *c)
{
    const uint64_t words[] = { c->pin, c->primary, c->secondary, c->exit, c->entry };
    for (unsigned i = 0; i < ARRAY_SIZE(dependencies); i++) {
        const struct dependency *d = &dependencies[i];
        bool set = words[d->needs_word] & d->needs;
        check_require(c, !(words[d->word] & d->bit) || set == d->needs_value, word_field[d->word], d->rule);
    }
}

/* ---- "VM-Execution Control Fields" ------------------------------------------------------------------------------------ */

/* An address that must be right while a control is 1. */
static const struct { uint8_t word; uint32_t bit; uint32_t encoding; uint32_t alignment; } addresses[] = {
    { PRIMARY, PROC_USE_IO_BITMAPS, VMCS_IO_BITMAP_A_ADDRESS, 4096 },
    { PRIMARY, PROC_USE_IO_BITMAPS, VMCS_IO_BITMAP_B_ADDRESS, 4096 },
    { PRIMARY, PROC_USE_MSR_BITMAPS, VMCS_MSR_BITMAP_ADDRESS, 4096 },
    { PRIMARY, PROC_USE_TPR_SHADOW, VMCS_VIRTUAL_APIC_ADDRESS, 4096 },
    { SECONDARY, PROC2_VIRTUALIZE_APIC_ACCESSES, VMCS_APIC_ACCESS_ADDRESS, 4096 },
    { PIN, PIN_PROCESS_POSTED_INTERRUPTS, VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, 64 },
    { SECONDARY, PROC2_ENABLE_PML, VMCS_PML_ADDRESS, 4096 },
    { SECONDARY, PROC2_VMCS_SHADOWING, VMCS_VMREAD_BITMAP_ADDRESS, 4096 },
    { SECONDARY, PROC2_VMCS_SHADOWING, VMCS_VMWRITE_BITMAP_ADDRESS, 4096 },
    { SECONDARY, PROC2_EPT_VIOLATION_VE, VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS, 4096 },
    { SECONDARY, PROC2_SUB_PAGE_WRITE_PERMISSIONS, VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER, 4096 },
};

static void check_addresses(struct check *c)
{
    const uint64_t words[] = { c->pin, c->primary, c->secondary };
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
        if (words[addresses[i].word] & addresses[i].bit)
            check_address(c, addresses[i].encoding, addresses[i].alignment);
}

static void check_tpr_threshold(struct check *c)
{
    if (!(c->primary & PROC_USE_TPR_SHADOW) || c->secondary & PROC2_VIRTUAL_INTERRUPT_DELIVERY)
        return;
    uint64_t threshold = field(c, VMCS_TPR_THRESHOLD);
    check_require(c, (threshold & ~UINT64_C(15)) == 0, VMCS_TPR_THRESHOLD, "bits 31:4 must be 0");
    if (c->in->apic_page && !(c->secondary & PROC2_VIRTUALIZE_APIC_ACCESSES))
        check_require(c, (threshold & 15) <= (unsigned)(c->in->apic_page[0x80] >> 4), VMCS_TPR_THRESHOLD,
                      "bits 3:0 must not exceed bits 7:4 of the TPR in the virtual-APIC page");
}

static void check_ept_pointer(struct check *c)
{
    if (!(c->secondary & PROC2_ENABLE_EPT))
        return;
    uint64_t eptp = field(c, VMCS_EPT_POINTER), cap = capability(c, IA32_VMX_EPT_VPID_CAP);
    uint64_t type = eptp & VMCS_EPTP_MEMORY_TYPE, walk = (eptp & VMCS_EPTP_WALK) >> VMCS_EPTP_WALK_SHIFT;
    uint64_t reserved = UINT64_C(0xf00) | (cap & VMX_EPT_ACCESS_DIRTY ? 0 : (uint64_t)VMCS_EPTP_ACCESS_DIRTY) |
                        (cap & VMX_EPT_SUPERVISOR_SHADOW_STACK ? 0 : (uint64_t)VMCS_EPTP_SUPERVISOR_SHADOW_STACK);
    check_require(c, (type == MEMORY_UC && cap & VMX_EPT_UNCACHEABLE) || (type == MEMORY_WB && cap & VMX_EPT_WRITE_BACK),
                  VMCS_EPT_POINTER, "bits 2:0 must be a memory type that the CPU supports for EPT tables (6 or 0)");
    check_require(c, (walk == 3 && cap & VMX_EPT_WALK_4) || (walk == 4 && cap & VMX_EPT_WALK_5), VMCS_EPT_POINTER,
                  "bits 5:3 must be a supported walk length minus 1");
    check_require(c, (eptp & reserved) == 0 && fits_physical(c, eptp), VMCS_EPT_POINTER,
                  "reserved bits (11:8, unsupported flags, above the physical-address width) must be 0");
}

static void check_vm_functions(struct check *c)
{
    if (!(c->secondary & PROC2_ENABLE_VM_FUNCTIONS))
        return;
    uint64_t functions = field(c, VMCS_VM_FUNCTION_CONTROLS);
    check_require(c, (functions & ~capability(c, IA32_VMX_VMFUNC)) == 0, VMCS_VM_FUNCTION_CONTROLS,
                  "only functions in IA32_VMX_VMFUNC may be enabled");
    if (functions & 1) {
        check_require(c, c->secondary & PROC2_ENABLE_EPT, VMCS_VM_FUNCTION_CONTROLS, "EPTP switching needs \"enable EPT\"");
        check_address(c, VMCS_EPTP_LIST_ADDRESS, 4096);
    }
}

void check_execution_controls(struct check *c)
{
    c->section = "VM-Execution Control Fields";
    check_control_word(c, VMCS_PIN_CONTROLS, IA32_VMX_PINBASED_CTLS, IA32_VMX_TRUE_PINBASED_CTLS, pin_names);
    check_control_word(c, VMCS_PRIMARY_PROC_CONTROLS, IA32_VMX_PROCBASED_CTLS, IA32_VMX_TRUE_PROCBASED_CTLS, primary_names);
    if (c->primary & PROC_ACTIVATE_SECONDARY_CONTROLS)
        check_control_word(c, VMCS_SECONDARY_PROC_CONTROLS, IA32_VMX_PROCBASED_CTLS2, 0, secondary_names);
    if (c->primary & PROC_ACTIVATE_TERTIARY_CONTROLS)
        check_settings(c, VMCS_TERTIARY_PROC_CONTROLS, 0, capability(c, IA32_VMX_PROCBASED_CTLS3), tertiary_names);
    check_dependencies(c);
    check_require(c, field(c, VMCS_CR3_TARGET_COUNT) <= VMX_MISC_CR3_TARGETS(capability(c, IA32_VMX_MISC)), VMCS_CR3_TARGET_COUNT,
                  "there must be no more CR3 targets than IA32_VMX_MISC says");
    check_addresses(c);
    check_tpr_threshold(c);
    if (c->pin & PIN_PROCESS_POSTED_INTERRUPTS)
        check_require(c, field(c, VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR) <= 0xff, VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR,
                      "bits 15:8 must be 0");
    if (c->secondary & PROC2_ENABLE_VPID)
        check_require(c, field(c, VMCS_VIRTUAL_PROCESSOR_ID) != 0, VMCS_VIRTUAL_PROCESSOR_ID, "the VPID must not be 0");
    check_ept_pointer(c);
    check_vm_functions(c);
}

/* ---- "VM-Exit Control Fields" and "VM-Entry Control Fields" ------------------------------------------------------------ */

static void check_msr_list(struct check *c, uint32_t count_field, uint32_t address_field)
{
    uint64_t count = field(c, count_field);
    if (!count)
        return;
    check_address(c, address_field, 16);
    check_require(c, fits_physical(c, field(c, address_field) + count * 16 - 1), address_field,
                  "the end of the list must lie below the physical-address width");
}

/* Intel's: #VC and #SX are AMD's; #CP has one only where CET exists. */
static bool vector_has_error_code(uint64_t vector)
{
    const uint32_t not_here = 1u << EXC_VC | 1u << EXC_SX | 1u << EXC_CP;
    return vector < EXC_COUNT && (EXC_WITH_ERROR_CODE & ~not_here) >> vector & 1;
}

static void check_error_code(struct check *c, uint64_t type, uint64_t vector)
{
    const uint32_t info = VMCS_ENTRY_INTERRUPTION_INFORMATION;
    bool has = c->entry_info & INTERRUPTION_ERROR_CODE, real_mode = c->unrestricted && !(c->cr0 & CR0_PE);
    bool any = capability(c, IA32_VMX_BASIC) & VMX_BASIC_ANY_ERROR_CODE;
    if (type != INTERRUPTION_HARDWARE_EXCEPTION || real_mode)
        check_require(c, !has, info, "only a hardware exception in protected mode has an error code");
    else if (!any && vector != EXC_CP)
        check_require(c, has == vector_has_error_code(vector), info,
                      "an error code must be delivered exactly for the exceptions that have one");
    if (has)
        check_require(c, field(c, VMCS_ENTRY_EXCEPTION_ERROR_CODE) <= 0xffff, VMCS_ENTRY_EXCEPTION_ERROR_CODE, "bits 31:16 must be 0");
}

static void check_injection(struct check *c)
{
    const uint32_t info = VMCS_ENTRY_INTERRUPTION_INFORMATION;
    if (!(c->entry_info & INTERRUPTION_VALID))
        return;
    uint64_t type = INTERRUPTION_TYPE(c->entry_info), vector = INTERRUPTION_VECTOR(c->entry_info);
    bool mtf = VMX_CTLS_MAY(capability(c, IA32_VMX_PROCBASED_CTLS)) & PROC_MONITOR_TRAP_FLAG;
    check_require(c, type != 1 && (type != INTERRUPTION_OTHER_EVENT || mtf), info, "the type (bits 10:8) must not be reserved");
    check_require(c, type != INTERRUPTION_NMI || vector == EXC_NMI, info, "an NMI must have vector 2");
    check_require(c, type != INTERRUPTION_HARDWARE_EXCEPTION || vector <= 31, info, "a hardware exception must have a vector below 32");
    check_require(c, type != INTERRUPTION_OTHER_EVENT || vector == 0, info, "a pending MTF exit must have vector 0");
    check_require(c, (c->entry_info & INTERRUPTION_ENTRY_RESERVED) == 0, info, "bits 30:12 must be 0");
    check_error_code(c, type, vector);
    if (type >= INTERRUPTION_SOFTWARE && type <= INTERRUPTION_SOFTWARE_EXCEPTION) {
        uint64_t length = field(c, VMCS_ENTRY_INSTRUCTION_LENGTH);
        bool zero = capability(c, IA32_VMX_MISC) & VMX_MISC_INJECT_LENGTH_ZERO;
        check_require(c, length <= 15 && (length || zero), VMCS_ENTRY_INSTRUCTION_LENGTH,
                      "a software interrupt or exception needs an instruction length of 1 to 15");
    }
}

void check_exit_and_entry_controls(struct check *c)
{
    c->section = "VM-Exit Control Fields";
    check_control_word(c, VMCS_EXIT_CONTROLS, IA32_VMX_EXIT_CTLS, IA32_VMX_TRUE_EXIT_CTLS, exit_names);
    check_msr_list(c, VMCS_EXIT_MSR_STORE_COUNT, VMCS_EXIT_MSR_STORE_ADDRESS);
    check_msr_list(c, VMCS_EXIT_MSR_LOAD_COUNT, VMCS_EXIT_MSR_LOAD_ADDRESS);
    c->section = "VM-Entry Control Fields";
    check_control_word(c, VMCS_ENTRY_CONTROLS, IA32_VMX_ENTRY_CTLS, IA32_VMX_TRUE_ENTRY_CTLS, entry_names);
    check_injection(c);
    check_require(c, (c->entry & (ENTRY_TO_SMM | ENTRY_DEACTIVATE_DUAL_MONITOR)) == 0, VMCS_ENTRY_CONTROLS,
                  "\"entry to SMM\" and \"deactivate dual-monitor treatment\" must be 0 outside SMM");
    check_msr_list(c, VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD_ADDRESS);
}
