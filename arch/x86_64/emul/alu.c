/* Intel SDM vol 1, "EFLAGS Cross-Reference"; vol 2, the instructions' "Flags Affected". */
#include "arch/x86_64/emul/alu.h"

static inline uint64_t top_bit(uint64_t value, unsigned size) { return value >> (8 * size - 1) & 1; }

static inline uint64_t with(uint64_t rflags, uint64_t changed, uint64_t values)
{
    return (rflags & ~changed) | values;
}

static inline uint64_t sign_zero_parity(uint64_t result, unsigned size)
{
    uint64_t flags = __builtin_parity((unsigned)result & 0xff) ? 0 : RFLAGS_PF;
    flags |= result ? 0 : RFLAGS_ZF;
    return flags | (top_bit(result, size) ? RFLAGS_SF : 0);
}

static uint64_t add(unsigned size, uint64_t a, uint64_t b, uint64_t carry, uint64_t *rflags)
{
    uint64_t r = (a + b + carry) & alu_mask(size);
    uint64_t flags = sign_zero_parity(r, size) | ((a ^ b ^ r) & RFLAGS_AF);
    flags |= top_bit((a & b) | ((a | b) & ~r), size) ? RFLAGS_CF : 0;
    flags |= top_bit((a ^ r) & (b ^ r), size) ? RFLAGS_OF : 0;
    *rflags = with(*rflags, ALU_STATUS, flags);
    return r;
}

static uint64_t subtract(unsigned size, uint64_t a, uint64_t b, uint64_t borrow, uint64_t *rflags)
{
    uint64_t r = (a - b - borrow) & alu_mask(size);
    uint64_t flags = sign_zero_parity(r, size) | ((a ^ b ^ r) & RFLAGS_AF);
    flags |= top_bit((~a & b) | ((~a | b) & r), size) ? RFLAGS_CF : 0;
    flags |= top_bit((a ^ b) & (a ^ r), size) ? RFLAGS_OF : 0;
    *rflags = with(*rflags, ALU_STATUS, flags);
    return r;
}

static uint64_t logical(unsigned size, uint64_t r, uint64_t *rflags)
{
    *rflags = with(*rflags, ALU_STATUS, sign_zero_parity(r, size));
    return r;
}

uint64_t alu_binary(enum insn_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags)
{
    switch (op) {
    case INSN_ADD: return add(size, a, b, 0, rflags);
    case INSN_ADC: return add(size, a, b, *rflags & RFLAGS_CF, rflags);
    case INSN_SUB:
    case INSN_CMP: return subtract(size, a, b, 0, rflags);
    case INSN_SBB: return subtract(size, a, b, *rflags & RFLAGS_CF, rflags);
    case INSN_OR: return logical(size, a | b, rflags);
    case INSN_XOR: return logical(size, a ^ b, rflags);
    default: return logical(size, a & b, rflags);      /* AND, TEST */
    }
}

uint64_t alu_unary(enum insn_op op, unsigned size, uint64_t a, uint64_t *rflags)
{
    uint64_t carry = *rflags & RFLAGS_CF, r;
    switch (op) {
    case INSN_INC: r = add(size, a, 1, 0, rflags); break;
    case INSN_DEC: r = subtract(size, a, 1, 0, rflags); break;
    case INSN_NEG: return subtract(size, 0, a, 0, rflags);
    default: return ~a & alu_mask(size);
    }
    *rflags = with(*rflags, RFLAGS_CF, carry);
    return r;
}

/* One step of RCL or RCR; OF is as for a count of one, which is the only one it is defined for. */
static uint64_t rotate_carry_once(enum insn_op op, unsigned size, uint64_t a, uint64_t *rflags)
{
    uint64_t carry = *rflags & RFLAGS_CF, out, r;
    if (op == INSN_RCL) {
        out = top_bit(a, size);
        r = ((a << 1) | carry) & alu_mask(size);
    } else {
        out = a & 1;
        r = (a >> 1) | carry << (8 * size - 1);
    }
    *rflags = with(*rflags, RFLAGS_CF | RFLAGS_OF, out | (top_bit(a ^ r, size) ? RFLAGS_OF : 0));
    return r;
}

