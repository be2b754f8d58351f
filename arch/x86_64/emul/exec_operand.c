/* Addresses, segments and the accesses of an instruction's operands. */
#include "arch/x86_64/emul/exec_operand.h"

#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/vmcs.h"

enum exec_status exec_raise(struct exec *x, unsigned vector)
{
    x->cpu->fault = (struct exec_fault){
        .vector = (uint8_t)vector,
        .has_error = x->cpu->protected_mode && exc_has_error_code(vector),
    };
    return EXEC_FAULT;
}

uint64_t insn_linear_address(const struct insn *insn, const struct exec_cpu *cpu)
{
    uint64_t offset = effective_address(insn, cpu);
    if (insn->mode == INSN_MODE_64)
        return base_64(cpu, insn->seg) + offset;
    return (uint32_t)(cpu->seg[insn->seg].base + offset);
}

/* SDM vol 3, "Type Checking" and "Limit Checking". Real mode has limits, but no types. */
static bool segment_allows(const struct exec_cpu *cpu, const struct exec_seg *s, uint64_t first, unsigned size,
                           bool write)
{
    uint64_t last = first + size - 1;
    if (!cpu->protected_mode)
        return last <= s->limit;
    if (s->rights & VMCS_AR_UNUSABLE)
        return false;
    if (s->rights & VMCS_AR_CODE)
        return !write && (s->rights & VMCS_AR_WRITABLE) && last <= s->limit;     /* the bit says readable */
    if (write && !(s->rights & VMCS_AR_WRITABLE))
        return false;
    if (s->rights & VMCS_AR_CONFORMING)                                          /* expand down */
        return first > s->limit && last <= (s->rights & VMCS_AR_DB ? UINT32_MAX : UINT16_MAX);
    return last <= s->limit;
}

enum exec_status segment_linear_legacy(struct exec *x, enum insn_seg seg, uint64_t offset, unsigned size, bool write,
                                       uint64_t *linear)
{
    const struct exec_seg *segment = &x->cpu->seg[seg];
    *linear = (uint32_t)(segment->base + offset);
    if (segment_allows(x->cpu, segment, offset, size, write))
        return EXEC_DONE;
    return exec_raise(x, seg == INSN_SS ? EXC_SS : EXC_GP);
}

enum exec_status insn_operand(const struct insn *insn, struct exec_cpu *cpu, unsigned size, bool write, uint64_t *linear)
{
    struct exec x = { .in = insn, .cpu = cpu };
    return segment_linear(&x, insn->seg, effective_address(insn, cpu), size, write, linear);
}
