/* The walk of a guest's own page tables: linear address to guest-physical, with every check that hardware makes.
 * Pure: the registers are in struct guest_paging, memory is reached through struct guest_walk_mem.
 * Intel SDM vol 3, "Paging": the rules; AMD APM vol 2, "Page Translation and Protection": where they differ.
 * Not done here: segmentation, HLAT, shadow stacks (CET), supervisor protection keys (CR4.PKS), LAM. */
#ifndef ARCH_X86_64_MMU_GUEST_WALK_H
#define ARCH_X86_64_MMU_GUEST_WALK_H

#include "hv/lib/types.h"

enum guest_walk_result {
    GUEST_WALK_OK = 0,
    GUEST_WALK_FAULT,         /* inject #PF with error_code, CR2 = the address */
    GUEST_WALK_NON_CANONICAL, /* inject #GP(0), or #SS(0) for a stack access */
    GUEST_WALK_NO_MEMORY,     /* a table lies outside of the guest's memory: `gpa` is the entry's address */
};

/* The kind of access; WRITE and FETCH exclude each other, neither means read. */
enum guest_access {
    GUEST_READ     = 0,
    GUEST_WRITE    = 1u << 0,
    GUEST_FETCH    = 1u << 1,
    GUEST_IMPLICIT = 1u << 2, /* a supervisor access at any CPL: descriptor tables, TSS */
    GUEST_PROBE    = 1u << 3, /* leave accessed and dirty bits alone: for the monitor */
};

struct guest_paging {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t rflags;           /* AC counts, with CR4.SMAP */
    uint32_t pkru;             /* counts with CR4.PKE */
    uint8_t cpl;
    uint8_t physical_bits;     /* the guest's MAXPHYADDR: 32..52 */
    bool huge_pages;           /* the guest's CPUID has 1 GiB pages */
    bool pdptes_loaded;        /* PAE: pdpte[] holds the registers (VT-x); else they are read from memory (AMD-V) */
    uint64_t pdpte[4];
};

/* Contiguous guest RAM as the hypervisor sees it; all three 4 KiB aligned. */
struct guest_window {
    uint64_t gpa, size;
    const uint8_t *host;
};

/* The guest's memory. Most of a guest's tables lie in few windows, so a walk asks for one and reads entries in it. */
struct guest_walk_mem {
    /* The window around `at`; false if that is not RAM. It is used during one walk only. */
    bool (*window)(void *ctx, gpa_t at, struct guest_window *window);
    /* Compare and exchange `width` (4 or 8) bytes, aligned; *swapped says if the entry was still `expected`. False if
     * that is not RAM or must not be written. */
    bool (*cmpxchg)(void *ctx, gpa_t at, unsigned width, uint64_t expected, uint64_t desired, bool *swapped);
};

struct guest_translation {
    gpa_t gpa;           /* OK: of the very address; NO_MEMORY: of the entry that could not be reached */
    uint64_t page_size;  /* OK: bytes up to which gpa is contiguous: 4 KiB, 2 MiB, 4 MiB, 1 GiB. Unpaged: 4 KiB */
    uint32_t error_code; /* FAULT: PF_P .. PF_PK (isa/cr.h) */
};

/* Translate one address. An access that crosses a page is two calls. Accessed and dirty bits are set as hardware
 * would, by compare-and-exchange at the entry's width; if an entry changed meanwhile the walk starts again. Tables in
 * read-only memory are walked, and their bits left alone. */
enum guest_walk_result guest_walk(const struct guest_paging *paging, const struct guest_walk_mem *mem, void *ctx,
                                  gva_t address, unsigned access, struct guest_translation *out) MUST_CHECK;

/* The entries that a walk used, and what they held. Outcome and effect of a walk depend on nothing but the registers, the
 * address, the access and these: as long as all of them are what they were, so is the translation. */
struct guest_trail {
    const uint64_t *at[4]; /* in windows: of use as long as these are; the last one fills what a shorter walk leaves */
    uint64_t value[4];
};

static inline bool guest_trail_holds(const struct guest_trail *t)
{
    uint64_t differs = 0;
#pragma GCC unroll 4
    for (unsigned i = 0; i < 4; i++)
        differs |= __atomic_load_n(t->at[i], __ATOMIC_RELAXED) ^ t->value[i];
    return !differs;
}

/* The same walk, with its trail; only if it is a plain success that changes nothing, and 4-level or unpaged. */
bool guest_walk_plain(const struct guest_paging *paging, const struct guest_walk_mem *mem, void *ctx, gva_t address,
                      unsigned access, struct guest_translation *out, struct guest_trail *trail) MUST_CHECK;

#endif
