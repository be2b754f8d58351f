#include "arch/x86_64/cpu/preflight.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

/* The words that the rows below look at. An unreadable one is 0: nothing there. */
enum word {
    W_1_ECX, W_1_EDX, W_7_EBX, W_80000001_ECX, W_80000001_EDX, W_80000007_EDX, W_SVM_EDX,
    W_PIN, W_PROC, W_PROC2, W_EPT_VPID, WORD_COUNT
};

struct facts {
    const struct preflight_cpu *cpu;
    uint64_t word[WORD_COUNT];
    bool amd;
    unsigned missing; /* requirements */
};

struct row {
    const char *name;
    enum word word;
    uint64_t mask;      /* all of these bits */
    const char *remedy; /* set for a requirement: what to do about it */
    const char *without; /* set for an option: what happens instead */
};

#define NEWER_CPU "this CPU is too old: a newer one is needed (Intel: Westmere, 2010, or later; AMD: Barcelona, 2007, or later)."

static const struct row base_rows[] = {
    { "64-bit (long) mode", W_80000001_EDX, CPUID_80000001_EDX_LM, NEWER_CPU, NULL },
    { "no-execute pages (NX)", W_80000001_EDX, CPUID_80000001_EDX_NX,
      "look for \"Execute Disable Bit\", \"XD\" or \"NX\" in the BIOS setup and enable it.", NULL },
};

static const struct row vmx_row =
    { "VT-x (VMX)", W_1_ECX, CPUID_1_ECX_VMX,
      "the CPU has no VT-x, or it is hidden. On a PC: look for \"Intel Virtualization Technology\" or \"VT-x\" in the "
      "BIOS setup. In a virtual machine: enable nested virtualization.", NULL };

/* SDM vol 3, appendix "VMX Capability Reporting Facility". */
static const struct row vmx_rows[] = {
    { "nested paging (EPT)", W_PROC2, PROC2_ENABLE_EPT, NEWER_CPU, NULL },
    { "EPT, 4-level walk", W_EPT_VPID, VMX_EPT_WALK_4, NEWER_CPU, NULL },
    { "EPT, write-back tables", W_EPT_VPID, VMX_EPT_WRITE_BACK, NEWER_CPU, NULL },
    { "INVEPT", W_EPT_VPID, VMX_EPT_INVEPT, NEWER_CPU, NULL },
    { "unrestricted guest", W_PROC2, PROC2_UNRESTRICTED_GUEST, NEWER_CPU, NULL },
    { "EPT pages of 2 MiB", W_EPT_VPID, VMX_EPT_2M_PAGES, NULL, "4 KiB pages only" },
    { "EPT pages of 1 GiB", W_EPT_VPID, VMX_EPT_1G_PAGES, NULL, "2 MiB pages" },
    { "VPID", W_PROC2, PROC2_ENABLE_VPID, NULL, "the TLB is flushed at each entry" },
    { "preemption timer", W_PIN, PIN_PREEMPTION_TIMER, NULL, "the local APIC timer preempts" },
    { "APICv: TPR shadow", W_PROC, PROC_USE_TPR_SHADOW, NULL, "TPR accesses exit" },
    { "APICv: register virtualization", W_PROC2, PROC2_APIC_REGISTER_VIRTUALIZATION, NULL, "APIC reads exit" },
    { "APICv: x2APIC mode", W_PROC2, PROC2_VIRTUALIZE_X2APIC_MODE, NULL, "x2APIC accesses exit" },
    { "APICv: virtual interrupt delivery", W_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY, NULL, "EOIs exit" },
    { "APICv: posted interrupts", W_PIN, PIN_PROCESS_POSTED_INTERRUPTS, NULL, "other CPUs are kicked" },
};

static const struct row common_rows[] = {
    { "x2APIC", W_1_ECX, CPUID_1_ECX_X2APIC, NULL, "xAPIC" },
    { "invariant TSC", W_80000007_EDX, CPUID_80000007_EDX_INVARIANT_TSC, NULL, "time may drift when the CPU saves power" },
    { "TSC deadline timer", W_1_ECX, CPUID_1_ECX_TSC_DEADLINE, NULL, "one-shot timer" },
    { "XSAVE", W_1_ECX, CPUID_1_ECX_XSAVE, NULL, "FXSAVE; guests see no AVX" },
    { "PCID", W_1_ECX, CPUID_1_ECX_PCID, NULL, "not used" },
    { "SMEP", W_7_EBX, CPUID_7_EBX_SMEP, NULL, "not used" },
    { "SMAP", W_7_EBX, CPUID_7_EBX_SMAP, NULL, "not used" },
};

