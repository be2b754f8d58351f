#include "hv/shell/line_edit.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

#define CTRL(letter) ((letter) & 0x1F)

static void write_bytes(struct line_edit *e, const char *text, size_t len)
{
    if (e->hooks.write && len)
        e->hooks.write(e->hooks.ctx, text, len);
}

static void write_text(struct line_edit *e, const char *text)
{
    write_bytes(e, text, strlen(text));
}

static void move_terminal_left(struct line_edit *e, unsigned columns)
{
    char sequence[16];
    if (columns)
        write_bytes(e, sequence, fmt_print(sequence, sizeof sequence, "\033[%uD", columns));
}

/* Draw from column `from` of the text to its end (nothing longer may stand there), and put the terminal's cursor (which is at `from`) where ours is. */
static void draw_from(struct line_edit *e, unsigned from)
{
    write_bytes(e, e->text + from, e->length - from);
    move_terminal_left(e, e->length - e->cursor);
}

void line_edit_redraw(struct line_edit *e)
{
    write_text(e, "\r\033[K");
    write_text(e, e->prompt);
    draw_from(e, 0);
}

void line_edit_init(struct line_edit *e, const char *prompt, const struct line_edit_hooks *hooks)
{
    memset(e, 0, sizeof *e);
    e->prompt = prompt;
    e->hooks = *hooks;
}

/* ---- editing ---- */

static void insert(struct line_edit *e, const char *text, size_t len)
{
    if (len > LINE_EDIT_SIZE - 1 - e->length) {
        write_text(e, "\a");
        return;
    }
    memmove(e->text + e->cursor + len, e->text + e->cursor, e->length - e->cursor);
    memcpy(e->text + e->cursor, text, len);
    unsigned at = e->cursor;
    e->length += (unsigned)len;
    e->cursor += (unsigned)len;
    draw_from(e, at);
}

/* Take out text[from, to); the cursor ends at `from`. */
static void erase(struct line_edit *e, unsigned from, unsigned to)
{
    memmove(e->text + from, e->text + to, e->length - to);
    e->length -= to - from;
    if (e->cursor > from)
        move_terminal_left(e, e->cursor - from);
    e->cursor = from;
    write_text(e, "\033[K");
    draw_from(e, from);
}

static void move_to(struct line_edit *e, unsigned cursor)
{
    if (cursor < e->cursor)
        move_terminal_left(e, e->cursor - cursor);
    else
        write_bytes(e, e->text + e->cursor, cursor - e->cursor);
    e->cursor = cursor;
}

static void erase_word(struct line_edit *e)
{
    unsigned from = e->cursor;
    while (from && e->text[from - 1] == ' ')
        from--;
    while (from && e->text[from - 1] != ' ')
        from--;
    erase(e, from, e->cursor);
}

static void replace_line(struct line_edit *e, const char *text)
{
    (void)str_copy(e->text, sizeof e->text, text);
    e->length = e->cursor = (unsigned)strlen(e->text);
    line_edit_redraw(e);
}

/* ---- history ---- */

static char *history_entry(struct line_edit *e, unsigned back)
{
    return e->history[(e->history_count - back) % LINE_EDIT_HISTORY];
}

static void remember(struct line_edit *e)
{
    e->history_back = 0;
    if (!e->length || (e->history_count && !strcmp(history_entry(e, 1), e->text)))
        return;
    memcpy(e->history[e->history_count++ % LINE_EDIT_HISTORY], e->text, e->length + 1);
}

static void show_history(struct line_edit *e, unsigned back)
{
    if (back > MIN(e->history_count, (unsigned)LINE_EDIT_HISTORY)) {
        write_text(e, "\a");
        return;
    }
    e->text[e->length] = '\0';
    if (!e->history_back && back)
        memcpy(e->draft, e->text, e->length + 1);
    e->history_back = back;
    replace_line(e, back ? history_entry(e, back) : e->draft);
}

static void older(struct line_edit *e) { show_history(e, e->history_back + 1); }

static void newer(struct line_edit *e)
{
    if (e->history_back)
        show_history(e, e->history_back - 1);
}

/* ---- keys ---- */

