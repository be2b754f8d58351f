#include "hv/vm/operand.h"
#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "hv/vm/emulate.h"
#include "hv/vm/linear.h"

const struct insn *operand_decode(struct vcpu *v)
{
    const struct insn *in = vcpu_decode(v);
    if (!in)
        partition_fail(v, "the instruction at 0x%lx exited (%s), and cannot be read or decoded",
                       vt.get(v->vt, VT_RIP), vt_exit_name(v->vt->exit.kind));
    return in;
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

static uint8_t linear_bits(struct vcpu *v)
{
    return vt.get(v->vt, VT_CR4) & CR4_LA57 ? 57 : 48;
}

bool operand_is_canonical(struct vcpu *v, uint64_t address)
{
    unsigned unused = 64u - linear_bits(v);
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
        .linear_bits = linear_bits(v),
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
        partition_fail(v, "the operand of an instruction that exited (%s) at linear address 0x%lx is not in RAM, or its page "
                          "tables are not", vt_exit_name(v->vt->exit.kind), linear);
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