static uint64_t rotate(enum insn_op op, unsigned size, uint64_t a, unsigned count, uint64_t *rflags)
{
    unsigned bits = 8 * size;
    if (op == INSN_RCL || op == INSN_RCR) {
        for (count %= bits + 1; count; count--)
            a = rotate_carry_once(op, size, a, rflags);
        return a;
    }
    unsigned left = (op == INSN_ROL ? count : bits - count % bits) % bits;
    uint64_t r = left ? (a << left | a >> (bits - left)) & alu_mask(size) : a;
    uint64_t carry = op == INSN_ROL ? r & 1 : top_bit(r, size);
    /* ROL: the top bit against the carry; ROR: the two top bits. */
    uint64_t overflow = top_bit(r, size) ^ (op == INSN_ROL ? carry : top_bit(r << 1, size));
    *rflags = with(*rflags, RFLAGS_CF | RFLAGS_OF, carry | (overflow ? RFLAGS_OF : 0));
    return r;
}

uint64_t alu_shift(enum insn_op op, unsigned size, uint64_t a, unsigned count, uint64_t *rflags)
{
    unsigned bits = 8 * size;
    uint64_t r, carry, overflow;
    count &= size == 8 ? 63 : 31;
    if (!count)
        return a;
    switch (op) {
    case INSN_SHL:
        r = (a << count) & alu_mask(size);
        carry = count <= bits ? a >> (bits - count) & 1 : 0;
        overflow = top_bit(r, size) ^ carry;
        break;
    case INSN_SHR:
        r = a >> count;
        carry = a >> (count - 1) & 1;
        overflow = top_bit(a, size);
        break;
    case INSN_SAR: {
        int64_t wide = (int64_t)alu_sign_extend(a, size);
        r = (uint64_t)(wide >> count) & alu_mask(size);
        carry = (uint64_t)(wide >> (count - 1)) & 1;
        overflow = 0;
        break;
    }
    default:
        return rotate(op, size, a, count, rflags);
    }
    *rflags = with(*rflags, ALU_STATUS, sign_zero_parity(r, size) | carry | (overflow ? RFLAGS_OF : 0));
    return r;
}

uint64_t alu_shift_double(enum insn_op op, unsigned size, uint64_t a, uint64_t b, unsigned count, uint64_t *rflags)
{
    unsigned bits = 8 * size;
    uint64_t r, carry, before = a;
    count &= size == 8 ? 63 : 31;
    if (!count)
        return a;
    if (count > bits) {         /* 16-bit only, and undefined: CPUs go on with a's own bits */
        uint64_t t = a;
        a = b;
        b = t;
        count -= bits;
    }
    if (op == INSN_SHLD) {
        r = (count == bits ? b : a << count | b >> (bits - count)) & alu_mask(size);
        carry = a >> (bits - count) & 1;
    } else {
        r = (count == bits ? b : a >> count | b << (bits - count)) & alu_mask(size);
        carry = a >> (count - 1) & 1;
    }
    uint64_t overflow = top_bit(before ^ r, size) ? RFLAGS_OF : 0;
    *rflags = with(*rflags, ALU_STATUS, sign_zero_parity(r, size) | carry | overflow);
    return r;
}

uint64_t alu_bit(enum insn_op op, uint64_t a, unsigned bit, uint64_t *rflags)
{
    uint64_t mask = UINT64_C(1) << bit;
    *rflags = with(*rflags, RFLAGS_CF, a & mask ? RFLAGS_CF : 0);
    switch (op) {
    case INSN_BTS: return a | mask;
    case INSN_BTR: return a & ~mask;
    case INSN_BTC: return a ^ mask;
    default: return a;
    }
}

bool alu_condition(unsigned cond, uint64_t rflags)
{
    bool sign = !!(rflags & RFLAGS_SF) != !!(rflags & RFLAGS_OF), holds;
    switch (cond >> 1) {
    case 0: holds = rflags & RFLAGS_OF; break;
    case 1: holds = rflags & RFLAGS_CF; break;
    case 2: holds = rflags & RFLAGS_ZF; break;
    case 3: holds = rflags & (RFLAGS_CF | RFLAGS_ZF); break;
    case 4: holds = rflags & RFLAGS_SF; break;
    case 5: holds = rflags & RFLAGS_PF; break;
    case 6: holds = sign; break;
    default: holds = sign || (rflags & RFLAGS_ZF); break;
    }
    return holds != (cond & 1);
}
