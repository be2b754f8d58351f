#include "arch/x86_64/cpu/guest_state.h"
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"


#define FCW_RESET       0x0040u
#define MXCSR_RESET     0x1f80u
#define FXSAVE_FCW      0
#define FXSAVE_MXCSR    24
#define XSAVE_HEADER    512 /* XSTATE_BV; Intel SDM vol 1, "XSAVE Header" */
#define LEGACY_AREA     512

/* CPUID bit that announces the MSR; leaf 0: it is always there in long mode. */
static const struct {
    uint32_t msr;
    uint32_t leaf, bit;
    char reg; /* 'd': EDX, 'c': ECX */
    const char *name;
} msr_rows[GUEST_MSR_COUNT] = {
    [GUEST_STAR]           = { IA32_STAR, 0, 0, 0, "STAR" },
    [GUEST_LSTAR]          = { IA32_LSTAR, 0, 0, 0, "LSTAR" },
    [GUEST_CSTAR]          = { IA32_CSTAR, 0, 0, 0, "CSTAR" },
    [GUEST_SFMASK]         = { IA32_FMASK, 0, 0, 0, "SFMASK" },
    [GUEST_KERNEL_GS_BASE] = { IA32_KERNEL_GS_BASE, 0, 0, 0, "KERNEL_GS_BASE" },
    [GUEST_TSC_AUX]        = { IA32_TSC_AUX, 0x80000001, 27, 'd', "TSC_AUX" },
    [GUEST_SPEC_CTRL]      = { IA32_SPEC_CTRL, 7, 26, 'd', "SPEC_CTRL" },
};

static struct {
    uint64_t xcr0;
    size_t xsave_size;
    bool msr[GUEST_MSR_COUNT];   /* those that exist here */
    bool moved[GUEST_MSR_COUNT]; /* of these, what the hardware does not switch by itself */
    bool ibpb, l1d_flush, verw;  /* of the mitigations, what is for the way between two guests */
} host;

static bool msr_exists(enum guest_msr which)
{
    uint32_t leaf = msr_rows[which].leaf;
    if (!leaf)
        return true;
    if (cpuid(leaf & 0x80000000, 0).eax < leaf)
        return false;
    struct cpuid_regs r = cpuid(leaf, 0);
    uint32_t reg = msr_rows[which].reg == 'd' ? r.edx : r.ecx;
    return reg >> msr_rows[which].bit & 1;
}

void guest_state_init(uint32_t switched)
{
    host.xsave_size = LEGACY_AREA;
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) {
        struct cpuid_regs d = cpuid(0xd, 0);
        host.xcr0 = (uint64_t)d.edx << 32 | d.eax;
        host.xsave_size = d.ecx;
    } else {
        log_line("cpu: no XSAVE: guests get x87 and SSE only, switched by FXSAVE");
    }
    for (unsigned i = 0; i < GUEST_MSR_COUNT; i++) {
        host.msr[i] = msr_exists(i);
        host.moved[i] = host.msr[i] && !(switched >> i & 1);
    }
    if (mitigation_policy()->spec_ctrl) /* the hypervisor has a value of its own */
        host.moved[GUEST_SPEC_CTRL] = false;
    log_line("cpu: extended state %zu bytes, XCR0 mask 0x%lx, TSC_AUX %s, SPEC_CTRL %s", host.xsave_size, host.xcr0,
             host.msr[GUEST_TSC_AUX] ? "switched" : "absent", host.msr[GUEST_SPEC_CTRL] ? "switched" : "absent");
    const enum speculation_state *state = mitigation_policy()->state;
    host.ibpb = state[SPECULATION_IBPB] == SPECULATION_USED;
    host.l1d_flush = state[SPECULATION_L1D] == SPECULATION_USED;
    host.verw = state[SPECULATION_VERW] == SPECULATION_USED;
}

void guest_state_cpu_enable(void)
{
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (host.xcr0 ? CR4_OSXSAVE : 0));
    write_cr0((read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS)) | CR0_MP);
    if (host.xcr0)
        xsetbv(0, host.xcr0);
}

size_t guest_state_xsave_size(void) { return host.xsave_size; }
uint64_t guest_state_xcr0_mask(void) { return host.xcr0; }
bool guest_state_has_msr(enum guest_msr which) { return host.msr[which]; }
uint32_t guest_state_msr_number(enum guest_msr which) { return msr_rows[which].msr; }

