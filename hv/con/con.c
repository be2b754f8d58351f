#include "hv/con/con_alarm.h"
#include "hv/con/con_emit.h"
#include "hv/con/con_view.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

#define CTRL_BRACKET 0x1D

#define MS UINT64_C(1000000)
#define PARTIAL_LINE_NS  (300 * MS) /* a prompt is shown after that */
#define TERMINAL_FULL_NS (1 * MS)   /* a UART's FIFO of 16 bytes at 115200 baud is empty after 1.4 ms */
#define GUEST_FULL_NS    (5 * MS)

#define PIECE      64   /* bytes copied out of a queue at a time */
#define DRAW_NS   (5 * MS)
#define PER_POLL   2048 /* bytes given to one terminal in one con_poll, at most */
#define PANIC_SPIN 1000000u

static bool put_input(struct con_input *in, uint8_t byte)
{
    if (in->head - in->tail >= CON_INPUT_SIZE)
        return false;
    in->bytes[in->head++ % CON_INPUT_SIZE] = byte;
    return true;
}

/* Leave the lock and let the next con_poll look. */
static void unlock_with_news(struct con *c)
{
    spin_unlock(&c->lock);
    atomic_store(&c->news, true);
}

void con_init(struct con *c, const struct con_hooks *hooks)
{
    memset(c, 0, sizeof *c);
    c->lock = (spinlock_t)SPINLOCK_INIT(LOCK_CON);
    c->hooks = *hooks;
}

bool con_add_terminal(struct con *c, const struct con_terminal *t)
{
    spin_lock(&c->lock);
    bool room = c->terminals < CON_MAX_TERMINALS;
    if (room)
        c->terminal[c->terminals++] = *t;
    unlock_with_news(c);
    return room;
}

/* A name that cannot be taken for something else: printable, without brackets. */
static void copy_name(char *out, size_t size, const char *name)
{
    size_t n = 0;
    for (; *name && n < size - 1; name++) {
        bool fine = *name > 0x20 && *name < 0x7F && *name != '[' && *name != ']';
        out[n++] = fine ? *name : '_';
    }
    out[n] = '\0';
}

bool con_set_partition(struct con *c, unsigned index, const char *name)
{
    if (index >= CON_MAX_PARTITIONS || !*name)
        return false;
    spin_lock(&c->lock);
    copy_name(c->partition[index].name, sizeof c->partition[index].name, name);
    spin_unlock(&c->lock);
    return true;
}

/* ---- output ---- */

static void write_now(struct con *c, const char *text, size_t len)
{
    for (unsigned t = 0; t < c->terminals; t++)
        c->terminal[t].put_now(c->terminal[t].ctx, text, len);
}

static void drain_now(struct con *c, unsigned terminal)
{
    const struct con_terminal *t = &c->terminal[terminal];
    char piece[PIECE];
    for (size_t n; (n = con_queue_peek(&c->queue[terminal], piece, sizeof piece)) != 0;) {
        t->put_now(t->ctx, piece, n);
        con_queue_consume(&c->queue[terminal], n);
    }
}

/* While the machine starts nobody polls, and a line that is only queued would be lost in a crash. A screen still draws
 * only a part each time: drawing all for each line would take longer than all else. */
static void write_while_starting(struct con *c)
{
    for (unsigned i = 0; i < c->terminals && !c->polled; i++) {
        const struct con_terminal *t = &c->terminal[i];
        char piece[PIECE];
        if (!t->draw) {
            drain_now(c, i);
            continue;
        }
        for (size_t n; (n = con_queue_peek(&c->queue[i], piece, sizeof piece)) != 0;)
            con_queue_consume(&c->queue[i], t->put(t->ctx, piece, n));
        (void)t->draw(t->ctx);
    }
}

