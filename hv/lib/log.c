#include "hv/lib/log.h"
#include "hv/lib/fmt.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/str.h"

#define LINE_SIZE  256
#define MAX_SINKS  4
#define EARLY_SIZE 4096

static struct {
    spinlock_t lock;
    struct log_ring *ring;
    struct { log_sink_t put; void *ctx; } sinks[MAX_SINKS];
    unsigned sink_count;
} logger = { .lock = SPINLOCK_INIT(LOCK_LOG) };

/* Before log_init() lines go here, so that none is lost. */
static union {
    struct log_ring ring;
    char raw[sizeof(struct log_ring) + EARLY_SIZE];
} early = { .ring = { LOG_RING_MAGIC, EARLY_SIZE, 0, ~UINT64_C(0) } };

static struct log_ring *current_ring(void)
{
    return logger.ring ? logger.ring : &early.ring;
}

static void ring_append(struct log_ring *r, const char *text, size_t len)
{
    uint64_t head = r->head;
    for (size_t i = 0; i < len; i++)
        r->text[head++ & (r->size - 1)] = text[i];
    r->head = head;
    r->check = ~head;
}

static void emit(const char *text, size_t len)
{
    ring_append(current_ring(), text, len);
    for (unsigned i = 0; i < logger.sink_count; i++)
        logger.sinks[i].put(logger.sinks[i].ctx, text, len);
}

static size_t make_line(char line[LINE_SIZE], const char *format, va_list args)
{
    size_t len = fmt_vprint(line, LINE_SIZE - 1, format, args);
    len = MIN(len, (size_t)LINE_SIZE - 2);
    line[len++] = '\n';
    return len;
}

void log_init(void *mem, size_t bytes)
{
    struct log_ring *r = mem;
    uint64_t size = 1;
    while (size * 2 <= bytes - sizeof *r)
        size *= 2;
    spin_lock(&logger.lock);
    *r = (struct log_ring){ LOG_RING_MAGIC, size, 0, ~UINT64_C(0) };
    uint64_t have = MIN(early.ring.head, (uint64_t)EARLY_SIZE);
    for (uint64_t at = early.ring.head - have; at < early.ring.head; at++)
        ring_append(r, &early.ring.text[at & (EARLY_SIZE - 1)], 1);
    logger.ring = r;
    spin_unlock(&logger.lock);
}

void log_add_sink(log_sink_t sink, void *ctx)
{
    spin_lock(&logger.lock);
    if (logger.sink_count < MAX_SINKS) {
        logger.sinks[logger.sink_count].put = sink;
        logger.sinks[logger.sink_count++].ctx = ctx;
    }
    spin_unlock(&logger.lock);
}

void log_vline(const char *format, va_list args)
{
    char line[LINE_SIZE];
    size_t len = make_line(line, format, args);
    spin_lock(&logger.lock);
    emit(line, len);
    spin_unlock(&logger.lock);
}

void log_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_vline(format, args);
    va_end(args);
}

void log_emergency(const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    size_t len = make_line(line, format, args);
    va_end(args);
    bool locked = spin_try_lock(&logger.lock);
    emit(line, len);
    if (locked)
        spin_unlock(&logger.lock);
}

size_t log_tail(char *buf, size_t size, uint64_t back)
{
    spin_lock(&logger.lock);
    const struct log_ring *r = current_ring();
    back = MIN(back, MIN(r->head, r->size));
    size_t n = (size_t)MIN(back, (uint64_t)size);
    for (size_t i = 0; i < n; i++)
        buf[i] = r->text[(r->head - back + i) & (r->size - 1)];
    spin_unlock(&logger.lock);
    return n;
}
