/* All rings as lines of text (hv/trace/frame.h), with all names that a reader needs. docs/trace.md has the format.
 * Pure and without memory of its own: one line at a time, so that a slow terminal sets the pace. */
#ifndef HV_TRACE_DUMP_H
#define HV_TRACE_DUMP_H

#include "hv/trace/frame.h"
#include "hv/trace/machine.h"
#include "hv/trace/ring.h"

#define TRACE_DUMP_FORMAT 1
#define TRACE_DUMP_BATCH  4 /* records in a line */

struct trace_dump {
    const struct trace_machine *machine;
    const struct trace_ring *const *rings;
    unsigned ring_count;
    uint64_t now, limit;
    unsigned part;             /* which kind of line comes next */
    unsigned index;            /* the next of its kind */
    uint64_t next, end;        /* records of ring `index` */
    unsigned sequence;
    uint64_t records, missing;
};

/* The last `limit` records of each ring. They should stand still meanwhile: what is overwritten before its turn is counted
 * as missing. `now`: host TSC, for the reader to know how old the last record is. All is kept by reference. */
void trace_dump_begin(struct trace_dump *d, const struct trace_machine *machine, const struct trace_ring *const *rings,
                      unsigned ring_count, uint64_t limit, uint64_t now);

/* The next line, without '\n'; false: that was all. */
bool trace_dump_line(struct trace_dump *d, char out[TRACE_FRAME_SIZE]);

#endif