static void show_line(struct con *c, unsigned partition, struct con_line *l, bool continued)
{
    while (l->length && l->text[l->length - 1] == ' ')
        l->length--;
    if (l->length && c->view == CON_OVERVIEW)
        con_emit_guest_line(c, partition, l->text, l->length);
    else if (l->length)
        c->unseen_lines++;
    con_line_clear(l, continued);
}

static void remember(struct con_partition *p, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p->replay[p->replay_head++ % CON_REPLAY_SIZE] = bytes[i];
}

void con_guest_write(struct con *c, unsigned partition, enum con_stream stream, const char *bytes, size_t len)
{
    if (c->panicking || !con_view_exists(c, partition))
        return;
    spin_lock(&c->lock);
    struct con_partition *p = &c->partition[partition];
    remember(p, bytes, len);
    bool attached = c->view == CON_ATTACHED && c->attached == partition;
    if (attached)
        con_emit_raw(c, partition, bytes, len);
    struct con_line *l = &p->line[stream];
    for (size_t i = 0; i < len; i++) {
        if (!con_line_feed(l, (uint8_t)bytes[i]))
            continue;
        if (attached)
            con_line_clear(l, false); /* seen already */
        else
            show_line(c, partition, l, bytes[i] != '\n');
    }
    unlock_with_news(c);
}

bool con_shows_monitor(struct con *c)
{
    spin_lock(&c->lock);
    bool shown = c->view == CON_MONITOR;
    spin_unlock(&c->lock);
    return shown;
}

void con_monitor_write(struct con *c, const char *text, size_t len)
{
    if (c->panicking)
        return;
    spin_lock(&c->lock);
    for (size_t at = 0, end; c->view == CON_MONITOR && at < len; at = end + 1) {
        for (end = at; end < len && text[end] != '\n'; end++)
            ;
        con_emit_raw(c, CON_SOURCE_MONITOR, text + at, end - at);
        if (end < len)
            con_emit_raw(c, CON_SOURCE_MONITOR, "\r\n", 2);
    }
    unlock_with_news(c);
}

void con_log_sink(void *con, const char *text, size_t len)
{
    struct con *c = con;
    if (c->panicking || c->alarmed) {
        con_alarm_line(c, text, len);
        return;
    }
    spin_lock(&c->lock);
    con_emit_log_line(c, text, len);
    write_while_starting(c);
    unlock_with_news(c);
}

bool con_is_congested(struct con *c)
{
    bool congested = false;
    spin_lock(&c->lock);
    for (unsigned t = 0; t < c->terminals; t++)
        congested |= con_queue_used(&c->queue[t]) > CON_QUEUE_SIZE / 2;
    spin_unlock(&c->lock);
    return congested;
}

/* ---- views ---- */

void con_show_overview(struct con *c)
{
    spin_lock(&c->lock);
    con_view_overview(c);
    unlock_with_news(c);
}

void con_show_monitor(struct con *c)
{
    spin_lock(&c->lock);
    con_view_monitor(c);
    unlock_with_news(c);
}

bool con_attach(struct con *c, unsigned partition)
{
    spin_lock(&c->lock);
    bool there = con_view_exists(c, partition);
    if (there)
        con_view_attached(c, partition);
    unlock_with_news(c);
    return there;
}

/* ---- input ---- */

enum target { TO_NOBODY, TO_MONITOR };

static enum target deliver(struct con *c, uint8_t byte)
{
    switch (c->view) {
    case CON_MONITOR:
        return TO_MONITOR;
    case CON_ATTACHED:
        if (!put_input(&c->guest_input, byte))
            con_emit_raw(c, CON_SOURCE_MONITOR, "\a", 1);
        break;
    case CON_OVERVIEW:
        if (!c->hinted)
            con_emit_note(c, "what you type goes nowhere here: Ctrl-] m is the monitor, Ctrl-] 1 the first guest");
        c->hinted = true;
        break;
    }
    return TO_NOBODY;
}

