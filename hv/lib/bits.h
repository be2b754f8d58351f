/* Bits and bytes counted, without the compiler's library. */
#ifndef HV_LIB_BITS_H
#define HV_LIB_BITS_H

#include "hv/lib/types.h"

static inline unsigned bit_count(uint64_t v)
{
    unsigned n = 0;
    for (; v; v &= v - 1)
        n++;
    return n;
}

/* Of a table that carries its own checksum (ACPI, MP), 0. */
static inline uint8_t byte_sum(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;
    while (size)
        sum = (uint8_t)(sum + bytes[--size]);
    return sum;
}

#endif
