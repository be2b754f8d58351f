#include "hv/trace/last.h"
#include "hv/lib/str.h"

/* Where the search in a ring stands: at record `next` - 1 or before. */
struct cursor {
    uint64_t next, tsc; /* next: 0, nothing left; tsc: of the one found */
};

bool trace_wanted(const struct trace_filter *f, const struct trace_record *r)
{
    return (f->partition < 0 || r->partition == f->partition) && (f->type < 0 || r->type == f->type) &&
           (!f->kinds || (r->kind < 64 && f->kinds >> r->kind & 1));
}

/* To the one before, which is wanted. */
static void step_back(struct cursor *c, const struct trace_ring *ring, const struct trace_filter *f)
{
    struct trace_record r;
    for (; c->next && trace_read(ring, c->next - 1, &r); c->next--)
        if (trace_wanted(f, &r)) {
            c->tsc = r.tsc;
            return;
        }
    c->next = 0;
}

static struct cursor *latest(struct cursor *c, unsigned count)
{
    struct cursor *best = NULL;
    for (unsigned i = 0; i < count; i++)
        if (c[i].next && (!best || c[i].tsc > best->tsc))
            best = &c[i];
    return best;
}

size_t trace_last_of(const struct trace_ring *const *rings, unsigned count, const struct trace_filter *f,
                     struct trace_record *out, size_t max)
{
    struct cursor cursors[TRACE_MAX_RINGS] = { { 0 } }, *c;
    size_t at = max;
    count = MIN(count, TRACE_MAX_RINGS);
    for (unsigned i = 0; i < count; i++) {
        cursors[i].next = rings[i] ? trace_written(rings[i]) : 0;
        step_back(&cursors[i], rings[i], f);
    }
    while (at && (c = latest(cursors, count))) {
        const struct trace_ring *ring = rings[c - cursors];
        if (trace_read(ring, c->next - 1, &out[at - 1]))
            at--;
        c->next--;
        step_back(c, ring, f);
    }
    memmove(out, out + at, (max - at) * sizeof *out);
    return max - at;
}
