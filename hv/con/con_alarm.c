#include "hv/con/con_alarm.h"
#include "hv/con/con_emit.h"

#define SPIN  1000000u
#define PIECE 64

static void write_now(struct con *c, const char *text, size_t len)
{
    for (unsigned t = 0; t < c->terminals; t++)
        c->terminal[t].put_now(c->terminal[t].ctx, text, len);
}

/* A terminal may be in the middle of a line, or of an escape sequence that the next letter would end. */
static void begin_lines(struct con *c)
{
    for (unsigned t = 0; t < c->terminals; t++)
        if (c->view != CON_OVERVIEW || c->mid_line || c->queue[t].taken)
            c->terminal[t].put_now(c->terminal[t].ctx, "\033[0m\r\n", 6);
}

/* Whoever hands bytes to the terminals is waited for, unless it does not come to its end. */
void con_alarm_begin(struct con *c)
{
    bool busy = true;
    for (unsigned spin = 0; spin < SPIN && (busy = atomic_exchange(&c->polling, true)); spin++)
        __builtin_ia32_pause();
    c->alarm_polls = !busy;
    atomic_store(&c->alarmed, true);
    if (!c->panicking)
        begin_lines(c);
}

void con_alarm_end(struct con *c)
{
    atomic_store(&c->alarmed, false);
    atomic_store(&c->news, true);
    if (c->alarm_polls)
        atomic_store(&c->polling, false);
}

void con_alarm_line(struct con *c, const char *text, size_t len)
{
    char piece[PIECE];
    if (len && text[len - 1] == '\n')
        len--;
    for (size_t at = 0, n; at < len; at += n) {
        n = MIN(len - at, sizeof piece);
        for (size_t i = 0; i < n; i++)
            piece[i] = con_emit_printable(text[at + i]);
        write_now(c, piece, n);
    }
    write_now(c, "\r\n", 2);
}
