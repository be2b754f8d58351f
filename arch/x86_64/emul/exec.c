/* The executor's table, and the handlers of moves and plain arithmetic. A handler changes registers and flags only
 * after the last step that can fail. */
#include "arch/x86_64/emul/exec_operand.h"

static enum exec_status exec_mov(struct exec *x)
{
    const struct insn *in = x->in;
    uint64_t value;
    switch (in->form) {
    case INSN_FORM_REG_RM:
        TRY(rm_read(x, EXEC_READ, &value));
        register_write(x, in->reg, in->opsize, value);
        return EXEC_DONE;
    case INSN_FORM_RM_REG:
        return rm_write(x, register_read(x, in->reg, in->opsize));
    default:
        return rm_write(x, in->imm);
    }
}

static enum exec_status exec_mov_from_sreg(struct exec *x)
{
    return rm_write(x, x->cpu->seg[x->in->reg].selector);
}

static enum exec_status exec_movzx(struct exec *x)
{
    uint64_t value;
    TRY(rm_read(x, EXEC_READ, &value));
    register_write(x, x->in->reg, x->in->opsize, value);
    return EXEC_DONE;
}

static enum exec_status exec_movsx(struct exec *x)
{
    uint64_t value;
    TRY(rm_read(x, EXEC_READ, &value));
    register_write(x, x->in->reg, x->in->opsize, alu_sign_extend(value, x->in->memsize));
    return EXEC_DONE;
}

static uint64_t swap_bytes(uint64_t value, unsigned size)
{
    return __builtin_bswap64(value) >> (64 - 8 * size);
}

static enum exec_status exec_movbe(struct exec *x)
{
    const struct insn *in = x->in;
    uint64_t value;
    if (in->form == INSN_FORM_RM_REG)
        return rm_write(x, swap_bytes(register_read(x, in->reg, in->opsize), in->opsize));
    TRY(rm_read(x, EXEC_READ, &value));
    register_write(x, in->reg, in->opsize, swap_bytes(value, in->opsize));
    return EXEC_DONE;
}

/* The source is read, and a 32-bit destination's upper half cleared, whether or not the condition holds. */
static enum exec_status exec_cmovcc(struct exec *x)
{
    const struct insn *in = x->in;
    uint64_t value;
    TRY(rm_read(x, EXEC_READ, &value));
    if (!alu_condition(in->cond, x->cpu->rflags))
        value = register_read(x, in->reg, in->opsize);
    register_write(x, in->reg, in->opsize, value);
    return EXEC_DONE;
}

static enum exec_status exec_setcc(struct exec *x)
{
    return rm_write(x, alu_condition(x->in->cond, x->cpu->rflags));
}

/* The operand that is not r/m. */
static inline uint64_t other_operand(struct exec *x)
{
    const struct insn *in = x->in;
    return in->form == INSN_FORM_RM_IMM ? in->imm & alu_mask(in->opsize) : register_read(x, in->reg, in->opsize);
}

static enum exec_status exec_alu(struct exec *x)
{
    const struct insn *in = x->in;
    const enum insn_op op = in->op;
    const bool to_rm = in->form != INSN_FORM_REG_RM, only_compares = op == INSN_CMP || op == INSN_TEST;
    uint64_t rm, other = other_operand(x), rflags = x->cpu->rflags;
    TRY(rm_read(x, to_rm && !only_compares ? EXEC_MODIFY : EXEC_READ, &rm));
    uint64_t result = alu_binary(op, in->opsize, to_rm ? rm : other, to_rm ? other : rm, &rflags);
    if (!only_compares) {
        if (to_rm)
            TRY(rm_update(x, result));
        else
            register_write(x, in->reg, in->opsize, result);
    }
    x->cpu->rflags = rflags;
    return EXEC_DONE;
}

static enum exec_status exec_unary(struct exec *x)
{
    uint64_t value, rflags = x->cpu->rflags;
    TRY(rm_read(x, EXEC_MODIFY, &value));
    TRY(rm_update(x, alu_unary(x->in->op, x->in->opsize, value, &rflags)));
    x->cpu->rflags = rflags;
    return EXEC_DONE;
}

static enum exec_status exec_xchg(struct exec *x)
{
    const struct insn *in = x->in;
    uint64_t value, reg = register_read(x, in->reg, in->opsize);
    TRY(rm_read(x, EXEC_MODIFY, &value));
    TRY(rm_update(x, reg));
    register_write(x, in->reg, in->opsize, value);
    return EXEC_DONE;
}

static enum exec_status exec_xadd(struct exec *x)
{
    const struct insn *in = x->in;
    uint64_t value, reg = register_read(x, in->reg, in->opsize), rflags = x->cpu->rflags;
    TRY(rm_read(x, EXEC_MODIFY, &value));
    uint64_t sum = alu_binary(INSN_ADD, in->opsize, value, reg, &rflags);
    if (in->flags & INSN_MEM) {
        TRY(rm_update(x, sum));
        register_write(x, in->reg, in->opsize, value);
    } else {
        register_write(x, in->reg, in->opsize, value);
        register_write(x, in->rm, in->opsize, sum);     /* last: it wins for XADD r,r of the same register */
    }
    x->cpu->rflags = rflags;
    return EXEC_DONE;
}

