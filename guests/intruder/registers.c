/* Model-specific and control registers: what would give away the machine, or must not be set. */
#include "intruder/intruder.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"

#define FAR_AWAY (UINT64_C(0x3f) << 33 | 1) /* a physical address that is none of ours, and bit 0: enabled */

enum { CR0_PE = 1, CR0_NW = 1 << 29, CR4_PAE = 1 << 5, CR0_WP = 1 << 16 };
#define CR0_PG UINT64_C(0x80000000)

static uint64_t read_msr(uint64_t msr)
{
    return rdmsr((uint32_t)msr);
}

static const struct {
    const char *what;
    uint32_t msr;
} reads[] = {
    { "RDMSR of a number nobody has", 0x12345 },
    { "RDMSR IA32_VMX_BASIC", 0x480 },
    { "RDMSR IA32_VMX_PROCBASED_CTLS2", 0x48b },
    { "RDMSR IA32_VMX_EPT_VPID_CAP", 0x48c },
    { "RDMSR IA32_SMBASE", 0x9e },
    { "RDMSR VM_HSAVE_PA (AMD)", 0xc0010117 },
    { "RDMSR IA32_RTIT_CTL (Processor Trace)", 0x570 },
    { "RDMSR IA32_PMC0 (performance counter)", 0xc1 },
    { "RDMSR of KVM's numbers nobody has", 0x4b564dff },
};

static const struct msr_write {
    const char *what;
    uint32_t msr;
    uint64_t value;
} writes[] = {
    { "WRMSR of a number nobody has", 0x12345, 1 },
    { "WRMSR IA32_FEATURE_CONTROL, to allow VMX", 0x3a, 5 },
    { "WRMSR IA32_VMX_BASIC", 0x480, 0 },
    { "WRMSR IA32_SMM_MONITOR_CTL", 0x9b, 1 },
    { "WRMSR IA32_EFER, reserved bits", 0xc0000080, UINT64_C(0xffff0000) },
    { "WRMSR IA32_EFER, SVME", 0xc0000080, 0x1500 },
    { "WRMSR IA32_EFER, long mode off while paging is on", 0xc0000080, 0 },
    { "WRMSR IA32_PAT, a memory type that does not exist", 0x277, 0x0202020202020202 },
    { "WRMSR IA32_LSTAR, not canonical", 0xc0000082, UINT64_C(0x8000000000000000) },
    { "WRMSR IA32_KERNEL_GS_BASE, not canonical", 0xc0000102, UINT64_C(0x8000000000000000) },
    { "WRMSR IA32_APIC_BASE, reserved bits", 0x1b, UINT64_C(0xfee00000fee00900) },
    { "WRMSR IA32_XSS, states it was not offered", 0xda0, UINT64_C(0xffffffffffffffff) },
    { "WRMSR IA32_MTRR_DEF_TYPE, reserved bits", 0x2ff, UINT64_C(0xffffffffffffffff) },
    { "WRMSR kvm-clock's page outside its memory", KVM_SYSTEM_TIME, FAR_AWAY },
    { "WRMSR KVM's wall clock outside its memory", 0x4b564d00, FAR_AWAY & ~UINT64_C(1) },
    { "WRMSR PV EOI's flag outside its memory", 0x4b564d04, FAR_AWAY },
};

static uint64_t write_msr(uint64_t argument)
{
    const struct msr_write *w = (const struct msr_write *)argument;
    wrmsr(w->msr, w->value);
    return w->value;
}

static uint64_t set_cr0(uint64_t value) { write_cr0(value); return value; }
static uint64_t set_cr3(uint64_t value) { write_cr3(value); return value; }
static uint64_t set_cr4(uint64_t value) { write_cr4(value); return value; }
static uint64_t set_cr8(uint64_t value) { write_cr8(value); return value; }
static uint64_t set_dr7(uint64_t value) { write_dr7(value); return value; }

static uint64_t set_xcr0(uint64_t value)
{
    write_cr4(read_cr4() | CR4_OSXSAVE);
    xsetbv(0, value);
    return value;
}

static uint64_t set_xcr1(uint64_t value)
{
    xsetbv(1, value);
    return value;
}

static uint64_t vmx_in_cpuid(uint64_t unused)
{
    (void)unused;
    return cpuid(1, 0).ecx >> 5 & 1;
}

void intruder_registers(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();
    for (unsigned i = 0; i < sizeof reads / sizeof reads[0]; i++)
        intruder_expect_fault(reads[i].what, read_msr, reads[i].msr, EXC_GP);
    for (unsigned i = 0; i < sizeof writes / sizeof writes[0]; i++)
        intruder_expect_fault(writes[i].what, write_msr, (uint64_t)&writes[i], EXC_GP);

    intruder_expect_value("look for VMX in CPUID", vmx_in_cpuid, 0, 0, "not offered");
    intruder_expect_fault("CR4.VMXE", set_cr4, cr4 | CR4_VMXE, EXC_GP);
    intruder_expect_fault("CR4, reserved bits", set_cr4, cr4 | UINT64_C(0xffffffff80000000), EXC_GP);
    intruder_expect_fault("CR4.PAE off in long mode", set_cr4, cr4 & ~(uint64_t)CR4_PAE, EXC_GP);
    intruder_expect_fault("CR0.PE off, PG on", set_cr0, cr0 & ~(uint64_t)CR0_PE, EXC_GP);
    intruder_expect_fault("CR0.PG off in 64-bit code", set_cr0, cr0 & ~CR0_PG, EXC_GP);
    intruder_expect_fault("CR0.NW without CD", set_cr0, (cr0 | CR0_NW) & ~(uint64_t)CR0_CD, EXC_GP);
    intruder_expect_fault("CR0, upper half", set_cr0, cr0 | UINT64_C(1) << 32, EXC_GP);
    intruder_expect_fault("CR3, address bits that do not exist", set_cr3, read_cr3() | UINT64_C(1) << 52, EXC_GP);
    intruder_expect_fault("CR8, reserved bits", set_cr8, 16, EXC_GP);
    intruder_expect_fault("DR7, upper half", set_dr7, UINT64_C(1) << 32, EXC_GP);
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) {
        intruder_expect_fault("XSETBV without x87", set_xcr0, 2, EXC_GP);
        intruder_expect_fault("XSETBV, AVX without SSE", set_xcr0, 5, EXC_GP);
        intruder_expect_fault("XSETBV, all bits", set_xcr0, UINT64_MAX, EXC_GP);
        intruder_expect_fault("XSETBV of register 1", set_xcr1, 1, EXC_GP);
    }
}
