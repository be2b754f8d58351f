#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/vmcs.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "arch/x86_64/isa/vmx_exits.h"
#include "arch/x86_64/vmx/entry_check.h"
#include "tests/unit/test.h"

#include <string.h>

/* ---- a VMCS and a CPU ------------------------------------------------------------------------------------------------ */

static uint64_t vmcs[0x8000];
static struct entry_check_cpu cpu;
static struct entry_violation found[64];
static uint8_t apic_page[4096];

static uint64_t read_field(void *ctx, uint32_t field) { (void)ctx; return vmcs[field]; }

static unsigned check(void)
{
    struct entry_check_input in = { .cpu = &cpu, .read = read_field, .apic_page = apic_page };
    return entry_check(&in, found, 64);
}

#define MAY(must, may) ((uint64_t)(may) << 32 | (must))
static uint64_t rdmsr(void *ctx, uint32_t msr)
{
    (void)ctx;
    switch (msr) {
    case IA32_VMX_BASIC:               return UINT64_C(0x00d8100000000004);
    case IA32_VMX_PINBASED_CTLS:       return MAY(0x16, 0xff);
    case IA32_VMX_TRUE_PINBASED_CTLS:  return MAY(0x16, 0xff);
    case IA32_VMX_PROCBASED_CTLS:      return MAY(0x0401e172, 0xfff9fffe);
    case IA32_VMX_TRUE_PROCBASED_CTLS: return MAY(0x04006172, 0xfff9fffe);
    case IA32_VMX_EXIT_CTLS:           return MAY(0x00036dff, 0x1fffffff);
    case IA32_VMX_TRUE_EXIT_CTLS:      return MAY(0x00036dfb, 0x1fffffff);
    case IA32_VMX_ENTRY_CTLS:          return MAY(0x000011ff, 0x0003ffff);
    case IA32_VMX_TRUE_ENTRY_CTLS:     return MAY(0x000011fb, 0x0017ffff);
    case IA32_VMX_MISC:                return UINT64_C(0x7004c1e7);
    case IA32_VMX_CR0_FIXED0:          return 0x80000021;
    case IA32_VMX_CR0_FIXED1:          return 0xffffffff;
    case IA32_VMX_CR4_FIXED0:          return 0x2000;
    case IA32_VMX_CR4_FIXED1:          return 0xf727ff;
    case IA32_VMX_PROCBASED_CTLS2:     return MAY(0, 0x07ffffff);
    case IA32_VMX_EPT_VPID_CAP:        return UINT64_C(0xf0106334141);
    case IA32_VMX_VMFUNC:              return 1;
    default:                           return 0;
    }
}

static void set(uint32_t field, uint64_t value) { vmcs[field] = value; }
static void segment(unsigned n, uint64_t selector, uint64_t base, uint64_t limit, uint64_t rights)
{
    set(VMCS_GUEST_SELECTOR(n), selector);
    set(VMCS_GUEST_BASE(n), base);
    set(VMCS_GUEST_LIMIT(n), limit);
    set(VMCS_GUEST_ACCESS_RIGHTS(n), rights);
}

