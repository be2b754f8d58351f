/* Memory and string primitives; the four mem* names are those the compiler itself calls. */
#ifndef HV_LIB_STR_H
#define HV_LIB_STR_H

#include "hv/lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* The first place of `word` in `s`, or NULL. */
const char *str_find(const char *s, const char *word);

/* Are the `len` bytes at `text` this word, and all of it? */
static inline bool str_is(const char *word, const char *text, size_t len)
{
    return strlen(word) == len && !memcmp(word, text, len);
}

/* Copy `src` into `dst` of `size` bytes, always terminated; returns false if it was cut. */
static inline bool str_copy(char *dst, size_t size, const char *src)
{
    size_t n = 0;
    for (; n < size - 1 && src[n]; n++)
        dst[n] = src[n];
    dst[n] = '\0';
    return src[n] == '\0';
}

#endif
