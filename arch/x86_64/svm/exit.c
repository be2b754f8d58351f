/* Raw exit codes to neutral exits: one row per code, a decoder only where there is something to read. */
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/svm/entry_check.h"
#include "arch/x86_64/svm/svm.h"

static uint32_t decode_debug(struct svm_vcpu *v, struct vt_exit *exit)
{
    uint64_t dr6 = v->vmcb->dr6;
    if (UNLIKELY(v->stepping)) {
        svm_stop_stepping(v);
        if (!v->guest_tf && !(dr6 & (DR6_B0 | DR6_B1 | DR6_B2 | DR6_B3))) {
            v->vmcb->dr6 = dr6 & ~DR6_BS;
            svm_dirty(v, CLEAN_DRX);
            return exit->kind = VT_EXIT_NMI_WINDOW;
        }
    }
    exit->qualification = dr6 & (DR6_B0 | DR6_B1 | DR6_B2 | DR6_B3 | DR6_BD | DR6_BS | DR6_BT);
    return exit->kind = VT_EXIT_EXCEPTION;
}

static uint32_t decode_exception(struct svm_vcpu *v, struct vt_exit *exit)
{
    unsigned vector = exit->raw - VMEXIT_EXCP0;
    exit->exception.vector = (uint8_t)vector;
    exit->exception.type = VT_EVENT_EXCEPTION;
    exit->exception.has_error_code = exc_has_error_code(vector);
    exit->exception.error_code = (uint32_t)v->vmcb->exitinfo1;
    exit->qualification = v->vmcb->exitinfo1;
    if (vector == EXC_PF)
        exit->qualification = v->vmcb->exitinfo2;
    if (vector == EXC_BP || vector == EXC_OF) {
        exit->exception.type = VT_EVENT_SOFT_EXCEPTION;
        v->soft_rip = 0;
    }
    return vector == EXC_DB ? decode_debug(v, exit) : (exit->kind = VT_EXIT_EXCEPTION);
}

static uint32_t decode_io(struct svm_vcpu *v, struct vt_exit *exit)
{
    uint64_t info = v->vmcb->exitinfo1;
    exit->qualification = info;
    exit->io.port = IOIO_PORT(info);
    exit->io.size = (uint8_t)IOIO_SIZE(info);
    exit->io.in = info & IOIO_IN;
    exit->io.string = info & IOIO_STRING;
    exit->io.rep = info & IOIO_REP;
    return exit->kind = VT_EXIT_IO;
}

static uint32_t decode_msr(struct svm_vcpu *v, struct vt_exit *exit)
{
    return exit->kind = v->vmcb->exitinfo1 & MSR_EXIT_WRITE ? VT_EXIT_WRMSR : VT_EXIT_RDMSR;
}

static inline uint32_t decode_npf(struct svm_vcpu *v, struct vt_exit *exit)
{
    const struct vmcb *c = v->vmcb;
    uint64_t info = c->exitinfo1;
    exit->mem.gpa = GPA(c->exitinfo2);
    exit->qualification = info;
    exit->mem.write = info & NPF_W;
    exit->mem.fetch = info & NPF_ID;
    exit->mem.read = !exit->mem.write && !exit->mem.fetch;
    exit->mem.own = info & NPF_FINAL;
    return exit->kind = info & NPF_RSV ? VT_EXIT_BAD_NESTED_PAGE : VT_EXIT_MMIO;
}

/* Bochs quirk: a write of CR0 that switches paging changes EFER.LMA before it exits. LMA is what CR0.PG and LME say: APM vol
 * 2, "Activating Long Mode". */
static void repair_lma(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    bool active = (c->cr0 & CR0_PG) && (c->efer & EFER_LME);
    c->efer = (c->efer & ~(uint64_t)EFER_LMA) | (active ? EFER_LMA : 0);
    svm_dirty(v, CLEAN_CRX);
}

