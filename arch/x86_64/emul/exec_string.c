/* String instructions with their repetition, ports, and the stack.
 * SDM vol 2, "REP/REPE/REPZ/REPNE/REPNZ": the count is tested before an iteration, ZF after it. */
#include "arch/x86_64/emul/exec_operand.h"

#include "arch/x86_64/isa/vmcs.h"

enum exec_status exec_in(struct exec *x)
{
    const struct insn *in = x->in;
    uint16_t port = (uint16_t)(in->form == INSN_FORM_IO_IMM ? in->imm : x->cpu->gpr[INSN_RDX]);
    uint32_t value = 0;
    TRY(bus_status(x->bus->in(x->bus->ctx, port, in->opsize, &value, &x->cpu->fault)));
    register_write(x, INSN_RAX, in->opsize, value);
    return EXEC_DONE;
}

enum exec_status exec_out(struct exec *x)
{
    const struct insn *in = x->in;
    uint16_t port = (uint16_t)(in->form == INSN_FORM_IO_IMM ? in->imm : x->cpu->gpr[INSN_RDX]);
    uint32_t value = (uint32_t)register_read(x, INSN_RAX, in->opsize);
    return bus_status(x->bus->out(x->bus->ctx, port, in->opsize, value, &x->cpu->fault));
}

/* ---- one iteration ---------------------------------------------------------------------------------------------- */

static enum exec_status source_linear(struct exec *x, uint64_t *linear)
{
    uint64_t offset = register_read(x, INSN_RSI, x->in->addrsize);
    return segment_linear(x, x->in->seg, offset, x->in->opsize, false, linear);
}

static enum exec_status destination_linear(struct exec *x, bool write, uint64_t *linear)
{
    uint64_t offset = register_read(x, INSN_RDI, x->in->addrsize);
    return segment_linear(x, INSN_ES, offset, x->in->opsize, write, linear);
}

static enum exec_status read_source(struct exec *x, uint64_t *value)
{
    uint64_t linear;
    TRY(source_linear(x, &linear));
    return memory_read(x, linear, x->in->opsize, EXEC_READ, value);
}

static enum exec_status compare(struct exec *x, uint64_t left)
{
    uint64_t linear, right;
    TRY(destination_linear(x, false, &linear));
    TRY(memory_read(x, linear, x->in->opsize, EXEC_READ, &right));
    (void)alu_binary(INSN_CMP, x->in->opsize, left, right, &x->cpu->rflags);
    return EXEC_DONE;
}

static enum exec_status iterate_ins(struct exec *x)
{
    uint64_t linear;
    uint32_t value = 0;
    TRY(destination_linear(x, true, &linear));
    TRY(memory_probe(x, linear, x->in->opsize));
    TRY(bus_status(x->bus->in(x->bus->ctx, (uint16_t)x->cpu->gpr[INSN_RDX], x->in->opsize, &value, &x->cpu->fault)));
    return memory_write(x, linear, x->in->opsize, value);
}

static enum exec_status iterate_outs(struct exec *x)
{
    uint64_t value;
    TRY(read_source(x, &value));
    return bus_status(x->bus->out(x->bus->ctx, (uint16_t)x->cpu->gpr[INSN_RDX], x->in->opsize, (uint32_t)value,
                                  &x->cpu->fault));
}

static enum exec_status iterate_movs(struct exec *x)
{
    uint64_t from, to, value;
    TRY(source_linear(x, &from));
    TRY(destination_linear(x, true, &to));
    TRY(memory_probe(x, to, x->in->opsize));
    TRY(memory_read(x, from, x->in->opsize, EXEC_READ, &value));
    return memory_write(x, to, x->in->opsize, value);
}

static enum exec_status iterate_stos(struct exec *x)
{
    uint64_t linear;
    TRY(destination_linear(x, true, &linear));
    return memory_write(x, linear, x->in->opsize, x->cpu->gpr[INSN_RAX]);
}

