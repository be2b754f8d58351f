#include "hv/con/con_queue.h"

/* A record is: source, length (low byte, high byte), text. */
#define HEADER 3u

_Static_assert((CON_QUEUE_SIZE & (CON_QUEUE_SIZE - 1)) == 0, "positions wrap by masking");

static uint8_t *byte_at(struct con_queue *q, uint64_t position)
{
    return &q->bytes[position & (CON_QUEUE_SIZE - 1)];
}

static uint8_t read_at(const struct con_queue *q, uint64_t position)
{
    return q->bytes[position & (CON_QUEUE_SIZE - 1)];
}

static size_t record_length(const struct con_queue *q, uint64_t position)
{
    return (size_t)read_at(q, position + 1) | (size_t)read_at(q, position + 2) << 8;
}

static void count_dropped(struct con_queue *q, unsigned source, const char *text, size_t len)
{
    q->dropped_bytes[source] += (uint32_t)len;
    for (size_t i = 0; i < len; i++)
        q->dropped_lines[source] += text[i] == '\n';
}

/* Guests' output comes byte by byte: it goes to the newest record if that is theirs and nothing of it is taken yet. */
static bool extends_last(const struct con_queue *q, unsigned source, size_t len)
{
    if (q->head == q->tail || q->last < q->tail || (q->last == q->tail && q->taken))
        return false;
    return read_at(q, q->last) == source && record_length(q, q->last) + len <= CON_RECORD_MAX;
}

static void set_length(struct con_queue *q, size_t len)
{
    *byte_at(q, q->last + 1) = (uint8_t)len;
    *byte_at(q, q->last + 2) = (uint8_t)(len >> 8);
}

bool con_queue_put(struct con_queue *q, unsigned source, bool important, const char *text, size_t len)
{
    if (!len)
        return true;
    uint64_t need = len + HEADER; /* counted even where no header is added: the bound may be coarse */
    uint64_t room = CON_QUEUE_SIZE - con_queue_used(q);
    if (need > room || len > CON_RECORD_MAX || (!important && q->queued[source] + need > room)) {
        count_dropped(q, source, text, len);
        return false;
    }
    size_t before = 0, added = len;
    if (extends_last(q, source, len)) {
        before = record_length(q, q->last);
    } else {
        q->last = q->head;
        *byte_at(q, q->last) = (uint8_t)source;
        q->head += HEADER;
        added += HEADER;
    }
    set_length(q, before + len);
    for (size_t i = 0; i < len; i++)
        *byte_at(q, q->head++) = (uint8_t)text[i];
    q->queued[source] += (uint32_t)added;
    return true;
}

size_t con_queue_peek(const struct con_queue *q, char *out, size_t size)
{
    size_t n = 0, skip = q->taken;
    for (uint64_t at = q->tail; at < q->head && n < size; skip = 0) {
        size_t len = record_length(q, at);
        for (size_t i = skip; i < len && n < size; i++)
            out[n++] = (char)read_at(q, at + HEADER + i);
        at += HEADER + len;
    }
    return n;
}

void con_queue_consume(struct con_queue *q, size_t count)
{
    while (count && q->tail < q->head) {
        size_t len = record_length(q, q->tail);
        size_t step = MIN(count, len - q->taken);
        q->taken = (uint16_t)(q->taken + step);
        count -= step;
        if (q->taken < len)
            return;
        q->queued[read_at(q, q->tail)] -= (uint32_t)(len + HEADER);
        q->tail += HEADER + len;
        q->taken = 0;
    }
}
