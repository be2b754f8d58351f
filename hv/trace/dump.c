#include "hv/trace/dump.h"

void trace_dump_begin(struct trace_dump *d, const struct trace_machine *machine, const struct trace_ring *const *rings,
                      unsigned ring_count, uint64_t limit, uint64_t now)
{
    *d = (struct trace_dump){ .machine = machine, .rings = rings, .ring_count = ring_count, .limit = limit, .now = now };
}

/* Each writes the next line of its kind; false: there is none, or no more. */
typedef bool (*part_t)(struct trace_dump *d, char *out);

static bool header(struct trace_dump *d, char *out)
{
    if (d->index++)
        return false;
    trace_frame(out, d->sequence, "H format=%u record=%zu tsc-hz=%lu now=%lu pcpus=%u capacity=%u backend=%s version=%s",
                TRACE_DUMP_FORMAT, sizeof(struct trace_record), d->machine->tsc_hz,
                d->now, d->ring_count, TRACE_RING_RECORDS, d->machine->backend, d->machine->version);
    return true;
}

static bool type_name(struct trace_dump *d, char *out)
{
    unsigned type = ++d->index; /* from 1: TRACE_NOTHING is in no dump */
    if (type >= TRACE_TYPES)
        return false;
    trace_frame(out, d->sequence, "T %u %s", type, trace_type_name(type));
    return true;
}

static bool exit_kind(struct trace_dump *d, char *out)
{
    unsigned kind = d->index++;
    if (kind >= d->machine->exit_kinds)
        return false;
    trace_frame(out, d->sequence, "K %u %s %s", kind, trace_info_name(d->machine->exit_info(kind)), d->machine->exit_name(kind));
    return true;
}

static bool partition(struct trace_dump *d, char *out)
{
    while (d->index < d->machine->partitions) {
        unsigned index = d->index++, vcpus = 0;
        const char *name = d->machine->partition(index, &vcpus);
        if (!name)
            continue;
        trace_frame(out, d->sequence, "P %u %u %s", index, vcpus, name);
        return true;
    }
    return false;
}

static void begin_ring(struct trace_dump *d, const struct trace_ring *ring, char *out)
{
    uint64_t oldest = trace_oldest(ring);
    d->end = trace_written(ring);
    d->next = d->end - MIN(d->end - oldest, d->limit);
    trace_frame(out, d->sequence, "C %u %lu %lu", d->index, d->end, d->next);
}

static bool ring_start(struct trace_dump *d, char *out)
{
    if (d->index >= d->ring_count)
        return false;
    begin_ring(d, d->rings[d->index], out);
    return true;
}

/* A batch ends before one that has been overwritten: the numbers in a line follow each other. */
static unsigned read_batch(struct trace_dump *d, struct trace_record *batch)
{
    unsigned n = 0;
    while (n < TRACE_DUMP_BATCH && d->next + n < d->end && trace_read(d->rings[d->index], d->next + n, &batch[n]) &&
           batch[n].type != TRACE_NOTHING)
        n++;
    return n;
}

static bool records(struct trace_dump *d, char *out)
{
    struct trace_record batch[TRACE_DUMP_BATCH];
    char text[(sizeof batch + 2) / 3 * 4 + 1];
    unsigned n = 0;
    while (d->next < d->end && !(n = read_batch(d, batch))) {
        d->next++;
        d->missing++;
    }
    if (!n)
        return false;
    trace_base64(text, batch, n * sizeof batch[0]);
    trace_frame(out, d->sequence, "R %u %lu %s", d->index, d->next, text);
    d->next += n;
    d->records += n;
    return true;
}

static bool end(struct trace_dump *d, char *out)
{
    if (d->index++)
        return false;
    trace_frame(out, d->sequence, "E lines=%u records=%lu missing=%lu", d->sequence + 1, d->records,
                d->missing);
    return true;
}

enum { PART_RING = 4, PART_RECORDS = 5 };
static const part_t parts[] = { header, type_name, exit_kind, partition, [PART_RING] = ring_start, [PART_RECORDS] = records, end };

/* A ring's records follow its first line, and the next ring follows those. */
static void next_part(struct trace_dump *d)
{
    if (d->part == PART_RECORDS && d->index + 1 < d->ring_count) {
        d->part = PART_RING;
        d->index++;
        return;
    }
    d->part++;
    d->index = 0;
}

bool trace_dump_line(struct trace_dump *d, char out[TRACE_FRAME_SIZE])
{
    for (; d->part < ARRAY_SIZE(parts); next_part(d)) {
        if (!parts[d->part](d, out))
            continue;
        d->sequence++;
        if (d->part == PART_RING)
            d->part = PART_RECORDS; /* of the same ring */
        return true;
    }
    return false;
}
