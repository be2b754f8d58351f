/* What CPUID says of an instruction. */
#include "lab-pg/lab.h"
#include "lib/cpu.h"

/* The order of LEAF_* in row.inc. */
static const struct { uint32_t leaf, subleaf; } leaves[] = {
    { 0, 0 }, { 1, 0 }, { 7, 0 }, { 0xd, 1 }, { 0x80000001, 0 }, { 0x80000008, 0 },
};

static bool bit(uint32_t leaf, uint32_t subleaf, unsigned reg, unsigned n)
{
    if (cpuid(leaf & 0x80000000, 0).eax < leaf)
        return false;
    struct cpuid r = cpuid(leaf, subleaf);
    const uint32_t words[] = { r.eax, r.ebx, r.ecx, r.edx };
    return words[reg] >> n & 1;
}

bool feature_present(uint32_t f)
{
    return !f || bit(leaves[f >> 8].leaf, leaves[f >> 8].subleaf, f >> 5 & 3, f & 31);
}

uint64_t feature_cr4(uint64_t wanted)
{
    uint64_t cr4 = wanted & (CR4_TSD | CR4_PCE);
    if (bit(7, 0, 1, 0))
        cr4 |= wanted & CR4_FSGSBASE;
    if (bit(7, 0, 2, 2))
        cr4 |= wanted & CR4_UMIP;
    if (bit(7, 0, 2, 3))
        cr4 |= wanted & CR4_PKE;
    if (bit(1, 0, 2, 26))
        cr4 |= wanted & CR4_OSXSAVE;
    return cr4;
}
