/* The console multiplexer: the hypervisor's log, the monitor and every partition's serial output share the terminals
 * (serial line, screen); what is typed goes to one of them.
 *
 * Views, switched with Ctrl-] and a key: the overview shows all guests' lines, each with its partition's name in front
 * and no escape sequence in it; attached, one guest has the terminal to itself, raw in both directions; the monitor
 * has a command line. The hypervisor's lines are shown in all three.
 *
 * Bytes in, bytes out: no device is known here. Nothing waits: output is queued, and con_poll() hands the terminals as
 * much as they take. (Until con_poll() is first called, that is while the machine starts, lines are written at once.)
 * Any CPU may call any function. One lock, con.lock, guards everything; it is the innermost of all
 * (taken under a partition's and under the log's), and no hook is called with it held. */
#ifndef HV_CON_CON_H
#define HV_CON_CON_H

#include "hv/con/con_line.h"
#include "hv/con/con_queue.h"
#include "hv/lib/spinlock.h"

#define CON_MAX_PARTITIONS 16
#define CON_MAX_TERMINALS  2
#define CON_REPLAY_SIZE    8192
#define CON_INPUT_SIZE     256
#define CON_NEVER          UINT64_MAX

_Static_assert(CON_QUEUE_SOURCES == CON_MAX_PARTITIONS + 2, "one source for each partition, the log and the monitor");

/* A place where the console is shown. */
struct con_terminal {
    /* Take some of the bytes without waiting; returns how many. One call at a time. */
    size_t (*put)(void *ctx, const char *bytes, size_t len);
    /* For a screen, whose put() takes everything at once: draw some of it; true: nothing is left to draw. Called every few
     * milliseconds. NULL for a line. */
    bool (*draw)(void *ctx);
    /* Write all of them now, waiting if need be: after con_panic(), on whatever CPU crashed; from con_flush()
     * and before the first con_poll(). */
    void (*put_now)(void *ctx, const char *bytes, size_t len);
    void *ctx;
    bool colours;        /* lines get their partition's colour */
};

/* What the console calls; each may be NULL. Called from con_poll, without the lock. */
struct con_hooks {
    /* A byte typed to an attached guest. Returns false if the guest's receiver is full: it is offered again later. */
    bool (*to_guest)(void *ctx, unsigned partition, uint8_t byte);
    /* A byte typed to the monitor; and: its line was overwritten (or the view just opened), draw it again. */
    void (*to_monitor)(void *ctx, uint8_t byte);
    void (*redraw_monitor)(void *ctx);
    /* Why a guest stands still, and what helps, in a few words; NULL: it does not. Asked when the terminal is attached to it,
     * with the lock: it must not call the console. */
    const char *(*standstill)(void *ctx, unsigned partition);
    void *ctx;
};

enum con_view { CON_OVERVIEW, CON_ATTACHED, CON_MONITOR };
enum con_stream { CON_SERIAL, CON_DEBUG, CON_STREAMS }; /* the UART; the debug console port */

/* Bytes between one who types and one who reads; head and tail count all that ever passed. */
struct con_input {
    uint32_t head, tail;
    uint8_t bytes[CON_INPUT_SIZE];
};

struct con_partition {
    char name[32];                     /* empty: there is no such partition */
    struct con_line line[CON_STREAMS]; /* each stream's unfinished line, for the overview */
    uint64_t replay_head;              /* bytes ever put into replay */
    char replay[CON_REPLAY_SIZE];      /* recent raw output */
};

/* About 400 KiB: static memory. All members are private. */
struct con {
    spinlock_t lock;
    _Atomic bool polling;         /* one CPU at a time is in con_poll; pairs with news: see begin_polling */
    _Atomic bool news;            /* something was written or typed since con_poll last began */
    _Atomic uint64_t due;         /* without news, con_poll has nothing to do before that */
    _Atomic bool panicking;
    _Atomic bool alarmed;         /* con_alarm.h */
    bool alarm_polls;             /* and `polling` was set for it */
    bool polled;                  /* con_poll was called: from then on nobody waits for a terminal */
    uint64_t drawn;               /* when draw() was last called */
    struct con_hooks hooks;
    unsigned terminals;
    struct con_terminal terminal[CON_MAX_TERMINALS];
    struct con_queue queue[CON_MAX_TERMINALS];
    enum con_view view;
    unsigned attached;            /* valid in CON_ATTACHED */
    bool escape;                  /* Ctrl-] was typed */
    bool mid_line;                /* the terminal's cursor is not known to be in column 0 */
    bool redraw;                  /* the monitor's line has to be drawn again */
    bool hinted;                  /* this overview has said where keys go */
    uint64_t unseen_lines;        /* of guests, that came while the overview was not shown */
    struct con_input input;       /* typed, not yet looked at */
    struct con_input guest_input; /* typed to the attached guest, not yet accepted by it */
    struct con_partition partition[CON_MAX_PARTITIONS];
};

void con_init(struct con *c, const struct con_hooks *hooks);

/* At most CON_MAX_TERMINALS; false for one more. */
bool con_add_terminal(struct con *c, const struct con_terminal *t) MUST_CHECK;

/* Name partition `index`; its output is dropped before that. Ctrl-] 1 attaches to index 0, and so on. */
bool con_set_partition(struct con *c, unsigned index, const char *name) MUST_CHECK;

/* A log_sink_t: log_add_sink(con_log_sink, con). */
void con_log_sink(void *con, const char *text, size_t len);

/* A guest's output, as it comes. */
void con_guest_write(struct con *c, unsigned partition, enum con_stream stream, const char *bytes, size_t len);

/* True while a terminal's queue is more than half full: a virtual UART that now delays its "transmitter empty" makes
 * its guest wait, as a slow line would, instead of having lines dropped. */
bool con_is_congested(struct con *c);

/* The monitor's output; "\n" is enough to end a line. Shown in the monitor's view only. */
void con_monitor_write(struct con *c, const char *text, size_t len);

/* A byte typed on the serial line or the keyboard. If nobody reads, what does not fit is dropped. */
void con_input(struct con *c, uint8_t byte);

/* A guest's receiver that refused a byte has room again: without this it is offered again after 5 ms. */
void con_guest_ready(struct con *c);

void con_show_overview(struct con *c);
void con_show_monitor(struct con *c);
bool con_shows_monitor(struct con *c);
bool con_attach(struct con *c, unsigned partition) MUST_CHECK; /* false: there is none */

/* Hand typed bytes on, finish partial lines that have waited long enough, and give the terminals what they take now.
 * `now` in nanoseconds, of any steady clock. Returns when to call again at the latest (CON_NEVER: not before something
 * is written or typed), so that an idle CPU can halt meanwhile. If another CPU is in it, or there is nothing to do, it costs a
 * few instructions: it may be called after every exit. */
uint64_t con_poll(struct con *c, uint64_t now);

/* Write all that is queued now, waiting for the terminals: before the machine is switched off. */
void con_flush(struct con *c);

/* The hypervisor is about to stop: write out what is queued, and from now on what the log says, at once and without
 * locks. Guests are no longer heard. */
void con_panic(struct con *c);

#endif
