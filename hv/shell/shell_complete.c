#include "hv/shell/shell_command.h"
#include "hv/lib/str.h"
#include "hv/trace/explain.h"

/* What the word could become. */
struct choice {
    const char *word;      /* as typed so far */
    size_t len;
    size_t matches;
    const char *common;    /* the first that matches; all do in its first `common_len` characters */
    size_t common_len;
    struct shell *print;   /* not NULL: print the matches */
};

static void consider(struct choice *c, const char *candidate)
{
    if (strncmp(candidate, c->word, c->len))
        return;
    if (c->print) {
        shell_line(c->print, "  %s", candidate);
        return;
    }
    if (!c->matches++) {
        c->common = candidate;
        c->common_len = strlen(candidate);
        return;
    }
    size_t same = 0;
    while (same < c->common_len && candidate[same] == c->common[same])
        same++;
    c->common_len = same;
}

/* Which words there are at the cursor. */
enum vocabulary { COMMANDS, PARTITIONS, EXIT_KINDS };

static enum vocabulary vocabulary_at(const char *text, size_t start)
{
    static const char explain[] = "explain ";
    size_t blank = 0;
    while (blank < start && text[blank] == ' ')
        blank++;
    if (blank == start)
        return COMMANDS;
    return strncmp(text + blank, explain, sizeof explain - 1) ? PARTITIONS : EXIT_KINDS;
}

static void consider_all(struct shell *s, struct choice *c, enum vocabulary words)
{
    if (words == COMMANDS)
        for (size_t i = 0; i < shell_command_count; i++)
            consider(c, shell_commands[i].name);
    else if (words == PARTITIONS)
        for (size_t i = 0; i < s->partition_count; i++)
            consider(c, s->partitions[i].name);
    else
        for (unsigned k = 0; explain_word(k); k++)
            consider(c, explain_word(k));
}

bool shell_complete(void *shell, const char *text, size_t cursor, char *more, size_t size)
{
    struct shell *s = shell;
    size_t start = cursor;
    while (start && text[start - 1] != ' ')
        start--;
    enum vocabulary words = vocabulary_at(text, start);
    struct choice c = { .word = text + start, .len = cursor - start };
    *more = '\0';
    if (words == PARTITIONS)
        shell_refresh(s);
    consider_all(s, &c, words);
    if (!c.matches)
        return false;
    if (c.common_len > c.len || c.matches == 1) {
        size_t n = MIN(c.common_len - c.len, size - 2);
        memcpy(more, c.common + c.len, n);
        if (c.matches == 1)
            more[n++] = ' ';
        more[n] = '\0';
        return false;
    }
    con_monitor_write(s->con, "\n", 1);
    c.print = s;
    consider_all(s, &c, words);
    return true;
}