void guest_state_reset(struct guest_state *s)
{
    uint8_t *area = s->xsave;
    bool loaded = s->loaded;
    const uint16_t fcw = FCW_RESET;
    const uint32_t mxcsr = MXCSR_RESET;
    const uint64_t xstate_bv = 3; /* x87 and SSE from the area, all other components in their initial state */

    if (loaded)
        guest_state_save(s); /* leaves XCR0 as the next load wants it */
    memset(area, 0, host.xsave_size);
    memcpy(area + FXSAVE_FCW, &fcw, sizeof fcw);
    memcpy(area + FXSAVE_MXCSR, &mxcsr, sizeof mxcsr);
    if (host.xcr0)
        memcpy(area + XSAVE_HEADER, &xstate_bv, sizeof xstate_bv);
    *s = (struct guest_state){ .xcr0 = 1, .dr6 = DR6_RESET, .xsave = area };
    if (loaded)
        guest_state_load(s, NULL);
}

/* ---- debug registers and MSRs: writing them is what costs, so only those that differ from `previous` are written --- */

static void write_all(const struct guest_state *s)
{
    write_dr0(s->dr[0]);
    write_dr1(s->dr[1]);
    write_dr2(s->dr[2]);
    write_dr3(s->dr[3]);
    write_dr6(s->dr6);
    for (unsigned i = 0; i < GUEST_MSR_COUNT; i++)
        if (host.moved[i])
            wrmsr(msr_rows[i].msr, s->msr[i]);
}

static inline uint64_t breakpoints(const struct guest_state *s)
{
    return s->dr[0] | s->dr[1] | s->dr[2] | s->dr[3];
}

static inline void write_changed_dr(const struct guest_state *s, const struct guest_state *previous)
{
    if (UNLIKELY(breakpoints(s) | breakpoints(previous))) {
        write_dr0(s->dr[0]);
        write_dr1(s->dr[1]);
        write_dr2(s->dr[2]);
        write_dr3(s->dr[3]);
    }
    if (UNLIKELY(s->dr6 != previous->dr6))
        write_dr6(s->dr6);
}

static inline void write_changed_msrs(const struct guest_state *s, const struct guest_state *previous)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < GUEST_MSR_COUNT; i++)
        if (UNLIKELY(s->msr[i] != previous->msr[i]) && host.moved[i])
            wrmsr(msr_rows[i].msr, s->msr[i]);
}

static inline void read_msrs(struct guest_state *s)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < GUEST_MSR_COUNT; i++)
        if (host.moved[i])
            s->msr[i] = rdmsr(msr_rows[i].msr);
}

/* ---- changing hands ---------------------------------------------------------------------------------------------- */

/* The components are moved with every XCR0 bit set: a component that the guest has switched off again would otherwise
 * stay in the registers for the next one to find. */
void guest_state_load(struct guest_state *s, const struct guest_state *previous)
{
    if (host.xcr0) {
        xrstor64(s->xsave, host.xcr0);
        if (s->xcr0 != host.xcr0)
            xsetbv(0, s->xcr0);
    } else {
        fxrstor64(s->xsave);
    }
    write_cr2(s->cr2);
    if (LIKELY(previous != NULL)) {
        write_changed_dr(s, previous);
        write_changed_msrs(s, previous);
    } else {
        write_all(s);
    }
    s->loaded = true;
}

void guest_state_save(struct guest_state *s)
{
    if (host.xcr0) {
        if (s->xcr0 != host.xcr0)
            xsetbv(0, host.xcr0);
        xsave64(s->xsave, host.xcr0);
    } else {
        fxsave64(s->xsave);
    }
    s->cr2 = read_cr2();
    s->dr[0] = read_dr0();
    s->dr[1] = read_dr1();
    s->dr[2] = read_dr2();
    s->dr[3] = read_dr3();
    s->dr6 = read_dr6();
    read_msrs(s);
    s->loaded = false;
}

void guest_state_cleanse(void)
{
    if (host.l1d_flush)
        wrmsr(IA32_FLUSH_CMD, FLUSH_CMD_L1D);
    if (host.verw)
        verw(HOST_SEL_DATA);
}

void guest_state_barrier(void)
{
    if (host.ibpb)
        wrmsr(IA32_PRED_CMD, PRED_CMD_IBPB);
    guest_state_cleanse();
}
