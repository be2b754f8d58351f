/* The one page-table walker: host tables, EPT and AMD's nested tables differ only in a const struct pt_format.
 * Pure: pages come and go through struct pt_mem. No locks: the caller serialises changes to one struct pt; entries
 * are stored whole and tables are filled before they are linked, so that a CPU may walk while they change.
 * Invalidation of TLBs is the caller's, after pt_unmap and pt_protect (a successful pt_map needs none, on Intel and
 * AMD: nothing that is not present is cached). Emptied tables go to free_page at once, while CPUs may still cache
 * their address: with other CPUs running on the tables, use pt_unmap_keep_tables, or hand in a free_page that waits
 * for the invalidation. */
#ifndef ARCH_X86_64_MMU_PT_H
#define ARCH_X86_64_MMU_PT_H

#include "hv/lib/types.h"

enum pt_result {
    PT_OK = 0,
    PT_NO_MEMORY,      /* alloc_page failed; the mappings are as they were before the call */
    PT_MISALIGNED,     /* an address or size is no multiple of 4 KiB, or the size is 0 */
    PT_OUT_OF_RANGE,   /* an address range wraps, is not canonical or is wider than the format allows */
    PT_OVERLAP,        /* pt_map: something is mapped there already; nothing was changed */
    PT_NOT_MAPPED,     /* pt_lookup: nothing there; pt_protect: a hole in the range, nothing was changed */
    PT_BAD_ATTRIBUTES, /* a combination the format cannot express, e.g. write without read */
};

/* Attributes: a sum of permissions and one cache type. What a format has no bit for (EPT: PT_USER, PT_GLOBAL;
 * NPT: PT_USER, which is always set, and PT_GLOBAL) is ignored. */
enum pt_attribute {
    PT_READ   = 1u << 0,
    PT_WRITE  = 1u << 1,
    PT_EXEC   = 1u << 2,
    PT_USER   = 1u << 3,
    PT_GLOBAL = 1u << 4,
    PT_WB     = 0u << 8,
    PT_WT     = 1u << 8,
    PT_UC     = 2u << 8,
    PT_WC     = 3u << 8,
    PT_CACHE  = 3u << 8, /* mask of the cache type */
};
typedef uint32_t pt_attributes_t;

enum { PT_LEVEL_4K = 1, PT_LEVEL_2M = 2, PT_LEVEL_1G = 3 };

/* Bytes that one entry of a level covers. */
static inline uint64_t pt_level_size(unsigned level)
{
    return UINT64_C(1) << (PAGE_SHIFT + 9 * (level - 1));
}

/* What tells one kind of table from another. */
struct pt_format {
    const char *name;
    unsigned levels;        /* 4 */
    unsigned address_bits;  /* of the addresses mapped: 48 */
    bool canonical;         /* addresses are sign-extended from address_bits */
    uint64_t present;       /* an entry with none of these bits is not present */
    uint64_t table;         /* flags of an entry that points to a table */
    uint64_t large;         /* flag that makes an entry of level 2 or 3 a page */
    /* Flags of a page entry; false if the attributes cannot be expressed. Address and `large` are added by pt.c. */
    bool (*encode)(pt_attributes_t attributes, uint64_t *flags);
    pt_attributes_t (*decode)(uint64_t entry);
};

extern const struct pt_format pt_host; /* 4-level x86-64; cache types by PT_HOST_PAT */
extern const struct pt_format pt_ept;  /* Intel EPT, 4 levels */
extern const struct pt_format pt_npt;  /* AMD nested paging: host format with U set */

/* IA32_PAT for pt_host and pt_npt: WB, WT, WC, UC, twice; so the PAT bit of an entry is never needed. */
#define PT_HOST_PAT UINT64_C(0x0001040600010406)

/* The EPT pointer for the VMCS: write-back walks of 4 levels, accessed and dirty bits if the CPU has them. */
uint64_t pt_ept_pointer(hpa_t root, bool accessed_dirty);

/* Where tables come from. alloc_page gives a zeroed 4 KiB page or returns false. */
struct pt_mem {
    bool (*alloc_page)(void *ctx, hpa_t *page);
    void (*free_page)(void *ctx, hpa_t page);
    void *(*pointer)(void *ctx, hpa_t page);
    void *ctx;
};

struct pt {
    hpa_t root;
    const struct pt_format *format;
    const struct pt_mem *mem;
    unsigned max_page_level; /* largest page the CPU has: PT_LEVEL_* */
    uint64_t tables;         /* pages in use as tables, the root included */
};

struct pt_mapping {
    hpa_t hpa;                  /* of the very address looked up, offset included */
    uint64_t page_size;         /* 4 KiB, 2 MiB or 1 GiB */
    pt_attributes_t attributes;
};

/* An empty table; allocates the root. */
enum pt_result pt_init(struct pt *pt, const struct pt_format *format, const struct pt_mem *mem,
                       unsigned max_page_level) MUST_CHECK;

/* Frees every table. The pages mapped are not the table's to free. */
void pt_destroy(struct pt *pt);

/* Map [address, address+size) to [hpa, hpa+size) with the largest pages that alignment and the CPU allow. */
enum pt_result pt_map(struct pt *pt, uint64_t address, hpa_t hpa, uint64_t size,
                      pt_attributes_t attributes) MUST_CHECK;

/* Remove what is mapped in the range (holes are fine); a large page that sticks out of it is split. */
enum pt_result pt_unmap(struct pt *pt, uint64_t address, uint64_t size) MUST_CHECK;

/* The same, but tables that become empty stay where they are, for CPUs that may still cache their addresses; a later
 * pt_map uses them again, a later pt_unmap of their range or pt_destroy frees them. */
enum pt_result pt_unmap_keep_tables(struct pt *pt, uint64_t address, uint64_t size) MUST_CHECK;

/* Give the range new attributes; it must be mapped throughout. A large page that sticks out of it is split. */
enum pt_result pt_protect(struct pt *pt, uint64_t address, uint64_t size, pt_attributes_t attributes) MUST_CHECK;

/* PT_OK and *out, or PT_NOT_MAPPED, or PT_OUT_OF_RANGE. */
enum pt_result pt_lookup(const struct pt *pt, uint64_t address, struct pt_mapping *out) MUST_CHECK;

#endif
