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

enum exec_status bus_status(enum exec_access access)
{
    static const uint8_t statuses[] = {
        [EXEC_ACCESS_OK] = EXEC_DONE, [EXEC_ACCESS_FAULT] = EXEC_FAULT, [EXEC_ACCESS_RETRY] = EXEC_RETRY,
    };
    return (enum exec_status)statuses[access];
}

uint64_t insn_effective_address(const struct insn *insn, const struct exec_cpu *cpu)
{
    uint64_t offset = (uint64_t)insn->disp;
    if (LIKELY(insn->base < 16))
        offset += cpu->gpr[insn->base];
    else if (insn->base == INSN_REG_RIP)
        offset += cpu->rip + insn->length;
    if (insn->index < 16)
        offset += cpu->gpr[insn->index] << insn->scale;
    return offset & alu_mask(insn->addrsize);
}

/* In 64-bit mode only FS and GS have a base. */
static inline uint64_t base_64(const struct exec_cpu *cpu, enum insn_seg seg)
{
    return seg >= INSN_FS ? cpu->seg[seg].base : 0;
}

uint64_t insn_linear_address(const struct insn *insn, const struct exec_cpu *cpu)
{
    uint64_t offset = insn_effective_address(insn, cpu);
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

static inline bool is_canonical(const struct exec_cpu *cpu, uint64_t linear)
{
    unsigned unused = cpu->linear_bits == 57 ? 64 - 57 : 64 - 48;
    return (uint64_t)((int64_t)(linear << unused) >> unused) == linear;
}

enum exec_status segment_linear(struct exec *x, enum insn_seg seg, uint64_t offset, unsigned size, bool write,
                                uint64_t *linear)
{
    const struct exec_cpu *cpu = x->cpu;
    bool ok;
    if (LIKELY(x->in->mode == INSN_MODE_64)) {
        *linear = base_64(cpu, seg) + offset;
        ok = is_canonical(cpu, *linear) && is_canonical(cpu, *linear + size - 1);
    } else {
        *linear = (uint32_t)(cpu->seg[seg].base + offset);
        ok = segment_allows(cpu, &cpu->seg[seg], offset, size, write);
    }
    return LIKELY(ok) ? EXEC_DONE : exec_raise(x, seg == INSN_SS ? EXC_SS : EXC_GP);
}

enum exec_status operand_locate(struct exec *x, bool write, int64_t displacement)
{
    const struct insn *in = x->in;
    uint64_t offset = insn_effective_address(in, x->cpu) + (uint64_t)displacement;
    return segment_linear(x, in->seg, offset & alu_mask(in->addrsize), in->memsize, write, &x->linear);
}

enum exec_status memory_read(struct exec *x, uint64_t linear, unsigned size, enum exec_intent intent, uint64_t *value)
{
    uint64_t words[2] = { 0, 0 };
    enum exec_status status = bus_status(x->bus->read(x->bus->ctx, linear, size, intent, words, &x->cpu->fault));
    *value = words[0] & alu_mask(size);
    return status;
}

enum exec_status memory_write(struct exec *x, uint64_t linear, unsigned size, uint64_t value)
{
    uint64_t words[2] = { value & alu_mask(size), 0 };
    return bus_status(x->bus->write(x->bus->ctx, linear, size, words, &x->cpu->fault));
}

enum exec_status memory_probe(struct exec *x, uint64_t linear, unsigned size)
{
    if (!x->bus->probe)
        return EXEC_DONE;
    return bus_status(x->bus->probe(x->bus->ctx, linear, size, &x->cpu->fault));
}

enum exec_status rm_read(struct exec *x, enum exec_intent intent, uint64_t *value)
{
    if (!(x->in->flags & INSN_MEM)) {
        *value = register_read(x, x->in->rm, x->in->memsize);
        return EXEC_DONE;
    }
    TRY(operand_locate(x, intent == EXEC_MODIFY, 0));
    return memory_read(x, x->linear, x->in->memsize, intent, value);
}

enum exec_status rm_update(struct exec *x, uint64_t value)
{
    if (x->in->flags & INSN_MEM)
        return memory_write(x, x->linear, x->in->memsize, value);
    register_write(x, x->in->rm, x->in->opsize, value);
    return EXEC_DONE;
}

enum exec_status rm_write(struct exec *x, uint64_t value)
{
    if (x->in->flags & INSN_MEM)
        TRY(operand_locate(x, true, 0));
    return rm_update(x, value);
}
