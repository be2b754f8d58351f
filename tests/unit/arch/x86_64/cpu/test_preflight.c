#include <string.h>
#include "arch/x86_64/cpu/preflight.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "tests/unit/test.h"

/* A scripted CPU. */
static struct cpu {
    const char *vendor; /* EBX, EDX, ECX */
    uint32_t ecx1, ebx7, edx_ext, ecx_ext, svm;
    uint64_t feature_control, pin, proc, proc2, ept_vpid, vm_cr;
    unsigned bad_msr_reads;
    char said[8192];
} cpu;

static void read_leaf(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    (void)ctx;
    (void)subleaf;
    memset(r, 0, 16);
    if (leaf == CPUID_VENDOR) {
        r[0] = 7;
        memcpy(&r[1], cpu.vendor, 4);
        memcpy(&r[3], cpu.vendor + 4, 4);
        memcpy(&r[2], cpu.vendor + 8, 4);
    } else if (leaf == CPUID_FEATURES) {
        r[2] = cpu.ecx1;
    } else if (leaf == CPUID_EXT_FEATURES) {
        r[1] = cpu.ebx7;
    } else if (leaf == CPUID_EXT_MAX) {
        r[0] = 0x8000000a;
    } else if (leaf == CPUID_EXT_FEATURES_2) {
        r[2] = cpu.ecx_ext;
        r[3] = cpu.edx_ext;
    } else if (leaf == CPUID_POWER_EXT) {
        r[3] = CPUID_80000007_EDX_INVARIANT_TSC;
    } else if (leaf == CPUID_SVM) {
        r[3] = cpu.svm;
    }
}

static uint64_t read_msr(void *ctx, uint32_t msr)
{
    (void)ctx;
    bool vmx = cpu.ecx1 & CPUID_1_ECX_VMX;
    switch (msr) {
    case IA32_FEATURE_CONTROL: cpu.bad_msr_reads += !vmx; return cpu.feature_control;
    case IA32_VMX_PINBASED_CTLS: cpu.bad_msr_reads += !vmx; return cpu.pin << 32;
    case IA32_VMX_PROCBASED_CTLS: cpu.bad_msr_reads += !vmx; return cpu.proc << 32;
    case IA32_VMX_PROCBASED_CTLS2:
        cpu.bad_msr_reads += !(cpu.proc & PROC_ACTIVATE_SECONDARY_CONTROLS);
        return cpu.proc2 << 32;
    case IA32_VMX_EPT_VPID_CAP:
        cpu.bad_msr_reads += !(cpu.proc2 & (PROC2_ENABLE_EPT | PROC2_ENABLE_VPID));
        return cpu.ept_vpid;
    case MSR_AMD_VM_CR: cpu.bad_msr_reads += !(cpu.ecx_ext & CPUID_80000001_ECX_SVM); return cpu.vm_cr;
    default: cpu.bad_msr_reads++; return 0;
    }
}

static void say(void *ctx, const char *line)
{
    (void)ctx;
    strncat(cpu.said, line, sizeof cpu.said - strlen(cpu.said) - 2);
    strcat(cpu.said, "\n");
}

static bool run(void)
{
    static const struct preflight_cpu callbacks = { read_leaf, read_msr, say, NULL };
    cpu.said[0] = '\0';
    bool ok = preflight_run(&callbacks);
    return ok;
}

static void icelake(void)
{
    cpu = (struct cpu){ .vendor = "GenuineIntel", .ecx1 = ~0u, .ebx7 = ~0u,
                        .edx_ext = CPUID_80000001_EDX_LM | CPUID_80000001_EDX_NX, .pin = ~0u, .proc = ~0u, .proc2 = ~0u,
                        .ept_vpid = ~UINT64_C(0), .feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX };
}

TEST(a_complete_cpu_is_accepted_without_a_complaint)
{
    icelake();
    CHECK(run());
    CHECK(!strstr(cpu.said, "MISSING"));
    CHECK(!strstr(cpu.said, " no: "));
    CHECK_EQ(cpu.bad_msr_reads, 0);
}

TEST(an_unlocked_feature_control_is_fine)
{
    icelake();
    cpu.feature_control = 0;
    CHECK(run());
    CHECK(strstr(cpu.said, "unlocked: will be set"));
}

