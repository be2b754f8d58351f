#include "arch/x86_64/cpu/calibrate.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define DEAD_READS    1000000u
#define TRIES         8u

/* One moment, seen on both clocks. */
struct moment {
    uint64_t ref, counter;
};

uint64_t calibrate_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    /* Long division, so that no 128-bit divide (a library function) is needed: a*b = hi:lo. */
    unsigned __int128 product = (unsigned __int128)a * b;
    uint64_t hi = (uint64_t)(product >> 64), lo = (uint64_t)product;
    if (hi >= c)
        return UINT64_MAX;
    uint64_t quotient = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        bool carry = hi >> 63;
        hi = hi << 1 | lo >> 63;
        lo <<= 1;
        quotient <<= 1;
        if (carry || hi >= c) {
            hi -= c;
            quotient |= 1;
        }
    }
    return quotient;
}

static uint64_t ref_mask(const struct clock_ref *ref)
{
    return ref->bits >= 64 ? UINT64_MAX : (UINT64_C(1) << ref->bits) - 1;
}

/* Of some tries the one in which reading the reference took the shortest: an interruption (a system management
 * interrupt, another virtual machine) between the readings would spoil the result. */
static struct moment take_moment(const struct clock_ref *ref, counter_read_t counter, void *ctx)
{
    struct moment best = { 0, 0 };
    uint64_t best_width = UINT64_MAX;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t before = counter(ctx);
        uint64_t value = ref->read(ref->ctx);
        uint64_t width = counter(ctx) - before;
        if (width < best_width) {
            best_width = width;
            best = (struct moment){ value, before + width / 2 };
        }
    }
    return best;
}

/* Wait until the reference is `ticks` past `start`; false if it stands still. */
static bool wait_ref(const struct clock_ref *ref, uint64_t start, uint64_t ticks)
{
    uint64_t mask = ref_mask(ref), last = start & mask;
    unsigned unchanged = 0;
    for (;;) {
        uint64_t now = ref->read(ref->ctx) & mask;
        if (((now - start) & mask) >= ticks)
            return true;
        unchanged = now == last ? unchanged + 1 : 0;
        if (unchanged == DEAD_READS)
            return false;
        last = now;
    }
}

enum calibrate_result calibrate_counter(const struct clock_ref *ref, counter_read_t counter, void *ctx, uint64_t ns,
                                        uint64_t *hz)
{
    uint64_t ticks = calibrate_mul_div(ns, ref->hz, NS_PER_SECOND);
    struct moment start = take_moment(ref, counter, ctx);
    if (!wait_ref(ref, start.ref, ticks))
        return CALIBRATE_REF_DEAD;
    struct moment end = take_moment(ref, counter, ctx);
    uint64_t elapsed_ref = (end.ref - start.ref) & ref_mask(ref);
    uint64_t elapsed = end.counter - start.counter;
    if (elapsed_ref == 0)
        return CALIBRATE_REF_DEAD;
    if (elapsed == 0 || elapsed > UINT64_MAX / 2)
        return CALIBRATE_COUNTER_DEAD;
    *hz = calibrate_mul_div(elapsed, ref->hz, elapsed_ref);
    return CALIBRATE_OK;
}

bool calibrate_agrees(uint64_t a, uint64_t b, unsigned per_mille)
{
    uint64_t difference = a > b ? a - b : b - a;
    return difference <= calibrate_mul_div(b, per_mille, 1000);
}

uint64_t calibrate_cpuid_15h(uint32_t denominator, uint32_t numerator, uint32_t crystal_hz)
{
    if (denominator == 0 || numerator == 0 || crystal_hz == 0)
        return 0;
    return calibrate_mul_div(crystal_hz, numerator, denominator);
}
