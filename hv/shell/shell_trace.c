/* The commands about exits: counted, one by one, the next one, and all of them for a tool. */
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/shell/shell_command.h"
#include "hv/trace/explain.h"
#include "hv/trace/show.h"

#define DEFAULT_RECORDS 20
#define WATCH_NS        UINT64_C(1000000000)
#define LINES_A_TICK    32 /* of a dump: the guests of this CPU wait meanwhile */

typedef const struct shell_command command_t;
typedef const struct shell_call call_t;
typedef const struct shell_words words_t;
typedef unsigned long long ull;

/* ---- exits ------------------------------------------------------------------------------------------------------- */

/* The most expensive kinds first: a selection sort, for the lists are short. */
static void sort_exits(struct shell_exit *e, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t most = i;
        for (size_t k = i + 1; k < count; k++)
            if (e[k].ticks > e[most].ticks || (e[k].ticks == e[most].ticks && e[k].count > e[most].count))
                most = k;
        struct shell_exit swap = e[i];
        e[i] = e[most];
        e[most] = swap;
    }
}

/* part/whole in per mille, without overflow. */
static unsigned permille(uint64_t part, uint64_t whole)
{
    while (whole > UINT64_MAX / 1000) {
        whole >>= 1;
        part >>= 1;
    }
    return whole ? (unsigned)(part * 1000 / whole) : 0;
}

static void print_exit(struct shell *s, const struct shell_exit *e, uint64_t all_ticks)
{
    unsigned share = permille(e->ticks, all_ticks);
    char median[16] = "-", high[16] = "-";
    if (e->high) {
        fmt_print(median, sizeof median, "%u", e->median);
        fmt_print(high, sizeof high, "%u", e->high);
    }
    shell_line(s, "%-17s %12llu %10llu %4u.%u%% %9llu %9s %9s", e->kind, (ull)e->count, (ull)(e->ticks / e->count),
               share / 10, share % 10, (ull)e->per_s, median, high);
}

static void print_exits(struct shell *s, size_t partition)
{
    size_t count = s->ops->exits(s->ops->ctx, partition, s->exits, SHELL_MAX_EXITS);
    struct shell_exit all = { .kind = "all" };
    count = MIN(count, (size_t)SHELL_MAX_EXITS);
    for (size_t i = 0; i < count; i++) {
        all.count += s->exits[i].count;
        all.ticks += s->exits[i].ticks;
        all.per_s += s->exits[i].per_s;
    }
    sort_exits(s->exits, count);
    shell_line(s, "%-17s %12s %10s %6s %9s %9s %9s", "EXIT", "COUNT", "TICKS/EXIT", "TIME", "EXITS/s", "MEDIAN", "99%");
    for (size_t i = 0; i < count; i++)
        if (s->exits[i].count)
            print_exit(s, &s->exits[i], all.ticks);
    if (all.count)
        print_exit(s, &all, all.ticks);
    else
        shell_line(s, "no exits yet");
}

static bool watch(struct shell *s, uint64_t now)
{
    if (now < s->job.due)
        return true;
    s->job.due = now + WATCH_NS;
    con_monitor_write(s->con, "\033[H\033[2J", 7);
    shell_refresh(s);
    shell_line(s, "%s: press a key to end", s->job.partition == SHELL_ALL ? "all guests" : s->partitions[s->job.partition].name);
    print_exits(s, s->job.partition);
    return true;
}

/* The name may stand before or behind the option. */
void shell_run_exits(struct shell *s, command_t *self, call_t *call)
{
    words_t *w = call->words;
    size_t partition = SHELL_ALL;
    bool watched = false, named = false;
    for (size_t i = 1; i < w->count; i++) {
        if (shell_is_word(w, i, "--watch")) {
            watched = true;
        } else if (named || w->text[i][0] == '-') {
            shell_usage(s, self);
            return;
        } else if (!shell_partition_word(s, self->name, w, i, &partition)) {
            return;
        } else {
            named = true;
        }
    }
    s->job.partition = partition;
    if (watched)
        shell_start_job(s, watch, NULL);
    else
        print_exits(s, partition);
}

/* ---- trace ------------------------------------------------------------------------------------------------------- */

static const struct trace_machine *machine_or_say(struct shell *s, command_t *self)
{
    const struct trace_machine *m = s->ops->trace_machine(s->ops->ctx);
    if (!m)
        shell_line(s, "%s: the trace is switched off: without=trace is on the hypervisor's command line", self->name);
    return m;
}

static void print_record(struct shell *s, const struct trace_machine *m, const struct trace_record *r)
{
    char insn[TRACE_SHOW_SIZE] = "", line[2 * TRACE_SHOW_SIZE];
    if (r->type != TRACE_EXIT || !s->ops->instruction(s->ops->ctx, r, insn, sizeof insn))
        insn[0] = '\0';
    trace_show(m, r, insn, line, sizeof line);
    shell_line(s, "%s", line);
}