static enum exec_status iterate(struct exec *x)
{
    uint64_t value;
    switch ((enum insn_op)x->in->op) {
    case INSN_MOVS: return iterate_movs(x);
    case INSN_STOS: return iterate_stos(x);
    case INSN_INS: return iterate_ins(x);
    case INSN_OUTS: return iterate_outs(x);
    case INSN_LODS:
        TRY(read_source(x, &value));
        register_write(x, INSN_RAX, x->in->opsize, value);
        return EXEC_DONE;
    case INSN_CMPS:
        TRY(read_source(x, &value));
        return compare(x, value);
    default:
        return compare(x, register_read(x, INSN_RAX, x->in->opsize));    /* SCAS */
    }
}

/* ---- repetition -------------------------------------------------------------------------------------------------- */

static void advance(struct exec *x, unsigned reg)
{
    uint64_t step = x->cpu->rflags & RFLAGS_DF ? -(uint64_t)x->in->opsize : x->in->opsize;
    register_write(x, reg, x->in->addrsize, x->cpu->gpr[reg] + step);
}

static enum exec_status step(struct exec *x)
{
    const enum insn_op op = x->in->op;
    TRY(iterate(x));
    if (op == INSN_MOVS || op == INSN_CMPS || op == INSN_LODS || op == INSN_OUTS)
        advance(x, INSN_RSI);
    if (op != INSN_LODS && op != INSN_OUTS)
        advance(x, INSN_RDI);
    return EXEC_DONE;
}

/* REPE goes on while ZF is set, REPNE while it is clear; the other string instructions only count. */
static bool ends_early(const struct exec *x)
{
    bool compares = x->in->op == INSN_CMPS || x->in->op == INSN_SCAS;
    return compares && !!(x->cpu->rflags & RFLAGS_ZF) != !!(x->in->flags & INSN_REP);
}

enum exec_status exec_string(struct exec *x)
{
    if (!(x->in->flags & (INSN_REP | INSN_REPNE)))
        return step(x);
    const unsigned size = x->in->addrsize;
    uint64_t count = register_read(x, INSN_RCX, size);
    for (uint32_t done = 0; count; done++) {
        if (done && done >= x->cpu->budget)
            return EXEC_AGAIN;
        TRY(step(x));
        register_write(x, INSN_RCX, size, --count);
        if (ends_early(x))
            break;
    }
    return EXEC_DONE;
}

/* ---- the stack --------------------------------------------------------------------------------------------------- */

/* The width of the stack pointer: 8 in 64-bit mode, else by SS's B bit. */
static unsigned stack_width(const struct exec *x)
{
    if (x->in->mode == INSN_MODE_64)
        return 8;
    return x->cpu->seg[INSN_SS].rights & VMCS_AR_DB ? 4 : 2;
}

enum exec_status exec_push(struct exec *x)
{
    const unsigned size = x->in->opsize, width = stack_width(x);
    uint64_t value = x->in->imm, linear;
    uint64_t top = (x->cpu->gpr[INSN_RSP] - size) & alu_mask(width);
    TRY(segment_linear(x, INSN_SS, top, size, true, &linear));
    TRY(memory_probe(x, linear, size));
    if (x->in->form != INSN_FORM_IMM)
        TRY(rm_read(x, EXEC_READ, &value));
    TRY(memory_write(x, linear, size, value));
    register_write(x, INSN_RSP, width, top);
    return EXEC_DONE;
}

/* A destination addressed by RSP uses its value after the increment; so does POP RSP, which then overwrites it. */
enum exec_status exec_pop(struct exec *x)
{
    const unsigned size = x->in->opsize, width = stack_width(x);
    const uint64_t before = x->cpu->gpr[INSN_RSP];
    uint64_t value, linear;
    TRY(segment_linear(x, INSN_SS, before & alu_mask(width), size, false, &linear));
    TRY(memory_read(x, linear, size, EXEC_READ, &value));
    register_write(x, INSN_RSP, width, before + size);
    enum exec_status status = rm_write(x, value);
    if (status != EXEC_DONE)
        x->cpu->gpr[INSN_RSP] = before;
    return status;
}
