/* What waits to be written to one terminal: a bounded queue of records (whole lines, or pieces of raw output), each
 * from one source. No source can take the room of the others: it is admitted only while what it has queued stays
 * below what is free. What is not admitted is counted, per source, and told in the stream once there is room. */
#ifndef HV_CON_CON_QUEUE_H
#define HV_CON_CON_QUEUE_H

#include "hv/lib/types.h"

#define CON_QUEUE_SIZE    KiB(128)  /* 11 seconds at 115200 baud */
#define CON_QUEUE_SOURCES 18        /* partitions, the hypervisor, the monitor */
#define CON_RECORD_MAX    512

struct con_queue {
    uint8_t bytes[CON_QUEUE_SIZE];
    uint64_t head, tail;                  /* bytes ever put in and taken out, headers included */
    uint32_t queued[CON_QUEUE_SOURCES];   /* bytes in the queue, by source */
    uint32_t dropped_lines[CON_QUEUE_SOURCES]; /* refused since this was last told */
    uint32_t dropped_bytes[CON_QUEUE_SOURCES];
    uint64_t last;                        /* where the newest record begins: the next may be added to it */
    uint16_t taken;                       /* of the record at the tail */
};

/* Put one record of at most CON_RECORD_MAX bytes in, or count it as refused. An important source may use all the
 * room there is. Returns false if it was dropped. */
bool con_queue_put(struct con_queue *q, unsigned source, bool important, const char *text, size_t len);

/* Copy the next bytes to be written, at most `size`, without removing them; returns the count. */
size_t con_queue_peek(const struct con_queue *q, char *out, size_t size);

/* Remove `count` bytes, at most what con_queue_peek showed. */
void con_queue_consume(struct con_queue *q, size_t count);

static inline uint64_t con_queue_used(const struct con_queue *q)
{
    return q->head - q->tail;
}

#endif
