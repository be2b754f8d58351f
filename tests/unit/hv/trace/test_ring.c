#include <stdlib.h>
#include <string.h>
#include "hv/trace/ring.h"
#include "tests/unit/test.h"

static struct trace_ring ring;

static void fresh(void)
{
    free(ring.records);
    ring = (struct trace_ring){ .records = calloc(1, TRACE_RING_BYTES) };
}

static void put(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        trace_put(&ring, TRACE_WHO(TRACE_WAKE, 3, 5), 7, trace_written(&ring) + 100, 0, 0);
}

TEST(a_record_is_read_as_it_was_written)
{
    struct trace_record r;
    fresh();
    trace_put(&ring, TRACE_WHO(TRACE_INJECT, 15, 2), 0x30, 1000, 0xffffffff81000000, TRACE_INJECT_HAS_ERROR | 3);
    CHECK(trace_read(&ring, 0, &r));
    CHECK_EQ(r.tsc, 1000);
    CHECK_EQ(r.rip, 0xffffffff81000000);
    CHECK_EQ(r.info, 0x103);
    CHECK_EQ(r.kind, 0x30);
    CHECK_EQ(r.type, TRACE_INJECT);
    CHECK_EQ(r.partition, 15);
    CHECK_EQ(r.vcpu, 2);
    CHECK_EQ(r.ticks, 0);
}

TEST(who_and_kind_are_the_bytes_of_one_number)
{
    struct trace_record r = { 0 };
    r.who = TRACE_WHO(TRACE_EXIT, 4, 9) | 17;
    CHECK(r.ticks == 0 && r.kind == 17 && r.type == TRACE_EXIT && r.partition == 4 && r.vcpu == 9);
}

TEST(nothing_is_read_from_an_empty_ring)
{
    struct trace_record r;
    fresh();
    CHECK_EQ(trace_written(&ring), 0);
    CHECK(!trace_read(&ring, 0, &r));
    put(1);
    CHECK(!trace_read(&ring, 1, &r));
}

TEST(a_ring_that_is_none_takes_records_and_keeps_nothing)
{
    trace_put(NULL, 0, 0, 0, 0, 0);
}

TEST(the_oldest_are_overwritten_and_that_is_known)
{
    struct trace_record r;
    fresh();
    put(TRACE_RING_RECORDS + 10);
    CHECK_EQ(trace_written(&ring), TRACE_RING_RECORDS + 10);
    CHECK_EQ(trace_oldest(&ring), 11); /* the slot of number 10 is the next to be written */
    CHECK(!trace_read(&ring, 9, &r));
    CHECK(!trace_read(&ring, 10, &r));
    CHECK(trace_read(&ring, 11, &r));
    CHECK_EQ(r.tsc, 111);
    CHECK(trace_read(&ring, TRACE_RING_RECORDS + 9, &r));
    CHECK_EQ(r.tsc, TRACE_RING_RECORDS + 109);
}

TEST(an_open_record_is_not_yet_seen)
{
    struct trace_record r;
    fresh();
    put(3);
    trace_ring_open(&ring)->tsc = 1;
    CHECK_EQ(trace_written(&ring), 3);
    CHECK(!trace_read(&ring, 3, &r));
    trace_ring_close(&ring);
    CHECK(trace_read(&ring, 3, &r));
    CHECK_EQ(r.tsc, 1);
}

TEST(every_type_and_layout_has_a_word)
{
    for (unsigned i = 0; i < TRACE_TYPES; i++)
        CHECK(trace_type_name(i) && strlen(trace_type_name(i)) > 1);
    for (unsigned i = 0; i < TRACE_INFOS; i++)
        CHECK(trace_info_name(i) && strlen(trace_info_name(i)) > 1);
    CHECK(!strcmp(trace_type_name(TRACE_TYPES), "?"));
    CHECK(!strcmp(trace_info_name(TRACE_INFOS), "?"));
}

TEST(a_copy_holds_what_could_be_read)
{
    struct trace_record r;
    struct trace_ring copy = { .records = calloc(1, TRACE_RING_BYTES) };
    fresh();
    put(TRACE_RING_RECORDS + 5);
    trace_copy(&copy, &ring);
    CHECK_EQ(trace_written(&copy), TRACE_RING_RECORDS + 5);
    CHECK(trace_read(&copy, 6, &r));
    CHECK_EQ(r.tsc, 106);
    CHECK(trace_read(&copy, TRACE_RING_RECORDS + 4, &r));
    CHECK_EQ(r.tsc, TRACE_RING_RECORDS + 104);
    free(copy.records);
}
