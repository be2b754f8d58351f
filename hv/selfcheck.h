/* Is the hypervisor itself still whole? Its code and constants are read-only to everyone, and every page of the machine
 * is free or counted for an owner; a guest that changed either has broken out. */
#ifndef HV_SELFCHECK_H
#define HV_SELFCHECK_H

#include "hv/lib/types.h"

/* Remembers the sums and who has how many pages: once all partitions are made. */
void selfcheck_begin(void);

/* All of it, now: one line by `say`. False: something is wrong. */
bool selfcheck_all(void (*say)(void *ctx, const char *text), void *ctx);

/* The next piece of code and constants, for the housekeeper; panics if they have changed. */
void selfcheck_piece(void);

#endif
