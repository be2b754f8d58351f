/* The way to one address through the tables of pt.h, level by level, for people. Pure. */
#ifndef ARCH_X86_64_MMU_PT_PATH_H
#define ARCH_X86_64_MMU_PT_PATH_H

#include "arch/x86_64/mmu/pt.h"

#define PT_PATH_STEPS 5

struct pt_path {
    unsigned count;
    bool mapped;                                                  /* the last entry is a page */
    struct { unsigned level; uint64_t entry; } step[PT_PATH_STEPS];
};

/* An address with more bits than the tables have levels for has no way: count 0. */
void pt_path_find(const struct pt *pt, uint64_t address, struct pt_path *out);

#endif