/* LMSW, SMSW and CLTS look like a MOV, but for bit 63. */
static uint32_t decode_cr(struct svm_vcpu *v, struct vt_exit *exit)
{
    uint64_t info = v->vmcb->exitinfo1;
    bool write = exit->raw >= VMEXIT_CR0_WRITE;
    exit->qualification = info;
    if (exit->raw == VMEXIT_CR0_WRITE)
        repair_lma(v);
    if (!svm_caps.decode_assists || !(info & CR_EXIT_MOV))
        return exit->kind = VT_EXIT_CR_INSN;
    exit->cr.cr = exit->raw == VMEXIT_CR0_SEL_WRITE ? 0 : exit->raw & 0xf;
    exit->cr.gpr = (uint8_t)CR_EXIT_GPR(info);
    exit->cr.how = VT_CR_MOV;
    return exit->kind = write ? VT_EXIT_CR_WRITE : VT_EXIT_CR_READ;
}

static uint32_t decode_dr(struct svm_vcpu *v, struct vt_exit *exit)
{
    uint64_t info = v->vmcb->exitinfo1;
    exit->qualification = info;
    exit->dr.number = exit->raw & 0xf;
    exit->dr.gpr = svm_caps.decode_assists ? (uint8_t)CR_EXIT_GPR(info) : VT_GPR_COUNT;
    exit->dr.read = exit->raw < VMEXIT_DR0_WRITE;
    return exit->kind = VT_EXIT_DR_ACCESS;
}

/* QEMU quirk: RDTSCP exits as RDTSC. Only its length tells, if no prefix lies. */
static uint32_t decode_tsc(struct svm_vcpu *v, struct vt_exit *exit)
{
    enum { RDTSCP_LENGTH = 3 };
    exit->tsc.aux = exit->raw == VMEXIT_RDTSCP ||
                    (svm_caps.lenient && v->config.insn_length(v->config.ctx) == RDTSCP_LENGTH);
    return exit->kind = VT_EXIT_RDTSC;
}

static uint32_t decode_qualified(struct svm_vcpu *v, struct vt_exit *exit)
{
    exit->qualification = v->vmcb->exitinfo1;
    return exit->kind = svm_exit_rows[exit->raw].kind;
}

/* Before the IRET is carried out: NMIs are open after it. */
static uint32_t decode_iret(struct svm_vcpu *v, struct vt_exit *exit)
{
    v->nmi = SVM_NMI_IRET;
    v->nmi_iret_rip = v->vmcb->rip;
    v->unsettled = true;
    v->vmcb->intercept_1 &= ~(uint32_t)INTERCEPT_IRET;
    svm_dirty(v, CLEAN_I);
    return exit->kind = VT_EXIT_NMI_WINDOW;
}

