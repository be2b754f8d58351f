/* The image's own functions, sorted by address, for backtraces. Generated at link time by scripts/symbols. */
#ifndef ARCH_X86_64_CPU_SYMBOLS_H
#define ARCH_X86_64_CPU_SYMBOLS_H

#include "hv/lib/types.h"

struct symbol {
    uint64_t addr; /* virtual */
    const char *name;
};

extern const struct symbol symbols[];
extern const size_t symbol_count;

#endif
