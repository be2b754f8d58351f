#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/mmu/pt.h"
#include "hv/lib/str.h"

struct cpu_features cpu_features;

static struct cpuid_regs leaf(uint32_t number)
{
    uint32_t max = cpuid(number & 0x80000000u, 0).eax;
    return number <= max ? cpuid(number, 0) : (struct cpuid_regs){ 0, 0, 0, 0 };
}

static void read_brand(char brand[49])
{
    for (uint32_t i = 0; i < 3; i++) {
        struct cpuid_regs r = leaf(CPUID_BRAND_0 + i);
        memcpy(brand + i * sizeof r, &r, sizeof r);
    }
    brand[48] = '\0';
}

static void read_basic(struct cpu_features *f)
{
    struct cpuid_regs r = leaf(CPUID_VENDOR);
    memcpy(f->vendor, &r.ebx, 4);
    memcpy(f->vendor + 4, &r.edx, 4);
    memcpy(f->vendor + 8, &r.ecx, 4);
    f->vendor[12] = '\0';
    r = leaf(CPUID_FEATURES);
    f->vmx = r.ecx & CPUID_1_ECX_VMX;
    f->pcid = r.ecx & CPUID_1_ECX_PCID;
    f->x2apic = r.ecx & CPUID_1_ECX_X2APIC;
    f->tsc_deadline = r.ecx & CPUID_1_ECX_TSC_DEADLINE;
    f->xsave = r.ecx & CPUID_1_ECX_XSAVE;
    f->hypervisor = r.ecx & CPUID_1_ECX_HYPERVISOR;
    f->mce = r.edx & CPUID_1_EDX_MCE;
    f->pge = r.edx & CPUID_1_EDX_PGE;
    f->pat = r.edx & CPUID_1_EDX_PAT;
    r = leaf(CPUID_EXT_FEATURES);
    f->smep = r.ebx & CPUID_7_EBX_SMEP;
    f->smap = r.ebx & CPUID_7_EBX_SMAP;
    f->invpcid = r.ebx & CPUID_7_EBX_INVPCID;
    f->tsc_adjust = r.ebx & CPUID_7_EBX_TSC_ADJUST;
    f->fsgsbase = r.ebx & CPUID_7_EBX_FSGSBASE;
    f->umip = r.ecx & CPUID_7_ECX_UMIP;
    f->pku = r.ecx & CPUID_7_ECX_PKU;
    f->lam = r.eax >= 1 && (cpuid(CPUID_EXT_FEATURES, 1).eax & CPUID_7_1_EAX_LAM);
}

void cpu_features_read(struct cpu_features *f)
{
    read_basic(f);
    read_brand(f->brand);
    struct cpuid_regs r = leaf(CPUID_EXT_FEATURES_2);
    f->svm = r.ecx & CPUID_80000001_ECX_SVM;
    f->nx = r.edx & CPUID_80000001_EDX_NX;
    f->pages_1g = r.edx & CPUID_80000001_EDX_PAGE1GB;
    f->rdtscp = r.edx & CPUID_80000001_EDX_RDTSCP;
    uint32_t sizes = leaf(CPUID_ADDRESS_SIZES).eax;
    f->physical_bits = sizes ? sizes & 0xff : 36;
    f->linear_bits = sizes ? sizes >> 8 & 0xff : 48;
}

void cpu_control_setup(const struct cpu_features *f)
{
    const struct { bool has; uint64_t bit; } cr4[] = {
        { true, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT },
        { f->pge, CR4_PGE },           { f->mce, CR4_MCE },   { f->xsave, CR4_OSXSAVE },
        { f->fsgsbase, CR4_FSGSBASE }, { f->smep, CR4_SMEP }, { f->smap, CR4_SMAP },
        { f->umip, CR4_UMIP },         { f->pku, CR4_PKE },
    };
    uint64_t value = 0;
    for (size_t i = 0; i < ARRAY_SIZE(cr4); i++)
        value |= cr4[i].has ? cr4[i].bit : 0;
    write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    write_cr4(value);
    if (f->nx)
        wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
    if (f->pat)
        wrmsr(IA32_PAT, PT_HOST_PAT);
}

void cpu_load_tables(uint64_t root)
{
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 & ~CR4_PGE); /* global translations go, too */
    write_cr3(root);
    write_cr4(cr4);
}
