/* "Did you mean ...?": the nearest of some known words. */
#ifndef HV_LIB_SUGGEST_H
#define HV_LIB_SUGGEST_H

#include "hv/lib/types.h"

/* The greatest distance that is worth a suggestion; for a short word it is less. */
#define SUGGEST_MOST 3u

/* The number of single-character insertions, deletions, replacements and swaps of neighbours that turn a into b,
 * letters of either case being equal; SUGGEST_FAR for words too long to compare, or too different to suggest one. */
#define SUGGEST_FAR 99u
unsigned suggest_distance(const char *a, size_t a_len, const char *b);

/* A distance up to this is worth suggesting for a word of this length. */
static inline unsigned suggest_limit(size_t len)
{
    return len <= 3 ? 1 : len <= 6 ? 2 : SUGGEST_MOST;
}

/* The nearest of `count` words that is worth suggesting, NULL: none. Each is at the start of a row of `stride` bytes; a NULL
 * ends them early. */
const char *suggest_nearest(const char *text, size_t len, const void *rows, size_t count, size_t stride);

#endif
