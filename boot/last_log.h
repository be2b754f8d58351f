/* Where the log ring lives, and how the ring of the run before is found after a warm reset. Pure. */
#ifndef BOOT_LAST_LOG_H
#define BOOT_LAST_LOG_H

#include "hv/lib/log.h"

#define LAST_LOG_TEXT KiB(64)
#define LAST_LOG_AREA (LAST_LOG_TEXT + PAGE_SIZE) /* bytes reserved: header and text */

/* Fixed physical addresses, tried in this order: firmware leaves them alone on a reset. */
extern const uint64_t last_log_places[];
extern const size_t last_log_place_count;

/* True if `area` (LAST_LOG_AREA bytes of memory with any content) holds a whole ring with text in it. */
bool last_log_valid(const struct log_ring *area) MUST_CHECK;

/* The ring's text, oldest first, whole lines, into `out` (at least LAST_LOG_TEXT bytes); returns its length. */
size_t last_log_copy(const struct log_ring *area, char *out);

#endif
