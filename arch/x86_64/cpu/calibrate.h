/* How fast does a counter run? Measured against a reference clock of known frequency. Pure: both are callbacks. */
#ifndef ARCH_X86_64_CPU_CALIBRATE_H
#define ARCH_X86_64_CPU_CALIBRATE_H

#include "hv/lib/types.h"

/* A clock that counts up at a known rate and wraps at 2^bits. */
struct clock_ref {
    const char *name;
    uint64_t hz;
    unsigned bits;               /* 1..64 */
    uint64_t (*read)(void *ctx); /* upper bits above `bits` are ignored */
    void *ctx;
};

typedef uint64_t (*counter_read_t)(void *ctx);

enum calibrate_result {
    CALIBRATE_OK = 0,
    CALIBRATE_REF_DEAD,      /* the reference does not move */
    CALIBRATE_COUNTER_DEAD,  /* the counter does not move, or went backwards */
};

/* Watch both for `ns` (less than the reference's wrap) and store the counter's frequency. */
enum calibrate_result calibrate_counter(const struct clock_ref *ref, counter_read_t counter, void *ctx, uint64_t ns,
                                        uint64_t *hz) MUST_CHECK;

/* True if a and b differ by at most `per_mille` thousandths of b. */
bool calibrate_agrees(uint64_t a, uint64_t b, unsigned per_mille);

/* The frequency that CPUID leaf 15h claims (EAX, EBX, ECX), 0 if it makes no full claim. */
uint64_t calibrate_cpuid_15h(uint32_t denominator, uint32_t numerator, uint32_t crystal_hz);

/* a * b / c without overflow in between; c > 0; saturates. */
uint64_t calibrate_mul_div(uint64_t a, uint64_t b, uint64_t c);

#endif
