#include "hv/shell/shell_command.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/lib/suggest.h"

#define PROMPT "trapeze> "

static void write(void *shell, const char *text, size_t len)
{
    struct shell *s = shell;
    con_monitor_write(s->con, text, len);
}

void shell_line(struct shell *s, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    size_t len = fmt_vprint(text, sizeof text - 1, format, args);
    va_end(args);
    len = MIN(len, sizeof text - 2);
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] == 0x7F)
            text[i] = '?';
    text[len++] = '\n';
    write(s, text, len);
}

void shell_print_line(void *shell, const char *text)
{
    shell_line(shell, "%s", text);
}

void shell_refresh(struct shell *s)
{
    size_t count = s->ops->partitions(s->ops->ctx, s->partitions, SHELL_MAX_PARTITIONS);
    s->partition_count = MIN(count, (size_t)SHELL_MAX_PARTITIONS);
}

/* False if there are more than SHELL_MAX_WORDS. */
static bool split(const char *line, struct shell_words *w)
{
    w->count = 0;
    for (;;) {
        while (*line == ' ')
            line++;
        if (!*line)
            return true;
        if (w->count == SHELL_MAX_WORDS)
            return false;
        w->text[w->count] = line;
        while (*line && *line != ' ')
            line++;
        w->len[w->count] = (size_t)(line - w->text[w->count]);
        w->count++;
    }
}

static const struct shell_command *find_command(const char *text, size_t len)
{
    for (size_t i = 0; i < shell_command_count; i++)
        if (str_is(shell_commands[i].name, text, len))
            return &shell_commands[i];
    return NULL;
}

/* By name, else by number as `list` and Ctrl-] count: from 1. */
static bool find_partition(struct shell *s, const char *text, size_t len, size_t *index)
{
    uint64_t number;
    shell_refresh(s);
    for (size_t i = 0; i < s->partition_count; i++)
        if (str_is(s->partitions[i].name, text, len)) {
            *index = i;
            return true;
        }
    if (!fmt_parse_u64(text, len, &number) || number < 1 || number > s->partition_count)
        return false;
    *index = (size_t)number - 1;
    return true;
}

/* Which of the known words is nearest to what was typed. */
struct nearest {
    const char *text;
    size_t len;
    unsigned distance;
    const char *name; /* NULL: none is near */
};

static void consider(struct nearest *n, const char *name)
{
    unsigned distance = suggest_distance(n->text, n->len, name);
    if (distance <= suggest_limit(n->len) && (!n->name || distance < n->distance)) {
        n->distance = distance;
        n->name = name;
    }
}

static void no_such_partition(struct shell *s, const char *command, const char *text, size_t len)
{
    struct nearest n = { .text = text, .len = len };
    for (size_t i = 0; i < s->partition_count; i++)
        consider(&n, s->partitions[i].name);
    if (n.name)
        shell_line(s, "%s: there is no partition \"%.*s\": did you mean %s?", command, (int)len, text, n.name);
    else
        shell_line(s, "%s: there is no partition \"%.*s\"; list shows them", command, (int)len, text);
}

static void no_such_command(struct shell *s, const char *text, size_t len)
{
    struct nearest n = { .text = text, .len = len };
    for (size_t i = 0; i < shell_command_count; i++)
        consider(&n, shell_commands[i].name);
    if (n.name)
        shell_line(s, "there is no command \"%.*s\": did you mean %s?", (int)len, text, n.name);
    else
        shell_line(s, "there is no command \"%.*s\"; help lists them", (int)len, text);
}

bool shell_partition_word(struct shell *s, const char *command, const struct shell_words *w, size_t i, size_t *index)
{
    if (find_partition(s, w->text[i], w->len[i], index))
        return true;
    no_such_partition(s, command, w->text[i], w->len[i]);
    return false;
}

bool shell_is_word(const struct shell_words *w, size_t i, const char *text)
{
    return i < w->count && str_is(text, w->text[i], w->len[i]);
}

void shell_usage(struct shell *s, const struct shell_command *c)
{
    shell_line(s, "usage: %s%s%s", c->name, *c->usage ? " " : "", c->usage);
}

static bool take_arguments(struct shell *s, const struct shell_command *c, const struct shell_words *w, struct shell_call *call)
{
    if (c->argument == SHELL_WORDS) {
        call->words = w;
        return true;
    }
    bool more = c->argument == SHELL_PARTITION_AND_REST;
    size_t least = more || c->argument == SHELL_PARTITION ? 2 : 1;
    size_t most = more ? SHELL_MAX_WORDS : c->argument == SHELL_NO_ARGUMENT ? 1 : 2;
    if (w->count < least || w->count > most) {
        shell_usage(s, c);
        return false;
    }
    if (w->count < 2)
        return true;
    if (c->argument == SHELL_OPTIONAL_WORD) {
        call->word = w->text[1];
        call->word_len = w->len[1];
        return true;
    }
    if (c->argument == SHELL_OPTIONAL_NUMBER) {
        if (fmt_parse_u64(w->text[1], w->len[1], &call->number))
            return true;
        shell_line(s, "%s: \"%.*s\" is not a number", c->name, (int)w->len[1], w->text[1]);
        return false;
    }
    call->rest = w->count > 2 ? w->text[2] : NULL;
    return shell_partition_word(s, c->name, w, 1, &call->partition);
}

void shell_run(struct shell *s, const char *line)
{
    struct shell_words w;
    struct shell_call call = { 0 };
    bool few = split(line, &w);
    if (!w.count)
        return;
    const struct shell_command *c = find_command(w.text[0], w.len[0]);
    if (!c)
        no_such_command(s, w.text[0], w.len[0]);
    else if (!few)
        shell_usage(s, c);
    else if (take_arguments(s, c, &w, &call))
        c->run(s, c, &call);
}

static void run_line(void *shell, const char *line)
{
    shell_run(shell, line);
}

void shell_init(struct shell *s, struct con *con, const struct shell_ops *ops)
{
    s->con = con;
    s->ops = ops;
    s->partition_count = 0;
    s->job.step = NULL;
    line_edit_init(&s->edit, PROMPT, &(struct line_edit_hooks){ write, run_line, shell_complete, s });
}

/* ---- jobs: what a command does over time ---- */

void shell_start_job(struct shell *s, shell_job_step_t step, shell_job_end_t end)
{
    s->job.step = step;
    s->job.end = end;
    s->job.due = 0;
    s->edit.prompt = "";
}

static void end_job(struct shell *s)
{
    if (s->job.end)
        s->job.end(s);
    s->job.step = NULL;
    s->edit.prompt = PROMPT;
    line_edit_redraw(&s->edit);
}

void shell_tick(struct shell *s, uint64_t now_ns)
{
    if (s->job.step && (!con_shows_monitor(s->con) || !s->job.step(s, now_ns)))
        end_job(s);
}

void shell_input(void *shell, uint8_t byte)
{
    struct shell *s = shell;
    if (s->job.step)
        end_job(s); /* and the key is not for the line */
    else
        line_edit_feed(&s->edit, byte);
}

void shell_redraw(void *shell)
{
    struct shell *s = shell;
    line_edit_redraw(&s->edit);
}