const struct svm_exit_row svm_exit_rows[SVM_EXIT_ROWS] = {
#define ROW(code, neutral, decoder) [VMEXIT_##code] = { VT_EXIT_##neutral, decoder }
    [VMEXIT_CR0_READ ... VMEXIT_CR0_READ + 15] = { VT_EXIT_CR_READ, decode_cr },
    [VMEXIT_CR0_WRITE ... VMEXIT_CR0_WRITE + 15] = { VT_EXIT_CR_WRITE, decode_cr },
    [VMEXIT_DR0_READ ... VMEXIT_DR0_READ + 15] = { VT_EXIT_DR_ACCESS, decode_dr },
    [VMEXIT_DR0_WRITE ... VMEXIT_DR0_WRITE + 15] = { VT_EXIT_DR_ACCESS, decode_dr },
    [VMEXIT_EXCP0 ... VMEXIT_EXCP0 + 31] = { VT_EXIT_EXCEPTION, decode_exception },
    ROW(INTR, HOST_EVENT, NULL),
    ROW(NMI, HOST_EVENT, NULL),
    ROW(SMI, HOST_EVENT, NULL),
    ROW(INIT, INIT, NULL),
    ROW(VINTR, INTERRUPT_WINDOW, NULL),
    ROW(CR0_SEL_WRITE, CR_WRITE, decode_cr),
    [VMEXIT_IDTR_READ ... VMEXIT_TR_WRITE] = { VT_EXIT_DESCRIPTOR, decode_qualified },
    ROW(RDTSC, RDTSC, decode_tsc),
    ROW(RDPMC, RDPMC, NULL),
    ROW(PUSHF, FLAGS, NULL),
    ROW(POPF, FLAGS, NULL),
    ROW(CPUID, CPUID, NULL),
    ROW(RSM, UNDEFINED, NULL),
    ROW(IRET, NMI_WINDOW, decode_iret),
    ROW(INVD, WBINVD, NULL),
    ROW(PAUSE, PAUSE, NULL),
    ROW(HLT, HLT, NULL),
    ROW(INVLPG, INVLPG, decode_qualified),
    ROW(INVLPGA, UNDEFINED, NULL),
    ROW(IOIO, IO, decode_io),
    ROW(MSR, RDMSR, decode_msr),
    ROW(SHUTDOWN, TRIPLE_FAULT, NULL),
    ROW(VMRUN, UNDEFINED, NULL),
    ROW(VMMCALL, HYPERCALL, NULL),
    ROW(VMLOAD, UNDEFINED, NULL),
    ROW(VMSAVE, UNDEFINED, NULL),
    ROW(STGI, UNDEFINED, NULL),
    ROW(CLGI, UNDEFINED, NULL),
    ROW(SKINIT, UNDEFINED, NULL),
    ROW(RDTSCP, RDTSC, decode_tsc),
    ROW(WBINVD, WBINVD, NULL),
    ROW(MONITOR, MWAIT, NULL),
    ROW(MWAIT, MWAIT, NULL),
    ROW(MWAIT_ARMED, MWAIT, NULL),
    ROW(XSETBV, XSETBV, NULL),
    ROW(RDPRU, UNDEFINED, NULL),
    ROW(INVLPGB, UNDEFINED, NULL),
    ROW(INVLPGB_ILLEGAL, UNDEFINED, NULL),
    ROW(INVPCID, INVPCID, decode_qualified),
    ROW(MCOMMIT, UNDEFINED, NULL),
    ROW(TLBSYNC, UNDEFINED, NULL),
#undef ROW
};

/* QEMU quirk: a guest's MOV to CR3 with reserved bits ends like a refused entry, where the CPU raises #GP(0). But for
 * that, an entry with which nothing is wrong is not refused; twice in a row it is no such MOV. */
static __attribute__((noinline)) uint32_t decode_invalid(struct svm_vcpu *v, struct vt_exit *exit, bool again)
{
    struct svm_entry_violation first;
    if (!svm_caps.tcg || again || svm_entry_check(v->vmcb, cpu_features.physical_bits, &first, 1))
        return exit->kind = VT_EXIT_ENTRY_FAILED;
    exit->qualification = 0;
    exit->exception.vector = EXC_GP;
    exit->exception.type = VT_EVENT_EXCEPTION;
    exit->exception.has_error_code = true;
    exit->exception.error_code = 0;
    return exit->kind = VT_EXIT_EXCEPTION;
}

uint32_t svm_decode_beyond(struct svm_vcpu *v, struct vt_exit *exit, uint64_t code)
{
    const uint32_t invalid = (uint32_t)VMEXIT_INVALID; /* QEMU quirk: it writes 32 bits */
    bool again = exit->raw == invalid;
    exit->raw = (uint32_t)code;
    if (LIKELY(code == VMEXIT_NPF))
        return decode_npf(v, exit);
    if (exit->raw == invalid)
        return decode_invalid(v, exit, again);
    return exit->kind = VT_EXIT_UNKNOWN;
}