static enum target command_key(struct con *c, uint8_t key)
{
    unsigned partition = key - '1';
    if (key == CTRL_BRACKET)
        return deliver(c, key);
    if (key == 'm' || key == 'M')
        con_view_monitor(c);
    else if (key == 'o' || key == 'O')
        con_view_overview(c);
    else if (key == '?' || key == 'h')
        con_view_help(c);
    else if (key >= '1' && key <= '9' && con_view_exists(c, partition))
        con_view_attached(c, partition);
    else if (key >= '1' && key <= '9')
        con_emit_note(c, "there is no guest %u; Ctrl-] ? lists them", partition + 1);
    else
        con_emit_note(c, "no such key after Ctrl-]; Ctrl-] ? lists them");
    return TO_NOBODY;
}

/* Look at the next typed byte; false if there is none. */
static bool take_input(struct con *c, uint8_t *byte, enum target *target)
{
    spin_lock(&c->lock);
    bool some = c->input.head != c->input.tail;
    if (some) {
        *byte = c->input.bytes[c->input.tail++ % CON_INPUT_SIZE];
        if (c->escape)
            *target = command_key(c, *byte);
        else
            *target = *byte == CTRL_BRACKET ? TO_NOBODY : deliver(c, *byte);
        c->escape = !c->escape && *byte == CTRL_BRACKET;
    }
    spin_unlock(&c->lock);
    return some;
}

void con_input(struct con *c, uint8_t byte)
{
    if (c->panicking)
        return;
    spin_lock(&c->lock);
    (void)put_input(&c->input, byte); /* nobody has polled for 256 bytes: nothing sensible is lost */
    unlock_with_news(c);
}

void con_guest_ready(struct con *c)
{
    atomic_store(&c->news, true);
}

static void pass_input(struct con *c)
{
    uint8_t byte;
    enum target target;
    while (take_input(c, &byte, &target))
        if (target == TO_MONITOR && c->hooks.to_monitor)
            c->hooks.to_monitor(c->hooks.ctx, byte);
}

/* Offer the attached guest what was typed to it; returns true if it has not taken all. */
static bool pass_to_guest(struct con *c)
{
    for (;;) {
        spin_lock(&c->lock);
        uint32_t at = c->guest_input.tail;
        bool some = at != c->guest_input.head;
        uint8_t byte = c->guest_input.bytes[at % CON_INPUT_SIZE];
        unsigned partition = c->attached;
        spin_unlock(&c->lock);
        if (!some)
            return false;
        if (c->hooks.to_guest && !c->hooks.to_guest(c->hooks.ctx, partition, byte))
            return true;
        spin_lock(&c->lock);
        if (c->guest_input.tail == at) /* the view may have changed meanwhile */
            c->guest_input.tail++;
        spin_unlock(&c->lock);
    }
}

/* ---- polling ---- */

/* Not MIN(): the arguments are calls, and each must be made once. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Show unfinished lines that have waited; returns when the next is due. */
static uint64_t show_partial_lines(struct con *c, uint64_t now)
{
    uint64_t next = CON_NEVER;
    for (unsigned i = 0; i < CON_MAX_PARTITIONS * CON_STREAMS; i++) {
        struct con_line *l = &c->partition[i / CON_STREAMS].line[i % CON_STREAMS];
        if (!l->length || c->view != CON_OVERVIEW)
            continue;
        if (!l->since)
            l->since = MAX(now, 1u);
        if (now >= l->since + PARTIAL_LINE_NS)
            show_line(c, i / CON_STREAMS, l, true);
        else
            next = MIN(next, l->since + PARTIAL_LINE_NS);
    }
    return next;
}

/* Let a screen draw, not too often; returns when it wants to go on. */
static uint64_t draw(struct con *c, const struct con_terminal *t, uint64_t now)
{
    if (!t->draw)
        return CON_NEVER;
    if (now >= c->drawn && now - c->drawn < DRAW_NS)
        return c->drawn + DRAW_NS;
    c->drawn = now;
    return t->draw(t->ctx) ? CON_NEVER : now + DRAW_NS;
}

