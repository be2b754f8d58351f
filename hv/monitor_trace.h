/* The monitor's view of the trace: what hv/monitor.c hands to the shell. Part of the composition root. */
#ifndef HV_MONITOR_TRACE_H
#define HV_MONITOR_TRACE_H

#include "hv/mem/page.h"
#include "hv/shell/shell_ops.h"
#include "hv/vm/vm.h"

/* Once, before any of the following. */
void monitor_trace_init(struct page_allocator *pages, const char *backend_name);

/* As in struct shell_ops. */
const struct trace_machine *monitor_trace_machine(void *ctx);
size_t monitor_trace(void *ctx, size_t partition, const struct trace_filter *filter, struct trace_record *out, size_t max);
bool monitor_instruction(void *ctx, const struct trace_record *r, char *text, size_t size);
const char *monitor_dump_begin(void *ctx, uint64_t limit);
bool monitor_dump_line(void *ctx, char line[TRACE_FRAME_SIZE]);
void monitor_dump_end(void *ctx);
const char *monitor_step_begin(void *ctx, size_t partition);
enum shell_step monitor_step_poll(void *ctx, size_t partition, struct trace_record *exit);
void monitor_step_cancel(void *ctx, size_t partition);

/* Median and 99th percentile of the ticks of each kind of exit of a partition (-1: of all), from what is in the rings. */
struct monitor_ticks { uint32_t median, high; };
void monitor_trace_ticks(int partition, struct monitor_ticks out[VT_EXIT_KINDS]);

/* The last records of all, for panic(): no locks, no allocation. */
void monitor_trace_last_words(void (*line)(const char *format, ...) PRINTF(1, 2));

#endif