/* AMD APM vol 2, "Enabling SVM" and "Determining Support for SVM". */
static const struct row svm_row =
    { "AMD-V (SVM)", W_80000001_ECX, CPUID_80000001_ECX_SVM,
      "the CPU has no AMD-V, or it is hidden. On a PC: look for \"SVM Mode\" or \"AMD-V\" in the BIOS setup. In a virtual "
      "machine: enable nested virtualization.", NULL };

static const struct row svm_rows[] = {
    { "nested paging (NPT)", W_SVM_EDX, CPUID_8000000A_EDX_NP, NEWER_CPU, NULL },
    { "next RIP at an exit", W_SVM_EDX, CPUID_8000000A_EDX_NRIPS, NULL, "instructions are decoded for their length" },
    { "decode assists", W_SVM_EDX, CPUID_8000000A_EDX_DECODE_ASSISTS, NULL, "MOV to CR is decoded" },
    { "flush by ASID", W_SVM_EDX, CPUID_8000000A_EDX_FLUSH_BY_ASID, NULL, "a new ASID takes the place of a flush" },
    { "VMCB clean bits", W_SVM_EDX, CPUID_8000000A_EDX_VMCB_CLEAN, NULL, "the whole VMCB is loaded at each entry" },
};

static void PRINTF(2, 3) say(const struct facts *f, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    fmt_vprint(line, sizeof line, format, args);
    va_end(args);
    f->cpu->say(f->cpu->ctx, line);
}

static void read_cpuid(const struct facts *f, uint32_t leaf, uint32_t regs[4])
{
    uint32_t max[4];
    f->cpu->cpuid(f->cpu->ctx, leaf & 0x80000000, 0, max);
    memset(regs, 0, 4 * sizeof *regs);
    if (max[0] >= leaf)
        f->cpu->cpuid(f->cpu->ctx, leaf, 0, regs);
}

static void say_name(struct facts *f)
{
    union { uint32_t regs[12]; char text[49]; } brand = { .regs = { 0 } };
    union { uint32_t regs[3]; char text[13]; } vendor = { .regs = { 0 } };
    uint32_t r[4];
    for (uint32_t i = 0; i < 3; i++)
        read_cpuid(f, CPUID_BRAND_0 + i, &brand.regs[4 * i]);
    f->cpu->cpuid(f->cpu->ctx, CPUID_VENDOR, 0, r);
    memcpy(vendor.regs, (uint32_t[]){ r[1], r[3], r[2] }, 12);
    brand.text[48] = vendor.text[12] = '\0';
    f->amd = !strcmp(vendor.text, "AuthenticAMD") || !strcmp(vendor.text, "HygonGenuine");
    const char *name = brand.text;
    while (*name == ' ')
        name++;
    say(f, "CPU: %s (%s)", *name ? name : "unnamed", vendor.text);
}

static void collect_cpuid(struct facts *f)
{
    uint32_t r[4];
    read_cpuid(f, CPUID_FEATURES, r);
    f->word[W_1_ECX] = r[2];
    f->word[W_1_EDX] = r[3];
    read_cpuid(f, CPUID_EXT_FEATURES, r);
    f->word[W_7_EBX] = r[1];
    read_cpuid(f, CPUID_EXT_FEATURES_2, r);
    f->word[W_80000001_ECX] = r[2];
    f->word[W_80000001_EDX] = r[3];
    read_cpuid(f, CPUID_POWER_EXT, r);
    f->word[W_80000007_EDX] = r[3];
    if (f->word[W_80000001_ECX] & CPUID_80000001_ECX_SVM) {
        read_cpuid(f, CPUID_SVM, r);
        f->word[W_SVM_EDX] = r[3];
    }
}

/* Each MSR is there only if the one before says so; reading another would fault. */
static void collect_vmx(struct facts *f)
{
    const struct preflight_cpu *cpu = f->cpu;
    f->word[W_PIN] = VMX_CTLS_MAY(cpu->rdmsr(cpu->ctx, IA32_VMX_PINBASED_CTLS));
    f->word[W_PROC] = VMX_CTLS_MAY(cpu->rdmsr(cpu->ctx, IA32_VMX_PROCBASED_CTLS));
    if (f->word[W_PROC] & PROC_ACTIVATE_SECONDARY_CONTROLS)
        f->word[W_PROC2] = VMX_CTLS_MAY(cpu->rdmsr(cpu->ctx, IA32_VMX_PROCBASED_CTLS2));
    if (f->word[W_PROC2] & (PROC2_ENABLE_EPT | PROC2_ENABLE_VPID))
        f->word[W_EPT_VPID] = cpu->rdmsr(cpu->ctx, IA32_VMX_EPT_VPID_CAP);
}

