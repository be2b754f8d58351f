/* Rings with anything in them, and any word asked for: what a dump says is whole lines with a right checksum, records come
 * in order of time, and explanations keep to their width.
 * covers: hv/trace/dump.c hv/trace/frame.c hv/trace/ring.c hv/trace/last.c hv/trace/record.c hv/trace/explain.c
 * max_len: 96 */
#include "hv/trace/dump.h"
#include "hv/trace/explain.h"
#include "hv/trace/last.h"
#include "tests/fuzz/fuzz.h"

#define RINGS 3u
#define LAST  8u

static struct trace_record records[RINGS][TRACE_RING_RECORDS];
static struct trace_ring rings[RINGS];
static const struct trace_ring *const all[RINGS] = { &rings[0], &rings[1], &rings[2] };

static const char *on_name(unsigned kind) { return kind & 1 ? "memory-mapped I/O" : "CPUID"; }
static enum trace_info on_info(unsigned kind) { return (enum trace_info)kind; }

static const char *on_partition(unsigned index, unsigned *vcpus)
{
    *vcpus = index * 1000000000u;
    return index == 1 ? NULL : index ? "linux" : "a name that is so long that no line would hold it, were it not cut in time: "
                       "it goes on and on, and nobody who reads this far will still know how it began, or what it was for";
}

static const struct trace_machine machine = {
    .version = "Trapeze", .backend = "VT-x", .tsc_hz = UINT64_MAX, .exit_kinds = 4, .exit_name = on_name, .exit_info = on_info,
    .partitions = 3, .partition = on_partition,
};

static void check_line(const char *line, unsigned sequence)
{
    char expected[24];
    size_t length = strlen(line);
    FUZZ_CHECK(length < TRACE_FRAME_SIZE && length > 20);
    for (size_t i = 0; i < length; i++)
        FUZZ_CHECK(line[i] >= ' ' && line[i] < 0x7f);
    int start = snprintf(expected, sizeof expected, "@trace %u ", sequence);
    FUZZ_CHECK(!memcmp(line, expected, (size_t)start));
    if (sequence % 8 != 7) /* the checksum of each would take most of the time */
        return;
    snprintf(expected, sizeof expected, " #%08x", trace_crc32(line, length - 10));
    FUZZ_CHECK(!strcmp(line + length - 10, expected));
}

static void dump(uint64_t limit, unsigned ring_count)
{
    struct trace_dump d;
    char line[TRACE_FRAME_SIZE];
    unsigned sequence = 0;
    trace_dump_begin(&d, &machine, all, ring_count, limit, 777);
    for (; trace_dump_line(&d, line); sequence++)
        check_line(line, sequence);
    FUZZ_CHECK(d.records <= limit * ring_count && !strncmp(strchr(line + 7, ' ') + 1, "E lines=", 8));
    FUZZ_CHECK(!trace_dump_line(&d, line));
}

static void last(const struct trace_filter *filter, size_t max)
{
    struct trace_record out[LAST];
    size_t count = trace_last_of(all, RINGS, filter, out, max);
    FUZZ_CHECK(count <= max);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(trace_wanted(filter, &out[i]));
        (void)trace_info_name(out[i].kind);
        FUZZ_CHECK(trace_type_name(out[i].type)[0]);
    }
}

static void on_line(void *ctx, const char *text)
{
    (void)ctx;
    FUZZ_CHECK(strlen(text) <= EXPLAIN_WIDTH);
}

static void explain(struct fuzz_input *in)
{
    char text[32];
    uint8_t kinds[VT_EXIT_KINDS];
    unsigned halves = fuzz_u8(in) & EXPLAIN_BOTH, length = 0;
    while (in->left && length < sizeof text - 1) {
        text[length] = (char)fuzz_u8(in);
        length += text[length] != '\0';
    }
    unsigned count = explain_find(text, length, halves, kinds);
    FUZZ_CHECK(count <= VT_EXIT_KINDS);
    for (unsigned i = 0; i < count && i < 2; i++)
        explain_print(kinds[i], halves, on_line, NULL);
    (void)explain_suggest(text, length);
}

/* The newest records are the input's. The first ring may have been overwritten: searching it takes a while. */
static void fill(struct fuzz_input *in, bool full)
{
    for (unsigned i = 0; i < RINGS; i++) {
        unsigned records_in = fuzz_u8(in) & 7;
        rings[i].records = records[i];
        rings[i].head = (i || !full ? 0 : UINT64_C(3) * TRACE_RING_RECORDS - 2) * sizeof(struct trace_record);
        while (records_in-- && in->left)
            trace_put(&rings[i], fuzz_u32(in), fuzz_u8(in), fuzz_u8(in), fuzz_u16(in), fuzz_u16(in));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t choice = fuzz_u8(&in), limits = fuzz_u8(&in);
    if (choice & 1) {
        explain(&in);
        return 0;
    }
    const struct trace_filter filter = { choice & 2 ? -1 : limits & 3, choice & 4 ? -1 : limits >> 2 & 15, choice & 8 ? 0 : 1u << 7 };
    memset(rings, 0, sizeof rings);
    fill(&in, limits >> 4 == 15);
    if (choice & 16)
        last(&filter, limits % (LAST + 1));
    else
        dump(limits & 15, choice >> 5 & 3);
    for (unsigned i = 0; i < RINGS; i++) /* what was written is forgotten again */
        for (uint64_t n = trace_written(&rings[i]); n && n + 8 > trace_written(&rings[i]); n--)
            records[i][(n - 1) % TRACE_RING_RECORDS] = (struct trace_record){ 0 };
    return 0;
}
