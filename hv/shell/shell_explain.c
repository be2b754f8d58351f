/* The commands that explain: what an exit means, what the last one was, and why a guest could not go on. */
#include "hv/lib/fmt.h"
#include "hv/shell/shell_command.h"
#include "hv/trace/explain.h"

#define COLUMNS      4
#define COLUMN_WIDTH 19

static void list_kinds(struct shell *s)
{
    char line[COLUMNS * COLUMN_WIDTH + 1];
    size_t used = 0;
    shell_line(s, "Kinds of exits; explain KIND tells about one. A number is a raw reason of this CPU.");
    for (unsigned k = 0; k < VT_EXIT_KINDS; k++) {
        used += fmt_print(line + used, sizeof line - used, "  %-*s", COLUMN_WIDTH - 2, explain_word(k));
        if (used == sizeof line - 1 || k == VT_EXIT_KINDS - 1) {
            shell_line(s, "%s", line);
            used = 0;
        }
    }
}

static void no_such_kind(struct shell *s, const char *command, const char *word, size_t len)
{
    const char *near = explain_suggest(word, len);
    if (near)
        shell_line(s, "%s: there is no kind of exit \"%.*s\": did you mean %s?", command, (int)len, word, near);
    else
        shell_line(s, "%s: there is no kind of exit \"%.*s\"; explain without a name lists them", command, (int)len, word);
}

void shell_run_explain(struct shell *s, const struct shell_command *self, const struct shell_call *call)
{
    uint8_t kinds[VT_EXIT_KINDS];
    if (!call->word) {
        list_kinds(s);
        return;
    }
    unsigned mine = explain_half_of(s->ops->backend(s->ops->ctx));
    unsigned count = explain_find(call->word, call->word_len, mine, kinds);
    if (!count)
        no_such_kind(s, self->name, call->word, call->word_len);
    for (unsigned i = 0; i < count; i++)
        explain_print(kinds[i], EXPLAIN_BOTH, shell_print_line, s);
}

/* Of the two columns only that of the CPU in use. */
void shell_run_why(struct shell *s, const struct shell_command *self, const struct shell_call *call)
{
    unsigned kind = s->ops->why(s->ops->ctx, call->partition, &(struct shell_printer){ shell_print_line, s });
    if (kind >= VT_EXIT_KINDS)
        shell_line(s, "%s: %s has not run yet", self->name, s->partitions[call->partition].name);
    else
        explain_print(kind, explain_half_of(s->ops->backend(s->ops->ctx)), shell_print_line, s);
}

void shell_run_postmortem(struct shell *s, const struct shell_command *self, const struct shell_call *call)
{
    if (!s->ops->postmortem(s->ops->ctx, call->partition, &(struct shell_printer){ shell_print_line, s }))
        shell_line(s, "%s: %s never failed: there is nothing to show", self->name, s->partitions[call->partition].name);
}
