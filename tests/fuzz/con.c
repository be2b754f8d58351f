/* Any output of guests and any keys, with terminals that take little at a time: no byte but what the console means to send
 * reaches the terminal in the overview, queues keep their counts, and con_poll always comes to an end.
 * covers: hv/con/con.c hv/con/con_alarm.c hv/con/con_emit.c hv/con/con_line.c hv/con/con_queue.c hv/con/con_view.c
 * max_len: 80 */
#include "hv/con/con_alarm.h"
#include "tests/fuzz/fuzz.h"

static struct con con;
static struct ansi ansi;          /* of what the terminal got */
static bool attached_ever;        /* then a guest's bytes may have reached it */
static size_t takes, guest_takes;
static uint64_t now;

static void look(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !attached_ever; i++) {
        enum ansi_event event = ansi_feed(&ansi, (uint8_t)bytes[i]);
        FUZZ_CHECK(event != ANSI_OTHER && (event != ANSI_CSI || strchr("Km", ansi.final)));
        FUZZ_CHECK(event != ANSI_TEXT || (bytes[i] >= ' ' && bytes[i] < 0x7f) || bytes[i] == '\r' || bytes[i] == '\n');
    }
}

static size_t on_put(void *ctx, const char *bytes, size_t len)
{
    size_t count = MIN(len, takes);
    if (ctx) /* a screen takes all */
        return len;
    look(bytes, count);
    return count;
}

static void on_put_now(void *ctx, const char *bytes, size_t len)
{
    if (!ctx)
        look(bytes, len);
}

static bool on_draw(void *ctx) { (void)ctx; return now & 1; }

static bool to_guest(void *ctx, unsigned partition, uint8_t byte)
{
    (void)ctx, (void)byte;
    FUZZ_CHECK(partition < CON_MAX_PARTITIONS && con.partition[partition].name[0]);
    guest_takes -= guest_takes > 0;
    return guest_takes;
}

static void to_monitor(void *ctx, uint8_t byte)
{
    char echo = byte >= ' ' && byte < 0x7f ? (char)byte : '.';
    (void)ctx;
    con_monitor_write(&con, &echo, 1);
}

static void redraw_monitor(void *ctx) { (void)ctx; con_monitor_write(&con, "\r\033[K> ", 6); }

static void check(void)
{
    FUZZ_CHECK(con.view <= CON_MONITOR && con.input.head - con.input.tail <= CON_INPUT_SIZE);
    FUZZ_CHECK(con.guest_input.head - con.guest_input.tail <= CON_INPUT_SIZE);
    FUZZ_CHECK(con.view != CON_ATTACHED || con.partition[con.attached].name[0]);
    for (unsigned t = 0; t < con.terminals; t++) {
        const struct con_queue *q = &con.queue[t];
        uint64_t queued = 0;
        for (unsigned i = 0; i < CON_QUEUE_SOURCES; i++)
            queued += q->queued[i];
        FUZZ_CHECK(con_queue_used(q) <= CON_QUEUE_SIZE && queued == con_queue_used(q) && q->taken <= CON_RECORD_MAX);
    }
    for (unsigned p = 0; p < CON_MAX_PARTITIONS; p++)
        for (unsigned s = 0; s < CON_STREAMS; s++)
            FUZZ_CHECK(con.partition[p].line[s].length <= CON_LINE_SIZE);
}

/* con_init(), but for what lies in its queues and replay buffers, which nobody reads before it is written: clearing all 400
 * KiB for each input would take longer than the rest. */
static void fresh(const struct con_hooks *hooks)
{
    static bool initialized;
    if (!initialized)
        con_init(&con, hooks);
    initialized = true;
    memset(&con, 0, offsetof(struct con, queue));
    for (unsigned i = 0; i < CON_MAX_TERMINALS; i++)
        memset((char *)&con.queue[i] + sizeof con.queue[i].bytes, 0, sizeof con.queue[i] - sizeof con.queue[i].bytes);
    memset(&con.view, 0, offsetof(struct con, partition) - offsetof(struct con, view));
    for (unsigned i = 0; i < CON_MAX_PARTITIONS; i++)
        memset(&con.partition[i], 0, offsetof(struct con_partition, replay));
    con.hooks = *hooks;
}

/* As after a lot of output: the first terminal's queue is nearly full with lines of the first guest, which has more to replay
 * than is kept. */