TEST(feature_control_locked_without_vmx_names_the_bios_setting)
{
    icelake();
    cpu.feature_control = FEATURE_CONTROL_LOCK;
    CHECK(!run());
    CHECK(strstr(cpu.said, "\"Intel Virtualization Technology\""));
    CHECK(strstr(cpu.said, "\"VT-x\""));
    CHECK(strstr(cpu.said, "REFUSED: 1 requirement is"));
    cpu.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_SMX;
    CHECK(!run());
}

TEST(a_cpu_without_ept_is_refused_by_name_and_no_msr_too_many_is_read)
{
    icelake();
    cpu.proc2 = PROC2_VIRTUALIZE_APIC_ACCESSES; /* as a Penryn */
    CHECK(!run());
    CHECK(strstr(cpu.said, "Missing: nested paging (EPT)"));
    CHECK(strstr(cpu.said, "Missing: unrestricted guest"));
    CHECK_EQ(cpu.bad_msr_reads, 0);
    cpu.proc = 0;
    CHECK(!run());
    CHECK_EQ(cpu.bad_msr_reads, 0);
}

TEST(each_required_bit_alone_leads_to_a_refusal)
{
    icelake();
    cpu.proc2 &= ~(uint64_t)PROC2_UNRESTRICTED_GUEST;
    CHECK(!run());
    icelake();
    cpu.ept_vpid &= ~VMX_EPT_WALK_4;
    CHECK(!run());
    icelake();
    cpu.ept_vpid &= ~VMX_EPT_WRITE_BACK;
    CHECK(!run());
    icelake();
    cpu.edx_ext = CPUID_80000001_EDX_LM;
    CHECK(!run());
    CHECK(strstr(cpu.said, "Missing: no-execute"));
}

TEST(optional_features_name_their_fallback)
{
    icelake();
    cpu.ept_vpid &= ~VMX_EPT_1G_PAGES;
    cpu.ecx1 &= ~CPUID_1_ECX_X2APIC;
    cpu.pin = 0;
    CHECK(run());
    CHECK(strstr(cpu.said, "no: 2 MiB pages"));
    CHECK(strstr(cpu.said, "no: xAPIC"));
    CHECK(strstr(cpu.said, "no: the local APIC timer preempts"));
}

TEST(a_cpu_without_vmx_gets_advice_for_pc_and_virtual_machine)
{
    icelake();
    cpu.ecx1 &= ~CPUID_1_ECX_VMX;
    CHECK(!run());
    CHECK(strstr(cpu.said, "nested virtualization"));
    CHECK_EQ(cpu.bad_msr_reads, 0);
}

static void epyc(void)
{
    icelake();
    cpu.vendor = "AuthenticAMD";
    cpu.ecx1 &= ~CPUID_1_ECX_VMX;
    cpu.ecx_ext = CPUID_80000001_ECX_SVM;
    cpu.svm = CPUID_8000000A_EDX_NP;
}

TEST(an_amd_cpu_with_nested_paging_is_accepted_and_its_fallbacks_are_named)
{
    epyc();
    CHECK(run());
    CHECK(strstr(cpu.said, "VM_CR.SVMDIS                       clear"));
    CHECK(strstr(cpu.said, "next RIP at an exit                no: "));
    CHECK_EQ(cpu.bad_msr_reads, 0);
}

TEST(svm_switched_off_but_not_locked_is_fine)
{
    epyc();
    cpu.vm_cr = VM_CR_SVMDIS;
    CHECK(run());
    CHECK(strstr(cpu.said, "will be cleared"));
}

TEST(svm_locked_off_names_the_bios_setting)
{
    epyc();
    cpu.vm_cr = VM_CR_SVMDIS | VM_CR_LOCK;
    CHECK(!run());
    CHECK(strstr(cpu.said, "\"SVM Mode\""));
    CHECK(strstr(cpu.said, "REFUSED: 1 requirement is"));
}

TEST(an_amd_cpu_without_nested_paging_or_without_svm_is_refused_by_name)
{
    epyc();
    cpu.svm = 0;
    CHECK(!run());
    CHECK(strstr(cpu.said, "Missing: nested paging (NPT)"));
    epyc();
    cpu.ecx_ext = 0;
    CHECK(!run());
    CHECK(strstr(cpu.said, "Missing: AMD-V (SVM)"));
    CHECK(!strstr(cpu.said, "VT-x"));
    CHECK_EQ(cpu.bad_msr_reads, 0);
}
