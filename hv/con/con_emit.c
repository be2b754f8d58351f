#include "hv/con/con_emit.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

#define SEQUENCE_MAX 64

/* SGR foregrounds: cyan, green, yellow, magenta, blue, then the bright ones. Red is nobody's. */
static const uint8_t colours[] = { 36, 32, 33, 35, 34, 96, 92, 93, 95, 94 };

/* End any sequence; plain rendition; no mouse reports, no bracketed paste; the main screen; scrolling region, cursor,
 * wrapping, cursor keys, keypad and character set as usual. ESC 7 and ESC 8: setting the region moves the cursor. */
static const char terminal_reset[] = "\033\\\033[0m\033[?1000l\033[?1006l\033[?2004l\033[?1047l\0337\033[r\0338"
                                     "\033[?25h\033[?7h\033[?1l\033>\017";

struct record {
    size_t len;
    char text[CON_RECORD_MAX];
};

static void add(struct record *r, const char *text, size_t len)
{
    size_t n = MIN(len, sizeof r->text - r->len);
    memcpy(r->text + r->len, text, n);
    r->len += n;
}

static void add_text(struct record *r, const char *text)
{
    add(r, text, strlen(text));
}

char con_emit_printable(char byte)
{
    return byte >= 0x20 && byte < 0x7F ? byte : byte == '\t' ? ' ' : '?';
}

static void add_printable(struct record *r, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = con_emit_printable(text[i]);
        add(r, &c, 1);
    }
}

static void put_everywhere(struct con *c, unsigned source, bool important, const char *text, size_t len)
{
    for (unsigned t = 0; t < c->terminals; t++)
        (void)con_queue_put(&c->queue[t], source, important, text, len); /* it counts what it refuses */
}

void con_emit_guest_line(struct con *c, unsigned partition, const char *text, size_t len)
{
    for (unsigned t = 0; t < c->terminals; t++) {
        struct record r;
        r.len = 0;
        char colour[16];
        fmt_print(colour, sizeof colour, "\033[%um", colours[partition % ARRAY_SIZE(colours)]);
        if (c->terminal[t].colours)
            add_text(&r, colour);
        add_text(&r, "[");
        add_text(&r, c->partition[partition].name);
        add_text(&r, "] ");
        if (c->terminal[t].colours)
            add_text(&r, "\033[0m");
        add(&r, text, len);
        add_text(&r, "\r\n");
        (void)con_queue_put(&c->queue[t], partition, false, r.text, r.len);
    }
}

/* Bring the cursor into an empty line: after the line being typed in the monitor (which is drawn again later) or in the
 * middle of an attached guest's line. */
static void begin_own_line(struct con *c, struct record *r)
{
    if (c->view == CON_MONITOR) {
        add_text(r, "\r\033[K");
        c->redraw = true;
    } else if (c->view == CON_ATTACHED && c->mid_line) {
        add_text(r, "\033[0m\r\n");
    }
    c->mid_line = false;
}

void con_emit_log_line(struct con *c, const char *text, size_t len)
{
    struct record r;
    r.len = 0;
    begin_own_line(c, &r);
    if (len && text[len - 1] == '\n')
        len--;
    add_printable(&r, text, MIN(len, sizeof r.text - 32));
    add_text(&r, "\r\n");
    put_everywhere(c, CON_SOURCE_HYPERVISOR, true, r.text, r.len);
}

void con_emit_note(struct con *c, const char *format, ...)
{
    char text[CON_RECORD_MAX - 32];
    va_list args;
    va_start(args, format);
    fmt_vprint(text, sizeof text, format, args);
    va_end(args);
    struct record r;
    r.len = 0;
    begin_own_line(c, &r);
    add_text(&r, "--- ");
    add_text(&r, text);
    add_text(&r, " ---\r\n");
    put_everywhere(c, CON_SOURCE_HYPERVISOR, true, r.text, r.len);
}

void con_emit_raw(struct con *c, unsigned source, const char *bytes, size_t len)
{
    bool important = source == CON_SOURCE_MONITOR;
    for (size_t at = 0; at < len; at += CON_RECORD_MAX)
        put_everywhere(c, source, important, bytes + at, MIN(len - at, (size_t)CON_RECORD_MAX));
    if (len)
        c->mid_line = bytes[len - 1] != '\n';
}

/* Would the terminal answer this sequence as if its user had typed? Device status and attributes (n, c), and all kinds
 * that are not control sequences (status strings, title reports): none is needed to see recent output. */
static bool may_be_replayed(const struct ansi *a, enum ansi_event event)
{
    return event == ANSI_CSI && a->final != 'n' && a->final != 'c' && a->final != 't' && a->final != 'x';
}

static uint64_t replay_start(const struct con_partition *p)
{
    if (p->replay_head <= CON_REPLAY_SIZE)
        return 0;
    uint64_t at = p->replay_head - CON_REPLAY_SIZE;
    while (at < p->replay_head && p->replay[at % CON_REPLAY_SIZE] != '\n')
        at++;
    return at < p->replay_head ? at + 1 : p->replay_head - CON_REPLAY_SIZE;
}

/* Text gathers in `piece` until it is nearly full; a sequence begins at `start` and is taken back if it is not shown. */
void con_emit_replay(struct con *c, unsigned partition)
{
    const struct con_partition *p = &c->partition[partition];
    struct ansi ansi = { 0 };
    char piece[CON_RECORD_MAX];
    size_t len = 0, start = 0;
    for (uint64_t at = replay_start(p); at < p->replay_head; at++) {
        char byte = p->replay[at % CON_REPLAY_SIZE];
        enum ansi_event event = ansi_feed(&ansi, (uint8_t)byte);
        bool fits = len - start < SEQUENCE_MAX;
        if (event == ANSI_TEXT)
            len = start; /* of a sequence that was broken off, nothing is left */
        if (fits || event == ANSI_TEXT)
            piece[len++] = byte;
        if (event == ANSI_PENDING)
            continue;
        if (event != ANSI_TEXT && !(fits && may_be_replayed(&ansi, event)))
            len = start;
        if (len > sizeof piece - SEQUENCE_MAX - 1) {
            con_emit_raw(c, CON_SOURCE_MONITOR, piece, len);
            len = 0;
        }
        start = len;
    }
    con_emit_raw(c, CON_SOURCE_MONITOR, piece, start);
}

void con_emit_terminal_reset(struct con *c)
{
    con_emit_raw(c, CON_SOURCE_MONITOR, terminal_reset, sizeof terminal_reset - 1);
    c->mid_line = true;
}

static const char *source_name(const struct con *c, unsigned source)
{
    if (source == CON_SOURCE_HYPERVISOR)
        return "the hypervisor";
    return source == CON_SOURCE_MONITOR ? "the monitor" : c->partition[source].name;
}

void con_emit_dropped(struct con *c, unsigned terminal)
{
    struct con_queue *q = &c->queue[terminal];
    if (con_queue_used(q) > CON_QUEUE_SIZE / 2)
        return;
    for (unsigned source = 0; source < CON_QUEUE_SOURCES; source++) {
        if (!q->dropped_bytes[source])
            continue;
        char text[160];
        fmt_print(text, sizeof text, "--- %s: %u lines (%u bytes) dropped: this terminal is slower than the output ---\r\n",
                  source_name(c, source), q->dropped_lines[source], q->dropped_bytes[source]);
        struct record r;
        r.len = 0;
        begin_own_line(c, &r);
        add_text(&r, text);
        q->dropped_lines[source] = q->dropped_bytes[source] = 0;
        (void)con_queue_put(q, CON_SOURCE_HYPERVISOR, true, r.text, r.len);
    }
}
