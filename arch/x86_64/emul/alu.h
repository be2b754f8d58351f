/* Integer operations with their flags, as pure functions: operands of `size` bytes (1, 2, 4, 8) in the low bits of
 * a, b and the result, which are zero above; *rflags in and out, other bits kept. What the manuals leave undefined
 * is left as it was or cleared, whichever is simpler (AF of the logical operations is cleared, as on every CPU). */
#ifndef ARCH_X86_64_EMUL_ALU_H
#define ARCH_X86_64_EMUL_ALU_H

#include "arch/x86_64/emul/insn.h"
#include "arch/x86_64/isa/cr.h"

#define ALU_STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* A load instead of four instructions: this is on the path of every device access. */
static const uint64_t alu_masks[9] = { [1] = UINT8_MAX, [2] = UINT16_MAX, [4] = UINT32_MAX, [8] = UINT64_MAX };

static inline uint64_t alu_mask(unsigned size) { return alu_masks[size]; }

static inline uint64_t alu_sign_extend(uint64_t value, unsigned size)
{
    unsigned unused = 64 - 8 * size;
    return (uint64_t)((int64_t)(value << unused) >> unused);
}

/* ADD OR ADC SBB AND SUB XOR CMP TEST: the result, also for the two that only compare. */
uint64_t alu_binary(enum insn_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags);

/* INC DEC NOT NEG. */
uint64_t alu_unary(enum insn_op op, unsigned size, uint64_t a, uint64_t *rflags);

/* ROL ROR RCL RCR SHL SHR SAR; `count` as given, masked here. */
uint64_t alu_shift(enum insn_op op, unsigned size, uint64_t a, unsigned count, uint64_t *rflags);

/* SHLD SHRD: bits of b come in. */
uint64_t alu_shift_double(enum insn_op op, unsigned size, uint64_t a, uint64_t b, unsigned count, uint64_t *rflags);

/* BT BTS BTR BTC: bit number below 8 * size. */
uint64_t alu_bit(enum insn_op op, uint64_t a, unsigned bit, uint64_t *rflags);

/* MUL (or IMUL if is_signed): the double-width product. */
void alu_multiply(bool is_signed, unsigned size, uint64_t a, uint64_t b, uint64_t *low, uint64_t *high,
                  uint64_t *rflags);

/* DIV, IDIV of high:low; false: #DE. Flags are undefined, and kept. */
bool alu_divide(bool is_signed, unsigned size, uint64_t low, uint64_t high, uint64_t divisor, uint64_t *quotient,
                uint64_t *remainder) MUST_CHECK;

/* The condition in the low four bits of Jcc, SETcc, CMOVcc. */
bool alu_condition(unsigned cond, uint64_t rflags);

#endif
