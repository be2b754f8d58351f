#include "arch/x86_64/cpu/calibrate.h"
#include "tests/unit/test.h"

/* A world whose time goes on by `step` ns with every look at any of its clocks. */
struct world {
    uint64_t now, step;
    uint64_t ref_hz, ref_offset, counter_hz;
};

static uint64_t ref_read(void *ctx)
{
    struct world *w = ctx;
    w->now += w->step;
    return calibrate_mul_div(w->now, w->ref_hz, 1000000000) + w->ref_offset;
}

static uint64_t counter_read(void *ctx)
{
    struct world *w = ctx;
    w->now += w->step / 10;
    return calibrate_mul_div(w->now, w->counter_hz, 1000000000);
}

static struct clock_ref pm_timer(struct world *w)
{
    return (struct clock_ref){ "PM timer", w->ref_hz, 24, ref_read, w };
}

TEST(a_counter_is_measured_within_a_thousandth)
{
    struct world w = { 0, 700, 3579545, 0, 2400000000 };
    struct clock_ref ref = pm_timer(&w);
    uint64_t hz = 0;
    CHECK_EQ(calibrate_counter(&ref, counter_read, &w, 20000000, &hz), CALIBRATE_OK);
    CHECK(calibrate_agrees(hz, 2400000000, 1));
}

TEST(a_reference_that_wraps_meanwhile_is_measured_as_well)
{
    struct world w = { 0, 700, 3579545, 0xfffff0, 50000000 };
    struct clock_ref ref = pm_timer(&w);
    uint64_t hz = 0;
    CHECK_EQ(calibrate_counter(&ref, counter_read, &w, 20000000, &hz), CALIBRATE_OK);
    CHECK(calibrate_agrees(hz, 50000000, 1));
}

TEST(a_reference_that_stands_still_is_reported)
{
    struct world w = { 0, 700, 0, 0xffffff, 50000000 };
    struct clock_ref ref = pm_timer(&w);
    ref.hz = 3579545;
    uint64_t hz = 0;
    CHECK_EQ(calibrate_counter(&ref, counter_read, &w, 20000000, &hz), CALIBRATE_REF_DEAD);
}

TEST(a_counter_that_stands_still_is_reported)
{
    struct world w = { 0, 700, 3579545, 0, 0 };
    struct clock_ref ref = pm_timer(&w);
    uint64_t hz = 0;
    CHECK_EQ(calibrate_counter(&ref, counter_read, &w, 20000000, &hz), CALIBRATE_COUNTER_DEAD);
}

TEST(mul_div_does_not_overflow_in_between)
{
    CHECK_EQ(calibrate_mul_div(UINT64_MAX, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    CHECK_EQ(calibrate_mul_div(UINT64_C(1) << 63, 6, 12), UINT64_C(1) << 62);
    CHECK_EQ(calibrate_mul_div(7, 5, 6), 5);
    CHECK_EQ(calibrate_mul_div(0, 5, 6), 0);
    CHECK_EQ(calibrate_mul_div(UINT64_C(3500000000), UINT64_C(1) << 32, 1000000000), UINT64_C(15032385536));
}

TEST(mul_div_saturates)
{
    CHECK_EQ(calibrate_mul_div(UINT64_MAX, 3, 2), UINT64_MAX);
}

TEST(one_percent_is_the_limit_of_agreement)
{
    CHECK(calibrate_agrees(1010000, 1000000, 10));
    CHECK(!calibrate_agrees(1010001, 1000000, 10));
    CHECK(calibrate_agrees(990000, 1000000, 10));
    CHECK(!calibrate_agrees(989999, 1000000, 10));
}

TEST(cpuid_15h_without_all_three_numbers_claims_nothing)
{
    CHECK_EQ(calibrate_cpuid_15h(2, 292, 24000000), UINT64_C(3504000000));
    CHECK_EQ(calibrate_cpuid_15h(2, 292, 0), 0);
    CHECK_EQ(calibrate_cpuid_15h(0, 292, 24000000), 0);
    CHECK_EQ(calibrate_cpuid_15h(2, 0, 24000000), 0);
}
