/* Shifts, bit tests and scans, multiplication and division. */
#include "arch/x86_64/emul/exec_operand.h"

static unsigned shift_count(struct exec *x)
{
    bool by_cl = x->in->form == INSN_FORM_RM_CL || x->in->form == INSN_FORM_RM_REG_CL;
    return by_cl ? (uint8_t)x->cpu->gpr[INSN_RCX] : (uint8_t)x->in->imm;
}

enum exec_status exec_shift(struct exec *x)
{
    uint64_t value, rflags = x->cpu->rflags;
    TRY(rm_read(x, EXEC_MODIFY, &value));
    TRY(rm_update(x, alu_shift(x->in->op, x->in->opsize, value, shift_count(x), &rflags)));
    x->cpu->rflags = rflags;
    return EXEC_DONE;
}

enum exec_status exec_shift_double(struct exec *x)
{
    const struct insn *in = x->in;
    uint64_t value, in_bits = register_read(x, in->reg, in->opsize), rflags = x->cpu->rflags;
    TRY(rm_read(x, EXEC_MODIFY, &value));
    TRY(rm_update(x, alu_shift_double(in->op, in->opsize, value, in_bits, shift_count(x), &rflags)));
    x->cpu->rflags = rflags;
    return EXEC_DONE;
}

/* A bit number in a register reaches beyond the operand: the memory operand is the one of its size that has the bit. */
enum exec_status exec_bit_test(struct exec *x)
{
    const struct insn *in = x->in;
    const unsigned bits = 8u * in->opsize;
    const enum exec_intent intent = in->op == INSN_BT ? EXEC_READ : EXEC_MODIFY;
    uint64_t number = in->form == INSN_FORM_RM_IMM ? in->imm & (bits - 1) : register_read(x, in->reg, in->opsize);
    uint64_t value, rflags = x->cpu->rflags;
    if (in->flags & INSN_MEM) {
        int64_t whole = in->form == INSN_FORM_RM_IMM ? 0 : (int64_t)alu_sign_extend(number, in->opsize) >> 3;
        TRY(operand_locate(x, intent == EXEC_MODIFY, whole & ~(int64_t)(in->opsize - 1)));
        TRY(memory_read(x, x->linear, in->memsize, intent, &value));
    } else {
        value = register_read(x, in->rm, in->opsize);
    }
    value = alu_bit(in->op, value, (unsigned)number & (bits - 1), &rflags);
    if (in->op != INSN_BT)
        TRY(rm_update(x, value));
    x->cpu->rflags = rflags;
    return EXEC_DONE;
}

/* Of zero, the destination stays as it was: AMD's manual says so, and Intel's CPUs do it. */
enum exec_status exec_bit_scan(struct exec *x)
{
    uint64_t value;
    TRY(rm_read(x, EXEC_READ, &value));
    x->cpu->rflags = (x->cpu->rflags & ~RFLAGS_ZF) | (value ? 0 : RFLAGS_ZF);
    if (value) {
        unsigned bit = x->in->op == INSN_BSF ? (unsigned)__builtin_ctzll(value) : 63u - (unsigned)__builtin_clzll(value);
        register_write(x, x->in->reg, x->in->opsize, bit);
    }
    return EXEC_DONE;
}

/* Byte operands have their wide value in AX, not in DL:AL. */
static void write_wide(struct exec *x, uint64_t low, uint64_t high)
{
    const unsigned size = x->in->opsize;
    register_write(x, INSN_RAX, size, low);
    register_write(x, size == 1 ? INSN_AH : INSN_RDX, size, high);
}

enum exec_status exec_multiply(struct exec *x)
{
    const unsigned size = x->in->opsize;
    uint64_t value, low, high;
    TRY(rm_read(x, EXEC_READ, &value));
    alu_multiply(x->in->op == INSN_IMUL, size, register_read(x, INSN_RAX, size), value, &low, &high,
                 &x->cpu->rflags);
    write_wide(x, low, high);
    return EXEC_DONE;
}

enum exec_status exec_multiply_register(struct exec *x)
{
    const struct insn *in = x->in;
    uint64_t value, low, high;
    TRY(rm_read(x, EXEC_READ, &value));
    uint64_t factor = in->form == INSN_FORM_REG_RM ? register_read(x, in->reg, in->opsize)
                                                   : in->imm & alu_mask(in->opsize);
    alu_multiply(true, in->opsize, value, factor, &low, &high, &x->cpu->rflags);
    register_write(x, in->reg, in->opsize, low);
    return EXEC_DONE;
}

enum exec_status exec_divide(struct exec *x)
{
    const unsigned size = x->in->opsize;
    uint64_t divisor, quotient, remainder;
    TRY(rm_read(x, EXEC_READ, &divisor));
    uint64_t low = register_read(x, INSN_RAX, size);
    uint64_t high = register_read(x, size == 1 ? INSN_AH : INSN_RDX, size);
    if (!alu_divide(x->in->op == INSN_IDIV, size, low, high, divisor, &quotient, &remainder))
        return exec_raise(x, EXC_DE);
    write_wide(x, quotient, remainder);
    return EXEC_DONE;
}
