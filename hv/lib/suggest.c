#include "hv/lib/suggest.h"

#include "hv/lib/str.h"

#define MAX_WORD 24

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '-' : c;
}

/* The usual dynamic programme, with three rows: the one above the last is needed for swaps. */
unsigned suggest_distance(const char *a, size_t a_len, const char *b)
{
    size_t b_len = strlen(b);
    unsigned rows[3][MAX_WORD + 1];
    if (a_len > MAX_WORD || b_len > MAX_WORD || MAX(a_len, b_len) - MIN(a_len, b_len) > SUGGEST_MOST)
        return SUGGEST_FAR;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        unsigned nearest = row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            unsigned best = MIN(above[j] + 1, row[j - 1] + 1);
            best = MIN(best, above[j - 1] + !same);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                best = MIN(best, above2[j - 2] + 1);
            row[j] = best;
            nearest = MIN(nearest, best);
        }
        if (nearest > SUGGEST_MOST) /* no row after this one comes nearer again */
            return SUGGEST_FAR;
    }
    return rows[a_len % 3][b_len];
}

const char *suggest_nearest(const char *text, size_t len, const void *rows, size_t count, size_t stride)
{
    const char *nearest = NULL, *word;
    unsigned best = suggest_limit(len) + 1;
    for (const uint8_t *row = rows; count--; row += stride) {
        memcpy(&word, row, sizeof word);
        if (!word)
            break;
        unsigned distance = suggest_distance(text, len, word);
        if (distance < best) {
            best = distance;
            nearest = word;
        }
    }
    return nearest;
}
