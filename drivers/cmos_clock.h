/* The machine's battery clock, read once at boot. */
#ifndef DRIVERS_CMOS_CLOCK_H
#define DRIVERS_CMOS_CLOCK_H

#include "hv/lib/types.h"

/* Seconds since 1970-01-01 00:00 in the clock's own zone; 0 if it shows no valid date. */
int64_t cmos_clock_read(void);

#endif
