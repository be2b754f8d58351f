/* Any bytes typed to the monitor's line editor, drawn on a model of a terminal: the terminal shows the prompt and the
 * line, with its cursor where the editor's is.
 * covers: hv/shell/line_edit.c hv/lib/ansi.c
 * max_len: 200 */
#include "hv/shell/line_edit.h"
#include "tests/fuzz/fuzz.h"

#define PROMPT "> "
#define WIDTH  512

/* A terminal with one endless row: text, CR, LF, BEL, ESC[nD, ESC[K, ESC[H, ESC[2J. */
static struct { char row[WIDTH]; unsigned cursor, length; } screen;
static unsigned lines;

static const char *control(const char *at, const char *end)
{
    unsigned number = 0;
    FUZZ_CHECK(end - at >= 2 && *at++ == '[');
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (unsigned)(*at - '0');
    FUZZ_CHECK(at < end && strchr("DKHJ", *at));
    switch (*at) {
    case 'D':
        FUZZ_CHECK(number && number <= screen.cursor);
        screen.cursor -= number;
        break;
    case 'K': screen.length = screen.cursor; break;
    case 'H': screen.cursor = 0; break;
    default: screen.length = 0; break;
    }
    return at;
}

static void on_write(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    for (const char *at = text; at < text + len; at++) {
        if (*at == '\033') {
            at = control(at + 1, text + len);
        } else if (*at == '\r' || *at == '\n') {
            screen.cursor = 0;
            screen.length = *at == '\n' ? 0 : screen.length;
        } else if (*at != '\a') {
            FUZZ_CHECK(*at >= ' ' && *at < 0x7f && screen.cursor < WIDTH);
            screen.row[screen.cursor++] = *at;
            screen.length = screen.cursor > screen.length ? screen.cursor : screen.length;
        }
    }
}

static void on_line(void *ctx, const char *text)
{
    (void)ctx;
    FUZZ_CHECK(strlen(text) < LINE_EDIT_SIZE);
    lines++;
}

static bool on_complete(void *ctx, const char *text, size_t cursor, char *more, size_t size)
{
    (void)ctx;
    FUZZ_CHECK(cursor <= strlen(text) && size > 3);
    if (cursor % 3 == 1)
        memcpy(more, "bc", 3);
    if (cursor % 3 == 2)
        on_write(NULL, "\nb c\n", 5);
    return cursor % 3 == 2;
}

static void check(const struct line_edit *e)
{
    FUZZ_CHECK(e->cursor <= e->length && e->length < LINE_EDIT_SIZE);
    FUZZ_CHECK(e->history_back <= e->history_count && e->history_back <= LINE_EDIT_HISTORY);
    FUZZ_CHECK(screen.length == strlen(PROMPT) + e->length && screen.cursor == strlen(PROMPT) + e->cursor);
    FUZZ_CHECK(!memcmp(screen.row, PROMPT, strlen(PROMPT)) && !memcmp(screen.row + strlen(PROMPT), e->text, e->length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct line_edit edit;
    const struct line_edit_hooks hooks = { on_write, on_line, on_complete, NULL };
    lines = 0;
    memset(&screen, 0, sizeof screen);
    line_edit_init(&edit, PROMPT, &hooks);
    line_edit_redraw(&edit);
    for (size_t i = 0; i < size; i++) {
        line_edit_feed(&edit, data[i]);
        check(&edit);
    }
    FUZZ_CHECK(lines <= size);
    return 0;
}