static void fill(void)
{
    struct con_queue *q = &con.queue[0];
    struct con_partition *p = &con.partition[0];
    const unsigned record = CON_RECORD_MAX + 3; /* source, length (16 bits), text */
    memset(q->bytes, 'x', sizeof q->bytes);
    for (; q->head + record <= CON_QUEUE_SIZE; q->head += record) {
        q->last = q->head;
        q->bytes[q->head] = 0;
        memcpy(&q->bytes[q->head + 1], &(uint16_t){ CON_RECORD_MAX }, 2);
        q->queued[0] += record;
    }
    memset(p->replay, 'y', sizeof p->replay);
    p->replay[CON_REPLAY_SIZE - 100] = '\n'; /* a replay begins with a line: what is before is soon done */
    p->replay_head = 3 * CON_REPLAY_SIZE + 7;
}

static void start(uint8_t setup)
{
    const struct con_hooks all = { .to_guest = to_guest, .to_monitor = to_monitor, .redraw_monitor = redraw_monitor }, none = { .ctx = NULL };
    struct con_terminal line = { .put = on_put, .put_now = on_put_now, .colours = setup & 1 };
    struct con_terminal screen = { .put = on_put, .draw = on_draw, .put_now = on_put_now, .ctx = &con };
    attached_ever = false;
    ansi = (struct ansi){ 0 };
    now = 1;
    fresh(setup >> 3 == 31 ? &none : &all);
    FUZZ_CHECK(con_add_terminal(&con, &line));
    if (setup & 2)
        FUZZ_CHECK(con_add_terminal(&con, &screen) && !con_add_terminal(&con, &line));
    FUZZ_CHECK(con_set_partition(&con, 0, "linux") && con_set_partition(&con, 1, "a [name]\033[2J"));
    if (setup >> 3 == 30)
        fill();
    if (setup & 4)
        FUZZ_CHECK(con_set_partition(&con, 9, "ten") && !con_set_partition(&con, CON_MAX_PARTITIONS, "many") && !con_set_partition(&con, 2, ""));
}

static void output(uint8_t op, struct fuzz_input *in)
{
    size_t length = MIN((size_t)(op >> 3), in->left);
    const char *text = (const char *)in->at;
    in->at += length, in->left -= length;
    unsigned times = op & 128 ? 10 : 1; /* so that queues fill */
    while (times--)
        con_guest_write(&con, op & 4 ? 0 : op & 8 ? 1 : 9, op & 16 ? CON_DEBUG : CON_SERIAL, text, length);
}

static void poll(uint8_t op)
{
    takes = op & 64 ? SIZE_MAX : op >> 3 & 7;
    guest_takes = op & 32 ? 1000 : op >> 3 & 3;
    now += UINT64_C(1) << (op >> 3) % 32;
    FUZZ_CHECK(con_poll(&con, now) >= now);
    (void)con_is_congested(&con);
}

static void alarm_line(uint8_t byte)
{
    con_alarm_begin(&con);
    con_log_sink(&con, "the watchdog \033 says", byte % 20);
    (void)con_poll(&con, now);
    con_alarm_end(&con);
}

static void other(uint8_t op, struct fuzz_input *in)
{
    uint8_t byte = fuzz_u8(in);
    switch (op >> 4 & 7) {
    case 0: con_log_sink(&con, "the hypervisor \033 says\n", byte % 24); break;
    case 1: con_show_overview(&con); break;
    case 2: con_show_monitor(&con); break;
    case 3: attached_ever |= con_attach(&con, byte); break;
    case 4: con_guest_ready(&con); break;
    case 5: con_flush(&con); break;
    case 6: con_monitor_write(&con, "an answer\n", byte % 11); break;
    default:
        if (byte == 0xff)
            con_panic(&con);
        else if (byte & 128)
            alarm_line(byte);
        FUZZ_CHECK(con_shows_monitor(&con) == (con.view == CON_MONITOR));
    }
}

/* A digit may attach to a guest, as soon as it is looked at. */
static void type(uint8_t op, uint8_t byte)
{
    attached_ever |= byte >= '1' && byte <= '9';
    for (unsigned times = op == 0xfb ? CON_INPUT_SIZE + 1 : 1; times--;)
        con_input(&con, byte);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    start(fuzz_u8(&in));
    while (in.left) {
        uint8_t op = fuzz_u8(&in);
        switch (op & 3) {
        case 0: poll(op); break;
        case 1: output(op, &in); break;
        case 2: other(op, &in); break;
        default: type(op, op & 4 ? 0x1d : fuzz_u8(&in)); break;
        }
        check();
    }
    return 0;
}