static void set_controls_and_host(void)
{
    memset(vmcs, 0, sizeof vmcs);
    memset(apic_page, 0, sizeof apic_page);
    entry_check_read_cpu(&cpu, rdmsr, NULL, 39, 48, false);
    set(VMCS_PIN_CONTROLS, 0x16 | PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
    set(VMCS_PRIMARY_PROC_CONTROLS, 0x04006172 | PROC_HLT_EXITING | PROC_USE_IO_BITMAPS | PROC_USE_MSR_BITMAPS |
                                    PROC_USE_TPR_SHADOW | PROC_ACTIVATE_SECONDARY_CONTROLS);
    set(VMCS_SECONDARY_PROC_CONTROLS, PROC2_ENABLE_EPT | PROC2_ENABLE_VPID | PROC2_UNRESTRICTED_GUEST);
    set(VMCS_EXIT_CONTROLS, 0x00036dfb | EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_LOAD_EFER | EXIT_LOAD_PAT);
    set(VMCS_ENTRY_CONTROLS, 0x000011fb | ENTRY_LOAD_EFER | ENTRY_LOAD_PAT | ENTRY_LOAD_DEBUG_CONTROLS);
    set(VMCS_IO_BITMAP_A_ADDRESS, 0x1000);
    set(VMCS_IO_BITMAP_B_ADDRESS, 0x2000);
    set(VMCS_MSR_BITMAP_ADDRESS, 0x3000);
    set(VMCS_VIRTUAL_APIC_ADDRESS, 0x4000);
    set(VMCS_VIRTUAL_PROCESSOR_ID, 1);
    set(VMCS_EPT_POINTER, 0x501e);
    set(VMCS_HOST_CR0, 0x80050033);
    set(VMCS_HOST_CR3, 0x6000);
    set(VMCS_HOST_CR4, 0x2020);
    set(VMCS_HOST_CS_SELECTOR, 8);
    set(VMCS_HOST_TR_SELECTOR, 0x18);
    set(VMCS_HOST_RIP, UINT64_C(0xffffffff80001000));
    set(VMCS_HOST_RSP, UINT64_C(0xffffffff80002000));
    set(VMCS_HOST_IA32_PAT, PAT_RESET);
    set(VMCS_HOST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE);
    set(VMCS_LINK_POINTER, VMCS_NO_LINK);
    set(VMCS_GUEST_IA32_PAT, PAT_RESET);
    set(VMCS_GUEST_DR7, DR7_RESET);
    set(VMCS_GUEST_RFLAGS, RFLAGS_ONE | RFLAGS_IF);
    set(VMCS_GUEST_GDTR_LIMIT, 0xffff);
    set(VMCS_GUEST_IDTR_LIMIT, 0xffff);
    segment(VMCS_LDTR, 0, 0, 0, VMCS_AR_UNUSABLE);
    segment(VMCS_TR, 0, 0, 0xffff, 0x8b);
}

static void guest_64(void)
{
    set_controls_and_host();
    vmcs[VMCS_ENTRY_CONTROLS] |= ENTRY_IA32E_MODE_GUEST;
    set(VMCS_GUEST_CR0, CR0_PE | CR0_PG | CR0_NE | CR0_ET | CR0_WP);
    set(VMCS_GUEST_CR4, CR4_PAE | CR4_VMXE);
    set(VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA);
    set(VMCS_GUEST_RIP, UINT64_C(0xffffffff81000000));
    segment(VMCS_CS, 0x10, 0, 0xffffffff, 0xa09b);
    segment(VMCS_SS, 0x18, 0, 0xffffffff, 0xc093);
    segment(VMCS_DS, 0, 0, 0, VMCS_AR_UNUSABLE);
    segment(VMCS_ES, 0, 0, 0, VMCS_AR_UNUSABLE);
    segment(VMCS_FS, 0, UINT64_C(0xffff888000000000), 0, VMCS_AR_UNUSABLE);
    segment(VMCS_GS, 0, 0, 0, VMCS_AR_UNUSABLE);
}

static void guest_32(void)
{
    set_controls_and_host();
    set(VMCS_GUEST_CR0, CR0_PE | CR0_NE | CR0_ET);
    set(VMCS_GUEST_CR4, CR4_VMXE);
    segment(VMCS_CS, 0x10, 0, 0xffffffff, 0xc09b);
    for (unsigned n = VMCS_ES; n <= VMCS_GS; n++)
        if (n != VMCS_CS)
            segment(n, 0x18, 0, 0xffffffff, 0xc093);
}

static void guest_real(void)
{
    set_controls_and_host();
    set(VMCS_GUEST_CR0, CR0_NE | CR0_ET);
    set(VMCS_GUEST_CR4, CR4_VMXE);
    set(VMCS_GUEST_RIP, 0xfff0);
    for (unsigned n = VMCS_ES; n <= VMCS_GS; n++)
        segment(n, 0, 0, 0xffff, n == VMCS_CS ? 0x9b : 0x93);
    segment(VMCS_CS, 0xf000, 0xffff0000, 0xffff, 0x9b);
}

/* Without "unrestricted guest": everything the older CPU demands. */
static void guest_restricted(void)
{
    guest_32();
    set(VMCS_SECONDARY_PROC_CONTROLS, PROC2_ENABLE_EPT);
    vmcs[VMCS_GUEST_CR0] |= CR0_PG;
}

static void guest_v8086(void)
{
    guest_32();
    vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_VM;
    for (unsigned n = VMCS_ES; n <= VMCS_GS; n++)
        segment(n, 0x1234, 0x12340, 0xffff, 0xf3);
}

static void guest_pae(void)
{
    guest_32();
    vmcs[VMCS_GUEST_CR0] |= CR0_PG;
    vmcs[VMCS_GUEST_CR4] |= CR4_PAE;
}

static void guest_ldt(void) /* 64-bit with a usable LDT and data segments */
{
    guest_64();
    segment(VMCS_LDTR, 0x30, 0, 0xff, 0x82);
    segment(VMCS_DS, 0x18, 0, 0xffffffff, 0xc093);
}

static void guest_apicv(void)
{
    guest_64();
    vmcs[VMCS_SECONDARY_PROC_CONTROLS] |= PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_APIC_REGISTER_VIRTUALIZATION |
                                          PROC2_VIRTUAL_INTERRUPT_DELIVERY;
    set(VMCS_APIC_ACCESS_ADDRESS, 0x8000);
}

static void guest_posted(void)
{
    guest_apicv();
    vmcs[VMCS_PIN_CONTROLS] |= PIN_PROCESS_POSTED_INTERRUPTS;
    vmcs[VMCS_EXIT_CONTROLS] |= EXIT_ACKNOWLEDGE_INTERRUPT;
    set(VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR, 0xf2);
    set(VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, 0x9040);
}

static void guest_injecting(uint64_t info)
{
    guest_64();
    set(VMCS_ENTRY_INTERRUPTION_INFORMATION, info | INTERRUPTION_VALID);
}
static void inject_external(void) { guest_injecting(0x30); }
static void inject_nmi(void) { guest_injecting(0x202); }
static void inject_gp(void) { guest_injecting(0xb0d); }
static void inject_int3(void) { guest_injecting(0x603); set(VMCS_ENTRY_INSTRUCTION_LENGTH, 1); }

static void guest_optional(void) /* state that only some CPUs load */
{
    guest_64();
    vmcs[VMCS_ENTRY_CONTROLS] |= ENTRY_LOAD_CET_STATE | ENTRY_LOAD_BNDCFGS;
    vmcs[VMCS_EXIT_CONTROLS] |= EXIT_LOAD_CET_STATE;
}
static void guest_vmfunc(void)
{
    guest_64();
    vmcs[VMCS_SECONDARY_PROC_CONTROLS] |= PROC2_ENABLE_VM_FUNCTIONS;
    set(VMCS_VM_FUNCTION_CONTROLS, 1);
    set(VMCS_EPTP_LIST_ADDRESS, 0xa000);
}
static void guest_msr_lists(void)
{
    guest_64();
    set(VMCS_EXIT_MSR_STORE_COUNT, 1);
    set(VMCS_EXIT_MSR_LOAD_COUNT, 1);
    set(VMCS_ENTRY_MSR_LOAD_COUNT, 1);
}
static void guest_x2apic(void) { guest_64(); vmcs[VMCS_SECONDARY_PROC_CONTROLS] |= PROC2_VIRTUALIZE_X2APIC_MODE; }
static void guest_pages(void) /* every page that an optional control names */
{
    guest_64();
    vmcs[VMCS_SECONDARY_PROC_CONTROLS] |= PROC2_ENABLE_PML | PROC2_VMCS_SHADOWING | PROC2_EPT_VIOLATION_VE |
                                          PROC2_SUB_PAGE_WRITE_PERMISSIONS;
}
static void inject_mtf(void) { guest_injecting(0x700); }
static void with_pkrs(void)
{
    guest_64();
    vmcs[VMCS_ENTRY_CONTROLS] |= ENTRY_LOAD_PKRS;
    vmcs[VMCS_EXIT_CONTROLS] |= EXIT_LOAD_PKRS;
}
static void host_32(void)
{
    guest_64();
    vmcs[VMCS_EXIT_CONTROLS] &= ~(uint64_t)EXIT_HOST_ADDRESS_SPACE_SIZE;
}
static void tertiary(void)
{
    guest_64();
    vmcs[VMCS_PRIMARY_PROC_CONTROLS] |= PROC_ACTIVATE_TERTIARY_CONTROLS;
}

static void no_true_controls(void) { guest_64(); cpu.capability[0] &= ~VMX_BASIC_TRUE_CONTROLS; }

static void (*const valid_states[])(void) = {
    guest_64, guest_32, guest_real, guest_restricted, guest_v8086, guest_pae, guest_ldt, guest_apicv, guest_posted,
    inject_external, inject_nmi, inject_gp, inject_int3, inject_mtf, guest_optional, guest_vmfunc, guest_msr_lists,
    guest_x2apic, guest_pages,
};

TEST(valid_states_pass)
{
    for (unsigned i = 0; i < sizeof valid_states / sizeof valid_states[0]; i++) {
        valid_states[i]();
        unsigned n = check();
        if (n) {
            char text[300];
            entry_violation_print(text, sizeof text, &found[0]);
            printf("  state %u: %s\n", i, text);
        }
        CHECK_EQ(n, 0);
    }
}

/* ---- every rule, one at a time ----------------------------------------------------------------------------------------- */

enum how { PUT, OR, CLEAR };

static const struct mutation {
    void (*state)(void);
    uint32_t field;
    uint8_t how;
    uint64_t value;
    uint32_t blamed; /* 0: the same field */
    const char *rule; /* part of the sentence */
} mutations[] = {
    /* controls */
    { guest_64, VMCS_PIN_CONTROLS, CLEAR, 2, 0, "requires the bit" },
    { guest_64, VMCS_PIN_CONTROLS, OR, 1 << 9, 0, "does not allow" },
    { guest_64, VMCS_PRIMARY_PROC_CONTROLS, CLEAR, 2, 0, "requires the bit" },
    { guest_64, VMCS_PRIMARY_PROC_CONTROLS, OR, PROC_ACTIVATE_TERTIARY_CONTROLS, 0, "does not allow" },
    { guest_64, VMCS_SECONDARY_PROC_CONTROLS, OR, PROC2_INSTRUCTION_TIMEOUT, 0, "does not allow" },
    { guest_64, VMCS_EXIT_CONTROLS, CLEAR, 1, 0, "requires the bit" },
    { guest_64, VMCS_ENTRY_CONTROLS, CLEAR, 1, 0, "requires the bit" },
    { no_true_controls, VMCS_EXIT_CONTROLS, CLEAR, 4, 0, "requires the bit" },
    { guest_64, VMCS_CR3_TARGET_COUNT, PUT, 5, 0, "CR3 targets" },
    { guest_64, VMCS_IO_BITMAP_A_ADDRESS, PUT, 0x1008, 0, "aligned" },
    { guest_64, VMCS_IO_BITMAP_B_ADDRESS, PUT, UINT64_C(1) << 39, 0, "physical-address width" },
    { guest_64, VMCS_MSR_BITMAP_ADDRESS, PUT, 0x800, 0, "aligned" },
    { guest_64, VMCS_VIRTUAL_APIC_ADDRESS, PUT, 0x10, 0, "aligned" },
    { guest_apicv, VMCS_APIC_ACCESS_ADDRESS, PUT, 1, 0, "aligned" },
    { guest_posted, VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, PUT, 0x20, 0, "aligned" },
    { guest_posted, VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR, PUT, 0x100, 0, "bits 15:8" },
    { guest_64, VMCS_TPR_THRESHOLD, PUT, 0x10, 0, "bits 31:4" },
    { guest_64, VMCS_TPR_THRESHOLD, PUT, 1, 0, "must not exceed" },
    { guest_64, VMCS_VIRTUAL_PROCESSOR_ID, PUT, 0, 0, "must not be 0" },
    { guest_64, VMCS_EPT_POINTER, PUT, 0x5019, 0, "memory type" },
    { guest_64, VMCS_EPT_POINTER, PUT, 0x5016, 0, "walk length" },
    { guest_64, VMCS_EPT_POINTER, PUT, 0x511e, 0, "reserved bits" },
    { guest_64, VMCS_EPT_POINTER, OR, UINT64_C(1) << 40, 0, "reserved bits" },
    { guest_64, VMCS_SECONDARY_PROC_CONTROLS, CLEAR, PROC2_ENABLE_EPT, 0, "\"unrestricted guest\" needs" },
    { guest_restricted, VMCS_SECONDARY_PROC_CONTROLS, PUT, PROC2_ENABLE_PML, 0, "\"enable PML\" needs" },
    { guest_restricted, VMCS_SECONDARY_PROC_CONTROLS, PUT, PROC2_MODE_BASED_EXECUTE_EPT, 0, "\"mode-based" },
    { guest_restricted, VMCS_SECONDARY_PROC_CONTROLS, PUT, PROC2_SUB_PAGE_WRITE_PERMISSIONS, 0, "\"sub-page" },
    { guest_restricted, VMCS_SECONDARY_PROC_CONTROLS, PUT, PROC2_PT_USES_GUEST_PHYSICAL, 0, "\"Intel PT" },
    { guest_64, VMCS_PIN_CONTROLS, CLEAR, PIN_NMI_EXITING, 0, "\"virtual NMIs\" needs" },
    { guest_restricted, VMCS_PRIMARY_PROC_CONTROLS, OR, PROC_NMI_WINDOW_EXITING, 0, NULL /* valid: has virtual NMIs */ },
    { guest_apicv, VMCS_PRIMARY_PROC_CONTROLS, CLEAR, PROC_USE_TPR_SHADOW, VMCS_SECONDARY_PROC_CONTROLS, "delivery\" needs \"use TPR" },
    { guest_apicv, VMCS_PRIMARY_PROC_CONTROLS, CLEAR, PROC_USE_TPR_SHADOW, VMCS_SECONDARY_PROC_CONTROLS, "\"APIC-register" },
    { guest_apicv, VMCS_SECONDARY_PROC_CONTROLS, OR, PROC2_VIRTUALIZE_X2APIC_MODE, 0, "excludes" },
    { guest_apicv, VMCS_PIN_CONTROLS, CLEAR, PIN_EXTERNAL_INTERRUPT_EXITING, VMCS_SECONDARY_PROC_CONTROLS, "external-interrupt" },
    { guest_posted, VMCS_SECONDARY_PROC_CONTROLS, CLEAR, PROC2_VIRTUAL_INTERRUPT_DELIVERY, VMCS_PIN_CONTROLS, "\"process posted" },
    { guest_posted, VMCS_EXIT_CONTROLS, CLEAR, EXIT_ACKNOWLEDGE_INTERRUPT, VMCS_PIN_CONTROLS, "acknowledge" },
    { guest_64, VMCS_EXIT_CONTROLS, OR, EXIT_SAVE_PREEMPTION_TIMER, 0, "preemption" },
    { guest_64, VMCS_SECONDARY_PROC_CONTROLS, OR, PROC2_VMCS_SHADOWING, 0, NULL },
    /* injection */
    { inject_external, VMCS_GUEST_RFLAGS, CLEAR, RFLAGS_IF, 0, "IF must be 1" },
    { inject_external, VMCS_ENTRY_INTERRUPTION_INFORMATION, OR, 0x100, 0, "type" },
    { inject_external, VMCS_ENTRY_INTERRUPTION_INFORMATION, OR, 0x1000, 0, "bits 30:12" },
    { inject_external, VMCS_ENTRY_INTERRUPTION_INFORMATION, OR, 0x800, 0, "only a hardware exception" },
    { inject_external, VMCS_GUEST_INTERRUPTIBILITY_STATE, PUT, VMCS_BLOCKING_BY_STI, 0, "external interrupt" },
    { inject_nmi, VMCS_ENTRY_INTERRUPTION_INFORMATION, OR, 1, 0, "vector 2" },
    { inject_nmi, VMCS_GUEST_INTERRUPTIBILITY_STATE, PUT, VMCS_BLOCKING_BY_MOV_SS, 0, "inject an NMI" },
    { inject_nmi, VMCS_GUEST_INTERRUPTIBILITY_STATE, PUT, VMCS_BLOCKING_BY_NMI, 0, "\"virtual NMIs\"" },
    { inject_gp, VMCS_ENTRY_INTERRUPTION_INFORMATION, OR, 0x20, 0, "below 32" },
    { inject_gp, VMCS_ENTRY_INTERRUPTION_INFORMATION, CLEAR, 0x800, 0, "exactly for the exceptions" },
    { inject_gp, VMCS_ENTRY_INTERRUPTION_INFORMATION, PUT, 0x80000b06, 0, "exactly for the exceptions" },
    { inject_gp, VMCS_ENTRY_EXCEPTION_ERROR_CODE, PUT, 0x10000, 0, "bits 31:16" },
    { inject_gp, VMCS_GUEST_ACTIVITY_STATE, PUT, VMCS_HLT, 0, "cannot be injected" },
    { inject_nmi, VMCS_GUEST_ACTIVITY_STATE, PUT, VMCS_WAIT_FOR_SIPI, 0, "cannot be injected" },
    { inject_nmi, VMCS_GUEST_ACTIVITY_STATE, PUT, VMCS_HLT, 0, NULL },
    { inject_int3, VMCS_ENTRY_INSTRUCTION_LENGTH, PUT, 16, 0, "instruction length" },
    { guest_64, VMCS_ENTRY_CONTROLS, OR, ENTRY_TO_SMM, 0, "outside SMM" },
    { guest_64, VMCS_EXIT_MSR_STORE_COUNT, PUT, 1, 0, NULL },
    { guest_64, VMCS_HOST_IA32_EFER, CLEAR, EFER_LME, 0, "LME must equal LMA" },
    /* host */
    { guest_64, VMCS_HOST_CR0, CLEAR, CR0_NE, 0, "FIXED0" },
    { guest_64, VMCS_HOST_CR0, OR, UINT64_C(1) << 32, 0, "FIXED1" },
    { guest_64, VMCS_HOST_CR4, CLEAR, CR4_VMXE, 0, "FIXED0" },
    { guest_64, VMCS_HOST_CR4, OR, CR4_SMXE | CR4_PKS, 0, "FIXED1" },
    { guest_64, VMCS_HOST_CR4, CLEAR, CR4_PAE, 0, "PAE" },
    { guest_64, VMCS_HOST_CR3, OR, UINT64_C(1) << 39, 0, "physical-address width" },
    { guest_64, VMCS_HOST_IA32_SYSENTER_ESP, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_64, VMCS_HOST_IA32_SYSENTER_EIP, PUT, UINT64_C(1) << 63, 0, "canonical" },
    { guest_64, VMCS_HOST_IA32_PAT, PUT, 2, 0, "memory type" },
    { guest_64, VMCS_HOST_IA32_EFER, OR, EFER_SVME, 0, "reserved" },
    { guest_64, VMCS_HOST_IA32_EFER, CLEAR, EFER_LMA, 0, "LMA must equal" },
    { guest_64, VMCS_HOST_CS_SELECTOR, PUT, 0, 0, "must not be 0" },
    { guest_64, VMCS_HOST_CS_SELECTOR, OR, 3, 0, "RPL" },
    { guest_64, VMCS_HOST_TR_SELECTOR, PUT, 0, 0, "must not be 0" },
    { guest_64, VMCS_HOST_GS_SELECTOR, PUT, 4, 0, "RPL" },
    { guest_64, VMCS_HOST_FS_BASE, PUT, UINT64_C(1) << 60, 0, "canonical" },
    { guest_64, VMCS_HOST_GDTR_BASE, PUT, UINT64_C(1) << 60, 0, "canonical" },
    { guest_64, VMCS_HOST_RIP, PUT, UINT64_C(1) << 60, 0, "canonical" },
    { guest_64, VMCS_EXIT_CONTROLS, CLEAR, EXIT_HOST_ADDRESS_SPACE_SIZE, 0, "IA-32e mode" },
    { guest_64, VMCS_EXIT_CONTROLS, CLEAR, EXIT_HOST_ADDRESS_SPACE_SIZE, VMCS_HOST_SS_SELECTOR, "32-bit host" },
    /* guest control registers and MSRs */
    { guest_64, VMCS_GUEST_CR0, CLEAR, CR0_NE, 0, "FIXED0" },
    { guest_restricted, VMCS_GUEST_CR0, CLEAR, CR0_PG, 0, "FIXED0" },
    { guest_64, VMCS_GUEST_CR0, CLEAR, CR0_PG, 0, "PG must be 1" },
    { guest_64, VMCS_GUEST_CR0, CLEAR, CR0_PE, 0, "needs protected mode" },
    { guest_64, VMCS_GUEST_CR4, CLEAR, CR4_PAE, 0, "PAE must be 1" },
    { guest_64, VMCS_GUEST_CR4, CLEAR, CR4_VMXE, 0, "FIXED0" },
    { guest_64, VMCS_GUEST_CR4, OR, CR4_UMIP | CR4_LA57, 0, "FIXED1" },
    { guest_32, VMCS_GUEST_CR4, OR, CR4_PCIDE, 0, "PCIDE" },
    { guest_pae, VMCS_GUEST_CR4, OR, CR4_CET, 0, "CET needs" },
    { guest_64, VMCS_GUEST_CR3, OR, UINT64_C(1) << 45, 0, "physical-address width" },
    { guest_64, VMCS_GUEST_IA32_DEBUGCTL, PUT, 1 << 3, 0, "reserved" },
    { guest_64, VMCS_GUEST_DR7, OR, UINT64_C(1) << 32, 0, "63:32" },
    { guest_64, VMCS_GUEST_IA32_SYSENTER_EIP, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_64, VMCS_GUEST_IA32_PAT, OR, UINT64_C(0x08) << 56, 0, "memory type" },
    { guest_64, VMCS_GUEST_IA32_EFER, OR, 2, 0, "reserved" },
    { guest_64, VMCS_GUEST_IA32_EFER, CLEAR, EFER_LMA, 0, "LMA must equal" },
    { guest_64, VMCS_GUEST_IA32_EFER, CLEAR, EFER_LME, 0, "LME must equal" },
    { guest_32, VMCS_GUEST_IA32_EFER, PUT, EFER_LMA, 0, "LMA must equal" },
    { guest_32, VMCS_GUEST_IA32_EFER, PUT, EFER_LME, 0, NULL },
    /* segments */
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, PUT, 0xa093, 0, NULL /* type 3, unrestricted */ },
    { guest_restricted, VMCS_GUEST_CS_ACCESS_RIGHTS, PUT, 0xc093, 0, "accessed code" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, PUT, 0xa09a, 0, "accessed code" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, PUT, 0xa0f3, 0, "DPL must be 0 with type 3" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, PUT, 0xa0fb, 0, "must equal SS.DPL" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, PUT, 0xa0ff, 0, "must not exceed SS.DPL" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, PUT, 0xe09b, 0, "D/B" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, CLEAR, 0x80, 0, "P (bit 7)" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, CLEAR, 0x10, 0, "S (bit 4)" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, OR, 0x100, 0, "bits 11:8" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, OR, 1 << 17, 0, "bits 11:8 and 31:17" },
    { guest_64, VMCS_GUEST_CS_ACCESS_RIGHTS, CLEAR, 0x8000, 0, "G (bit 15) must be 1" },
    { guest_64, VMCS_GUEST_CS_LIMIT, PUT, 0x1000, VMCS_GUEST_CS_ACCESS_RIGHTS, "G (bit 15) must be 0" },
    { guest_64, VMCS_GUEST_CS_BASE, PUT, UINT64_C(1) << 32, 0, "63:32" },
    { guest_64, VMCS_GUEST_SS_BASE, PUT, UINT64_C(1) << 32, 0, "63:32" },
    { guest_64, VMCS_GUEST_SS_ACCESS_RIGHTS, PUT, 0xc091, 0, "type 3 or 7" },
    { guest_restricted, VMCS_GUEST_SS_SELECTOR, OR, 3, 0, "SS.RPL must equal CS.RPL" },
    { guest_restricted, VMCS_GUEST_SS_SELECTOR, OR, 3, VMCS_GUEST_SS_ACCESS_RIGHTS, "SS.DPL must equal SS.RPL" },
    { guest_real, VMCS_GUEST_SS_ACCESS_RIGHTS, PUT, 0xf3, 0, "real mode" },
    { guest_32, VMCS_GUEST_DS_ACCESS_RIGHTS, PUT, 0xc092, 0, "accessed" },
    { guest_32, VMCS_GUEST_ES_ACCESS_RIGHTS, PUT, 0xc099, 0, "readable" },
    { guest_restricted, VMCS_GUEST_GS_SELECTOR, OR, 3, VMCS_GUEST_GS_ACCESS_RIGHTS, "below RPL" },
    { guest_64, VMCS_GUEST_FS_BASE, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_64, VMCS_GUEST_GS_BASE, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_v8086, VMCS_GUEST_DS_BASE, PUT, 0, 0, "times 16" },
    { guest_v8086, VMCS_GUEST_SS_LIMIT, PUT, 0xfffff, 0, "ffffh" },
    { guest_v8086, VMCS_GUEST_CS_ACCESS_RIGHTS, PUT, 0x9b, 0, "f3h" },
    { guest_64, VMCS_GUEST_TR_SELECTOR, PUT, 4, 0, "TI" },
    { guest_64, VMCS_GUEST_TR_BASE, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_64, VMCS_GUEST_TR_ACCESS_RIGHTS, PUT, 0x83, 0, "busy TSS" },
    { guest_32, VMCS_GUEST_TR_ACCESS_RIGHTS, PUT, 0x83, 0, NULL },
    { guest_64, VMCS_GUEST_TR_ACCESS_RIGHTS, PUT, 0x89, 0, "busy TSS" },
    { guest_64, VMCS_GUEST_TR_ACCESS_RIGHTS, OR, VMCS_AR_UNUSABLE, 0, "usable" },
    { guest_64, VMCS_GUEST_TR_ACCESS_RIGHTS, OR, VMCS_AR_S, 0, "system segment" },
    { guest_ldt, VMCS_GUEST_LDTR_SELECTOR, OR, 4, 0, "TI" },
    { guest_ldt, VMCS_GUEST_LDTR_ACCESS_RIGHTS, PUT, 0x83, 0, "type 2" },
    { guest_ldt, VMCS_GUEST_LDTR_BASE, PUT, UINT64_C(1) << 50, 0, "canonical" },
    { guest_ldt, VMCS_GUEST_DS_BASE, PUT, UINT64_C(1) << 32, 0, "63:32" },
    /* descriptor tables, RIP, RFLAGS */
    { guest_64, VMCS_GUEST_GDTR_LIMIT, PUT, 0x10000, 0, "31:16" },
    { guest_64, VMCS_GUEST_IDTR_LIMIT, PUT, 0x10000, 0, "31:16" },
    { guest_64, VMCS_GUEST_GDTR_BASE, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_64, VMCS_GUEST_IDTR_BASE, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_64, VMCS_GUEST_RIP, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_32, VMCS_GUEST_RIP, PUT, UINT64_C(1) << 32, 0, "outside 64-bit mode" },
    { guest_64, VMCS_GUEST_RFLAGS, PUT, RFLAGS_IF, 0, "bit 1" },
    { guest_64, VMCS_GUEST_RFLAGS, OR, 1 << 15, 0, "reserved" },
    { guest_real, VMCS_GUEST_RFLAGS, OR, RFLAGS_VM, 0, "VM must be 0" },
    { guest_64, VMCS_GUEST_RFLAGS, OR, RFLAGS_VM, 0, "VM must be 0" },
    /* non-register state */
    { guest_64, VMCS_GUEST_ACTIVITY_STATE, PUT, 4, 0, "0 to 3" },
    { guest_64, VMCS_GUEST_ACTIVITY_STATE, PUT, VMCS_HLT, 0, NULL },
    { guest_64, VMCS_GUEST_INTERRUPTIBILITY_STATE, PUT, 0x20, 0, "31:5" },
    { guest_64, VMCS_GUEST_INTERRUPTIBILITY_STATE, PUT, 3, 0, "both" },
    { guest_64, VMCS_GUEST_INTERRUPTIBILITY_STATE, PUT, 4, 0, "SMM" },
    { guest_64, VMCS_GUEST_INTERRUPTIBILITY_STATE, PUT, VMCS_ENCLAVE_INTERRUPTION | VMCS_BLOCKING_BY_MOV_SS, 0, "enclave" },
    { guest_64, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PUT, 1 << 13, 0, "reserved" },
    { guest_64, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PUT, VMCS_PENDING_DEBUG_BS, 0, NULL },
    { guest_64, VMCS_LINK_POINTER, PUT, 0x123, 0, "aligned" },
    { guest_pae, VMCS_GUEST_PDPTE0, PUT, 0x1007, 0, "present entry" },
    { guest_pae, VMCS_GUEST_PDPTE3, PUT, 1 | UINT64_C(1) << 39, 0, "present entry" },
    { guest_pae, VMCS_GUEST_PDPTE2, PUT, 0x1006, 0, NULL /* not present */ },
    { guest_64, VMCS_GUEST_PDPTE0, PUT, 0x1007, 0, NULL /* not PAE paging */ },
    { guest_x2apic, VMCS_PRIMARY_PROC_CONTROLS, CLEAR, PROC_USE_TPR_SHADOW, VMCS_SECONDARY_PROC_CONTROLS, "x2APIC mode\" needs" },
    { guest_pages, VMCS_PML_ADDRESS, PUT, 8, 0, "aligned" },
    { guest_pages, VMCS_VMREAD_BITMAP_ADDRESS, PUT, 8, 0, "aligned" },
    { guest_pages, VMCS_VMWRITE_BITMAP_ADDRESS, PUT, 8, 0, "aligned" },
    { guest_pages, VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS, PUT, 8, 0, "aligned" },
    { guest_pages, VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER, PUT, 8, 0, "aligned" },
    /* optional state */
    { guest_optional, VMCS_GUEST_IA32_S_CET, PUT, 0x40, 0, "bits 9:6" },
    { guest_optional, VMCS_GUEST_IA32_S_CET, PUT, 0xc00, 0, "11 and 10" },
    { guest_optional, VMCS_GUEST_IA32_S_CET, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_optional, VMCS_GUEST_SSP, PUT, 2, 0, "bits 1:0" },
    { guest_optional, VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_optional, VMCS_HOST_IA32_S_CET, PUT, 0x200, 0, "bits 9:6" },
    { guest_optional, VMCS_GUEST_IA32_BNDCFGS, PUT, 4, 0, "bits 11:2" },
    { guest_optional, VMCS_GUEST_IA32_BNDCFGS, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { with_pkrs, VMCS_GUEST_IA32_PKRS, PUT, UINT64_C(1) << 32, 0, "63:32" },
    { with_pkrs, VMCS_HOST_IA32_PKRS, PUT, UINT64_C(1) << 32, 0, "63:32" },
    { guest_vmfunc, VMCS_VM_FUNCTION_CONTROLS, OR, 2, 0, "IA32_VMX_VMFUNC" },
    { guest_vmfunc, VMCS_SECONDARY_PROC_CONTROLS, CLEAR, PROC2_ENABLE_EPT, VMCS_VM_FUNCTION_CONTROLS, "EPTP switching" },
    { guest_vmfunc, VMCS_EPTP_LIST_ADDRESS, PUT, 0x10, 0, "aligned" },
    { guest_msr_lists, VMCS_EXIT_MSR_STORE_ADDRESS, PUT, 8, 0, "aligned" },
    { guest_msr_lists, VMCS_EXIT_MSR_LOAD_ADDRESS, PUT, 8, 0, "aligned" },
    { guest_msr_lists, VMCS_ENTRY_MSR_LOAD_ADDRESS, PUT, 8, 0, "aligned" },
    { inject_mtf, VMCS_ENTRY_INTERRUPTION_INFORMATION, OR, 1, 0, "vector 0" },
    { tertiary, VMCS_TERTIARY_PROC_CONTROLS, PUT, PROC3_IPI_VIRTUALIZATION, 0, "does not allow" },
    { guest_64, VMCS_GUEST_IA32_SYSENTER_ESP, PUT, UINT64_C(1) << 47, 0, "canonical" },
    { guest_64, VMCS_HOST_CR4, OR, CR4_CET, 0, NULL },
    { host_32, VMCS_HOST_RIP, PUT, UINT64_C(1) << 32, 0, "63:32" },
    { host_32, VMCS_HOST_CR4, OR, CR4_PCIDE, 0, "PCIDE" },
    { host_32, VMCS_ENTRY_CONTROLS, OR, ENTRY_IA32E_MODE_GUEST, 0, "needs \"host address-space size\"" },
};

static void mutate(const struct mutation *m)
{
    m->state();
    vmcs[m->field] = m->how == PUT ? m->value : m->how == OR ? vmcs[m->field] | m->value : vmcs[m->field] & ~m->value;
}

static bool is_blamed(const struct mutation *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (found[i].field == (m->blamed ? m->blamed : m->field) && strstr(found[i].rule, m->rule))
            return found[i].value == vmcs[found[i].field] && !strncmp(found[i].name, "VMCS_", 5) && found[i].section;
    return false;
}

TEST(each_broken_rule_is_found_and_named)
{
    for (unsigned i = 0; i < sizeof mutations / sizeof mutations[0]; i++) {
        const struct mutation *m = &mutations[i];
        mutate(m);
        unsigned n = check();
        bool right = m->rule ? is_blamed(m, n) : n == 0;
        if (!right)
            printf("  mutation %u (%s, %s): %u violations, first: %s: %s\n", i, entry_check_field_name(m->field),
                   m->rule ? m->rule : "valid", n, n ? found[0].name : "-", n ? found[0].rule : "-");
        CHECK(right);
    }
}

TEST(bits_of_cr3_for_linear_address_masking_need_a_cpu_that_has_it)
{
    static const uint64_t bits[] = { CR3_LAM_U57, CR3_LAM_U48, CR3_LAM_U57 | CR3_LAM_U48 };
    for (unsigned i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        guest_64();
        vmcs[VMCS_GUEST_CR3] |= bits[i];
        CHECK(check() == 1 && found[0].field == VMCS_GUEST_CR3 && strstr(found[0].rule, "physical-address width"));
        cpu.lam = true;
        CHECK(check() == 0);
    }
}

TEST(a_host_with_cet_needs_write_protection)
{
    guest_64();
    vmcs[VMCS_HOST_CR4] |= CR4_CET;
    vmcs[VMCS_HOST_CR0] &= ~CR0_WP;
    CHECK(check() == 1 && strstr(found[0].rule, "CET needs"));
}

TEST(blocking_by_sti_needs_interrupts_enabled)
{
    guest_64();
    vmcs[VMCS_GUEST_RFLAGS] &= ~RFLAGS_IF;
    set(VMCS_GUEST_INTERRUPTIBILITY_STATE, VMCS_BLOCKING_BY_STI);
    CHECK(check() == 1 && strstr(found[0].rule, "IF is 0"));
}

TEST(halting_is_for_ring_0_and_never_under_sti_blocking)
{
    guest_64();
    set(VMCS_GUEST_ACTIVITY_STATE, VMCS_HLT);
    set(VMCS_GUEST_INTERRUPTIBILITY_STATE, VMCS_BLOCKING_BY_STI);
    CHECK(check() == 1 && strstr(found[0].rule, "must be active"));
    guest_64();
    set(VMCS_GUEST_ACTIVITY_STATE, VMCS_HLT);
    set(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa0fb);
    set(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
    CHECK(check() == 1 && strstr(found[0].rule, "SS.DPL = 0"));
}

TEST(single_stepping_needs_bs_while_events_are_blocked)
{
    guest_64();
    vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_TF;
    set(VMCS_GUEST_INTERRUPTIBILITY_STATE, VMCS_BLOCKING_BY_STI);
    CHECK(check() == 1 && found[0].field == VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS);
    set(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, VMCS_PENDING_DEBUG_BS);
    CHECK_EQ(check(), 0);
}

TEST(no_error_code_is_delivered_in_real_mode)
{
    guest_real();
    set(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000b0d);
    CHECK(check() == 1 && strstr(found[0].rule, "protected mode"));
    set(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x8000030d);
    CHECK_EQ(check(), 0);
}

TEST(msr_lists_are_checked_to_their_end)
{
    guest_64();
    set(VMCS_ENTRY_MSR_LOAD_COUNT, 2);
    set(VMCS_ENTRY_MSR_LOAD_ADDRESS, (UINT64_C(1) << 39) - 16);
    CHECK(check() == 1 && strstr(found[0].rule, "end of the list"));
    set(VMCS_ENTRY_MSR_LOAD_COUNT, 1);
    CHECK_EQ(check(), 0);
}

TEST(a_violation_prints_as_one_sentence)
{
    guest_64();
    vmcs[VMCS_PIN_CONTROLS] &= ~(uint64_t)(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
    vmcs[VMCS_PRIMARY_PROC_CONTROLS] |= PROC_NMI_WINDOW_EXITING;
    vmcs[VMCS_SECONDARY_PROC_CONTROLS] |= PROC2_BUS_LOCK_DETECTION;
    CHECK_EQ(check(), 2);
    char text[300];
    entry_violation_print(text, sizeof text, &found[0]);
    CHECK(!strcmp(text, "VMCS_SECONDARY_PROC_CONTROLS = 0x400000a2: PROC2_BUS_LOCK_DETECTION: this CPU does not allow the bit to be 1 "
                        "(capability MSR, allowed 1-settings) (Intel SDM vol 3, \"VM-Execution Control Fields\")"));
    CHECK(strstr(found[1].rule, "NMI-window"));
    CHECK(!strcmp(entry_check_field_name(0x1234), "unknown field"));
}

TEST(more_violations_than_room_are_counted_not_stored)
{
    struct entry_check_input in = { .cpu = &cpu, .read = read_field };
    memset(vmcs, 0, sizeof vmcs);
    entry_check_read_cpu(&cpu, rdmsr, NULL, 39, 48, false);
    struct entry_violation one[2] = { { .field = 0 }, { .field = 77 } };
    CHECK(entry_check(&in, one, 1) > 10);
    CHECK_EQ(one[1].field, 77);
}

TEST(random_field_values_never_upset_the_check)
{
    uint64_t seed = 3;
    for (unsigned i = 0; i < 3000; i++) {
        valid_states[i % (sizeof valid_states / sizeof valid_states[0])]();
        for (unsigned k = 0; k < 40; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            vmcs[(seed >> 40) & 0x6c3e] = seed >> 20 & 1 ? UINT64_C(1) << (seed >> 30 & 63) : seed;
        }
        CHECK(check() < 1000);
    }
}
