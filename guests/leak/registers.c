/* Control and debug registers, and the MSRs that guests use without an exit. */
#include "leak/leak.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"

enum { EFER_SCE = 1, CPUID_EXT_EDX_RDTSCP = 1 << 27, CPUID_D_1_XSAVES = 1 << 3,
       IA32_TSC_AUX = 0xc0000103, IA32_SPEC_CTRL = 0x48, IA32_XSS = 0xda0 };
#define SPEC_CTRL_BITS (1u << 26 | 1u << 27 | 1u << 31) /* CPUID leaf 7, EDX: IBRS, STIBP, SSBD */
#define CANONICAL UINT64_C(0x00007fffffffffff)

static bool always(const struct state *s) { (void)s; return true; }

static bool msr_present(const struct state *s)
{
    switch (s->number) {
    case IA32_TSC_AUX: return cpuid(0x80000001, 0).edx & CPUID_EXT_EDX_RDTSCP;
    case IA32_SPEC_CTRL: return (cpuid(7, 0).edx & SPEC_CTRL_BITS) == SPEC_CTRL_BITS;
    case IA32_XSS: return (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) && (cpuid(0xd, 1).eax & CPUID_D_1_XSAVES);
    default: return true;
    }
}

static void msr_read(const struct state *s, uint64_t *w) { *w = rdmsr(s->number); }
static void msr_write(const struct state *s, const uint64_t *w) { wrmsr(s->number, *w); }

#define REGISTER(name)                                                                                       \
    static void name##_read(const struct state *s, uint64_t *w) { (void)s; *w = read_##name(); }             \
    static void name##_write(const struct state *s, const uint64_t *w) { (void)s; write_##name(*w); }
REGISTER(cr2)
REGISTER(cr8)
REGISTER(dr0)
REGISTER(dr1)
REGISTER(dr2)
REGISTER(dr3)
REGISTER(dr6)

#define ROW(text, name, mask, fixed, reset) { text, 1, always, name##_read, name##_write, mask, fixed, reset, 0 }
#define MSR(text, number, mask, fixed, reset) { text, 1, msr_present, msr_read, msr_write, mask, fixed, reset, number }
#define PAT_RESET UINT64_C(0x0007040600070406)

const struct state register_states[] = {
    ROW("CR2", cr2, UINT64_MAX, 0, 0),
    ROW("CR8", cr8, 15, 0, 0),
    ROW("DR0", dr0, CANONICAL, 0, 0),
    ROW("DR1", dr1, CANONICAL, 0, 0),
    ROW("DR2", dr2, CANONICAL, 0, 0),
    ROW("DR3", dr3, CANONICAL, 0, 0),
    ROW("DR6", dr6, 15, 0xffff0ff0, 0xffff0ff0),
    MSR("STAR", 0xc0000081, UINT64_C(0xffffffff00000000), 0, 0),
    MSR("LSTAR", 0xc0000082, CANONICAL, 0, 0),
    MSR("CSTAR", 0xc0000083, CANONICAL, 0, 0),
    MSR("SFMASK", 0xc0000084, 0xffffffff, 0, 0),
    MSR("FS_BASE", 0xc0000100, CANONICAL, 0, 0),
    MSR("GS_BASE", 0xc0000101, CANONICAL, 0, 0),
    MSR("KERNEL_GS_BASE", 0xc0000102, CANONICAL, 0, 0),
    MSR("TSC_AUX", IA32_TSC_AUX, 0xffffffff, 0, 0),
    MSR("SYSENTER_CS", 0x174, 0xffff, 0, 0),
    MSR("SYSENTER_ESP", 0x175, CANONICAL, 0, 0),
    MSR("SYSENTER_EIP", 0x176, CANONICAL, 0, 0),
    MSR("PAT", 0x277, UINT64_C(0x0101010101010101), UINT64_C(0x0404040404040404), PAT_RESET),
    MSR("EFER.SCE", 0xc0000080, EFER_SCE, 0x500, 0x500),
    MSR("SPEC_CTRL", IA32_SPEC_CTRL, 7, 0, 0),
    MSR("XSS", IA32_XSS, 0, 0, 0), /* nothing is offered: it must stay 0 */
};
const unsigned register_state_count = sizeof register_states / sizeof register_states[0];
