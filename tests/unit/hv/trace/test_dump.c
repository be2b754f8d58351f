#include <stdlib.h>
#include <string.h>
#include "hv/trace/dump.h"
#include "tests/unit/test.h"

static const char *exit_name(unsigned kind) { return kind ? "memory-mapped I/O" : "CPUID"; }
static enum trace_info exit_info(unsigned kind) { return kind ? TRACE_INFO_GPA : TRACE_INFO_EAX; }

static const char *partition_name(unsigned index, unsigned *vcpus)
{
    *vcpus = 2;
    return index == 1 ? NULL : "linux";
}

static const struct trace_machine machine = {
    .version = "Trapeze 0.1", .backend = "vmx", .tsc_hz = 50000000, .exit_kinds = 2, .exit_name = exit_name,
    .exit_info = exit_info, .partitions = 3, .partition = partition_name,
};

static struct trace_ring rings[2];
static const struct trace_ring *const both[2] = { &rings[0], &rings[1] };
static char lines[8192][TRACE_FRAME_SIZE];

static void fill(unsigned first, unsigned second)
{
    for (unsigned i = 0; i < 2; i++) {
        free(rings[i].records);
        rings[i] = (struct trace_ring){ .records = calloc(1, TRACE_RING_BYTES) };
        for (unsigned n = 0; n < (i ? second : first); n++)
            trace_put(&rings[i], TRACE_WHO(TRACE_RUN, 0, i), 1, n, 0, 0);
    }
}

static unsigned dump(uint64_t limit)
{
    struct trace_dump d;
    unsigned n = 0;
    trace_dump_begin(&d, &machine, both, 2, limit, 777);
    while (n < ARRAY_SIZE(lines) && trace_dump_line(&d, lines[n]))
        n++;
    return n;
}

/* The line without its frame: "P 0 2 linux". NULL: its frame is wrong. */
static const char *body(unsigned n)
{
    static char text[TRACE_FRAME_SIZE];
    unsigned sequence, crc;
    int at;
    char *hash = strrchr(lines[n], '#');
    if (!hash || sscanf(hash, "#%8x", &crc) != 1 || trace_crc32(lines[n], (size_t)(hash - 1 - lines[n])) != crc)
        return NULL;
    if (sscanf(lines[n], "@trace %u %n", &sequence, &at) != 1 || sequence != n)
        return NULL;
    snprintf(text, sizeof text, "%.*s", (int)(hash - 1 - lines[n]) - at, lines[n] + at);
    return text;
}

#define LINE(n, text) CHECK(body(n) && !strcmp(body(n), text))

TEST(a_dump_begins_with_all_that_its_reader_needs)
{
    fill(0, 0);
    CHECK_EQ(dump(UINT64_MAX), 1 + (TRACE_TYPES - 1) + 2 + 2 + 2 + 1);
    LINE(0, "H format=1 record=32 tsc-hz=50000000 now=777 pcpus=2 capacity=16384 backend=vmx version=Trapeze 0.1");
    LINE(1, "T 1 exit");
    LINE(TRACE_TYPES - 1, "T 11 partition");
    LINE(TRACE_TYPES, "K 0 eax CPUID");
    LINE(TRACE_TYPES + 1, "K 1 gpa memory-mapped I/O");
    LINE(TRACE_TYPES + 2, "P 0 2 linux");
    LINE(TRACE_TYPES + 3, "P 2 2 linux");
    LINE(TRACE_TYPES + 4, "C 0 0 0");
    LINE(TRACE_TYPES + 5, "C 1 0 0");
    LINE(TRACE_TYPES + 6, "E lines=19 records=0 missing=0");
}

TEST(each_rings_records_follow_its_first_line_in_batches)
{
    fill(5, 1);
    unsigned n = dump(UINT64_MAX);
    LINE(n - 6, "C 0 5 0");
    CHECK(body(n - 5) && !strncmp(body(n - 5), "R 0 0 AAAA", 10));
    CHECK_EQ(strlen(body(n - 5)), 6 + 172);
    CHECK(!strncmp(body(n - 4), "R 0 4 BAAA", 10));
    LINE(n - 3, "C 1 1 0");
    CHECK(!strncmp(body(n - 2), "R 1 0 AAAA", 10));
    LINE(n - 1, "E lines=22 records=6 missing=0");
}

TEST(only_the_last_are_dumped_if_asked_for)
{
    fill(9, 0);
    unsigned n = dump(2);
    LINE(n - 4, "C 0 9 7");
    CHECK(!strncmp(body(n - 3), "R 0 7 BwAA", 10));
    LINE(n - 1, "E lines=20 records=2 missing=0");
}

TEST(a_full_ring_says_how_many_were_overwritten)
{
    fill(TRACE_RING_RECORDS + 3, 0);
    unsigned n = dump(UINT64_MAX);
    LINE(TRACE_TYPES + 4, "C 0 16387 4");
    LINE(n - 1, "E lines=4115 records=16383 missing=0");
}

TEST(what_is_overwritten_during_the_dump_is_counted)
{
    struct trace_dump d;
    fill(TRACE_RING_RECORDS, 0);
    trace_dump_begin(&d, &machine, both, 2, UINT64_MAX, 0);
    for (unsigned i = 0; i < TRACE_TYPES + 5; i++)
        CHECK(trace_dump_line(&d, lines[i]));
    for (unsigned i = 0; i < 6; i++)
        trace_put(&rings[0], 0, 0, 0, 0, 0);
    unsigned n = TRACE_TYPES + 5;
    while (trace_dump_line(&d, lines[n]))
        n++;
    LINE(TRACE_TYPES + 4, "C 0 16384 1");
    CHECK(!strncmp(body(TRACE_TYPES + 5), "R 0 7 ", 6));
    CHECK(strstr(body(n - 1), "records=16377 missing=6"));
}

TEST(the_longest_line_fits)
{
    fill(4, 0);
    struct trace_dump d;
    trace_dump_begin(&d, &machine, both, 1, UINT64_MAX, UINT64_MAX);
    d.sequence = 4000000000;
    char out[TRACE_FRAME_SIZE];
    while (trace_dump_line(&d, out))
        CHECK(strlen(out) < TRACE_FRAME_SIZE - 20); /* room for the numbers of a ring that ran for years */
}

TEST(records_that_a_copy_lost_are_counted)
{
    fill(6, 0);
    rings[0].records[1].type = TRACE_NOTHING;
    unsigned n = dump(UINT64_MAX);
    CHECK(!strncmp(body(n - 4), "R 0 0 AAAA", 10));
    CHECK_EQ(strlen(body(n - 4)), 6 + 44);
    CHECK(!strncmp(body(n - 3), "R 0 2 AgAA", 10));
    LINE(n - 1, "E lines=21 records=5 missing=1");
}