static void finish(struct line_edit *e)
{
    e->text[e->length] = '\0';
    move_to(e, e->length);
    write_text(e, "\n");
    remember(e);
    char line[LINE_EDIT_SIZE];
    memcpy(line, e->text, e->length + 1);
    e->length = e->cursor = 0;
    if (e->hooks.line)
        e->hooks.line(e->hooks.ctx, line);
    line_edit_redraw(e);
}

static void abandon(struct line_edit *e)
{
    move_to(e, e->length);
    write_text(e, "^C\n");
    e->length = e->cursor = e->history_back = 0;
    line_edit_redraw(e);
}

static void complete(struct line_edit *e)
{
    char more[LINE_EDIT_SIZE] = "";
    if (!e->hooks.complete)
        return;
    e->text[e->length] = '\0';
    if (e->hooks.complete(e->hooks.ctx, e->text, e->cursor, more, sizeof more))
        line_edit_redraw(e);
    else if (*more)
        insert(e, more, strlen(more));
    else
        write_text(e, "\a");
}

static void clear_screen(struct line_edit *e)
{
    write_text(e, "\033[H\033[2J");
    line_edit_redraw(e);
}

static void left(struct line_edit *e)        { move_to(e, e->cursor - (e->cursor > 0)); }
static void right(struct line_edit *e)       { move_to(e, e->cursor + (e->cursor < e->length)); }
static void home(struct line_edit *e)        { move_to(e, 0); }
static void end(struct line_edit *e)         { move_to(e, e->length); }
static void erase_before(struct line_edit *e){ erase(e, e->cursor - (e->cursor > 0), e->cursor); }
static void erase_all(struct line_edit *e)   { erase(e, 0, e->length); }

static void erase_rest(struct line_edit *e)
{
    e->length = e->cursor;
    write_text(e, "\033[K");
}

static void delete_key(struct line_edit *e)
{
    if (e->cursor < e->length)
        erase(e, e->cursor, e->cursor + 1);
}

typedef void (*key_action)(struct line_edit *e);

static const struct { uint8_t byte; key_action act; } control_keys[] = {
    { CTRL('A'), home },         { CTRL('B'), left },       { CTRL('C'), abandon },  { CTRL('D'), delete_key },
    { CTRL('E'), end },          { CTRL('F'), right },      { CTRL('H'), erase_before }, { '\t', complete },
    { CTRL('K'), erase_rest },   { CTRL('L'), clear_screen }, { CTRL('N'), newer },  { CTRL('P'), older },
    { CTRL('U'), erase_all },    { CTRL('W'), erase_word }, { 0x7F, erase_before },
};

static const struct { uint8_t final; uint8_t parameter; key_action act; } sequence_keys[] = {
    { 'A', 0, older }, { 'B', 0, newer }, { 'C', 0, right },      { 'D', 0, left }, { 'H', 0, home },
    { 'F', 0, end },   { '~', 1, home },  { '~', 3, delete_key }, { '~', 4, end },
    { '~', 7, home },  { '~', 8, end },
};

static void sequence_key(struct line_edit *e)
{
    for (unsigned i = 0; i < ARRAY_SIZE(sequence_keys); i++)
        if (sequence_keys[i].final == e->ansi.final && sequence_keys[i].parameter == ansi_parameter(&e->ansi, 0, 0)) {
            sequence_keys[i].act(e);
            return;
        }
}

static void control_key(struct line_edit *e, uint8_t byte)
{
    bool same_key = byte == '\n' && e->after_cr;
    e->after_cr = byte == '\r';
    if (byte == '\r' || (byte == '\n' && !same_key))
        finish(e);
    for (unsigned i = 0; i < ARRAY_SIZE(control_keys); i++)
        if (control_keys[i].byte == byte) {
            control_keys[i].act(e);
            return;
        }
}

void line_edit_feed(struct line_edit *e, uint8_t byte)
{
    enum ansi_event event = ansi_feed(&e->ansi, byte);
    if (event == ANSI_CSI)
        sequence_key(e);
    if (event != ANSI_TEXT)
        return;
    if (byte < 0x20 || byte == 0x7F) {
        control_key(e, byte);
        return;
    }
    e->after_cr = false;
    char c = (char)byte;
    if (byte < 0x80)
        insert(e, &c, 1);
}
