/* The way through a guest's page tables, level by level, for people: what guest_walk() decides, with the entries that it
 * saw and the one that is to blame. Pure, never changes the guest's memory, and not made for speed. */
#ifndef ARCH_X86_64_MMU_GUEST_PATH_H
#define ARCH_X86_64_MMU_GUEST_PATH_H

#include "arch/x86_64/mmu/guest_walk.h"

#define GUEST_PATH_STEPS 5

struct guest_path_step {
    const char *name;  /* "PML4E" ... as in SDM vol 3, "Paging" */
    uint64_t at;       /* guest-physical address of the entry */
    uint64_t value;
    bool known;        /* false: it lies outside of the guest's memory */
    bool in_register;  /* PAE on VT-x: the value is a register's, `at` is where it was loaded from */
};

struct guest_path {
    enum guest_walk_result result;       /* guest_walk()'s, and what it gave: */
    struct guest_translation translation;
    unsigned count;                      /* of steps; 0: no paging, or not canonical */
    unsigned blamed;                     /* the step that fails; == count: none */
    const char *problem;                 /* what is wrong with it; NULL: nothing */
    struct guest_path_step step[GUEST_PATH_STEPS];
};

void guest_path_find(const struct guest_paging *paging, const struct guest_walk_mem *mem, void *ctx, gva_t address,
                     unsigned access, struct guest_path *out);

#endif
