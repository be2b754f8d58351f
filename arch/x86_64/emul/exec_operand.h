/* Operands of the instruction being executed: private to the executor. */
#ifndef ARCH_X86_64_EMUL_EXEC_OPERAND_H
#define ARCH_X86_64_EMUL_EXEC_OPERAND_H

#include "arch/x86_64/emul/alu.h"
#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/isa/exception.h"

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

enum exec_status segment_linear_legacy(struct exec *x, enum insn_seg seg, uint64_t offset, unsigned size, bool write,
                                       uint64_t *linear);

/* What follows is on the path of every device access, and inline for that reason. */

static inline uint64_t effective_address(const struct insn *in, const struct exec_cpu *cpu)
{
    uint64_t offset = (uint64_t)in->disp;
    if (LIKELY(in->base < 16))
        offset += cpu->gpr[in->base];
    else if (in->base == INSN_REG_RIP)
        offset += cpu->rip + in->length;
    if (UNLIKELY(in->index < 16))
        offset += cpu->gpr[in->index] << in->scale;
    return offset & alu_mask(in->addrsize);
}

/* In 64-bit mode only FS and GS have a base. */
static inline uint64_t base_64(const struct exec_cpu *cpu, enum insn_seg seg)
{
    return UNLIKELY(seg >= INSN_FS) ? cpu->seg[seg].base : 0;
}

static inline bool is_canonical(const struct exec_cpu *cpu, uint64_t linear)
{
    unsigned unused = UNLIKELY(cpu->linear_bits == 57) ? 64 - 57 : 64 - 48;
    return (uint64_t)((int64_t)(linear << unused) >> unused) == linear;
}

/* Segment, type, limit and canonical checks; the linear address of [offset, offset + size) in *linear. */
static inline enum exec_status segment_linear(struct exec *x, enum insn_seg seg, uint64_t offset, unsigned size,
                                              bool write, uint64_t *linear)
{
    if (UNLIKELY(x->in->mode != INSN_MODE_64))
        return segment_linear_legacy(x, seg, offset, size, write, linear);
    *linear = base_64(x->cpu, seg) + offset;
    if (LIKELY(is_canonical(x->cpu, *linear) && is_canonical(x->cpu, *linear + size - 1)))
        return EXEC_DONE;
    return exec_raise(x, seg == INSN_SS ? EXC_SS : EXC_GP);
}

/* The memory operand's address; `displacement` is added to its offset (BT). */
static inline enum exec_status operand_locate(struct exec *x, bool write, int64_t displacement)
{
    const struct insn *in = x->in;
    uint64_t offset = effective_address(in, x->cpu);
    if (displacement)
        offset = (offset + (uint64_t)displacement) & alu_mask(in->addrsize);
    return segment_linear(x, in->seg, offset, in->memsize, write, &x->linear);
}

/* The two enums agree, so that this is no code. */
static inline enum exec_status bus_status(enum exec_access access) { return (enum exec_status)access; }

/* Values of one word; the 16-byte case is CMPXCHG16B's own. */
static inline enum exec_status memory_read(struct exec *x, uint64_t linear, unsigned size, enum exec_intent intent,
                                           uint64_t *value)
{
    uint64_t word = 0;
    enum exec_status status = bus_status(x->bus->read(x->bus->ctx, linear, size, intent, &word, &x->cpu->fault));
    *value = word & alu_mask(size);
    return status;
}

static inline enum exec_status memory_write(struct exec *x, uint64_t linear, unsigned size, uint64_t value)
{
    uint64_t word = value & alu_mask(size);
    return bus_status(x->bus->write(x->bus->ctx, linear, size, &word, &x->cpu->fault));
}

static inline enum exec_status memory_probe(struct exec *x, uint64_t linear, unsigned size)
{
    return x->bus->probe ? bus_status(x->bus->probe(x->bus->ctx, linear, size, &x->cpu->fault)) : EXEC_DONE;
}

/* The r/m operand at its own size. */
static inline enum exec_status rm_read(struct exec *x, enum exec_intent intent, uint64_t *value)
{
    if (UNLIKELY(!(x->in->flags & INSN_MEM))) {
        *value = register_read(x, x->in->rm, x->in->memsize);
        return EXEC_DONE;
    }
    TRY(operand_locate(x, intent == EXEC_MODIFY, 0));
    return memory_read(x, x->linear, x->in->memsize, intent, value);
}

/* After rm_read(EXEC_MODIFY): write to the place that was read. */
static inline enum exec_status rm_update(struct exec *x, uint64_t value)
{
    if (LIKELY(x->in->flags & INSN_MEM))
        return memory_write(x, x->linear, x->in->memsize, value);
    register_write(x, x->in->rm, x->in->opsize, value);
    return EXEC_DONE;
}

static inline enum exec_status rm_write(struct exec *x, uint64_t value)
{
    if (LIKELY(x->in->flags & INSN_MEM))
        TRY(operand_locate(x, true, 0));
    return rm_update(x, value);
}

/* Handlers in files of their own. */
exec_handler exec_string, exec_push, exec_pop, exec_in, exec_out;
exec_handler exec_bit_test, exec_bit_scan, exec_shift, exec_shift_double, exec_multiply, exec_multiply_register,
             exec_divide;

#endif