/* Give a terminal what it takes; returns when to try again. */
static uint64_t drain(struct con *c, unsigned terminal, uint64_t now)
{
    struct con_queue *q = &c->queue[terminal];
    const struct con_terminal *t = &c->terminal[terminal];
    for (size_t given = 0; given < PER_POLL;) {
        char piece[PIECE];
        spin_lock(&c->lock);
        con_emit_dropped(c, terminal);
        size_t n = con_queue_peek(q, piece, sizeof piece);
        spin_unlock(&c->lock);
        if (!n)
            return draw(c, t, now);
        size_t taken = t->put(t->ctx, piece, n);
        given += taken;
        spin_lock(&c->lock);
        con_queue_consume(q, taken);
        spin_unlock(&c->lock);
        if (taken < n)
            return now + TERMINAL_FULL_NS;
    }
    (void)draw(c, t, now);
    return now;
}

static void redraw_monitor(struct con *c)
{
    spin_lock(&c->lock);
    bool redraw = c->redraw;
    c->redraw = false;
    spin_unlock(&c->lock);
    if (redraw && c->hooks.redraw_monitor)
        c->hooks.redraw_monitor(c->hooks.ctx);
}

/* One CPU polls at a time. One that comes meanwhile leaves word, so that what it brought is not left lying: either its
 * second try succeeds, or its word was left before end_polling looks for it. */
static bool begin_polling(struct con *c)
{
    if (atomic_exchange(&c->polling, true)) {
        atomic_store(&c->news, true);
        if (atomic_exchange(&c->polling, true))
            return false;
    }
    atomic_store(&c->news, false);
    return true;
}

static uint64_t end_polling(struct con *c, uint64_t now, uint64_t next)
{
    atomic_store(&c->due, next);
    atomic_store(&c->polling, false);
    return atomic_load(&c->news) ? now : next;
}

static bool nothing_to_do(struct con *c, uint64_t now)
{
    return !atomic_load_explicit(&c->news, memory_order_relaxed) &&
           now < atomic_load_explicit(&c->due, memory_order_relaxed);
}

uint64_t con_poll(struct con *c, uint64_t now)
{
    if (c->panicking)
        return CON_NEVER;
    if (nothing_to_do(c, now))
        return c->due;
    if (!begin_polling(c))
        return CON_NEVER;
    spin_lock(&c->lock);
    c->polled = true;
    spin_unlock(&c->lock);
    pass_input(c);
    uint64_t next = pass_to_guest(c) ? now + GUEST_FULL_NS : CON_NEVER;
    redraw_monitor(c);
    spin_lock(&c->lock);
    next = earlier(next, show_partial_lines(c, now));
    spin_unlock(&c->lock);
    for (unsigned t = 0; t < c->terminals && !c->panicking; t++)
        next = earlier(next, drain(c, t, now));
    return end_polling(c, now, next);
}

void con_flush(struct con *c)
{
    if (c->panicking)
        return;
    /* Another CPU may be handing bytes over just now; or this one is in con_poll, if a command asked for this. */
    for (unsigned spin = 0; spin < PANIC_SPIN && c->polling; spin++)
        __builtin_ia32_pause();
    spin_lock(&c->lock);
    for (unsigned t = 0; t < c->terminals; t++)
        drain_now(c, t);
    spin_unlock(&c->lock);
}

void con_panic(struct con *c)
{
    bool locked = false;
    /* The CPU that crashed may hold the lock itself: it is not waited for long. */
    for (unsigned spin = 0; spin < PANIC_SPIN && !locked; spin++)
        locked = spin_try_lock(&c->lock);
    if (!atomic_exchange(&c->panicking, true)) {
        for (unsigned t = 0; t < c->terminals; t++)
            drain_now(c, t);
        if (c->view != CON_OVERVIEW)
            write_now(c, "\033[0m\r\n", 6);
    }
    if (locked)
        spin_unlock(&c->lock);
}