/* A type of record, or kinds of exits. */
static bool parse_kind(struct shell *s, command_t *self, words_t *w, size_t i, struct trace_filter *f)
{
    for (unsigned type = TRACE_EXIT; type < TRACE_TYPES; type++)
        if (shell_is_word(w, i, trace_type_name(type))) {
            f->type = (int)type;
            return true;
        }
    uint8_t kinds[VT_EXIT_KINDS];
    unsigned count = explain_find(w->text[i], w->len[i], explain_half_of(s->ops->backend(s->ops->ctx)), kinds);
    for (unsigned k = 0; k < count; k++)
        f->kinds |= UINT64_C(1) << kinds[k];
    f->type = TRACE_EXIT;
    if (!count) {
        const char *near = explain_suggest(w->text[i], w->len[i]);
        shell_line(s, "%s: there is no kind \"%.*s\"%s%s; explain lists those of exits, and there are inject run leave idle wake "
                   "steal interrupt timer line partition", self->name, (int)w->len[i], w->text[i], near ? ": did you mean " : "",
                   near ? near : "");
    }
    return count;
}

_Static_assert(VT_EXIT_KINDS <= 64, "struct trace_filter has a bit for each kind");

/* False: it is no number, or one out of range, and that was said. */
static bool parse_count(struct shell *s, command_t *self, words_t *w, size_t i, uint64_t max, uint64_t *count)
{
    if (fmt_parse_u64(w->text[i], w->len[i], count) && *count >= 1 && *count <= max)
        return true;
    shell_line(s, "%s: \"%.*s\" is not a number from 1 to %llu", self->name, (int)w->len[i], w->text[i], (ull)max);
    return false;
}

static bool dump(struct shell *s, uint64_t now)
{
    char line[TRACE_FRAME_SIZE];
    for (unsigned i = 0; i < LINES_A_TICK && !con_is_congested(s->con); i++) {
        if (!s->ops->dump_line(s->ops->ctx, line))
            return false;
        shell_line(s, "%s", line);
    }
    return true;
}

static void end_dump(struct shell *s)
{
    s->ops->dump_end(s->ops->ctx);
}

static void start_dump(struct shell *s, command_t *self, words_t *w)
{
    uint64_t limit = UINT64_MAX;
    if (w->count > 3) {
        shell_line(s, "usage: trace dump [N]");
        return;
    }
    if (w->count == 3 && !parse_count(s, self, w, 2, TRACE_RING_RECORDS, &limit))
        return;
    const char *why = s->ops->dump_begin(s->ops->ctx, limit);
    if (why)
        shell_line(s, "trace dump: %s", why);
    else
        shell_start_job(s, dump, end_dump);
}

static void print_trace(struct shell *s, const struct trace_machine *m, size_t partition, const struct trace_filter *f, size_t max)
{
    size_t count = s->ops->trace(s->ops->ctx, partition, f, s->records, max);
    if (!count) {
        shell_line(s, "there is nothing of that in the trace");
        return;
    }
    shell_line(s, "%s", trace_show_title);
    for (size_t i = 0; i < count; i++)
        print_record(s, m, &s->records[i]);
}

static bool is_number(words_t *w, size_t i)
{
    return w->text[i][0] >= '0' && w->text[i][0] <= '9';
}

void shell_run_trace(struct shell *s, command_t *self, call_t *call)
{
    words_t *w = call->words;
    struct trace_filter f = { -1, -1, 0 };
    uint64_t count = DEFAULT_RECORDS;
    size_t partition, i = 2;
    const struct trace_machine *m = w->count < 2 ? NULL : machine_or_say(s, self);
    if (w->count < 2)
        shell_usage(s, self);
    if (!m)
        return;
    if (shell_is_word(w, 1, "dump")) {
        start_dump(s, self, w);
        return;
    }
    if (!shell_partition_word(s, self->name, w, 1, &partition))
        return;
    if (i < w->count && is_number(w, i) && !parse_count(s, self, w, i++, SHELL_TRACE_MAX, &count))
        return;
    if (i < w->count && !parse_kind(s, self, w, i++, &f))
        return;
    if (i < w->count)
        shell_usage(s, self);
    else
        print_trace(s, m, partition, &f, count);
}

/* ---- step -------------------------------------------------------------------------------------------------------- */

static bool await_step(struct shell *s, uint64_t now)
{
    struct trace_record r;
    size_t partition = s->job.partition;
    switch (s->ops->step_poll(s->ops->ctx, partition, &r)) {
    case SHELL_STEP_RUNS:
        return true;
    case SHELL_STEP_ENDED:
        shell_line(s, "step: %s ended; list says why", s->partitions[partition].name);
        return false;
    case SHELL_STEP_DONE:
        shell_line(s, "%s", trace_show_title);
        print_record(s, s->ops->trace_machine(s->ops->ctx), &r);
        explain_briefly(r.kind, shell_print_line, s);
        return false;
    }
    return false;
}

static void end_step(struct shell *s)
{
    struct trace_record r;
    const char *name = s->partitions[s->job.partition].name;
    bool waited = s->ops->step_poll(s->ops->ctx, s->job.partition, &r) == SHELL_STEP_RUNS;
    s->ops->step_cancel(s->ops->ctx, s->job.partition);
    if (waited)
        shell_line(s, "step: no exit of %s was seen; it is paused now: resume %s lets it go on", name, name);
}

void shell_run_step(struct shell *s, command_t *self, call_t *call)
{
    if (!machine_or_say(s, self))
        return;
    const char *why = s->ops->step_begin(s->ops->ctx, call->partition);
    if (why) {
        shell_line(s, "%s: %s: %s", self->name, s->partitions[call->partition].name, why);
        return;
    }
    shell_line(s, "%s: %s runs to the next exit of its own and stays paused there; a key ends the waiting", self->name,
               s->partitions[call->partition].name);
    s->job.partition = call->partition;
    shell_start_job(s, await_step, end_step);
}
