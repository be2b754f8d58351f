/* Composing what goes to the terminals: whole lines with their prefix, raw output, notes. Inside of hv/con only; the
 * caller holds con.lock. */
#ifndef HV_CON_CON_EMIT_H
#define HV_CON_CON_EMIT_H

#include "hv/con/con.h"

#define CON_SOURCE_HYPERVISOR CON_MAX_PARTITIONS
#define CON_SOURCE_MONITOR    (CON_MAX_PARTITIONS + 1)

/* A guest's line, with its name in front. */
void con_emit_guest_line(struct con *c, unsigned partition, const char *text, size_t len);

/* A line of the hypervisor, in whatever view: control characters are taken out, the line's end is added. */
void con_emit_log_line(struct con *c, const char *text, size_t len);

/* A line of the console itself, "--- text ---", in column 0. */
void con_emit_note(struct con *c, const char *format, ...) PRINTF(2, 3);

/* What is shown for one byte of a log line. Lines may quote what a guest or a configuration file said: nothing but
 * printable ASCII gets through. */
char con_emit_printable(char byte);

/* Bytes as they are, to every terminal. */
void con_emit_raw(struct con *c, unsigned source, const char *bytes, size_t len);

/* The attached guest's recent output, without what would make the terminal answer. */
void con_emit_replay(struct con *c, unsigned partition);

/* Undo what a guest may have done to the terminal. */
void con_emit_terminal_reset(struct con *c);

/* Once half of a terminal's queue is free again: say what was dropped. */
void con_emit_dropped(struct con *c, unsigned terminal);

#endif
