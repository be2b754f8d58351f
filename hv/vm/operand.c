#include "hv/vm/operand.h"
#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "hv/lib/log.h"
#include "hv/vm/emulate.h"
#include "hv/vm/linear.h"

enum vcpu_next operand_retry(struct vcpu *v)
{
    struct partition *p = v->part;
    spin_lock(&p->lock);
    bool told = p->complaints & COMPLAINED_CHANGED;
    p->complaints |= COMPLAINED_CHANGED;
    spin_unlock(&p->lock);
    if (!told)
        log_line("%s: an instruction at 0x%lx exited (%s) and was changed before it was read; it is tried again (further such "
                 "exits are not reported)", p->name, vt.get(v->vt, VT_RIP), vt_exit_name(v->vt->exit.kind));
    vcpu_retry(v);
    return VCPU_RESUME;
}

const struct insn *operand_decode(struct vcpu *v)
{
    struct fetch_failure failure;
    const struct insn *in = vcpu_decode(v, &failure);
    if (UNLIKELY(!in) && !vcpu_settle_fetch(v, &failure))
        (void)operand_retry(v); /* it is none that exits */
    return in;
}

enum vcpu_next operand_done(struct vcpu *v, const struct insn *in)
{
    uint64_t rip = v->vt->exit.rip + in->length;
    vt.advance(v->vt, in->mode == INSN_MODE_64 ? rip : (uint32_t)rip);
    return VCPU_RESUME;
}

uint64_t operand_register(struct vcpu *v, unsigned gpr)
{
    return gpr == VT_RSP ? vt.get(v->vt, VT_RSP_) : v->vt->gpr[gpr];
}

void operand_set_register(struct vcpu *v, unsigned gpr, unsigned size, uint64_t value)
{
    uint64_t old = operand_register(v, gpr);
    value = size == 8 ? value : size == 4 ? (uint32_t)value : (old & ~UINT64_C(0xffff)) | (value & 0xffff);
    if (gpr == VT_RSP)
        vt.set(v->vt, VT_RSP_, value);
    else
        v->vt->gpr[gpr] = value;
}

bool operand_is_canonical(struct vcpu *v, uint64_t address)
{
    unsigned unused = 64u - CR4_LINEAR_BITS(vt.get(v->vt, VT_CR4));
    return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

bool operand_in_protected_mode(struct vcpu *v)
{
    return (vt.get(v->vt, VT_CR0) & CR0_PE) && !(vt.get(v->vt, VT_RFLAGS) & RFLAGS_VM);
}

/* Of the memory operand, with the checks of its segment. */
static bool find_linear(struct vcpu *v, const struct insn *in, size_t size, bool write, uint64_t *linear)
{
    struct exec_cpu cpu = {
        .gpr = v->vt->gpr,
        .rip = vt.get(v->vt, VT_RIP),
        .protected_mode = vt.get(v->vt, VT_CR0) & CR0_PE,
        .linear_bits = CR4_LINEAR_BITS(vt.get(v->vt, VT_CR4)),
    };
    cpu.gpr[VT_RSP] = vt.get(v->vt, VT_RSP_);
    cpu.seg[in->seg] = (struct exec_seg){
        .base = vt.get(v->vt, VT_BASE + in->seg),
        .limit = (uint32_t)vt.get(v->vt, VT_LIMIT + in->seg),
        .rights = (uint32_t)vt.get(v->vt, VT_ACCESS + in->seg),
    };
    if (insn_operand(in, &cpu, (unsigned)size, write, linear) == EXEC_DONE)
        return true;
    vcpu_exception(v, cpu.fault.vector, cpu.fault.has_error, cpu.fault.error);
    return false;
}

static bool settle(struct vcpu *v, enum linear_result r, uint64_t linear, const struct vt_event *fault)
{
    if (r == LINEAR_FAULT)
        vcpu_exception(v, fault->vector, fault->has_error_code, fault->error_code);
    else if (r == LINEAR_OUTSIDE)
        partition_fail(v, "the page tables of the operand at 0x%lx of an instruction that exited (%s) are not in RAM: check CR3 "
                          "and the tables it leads to", linear, vt_exit_name(v->vt->exit.kind));
    return r == LINEAR_OK;
}

bool operand_load(struct vcpu *v, const struct insn *in, void *buffer, size_t size)
{
    struct guest_paging paging;
    struct vt_event fault;
    uint64_t linear;
    if (!find_linear(v, in, size, false, &linear))
        return false;
    vcpu_paging(v, &paging);
    return settle(v, linear_load(v, &paging, linear, buffer, size, &fault), linear, &fault);
}

bool operand_store(struct vcpu *v, const struct insn *in, const void *buffer, size_t size)
{
    struct guest_paging paging;
    struct vt_event fault;
    uint64_t linear;
    if (!find_linear(v, in, size, true, &linear))
        return false;
    vcpu_paging(v, &paging);
    return settle(v, linear_store(v, &paging, linear, buffer, size, &fault), linear, &fault);
}
