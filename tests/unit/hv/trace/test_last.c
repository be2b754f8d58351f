#include <stdlib.h>
#include "hv/trace/last.h"
#include "tests/unit/test.h"

static struct trace_ring rings[2];
static const struct trace_ring *const both[3] = { &rings[0], NULL, &rings[1] };
static const struct trace_filter all = { -1, -1, 0 };
static struct trace_record out[8];

static void fresh(void)
{
    for (unsigned i = 0; i < 2; i++) {
        free(rings[i].records);
        rings[i] = (struct trace_ring){ .records = calloc(1, TRACE_RING_BYTES) };
    }
}

static void put(unsigned ring, unsigned partition, uint8_t kind, uint64_t tsc)
{
    trace_put(&rings[ring], TRACE_WHO(TRACE_EXIT, partition, 0), kind, tsc, 0, 0);
}

TEST(two_rings_are_merged_by_time)
{
    fresh();
    put(0, 1, 0, 10), put(1, 1, 0, 20), put(0, 1, 0, 30), put(1, 1, 0, 40);
    CHECK_EQ(trace_last_of(both, 3, &all, out, 8), 4);
    CHECK(out[0].tsc == 10 && out[1].tsc == 20 && out[2].tsc == 30 && out[3].tsc == 40);
    CHECK_EQ(trace_last_of(both, 3, &all, out, 2), 2);
    CHECK(out[0].tsc == 30 && out[1].tsc == 40);
}

TEST(only_what_is_wanted_is_taken)
{
    fresh();
    put(0, 1, 5, 10), put(0, 2, 5, 20), put(0, 1, 6, 30), put(1, 1, 5, 40);
    trace_put(&rings[1], TRACE_WHO(TRACE_INJECT, 1, 0), 5, 50, 0, 0);
    CHECK_EQ(trace_last_of(both, 3, &(struct trace_filter){ 1, TRACE_EXIT, 1u << 5 | 1u << 7 }, out, 8), 2);
    CHECK(out[0].tsc == 10 && out[1].tsc == 40);
    CHECK_EQ(trace_last_of(both, 3, &(struct trace_filter){ 2, -1, 0 }, out, 8), 1);
    CHECK_EQ(out[0].tsc, 20);
    CHECK_EQ(trace_last_of(both, 3, &(struct trace_filter){ 3, -1, 0 }, out, 8), 0);
}

TEST(nothing_is_found_in_no_rings_and_empty_rings)
{
    fresh();
    CHECK_EQ(trace_last_of(both, 3, &all, out, 8), 0);
    CHECK_EQ(trace_last_of(both, 0, &all, out, 8), 0);
}

TEST(the_search_ends_where_records_were_overwritten)
{
    fresh();
    put(0, 1, 0, 1);
    for (unsigned i = 0; i < TRACE_RING_RECORDS; i++)
        put(0, 2, 0, 2 + i);
    CHECK_EQ(trace_last_of(both, 3, &(struct trace_filter){ 1, -1, 0 }, out, 8), 0);
    CHECK_EQ(trace_last_of(both, 3, &(struct trace_filter){ 2, -1, 0 }, out, 8), 8);
    CHECK_EQ(out[7].tsc, TRACE_RING_RECORDS + 1);
}
