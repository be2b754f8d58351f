/* Does CPUID answer as on a CPU, and as this virtual one? */
#include "exercise/exercise.h"

enum { LEAF_VENDOR = 0, LEAF_FEATURES = 1, LEAF_TOPOLOGY = 0xb, LEAF_TRAPEZE = 0x40000100 };
enum { ECX_VMX = 1 << 5, ECX_OSXSAVE = 1 << 27 };
#define ECX_HYPERVISOR (1u << 31)
#define POISON         UINT64_C(0x5a5a5a5a00000000)
#define UPPER          UINT64_C(0xffffffff00000000)

struct wide {
    uint64_t rax, rbx, rcx, rdx;
};

/* With something in the upper halves of all four registers. */
static struct wide cpuid_wide(uint32_t leaf, uint32_t subleaf)
{
    struct wide r = { POISON | leaf, POISON | 0x5a5a5a5a, POISON | subleaf, POISON | 0x5a5a5a5a };
    asm volatile("cpuid" : "+a"(r.rax), "+b"(r.rbx), "+c"(r.rcx), "+d"(r.rdx));
    return r;
}

static void check_answer(void)
{
    check("cpuid-answers");
    struct wide r = cpuid_wide(LEAF_VENDOR, 0);
    if ((uint32_t)r.rbx == 0x5a5a5a5a && (uint32_t)r.rdx == 0x5a5a5a5a)
        WRONG("EBX and EDX as they were before CPUID, leaf 0; expected the CPU's vendor in EBX, EDX and ECX");
    if (!(uint32_t)r.rax || !(uint32_t)r.rbx)
        WRONG("EAX 0x%x, EBX 0x%x from leaf 0; expected the highest leaf and the vendor, neither of them 0", (uint32_t)r.rax,
              (uint32_t)r.rbx);
    check("cpuid-clears-upper-halves");
    if ((r.rax | r.rbx | r.rcx | r.rdx) & UPPER)
        WRONG("RAX 0x%lx, RBX 0x%lx, RCX 0x%lx, RDX 0x%lx; expected 0 in bits 63 to 32 of all four", r.rax, r.rbx, r.rcx, r.rdx);
}

static void check_virtual(void)
{
    check("cpuid-is-the-guests-own");
    struct cpuid own = cpuid(LEAF_TRAPEZE, 0), features = cpuid(LEAF_FEATURES, 0);
    if (own.ebx != 0x70617254 || own.ecx != 0x54657a65)
        WRONG("EBX 0x%x, ECX 0x%x from leaf 0x40000100; expected Trapeze's name: 0x70617254, 0x54657a65", own.ebx, own.ecx);
    if (!(features.ecx & ECX_HYPERVISOR))
        WRONG("bit 31 of ECX clear in leaf 1; expected it set: there is a hypervisor below");
    if (features.ecx & ECX_VMX)
        WRONG("VMX (bit 5 of ECX) in leaf 1; expected it hidden: this virtual CPU has no VT-x");
}

static void check_subleaf(void)
{
    check("cpuid-looks-at-ecx");
    uint32_t first = cpuid(LEAF_TOPOLOGY, 0).ecx, second = cpuid(LEAF_TOPOLOGY, 1).ecx;
    if (first >> 8 != 1 || second >> 8 != 2)
        WRONG("levels of type %u and %u in leaf 0xb, sub-leaves 0 and 1; expected 1 (thread) and 2 (core)", first >> 8,
              second >> 8);
}

static bool shows_osxsave(void)
{
    return cpuid(LEAF_FEATURES, 0).ecx & ECX_OSXSAVE;
}

/* Twice, so that an answer that was kept has to be given up. */
static void check_state(void)
{
    if (!(cpuid(LEAF_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE))
        return;
    check("cpuid-follows-cr4");
    for (unsigned i = 0; i < 2; i++) {
        write_cr4(read_cr4() | CR4_OSXSAVE);
        if (!shows_osxsave())
            WRONG("OSXSAVE (leaf 1, ECX, bit 27) clear with CR4.OSXSAVE set; expected it set");
        write_cr4(read_cr4() & ~(uint64_t)CR4_OSXSAVE);
        if (shows_osxsave())
            WRONG("OSXSAVE (leaf 1, ECX, bit 27) set with CR4.OSXSAVE clear; expected it clear");
    }
}

void exercise_cpuid(const struct setting *s)
{
    (void)s;
    check_answer();
    check_virtual();
    check_subleaf();
    check_state();
}