static bool check_row(struct facts *f, const struct row *row)
{
    bool there = (f->word[row->word] & row->mask) == row->mask;
    if (there) {
        say(f, "  %-34s yes", row->name);
    } else if (row->without) {
        say(f, "  %-34s no: %s", row->name, row->without);
    } else {
        say(f, "  %-34s MISSING, and required", row->name);
        f->missing++;
    }
    return there;
}

static void check_rows(struct facts *f, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_row(f, &rows[i]);
}

/* SDM vol 3, "Enabling and Entering VMX Operation". */
static void check_feature_control(struct facts *f)
{
    uint64_t value = f->cpu->rdmsr(f->cpu->ctx, IA32_FEATURE_CONTROL);
    const char *name = "IA32_FEATURE_CONTROL";
    if (!(value & FEATURE_CONTROL_LOCK)) {
        say(f, "  %-34s unlocked: will be set", name);
    } else if (value & FEATURE_CONTROL_VMX) {
        say(f, "  %-34s locked, VT-x enabled", name);
    } else {
        say(f, "  %-34s locked WITHOUT VT-x, and required", name);
        f->missing++;
        say(f, "The firmware has switched VT-x off and locked that. Enable \"Intel Virtualization Technology\" (also "
               "called \"VT-x\" or \"Vanderpool\") in the BIOS setup, then switch the machine off and on.");
    }
}

static void check_intel(struct facts *f)
{
    if (!check_row(f, &vmx_row))
        return;
    collect_vmx(f);
    check_feature_control(f);
    check_rows(f, vmx_rows, ARRAY_SIZE(vmx_rows));
}

/* AMD APM vol 2, "Determining Support for SVM". */
static void check_vm_cr(struct facts *f)
{
    uint64_t value = f->cpu->rdmsr(f->cpu->ctx, MSR_AMD_VM_CR);
    const char *name = "VM_CR.SVMDIS";
    if (!(value & VM_CR_SVMDIS)) {
        say(f, "  %-34s clear, AMD-V enabled", name);
    } else if (!(value & VM_CR_LOCK)) {
        say(f, "  %-34s set, unlocked: will be cleared", name);
    } else {
        say(f, "  %-34s set and LOCKED: AMD-V is off, and required", name);
        f->missing++;
        say(f, "The firmware has switched AMD-V off and locked that. Enable \"SVM Mode\" (also called \"AMD-V\" or "
               "\"Secure Virtual Machine\") in the BIOS setup, then switch the machine off and on.");
    }
}

static void check_amd(struct facts *f)
{
    if (!check_row(f, &svm_row))
        return;
    check_vm_cr(f);
    check_rows(f, svm_rows, ARRAY_SIZE(svm_rows));
}

static void say_remedies(const struct facts *f, const struct row *rows, size_t count)
{
    bool ept = f->word[W_PROC2] & PROC2_ENABLE_EPT;
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].remedy || (rows[i].word == W_EPT_VPID && !ept)) /* no EPT: its parts need no words of their own */
            continue;
        if ((f->word[rows[i].word] & rows[i].mask) != rows[i].mask)
            say(f, "Missing: %s: %s", rows[i].name, rows[i].remedy);
    }
}

static void refuse(const struct facts *f)
{
    bool vmx = f->word[W_1_ECX] & CPUID_1_ECX_VMX;
    say_remedies(f, base_rows, ARRAY_SIZE(base_rows));
    if (f->amd && !(f->word[W_80000001_ECX] & CPUID_80000001_ECX_SVM))
        say_remedies(f, &svm_row, 1);
    else if (f->amd)
        say_remedies(f, svm_rows, ARRAY_SIZE(svm_rows));
    else if (!vmx)
        say_remedies(f, &vmx_row, 1);
    else
        say_remedies(f, vmx_rows, ARRAY_SIZE(vmx_rows));
    say(f, "Preflight: REFUSED: %u requirement%s not met.", f->missing, f->missing == 1 ? " is" : "s are");
}

bool preflight_run(const struct preflight_cpu *cpu)
{
    struct facts f = { .cpu = cpu };
    say_name(&f);
    collect_cpuid(&f);
    check_rows(&f, base_rows, ARRAY_SIZE(base_rows));
    if (f.amd)
        check_amd(&f);
    else
        check_intel(&f);
    check_rows(&f, common_rows, ARRAY_SIZE(common_rows));
    if (f.missing)
        refuse(&f);
    else
        say(&f, "Preflight: this CPU has all that Trapeze needs.");
    return !f.missing;
}
