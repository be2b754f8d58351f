/* Records as text, for the monitor and for last words. Pure; the words come from struct trace_machine. */
#ifndef HV_TRACE_SHOW_H
#define HV_TRACE_SHOW_H

#include "hv/trace/machine.h"
#include "hv/trace/record.h"

#define TRACE_SHOW_SIZE 128

/* "12.345678": seconds since the TSC was 0. */
void trace_show_time(const struct trace_machine *m, uint64_t tsc, char out[TRACE_SHOW_SIZE]);

/* "linux/0", "linux" or "-". */
void trace_show_who(const struct trace_machine *m, const struct trace_record *r, char out[TRACE_SHOW_SIZE]);

/* One word: the kind of exit, else the type of record. */
const char *trace_show_kind(const struct trace_record *r);

/* What happened: the registers that matter, and what they were afterwards. */
void trace_show_detail(const struct trace_machine *m, const struct trace_record *r, char out[TRACE_SHOW_SIZE]);

/* All of it in a line: time, who, ticks, kind, the instruction (may be ""), detail. */
void trace_show(const struct trace_machine *m, const struct trace_record *r, const char *insn, char *out, size_t size);
extern const char trace_show_title[];

#endif
