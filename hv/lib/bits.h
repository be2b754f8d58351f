/* Bit counting without the compiler's library. */
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

#endif
