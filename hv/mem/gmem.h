/* Guest memory: the only door to it. A partition's RAM is a set of extents, contiguous in guest-physical and in host
 * memory, made of the largest blocks that the guest-physical alignment allows.
 * RAM is added before vCPUs run; from then on any number of CPUs may read and write at once, without a lock.
 * Nothing wraps, and an access that is not wholly in RAM is refused as a whole. Values may change between two reads
 * (the guest runs): read once, check the copy, use the copy. */
#ifndef HV_MEM_GMEM_H
#define HV_MEM_GMEM_H

#include <stdatomic.h>
#include "arch/x86_64/mmu/guest_walk.h"
#include "hv/mem/page.h"

enum gmem_result {
    GMEM_OK = 0,
    GMEM_NO_MEMORY,  /* the host has not enough; what was there before is unchanged */
    GMEM_MISALIGNED, /* not a multiple of 4 KiB, or empty */
    GMEM_OVERLAP,    /* there is RAM already */
    GMEM_OUTSIDE,    /* not (wholly) in RAM, or beyond 2^48 */
    GMEM_READ_ONLY,  /* a write, by hypervisor code on the guest's behalf, to a read-only extent */
};

struct gmem_extent {
    uint64_t gpa;   /* bytes, 4 KiB aligned */
    uint64_t size;  /* bytes */
    uint8_t *host;  /* where the hypervisor sees it */
    hpa_t hpa;
    bool read_only; /* for the guest: ROM */
};

struct gmem {
    struct page_allocator *pages;
    struct gmem_extent *extents; /* sorted by gpa */
    uint32_t count, capacity;
    hpa_t extents_block;
    _Atomic uint32_t last;       /* index of the extent last hit: a hint, any value is safe; partner of itself */
    uint64_t bytes;              /* RAM in all */
};

/* An empty memory; gmem_destroy frees all (and page_free scrubs it), also of one that is all zeroes: never created. */
enum gmem_result gmem_create(struct gmem *g, struct page_allocator *pages) MUST_CHECK;
void gmem_destroy(struct gmem *g);

/* Zeroed RAM at [gpa, gpa+size), all or nothing. */
enum gmem_result gmem_add_ram(struct gmem *g, gpa_t gpa, uint64_t size) MUST_CHECK;

/* From now on the guest (and gmem_write) may only read [gpa, gpa+size), which is RAM: firmware images. Before vCPUs
 * run and before the nested tables are built. */
enum gmem_result gmem_make_read_only(struct gmem *g, gpa_t gpa, uint64_t size) MUST_CHECK;

/* Any length and alignment; crosses extents. Bytes are copied in no promised order or width. */
enum gmem_result gmem_read(struct gmem *g, gpa_t gpa, void *buffer, size_t size) MUST_CHECK;
enum gmem_result gmem_write(struct gmem *g, gpa_t gpa, const void *buffer, size_t size) MUST_CHECK;

/* The same to ROM, too: for loaders, while no vCPU of the partition runs. */
enum gmem_result gmem_load(struct gmem *g, gpa_t gpa, const void *buffer, size_t size) MUST_CHECK;
enum gmem_result gmem_load_fill(struct gmem *g, gpa_t gpa, uint8_t byte, uint64_t size) MUST_CHECK;

/* One value; a single memory access if it is aligned to its size. */
enum gmem_result gmem_read_u8(struct gmem *g, gpa_t gpa, uint8_t *value) MUST_CHECK;
enum gmem_result gmem_read_u16(struct gmem *g, gpa_t gpa, uint16_t *value) MUST_CHECK;
enum gmem_result gmem_read_u32(struct gmem *g, gpa_t gpa, uint32_t *value) MUST_CHECK;
enum gmem_result gmem_read_u64(struct gmem *g, gpa_t gpa, uint64_t *value) MUST_CHECK;
enum gmem_result gmem_write_u8(struct gmem *g, gpa_t gpa, uint8_t value) MUST_CHECK;
enum gmem_result gmem_write_u16(struct gmem *g, gpa_t gpa, uint16_t value) MUST_CHECK;
enum gmem_result gmem_write_u32(struct gmem *g, gpa_t gpa, uint32_t value) MUST_CHECK;
enum gmem_result gmem_write_u64(struct gmem *g, gpa_t gpa, uint64_t value) MUST_CHECK;

/* All extents in order of gpa, to build the nested tables; stops at and returns the first result that is not 0. */
typedef int (*gmem_visit_t)(void *ctx, const struct gmem_extent *extent);
int gmem_for_each_extent(const struct gmem *g, gmem_visit_t visit, void *ctx) MUST_CHECK;

/* A pointer to [gpa, gpa+size), NULL if it is not RAM, not in one extent, or read-only. For loaders (before the guest runs) and for
 * pages that hardware uses directly; everyone else goes through gmem_read and gmem_write. */
void *gmem_translate(struct gmem *g, gpa_t gpa, uint64_t size);

/* The guest's memory for guest_walk; its ctx is the struct gmem. */
extern const struct guest_walk_mem gmem_walk;

#endif
