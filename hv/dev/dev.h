/* What every device model is to the bus: a plain struct with four operations.
 *
 * A model has no globals, no locks, no clock of its own and prints nothing; the bus holds the partition's lock
 * around each call. Interrupts leave by a line that was handed in. So each model runs in a host unit test, and its
 * state can be copied for a snapshot. */
#ifndef HV_DEV_DEV_H
#define HV_DEV_DEV_H

#include "hv/lib/types.h"

/* The partition's virtual time: nanoseconds since it was started; it stands still while paused. */
typedef uint64_t vtime_t;
#define VTIME_NEVER UINT64_MAX
#define NS_PER_SEC  UINT64_C(1000000000)

/* An interrupt line: the model calls set() with the level it now drives. */
struct irq_line {
    void (*set)(void *ctx, unsigned number, bool level);
    void *ctx;
    unsigned number;
};

static inline void irq_line_set(const struct irq_line *line, bool level)
{
    if (line->set)
        line->set(line->ctx, line->number, level);
}

/* What a device asks of whoever runs the partition (reset, power off). It is sent in the middle of an access, so the
 * receiver only notes it, and acts once the access is over. */
struct dev_request {
    void (*send)(void *ctx);
    void *ctx;
};

static inline void dev_request_send(const struct dev_request *request)
{
    if (request->send)
        request->send(request->ctx);
}

/* Where a device's output bytes go (a serial line, a debug console). */
struct dev_output {
    void (*put)(void *ctx, uint8_t byte);
    void *ctx;
};

static inline void dev_output_put(const struct dev_output *output, uint8_t byte)
{
    if (output->put)
        output->put(output->ctx, byte);
}

/* Ports that a chip answers, and the offset its model sees for the first of them: a chip with several port ranges has
 * them one after the other in its own space of offsets. */
struct dev_ports {
    uint16_t base;
    uint16_t length;
    uint16_t offset;
};

struct dev_ops {
    const char *name;
    /* The widest access that the model takes in one piece (1, 2, 4 or 8 bytes): the bus splits a wider one into single
     * bytes, lowest address first, as the ISA bus does. 0: any width. */
    uint8_t max_width;
    /* `offset` is relative to the region the access hit, plus the offset that the region was attached with; `size` is
     * 1, 2, 4 or 8 bytes, and offset + size never leaves the region. A read returns the value in its low bytes;
     * unimplemented bits read as the manual says (all ones where nothing answers). */
    uint64_t (*read)(void *dev, uint64_t offset, unsigned size, vtime_t now);
    void (*write)(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now);
    void (*reset)(void *dev, vtime_t now);
    /* Do all that was due up to `now`; returns the next moment, later than `now`, at which this has to be called again
     * (VTIME_NEVER: not until the next access). NULL for a device without timers. The bus calls it after every
     * access, too, but for reads that are said to be quiet. */
    vtime_t (*expire)(void *dev, vtime_t now);
    /* Bit n: after a read at offset n (modulo 64), expire() need not be called before the moment it returned last. */
    uint64_t quiet_reads;
};

#endif
