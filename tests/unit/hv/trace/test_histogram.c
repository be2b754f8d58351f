#include "hv/trace/histogram.h"
#include "tests/unit/test.h"

TEST(an_empty_histogram_has_percentiles_of_0)
{
    static struct trace_histogram h;
    CHECK_EQ(trace_histogram_percentile(&h, 50), 0);
    CHECK_EQ(trace_histogram_percentile(&h, 99), 0);
}

TEST(one_value_is_every_percentile)
{
    static struct trace_histogram h;
    trace_histogram_add(&h, 31);
    CHECK_EQ(trace_histogram_percentile(&h, 0), 31);
    CHECK_EQ(trace_histogram_percentile(&h, 50), 31);
    CHECK_EQ(trace_histogram_percentile(&h, 100), 31);
}

TEST(median_and_99th_percentile_of_a_hundred)
{
    static struct trace_histogram h;
    for (unsigned i = 0; i < 98; i++)
        trace_histogram_add(&h, 10);
    trace_histogram_add(&h, 1000);
    trace_histogram_add(&h, 5000);
    CHECK_EQ(trace_histogram_percentile(&h, 50), 10);
    CHECK_EQ(trace_histogram_percentile(&h, 98), 10);
    CHECK_EQ(trace_histogram_percentile(&h, 99), 992); /* 1000 lies in 992-1023 */
    CHECK_EQ(trace_histogram_percentile(&h, 100), 4864);
}

TEST(every_value_lies_at_most_a_sixteenth_above_its_bucket)
{
    for (uint64_t v = 0; v <= UINT32_MAX; v = v * 33 / 32 + 1) {
        struct trace_histogram h = { 0 };
        trace_histogram_add(&h, (uint32_t)v);
        uint64_t start = trace_histogram_percentile(&h, 50);
        CHECK(start <= v && (v - start) * 16 <= v);
        CHECK(v >= 32 || start == v);
    }
    struct trace_histogram h = { 0 };
    trace_histogram_add(&h, UINT32_MAX);
    CHECK_EQ(trace_histogram_percentile(&h, 50), 0xf8000000);
}
