/* Lines that have to be seen now, though the CPU that hands bytes to the terminals, or one that holds the console's lock, may
 * not go on: the watchdog's. */
#ifndef HV_CON_CON_ALARM_H
#define HV_CON_CON_ALARM_H

#include "hv/con/con.h"

/* From now on the log's lines go to the terminals at once, past what is queued, waiting for nobody for long; until end. By one
 * CPU at a time. */
void con_alarm_begin(struct con *c);
void con_alarm_end(struct con *c);

/* For con.c: a line, at once. */
void con_alarm_line(struct con *c, const char *text, size_t len);

#endif
