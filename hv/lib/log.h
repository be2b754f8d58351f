/* The log: one ring of text lines, and the sinks (serial line, screen) that were handed in.
 * Everything the hypervisor says goes through here, so that the monitor's `log` and the next boot can show it. */
#ifndef HV_LIB_LOG_H
#define HV_LIB_LOG_H

#include <stdarg.h>
#include "hv/lib/types.h"

#define LOG_RING_MAGIC UINT64_C(0x31474f4c5a505254) /* "TRPZLOG1" */

/* Lives in memory that the loader reserves at a fixed place, so that it survives a warm reset.
 * `head` counts all bytes ever written; text[head % size] is the next to be written. */
struct log_ring {
    uint64_t magic;
    uint64_t size;  /* bytes of text, a power of two */
    uint64_t head;
    uint64_t check; /* ~head: a half-written or decayed ring is not shown */
    char text[];
};

typedef void (*log_sink_t)(void *ctx, const char *text, size_t len);

/* Start a fresh ring in `mem` of `bytes`; earlier content is overwritten. Lines logged before are kept. */
void log_init(void *mem, size_t bytes);

/* Add a sink (at most 4); it gets each whole line, ended by '\n', in order. Safe from any CPU. */
void log_add_sink(log_sink_t sink, void *ctx);

/* One line; a '\n' is added. */
void log_line(const char *format, ...) PRINTF(1, 2);
void log_vline(const char *format, va_list args) PRINTF(1, 0);

/* The same, but never waits for the log's lock: for panic() and NMI. */
void log_emergency(const char *format, ...) PRINTF(1, 2);

/* Copy up to `size` bytes of the ring, starting `back` bytes before its end, into `buf`; returns the count. */
size_t log_tail(char *buf, size_t size, uint64_t back);

#endif