/* Memory is written back in both cases, as on the CPU. */
static enum exec_status exec_cmpxchg(struct exec *x)
{
    const struct insn *in = x->in;
    uint64_t value, rflags = x->cpu->rflags;
    TRY(rm_read(x, EXEC_MODIFY, &value));
    (void)alu_binary(INSN_CMP, in->opsize, register_read(x, INSN_RAX, in->opsize), value, &rflags);
    bool equal = rflags & RFLAGS_ZF;
    if (equal || (in->flags & INSN_MEM))
        TRY(rm_update(x, equal ? register_read(x, in->reg, in->opsize) : value));
    if (!equal)
        register_write(x, INSN_RAX, in->opsize, value);
    x->cpu->rflags = rflags;
    return EXEC_DONE;
}

/* CMPXCHG8B: EDX:EAX and ECX:EBX in one 8-byte word; CMPXCHG16B: two words, aligned. */
static enum exec_status exec_cmpxchg8b(struct exec *x)
{
    const bool wide = x->in->opsize == 16;
    const unsigned half = wide ? 8 : 4;
    uint64_t words[2] = { 0, 0 }, old[2], *gpr = x->cpu->gpr;
    TRY(operand_locate(x, true, 0));
    if (wide && (x->linear & 15))
        return exec_raise(x, EXC_GP);
    TRY(bus_status(x->bus->read(x->bus->ctx, x->linear, x->in->opsize, EXEC_MODIFY, words, &x->cpu->fault)));
    old[0] = wide ? words[0] : (uint32_t)words[0];
    old[1] = wide ? words[1] : words[0] >> 32;
    bool equal = old[0] == register_read(x, INSN_RAX, half) && old[1] == register_read(x, INSN_RDX, half);
    if (equal) {
        words[0] = wide ? gpr[INSN_RBX] : (uint32_t)gpr[INSN_RBX] | gpr[INSN_RCX] << 32;
        words[1] = wide ? gpr[INSN_RCX] : 0;
    }
    TRY(bus_status(x->bus->write(x->bus->ctx, x->linear, x->in->opsize, words, &x->cpu->fault)));
    if (!equal) {
        register_write(x, INSN_RAX, half, old[0]);
        register_write(x, INSN_RDX, half, old[1]);
    }
    x->cpu->rflags = (x->cpu->rflags & ~RFLAGS_ZF) | (equal ? RFLAGS_ZF : 0);
    return EXEC_DONE;
}

static enum exec_status exec_nop(struct exec *x)
{
    return EXEC_DONE;
}

static exec_handler *const handlers[INSN_OP_COUNT] = {
    [INSN_ADD] = exec_alu, [INSN_OR] = exec_alu, [INSN_ADC] = exec_alu, [INSN_SBB] = exec_alu,
    [INSN_AND] = exec_alu, [INSN_SUB] = exec_alu, [INSN_XOR] = exec_alu, [INSN_CMP] = exec_alu,
    [INSN_TEST] = exec_alu,
    [INSN_INC] = exec_unary, [INSN_DEC] = exec_unary, [INSN_NOT] = exec_unary, [INSN_NEG] = exec_unary,
    [INSN_ROL] = exec_shift, [INSN_ROR] = exec_shift, [INSN_RCL] = exec_shift, [INSN_RCR] = exec_shift,
    [INSN_SHL] = exec_shift, [INSN_SHR] = exec_shift, [INSN_SAR] = exec_shift,
    [INSN_SHLD] = exec_shift_double, [INSN_SHRD] = exec_shift_double,
    [INSN_BT] = exec_bit_test, [INSN_BTS] = exec_bit_test, [INSN_BTR] = exec_bit_test, [INSN_BTC] = exec_bit_test,
    [INSN_BSF] = exec_bit_scan, [INSN_BSR] = exec_bit_scan,
    [INSN_MUL] = exec_multiply, [INSN_IMUL] = exec_multiply, [INSN_IMUL_REG] = exec_multiply_register,
    [INSN_DIV] = exec_divide, [INSN_IDIV] = exec_divide,
    [INSN_MOV] = exec_mov, [INSN_MOVNTI] = exec_mov, [INSN_MOV_FROM_SREG] = exec_mov_from_sreg,
    [INSN_MOVZX] = exec_movzx, [INSN_MOVSX] = exec_movsx, [INSN_MOVSXD] = exec_movsx, [INSN_MOVBE] = exec_movbe,
    [INSN_CMOVCC] = exec_cmovcc, [INSN_SETCC] = exec_setcc,
    [INSN_XCHG] = exec_xchg, [INSN_XADD] = exec_xadd, [INSN_CMPXCHG] = exec_cmpxchg,
    [INSN_CMPXCHG8B] = exec_cmpxchg8b,
    [INSN_PUSH] = exec_push, [INSN_POP] = exec_pop, [INSN_NOP] = exec_nop,
    [INSN_MOVS] = exec_string, [INSN_CMPS] = exec_string, [INSN_STOS] = exec_string, [INSN_LODS] = exec_string,
    [INSN_SCAS] = exec_string, [INSN_INS] = exec_string, [INSN_OUTS] = exec_string,
    [INSN_IN] = exec_in, [INSN_OUT] = exec_out,
};

enum exec_status insn_execute(const struct insn *insn, struct exec_cpu *cpu, const struct exec_bus *bus)
{
    static const uint64_t rip_masks[] = {
        [INSN_MODE_16] = UINT16_MAX, [INSN_MODE_32] = UINT32_MAX, [INSN_MODE_64] = UINT64_MAX,
    };
    exec_handler *handler = insn->op < INSN_OP_COUNT ? handlers[insn->op] : NULL;
    if (UNLIKELY(!handler))
        return EXEC_UNSUPPORTED;
    struct exec x = { .in = insn, .cpu = cpu, .bus = bus };
    TRY(handler(&x));
    cpu->rip = (cpu->rip + insn->length) & rip_masks[insn->mode];
    return EXEC_DONE;
}
