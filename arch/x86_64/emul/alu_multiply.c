/* Multiplication and division at double width. */
#include "arch/x86_64/emul/alu.h"

typedef unsigned __int128 wide;
typedef __int128 signed_wide;

void alu_multiply(bool is_signed, unsigned size, uint64_t a, uint64_t b, uint64_t *low, uint64_t *high,
                  uint64_t *rflags)
{
    wide product = is_signed
        ? (wide)((signed_wide)(int64_t)alu_sign_extend(a, size) * (int64_t)alu_sign_extend(b, size))
        : (wide)a * b;
    *low = (uint64_t)product & alu_mask(size);
    *high = (uint64_t)(product >> (8 * size)) & alu_mask(size);
    uint64_t insignificant = is_signed && (alu_sign_extend(*low, size) >> 63) ? alu_mask(size) : 0;
    *rflags &= ~(RFLAGS_CF | RFLAGS_OF);
    if (*high != insignificant)
        *rflags |= RFLAGS_CF | RFLAGS_OF;
}

/* Bit by bit: the compiler's own 128-bit division is a library call. False if the quotient has more than 64 bits. */
static bool divide_unsigned(wide dividend, uint64_t divisor, uint64_t *quotient, uint64_t *remainder)
{
    uint64_t q = 0, low = (uint64_t)dividend;
    wide rest = dividend >> 64;
    if (!divisor || rest >= divisor)
        return false;
    for (unsigned i = 0; i < 64; i++) {
        rest = rest << 1 | low >> 63;
        low <<= 1;
        q <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            q |= 1;
        }
    }
    *quotient = q;
    *remainder = (uint64_t)rest;
    return true;
}

bool alu_divide(bool is_signed, unsigned size, uint64_t low, uint64_t high, uint64_t divisor, uint64_t *quotient,
                uint64_t *remainder)
{
    const unsigned bits = 8 * size;
    const uint64_t mask = alu_mask(size), top = UINT64_C(1) << (bits - 1);
    wide dividend = (wide)high << bits | low;
    bool negative = is_signed && (high & top), negative_divisor = is_signed && (divisor & top);
    if (negative) {
        dividend = -dividend;
        if (size < 8)
            dividend &= ((wide)1 << (2 * bits)) - 1;
    }
    if (negative_divisor)
        divisor = -divisor & mask;
    uint64_t q, r;
    if (!divide_unsigned(dividend, divisor, &q, &r))
        return false;
    bool negative_quotient = negative != negative_divisor;
    uint64_t most = !is_signed ? mask : negative_quotient ? top : top - 1;
    if (q > most)
        return false;
    *quotient = (negative_quotient ? -q : q) & mask;
    *remainder = (negative ? -r : r) & mask;
    return true;
}
