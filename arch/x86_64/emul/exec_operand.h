/* Operands of the instruction being executed: private to the executor. */
#ifndef ARCH_X86_64_EMUL_EXEC_OPERAND_H
#define ARCH_X86_64_EMUL_EXEC_OPERAND_H

#include "arch/x86_64/emul/alu.h"
#include "arch/x86_64/emul/exec.h"

struct exec {
    const struct insn *in;
    struct exec_cpu *cpu;
    const struct exec_bus *bus;
    uint64_t linear;      /* of the memory operand, once operand_locate() has said EXEC_DONE */
};

/* EXEC_DONE from any of these means: go on. */
typedef enum exec_status exec_handler(struct exec *x);

/* Leave the handler unless a step went well. */
#define TRY(step)                                        \
    do {                                                 \
        enum exec_status try_ = (step);                  \
        if (UNLIKELY(try_ != EXEC_DONE))                 \
            return try_;                                 \
    } while (0)

static inline uint64_t register_read(const struct exec *x, unsigned reg, unsigned size)
{
    if (UNLIKELY(reg >= INSN_AH))
        return x->cpu->gpr[reg - INSN_AH] >> 8 & 0xff;
    return x->cpu->gpr[reg] & alu_mask(size);
}

/* Writing 4 bytes clears the upper half, writing 1 or 2 keeps the rest. */
static inline void register_write(const struct exec *x, unsigned reg, unsigned size, uint64_t value)
{
    uint64_t *gpr = x->cpu->gpr;
    if (LIKELY(size >= 4))
        gpr[reg] = value & alu_mask(size);
    else if (reg >= INSN_AH)
        gpr[reg - INSN_AH] = (gpr[reg - INSN_AH] & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
    else
        gpr[reg] = (gpr[reg] & ~alu_mask(size)) | (value & alu_mask(size));
}

enum exec_status exec_raise(struct exec *x, unsigned vector);   /* error code 0; always EXEC_FAULT */

/* Segment, type, limit and canonical checks; the linear address of [offset, offset + size) in *linear. */
enum exec_status segment_linear(struct exec *x, enum insn_seg seg, uint64_t offset, unsigned size, bool write,
                                uint64_t *linear);

/* The memory operand's address; `displacement` is added to its offset (BT). */
enum exec_status operand_locate(struct exec *x, bool write, int64_t displacement);

/* Values of one word; the 16-byte case is CMPXCHG16B's own. */
enum exec_status memory_read(struct exec *x, uint64_t linear, unsigned size, enum exec_intent intent, uint64_t *value);
enum exec_status memory_write(struct exec *x, uint64_t linear, unsigned size, uint64_t value);
enum exec_status memory_probe(struct exec *x, uint64_t linear, unsigned size);
enum exec_status bus_status(enum exec_access access);

/* The r/m operand at its own size. A write after rm_read(EXEC_MODIFY) goes to the place that was read. */
enum exec_status rm_read(struct exec *x, enum exec_intent intent, uint64_t *value);
enum exec_status rm_update(struct exec *x, uint64_t value);
enum exec_status rm_write(struct exec *x, uint64_t value);

/* Handlers in files of their own. */
exec_handler exec_string, exec_push, exec_pop, exec_in, exec_out;
exec_handler exec_bit_test, exec_bit_scan, exec_shift, exec_shift_double, exec_multiply, exec_multiply_register,
             exec_divide;

#endif
