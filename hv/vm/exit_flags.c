/* PUSHF and POPF, where they exit by policy (AMD-V only). Intel SDM vol 2, "PUSHF/PUSHFD/PUSHFQ", "POPF/POPFD/POPFQ"; vol 3,
 * "Virtual-8086 Mode": with CR4.VME, IOPL below 3 and a 16-bit operand the program's IF is VIF. */
#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/isa/cr.h"
#include "hv/lib/str.h"
#include "hv/vm/exits.h"
#include "hv/vm/linear.h"
#include "hv/vm/operand.h"

#define FREE_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_DF | RFLAGS_OF | RFLAGS_NT | \
                    RFLAGS_AC | RFLAGS_ID) /* anyone may change them */

/* ---- the stack: what PUSH and POP do ------------------------------------------------------------------------------- */

struct stack {
    struct vcpu *v;
    struct guest_paging paging;
    uint64_t gpr[VT_GPR_COUNT];
    struct exec_cpu cpu;
    bool outside;
};

static enum exec_access settle(struct stack *s, enum linear_result r, const struct vt_event *event, struct exec_fault *fault)
{
    s->outside = r == LINEAR_OUTSIDE;
    *fault = (struct exec_fault){ .vector = event->vector, .has_error = true, .error = event->error_code };
    return r == LINEAR_OK ? EXEC_ACCESS_OK : EXEC_ACCESS_FAULT;
}

static enum exec_access read(void *ctx, uint64_t linear, unsigned size, enum exec_intent intent, uint64_t *value,
                             struct exec_fault *fault)
{
    struct stack *s = ctx;
    struct vt_event event = { 0 };
    return settle(s, linear_load(s->v, &s->paging, linear, value, size, &event), &event, fault);
}

static enum exec_access write(void *ctx, uint64_t linear, unsigned size, const uint64_t *value, struct exec_fault *fault)
{
    struct stack *s = ctx;
    struct vt_event event = { 0 };
    return settle(s, linear_store(s->v, &s->paging, linear, value, size, &event), &event, fault);
}

/* PUSH or POP in the place of PUSHF or POPF; false: the guest has its exception, or the partition was stopped. */
static bool execute(struct vcpu *v, const struct insn *in, struct stack *s)
{
    const struct exec_bus bus = { .ctx = s, .read = read, .write = write };
    s->v = v;
    s->outside = false; /* a fault before any access is the guest's */
    memcpy(s->gpr, v->vt->gpr, sizeof s->gpr);
    s->gpr[VT_RSP] = vt.get(v->vt, VT_RSP_);
    vcpu_paging(v, &s->paging);
    s->cpu = (struct exec_cpu){
        .gpr = s->gpr,
        .rip = vt.get(v->vt, VT_RIP),
        .rflags = s->paging.rflags,
        .budget = 1,
        .protected_mode = s->paging.cr0 & CR0_PE,
        .linear_bits = CR4_LINEAR_BITS(s->paging.cr4),
        .seg[INSN_SS] = { .base = vt.get(v->vt, VT_BASE + VT_SS), .limit = (uint32_t)vt.get(v->vt, VT_LIMIT + VT_SS),
                          .rights = (uint32_t)vt.get(v->vt, VT_ACCESS + VT_SS) },
    };
    if (insn_execute(in, &s->cpu, &bus) == EXEC_DONE)
        return true;
    if (s->outside)
        partition_fail(v, "the page tables of the stack at 0x%lx, which PUSHF or POPF needs, are not in RAM", s->gpr[VT_RSP]);
    else
        vcpu_exception(v, s->cpu.fault.vector, s->cpu.fault.has_error, s->cpu.fault.error);
    return false;
}

/* ---- the flags ---------------------------------------------------------------------------------------------------- */

static bool is_restricted(uint64_t flags)
{
    return (flags & RFLAGS_VM) && (flags & RFLAGS_IOPL) != RFLAGS_IOPL;
}

static void pushf(struct vcpu *v, struct insn *in, uint64_t flags)
{
    struct stack s;
    uint64_t image = flags & ~(RFLAGS_RF | RFLAGS_VM);
    if (is_restricted(flags))
        image = (image & ~RFLAGS_IF) | RFLAGS_IOPL | (flags & RFLAGS_VIF ? RFLAGS_IF : 0);
    in->op = INSN_PUSH;
    in->form = INSN_FORM_IMM;
    in->imm = image;
    if (!execute(v, in, &s))
        return;
    vt.set(v->vt, VT_RSP_, s.gpr[VT_RSP]);
    (void)operand_done(v, in);
}

/* Which flags POPF may change: by mode, CPL and IOPL. */
static uint64_t changeable(struct vcpu *v, uint64_t flags, unsigned size)
{
    unsigned cpl = vcpu_cpl(v), iopl = (unsigned)((flags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT);
    uint64_t mask = FREE_FLAGS | (cpl <= iopl ? RFLAGS_IF : 0) | (cpl == 0 ? RFLAGS_IOPL : 0);
    return size == 2 ? mask & 0xffff : mask;
}

static void popf(struct vcpu *v, struct insn *in, uint64_t flags)
{
    struct stack s;
    in->op = INSN_POP;
    in->form = INSN_FORM_RM;
    in->rm = VT_RAX; /* of the copy */
    in->memsize = in->opsize;
    if (!execute(v, in, &s))
        return;
    uint64_t popped = s.gpr[VT_RAX], mask = changeable(v, flags, in->opsize), fresh = (flags & ~mask) | (popped & mask);
    if (is_restricted(flags)) {
        if ((popped & RFLAGS_TF) || ((popped & RFLAGS_IF) && (flags & RFLAGS_VIP))) {
            vcpu_gp(v);
            return;
        }
        fresh = (fresh & ~RFLAGS_VIF) | (popped & RFLAGS_IF ? RFLAGS_VIF : 0);
    }
    vt.set(v->vt, VT_RSP_, s.gpr[VT_RSP]);
    (void)operand_done(v, in); /* a single step was asked for by the flags of before */
    vt.set(v->vt, VT_RFLAGS, (fresh & ~RFLAGS_RF) | RFLAGS_ONE);
}

enum vcpu_next exit_flags(struct vcpu *v, const struct vt_exit *exit)
{
    const struct insn *in = operand_decode(v);
    uint64_t flags = vt.get(v->vt, VT_RFLAGS);
    if (!in)
        return VCPU_RESUME;
    struct insn copy = *in;
    if (copy.op != INSN_PUSHF && copy.op != INSN_POPF)
        return operand_retry(v);
    if (is_restricted(flags) && (copy.opsize != 2 || !(vt.get(v->vt, VT_CR4) & CR4_VME)))
        vcpu_gp(v);
    else if (copy.op == INSN_PUSHF)
        pushf(v, &copy, flags);
    else
        popf(v, &copy, flags);
    return VCPU_RESUME;
}
