/* The hypervisor's own address space. W^X holds for every alias; nothing is mapped below the middle of the address
 * space (so a null pointer faults), but for the trampoline page while CPUs are started.
 *   ffff8000'00000000  direct map: physical address + this (RAM ranges handed in; RW, image text and rodata R)
 *   ffffff00'00000000  I/O window: host_map_io
 *   ffffff40'00000000  stacks, each above an unmapped guard page: host_map_stack
 *   ffffffff'80000000  the image: text R-X, rodata R, data RW
 * Pure: pages come through struct pt_mem, and the caller loads CR3 with host_map_root (EFER.NXE, CR4.PGE, CR0.WP and
 * PT_HOST_PAT must be set). Nothing here flushes a TLB: all calls but host_unmap_identity only add mappings; after
 * that one the caller flushes. Not locked: called during boot or under the caller's lock. */
#ifndef ARCH_X86_64_MMU_HOST_H
#define ARCH_X86_64_MMU_HOST_H

#include "arch/x86_64/mmu/pt.h"

#define HOST_DIRECT_BASE UINT64_C(0xffff800000000000)
#define HOST_DIRECT_SIZE (UINT64_C(64) << 40)
#define HOST_IO_BASE     UINT64_C(0xffffff0000000000)
#define HOST_IO_SIZE     (UINT64_C(256) << 30)
#define HOST_STACK_BASE  UINT64_C(0xffffff4000000000)
#define HOST_STACK_SIZE  (UINT64_C(64) << 30)
#define HOST_IMAGE_BASE  UINT64_C(0xffffffff80000000)

struct host_range {
    hpa_t base;    /* 4 KiB aligned */
    uint64_t size; /* bytes, 4 KiB multiple */
};

/* The image, contiguous in physical memory from `base`: text, then rodata, then data with bss. Offsets from `base`
 * (equally from HOST_IMAGE_BASE) in bytes, 4 KiB multiples; a part may be empty. */
struct host_image {
    hpa_t base;
    uint64_t text_start; /* what is below it (ELF headers) is not mapped in the image window */
    uint64_t text_end;   /* rodata starts here */
    uint64_t rodata_end; /* data starts here */
    uint64_t data_end;
};

struct host_map {
    struct pt pt;
    uint64_t io_used;    /* bytes given out of the I/O window */
    uint64_t stack_used; /* bytes given out of the stack window, guards included */
};

/* Builds direct map and image. `ram` must not overlap itself; whatever the hypervisor reads through hpa_to_ptr
 * (modules, ACPI tables, boot_info) must be in it. max_page_level: PT_LEVEL_1G only if CPUID has 1 GiB pages.
 * On an error everything is freed again. */
enum pt_result host_map_init(struct host_map *m, const struct pt_mem *mem, unsigned max_page_level,
                             const struct host_image *image, const struct host_range *ram, size_t ram_count) MUST_CHECK;

void host_map_destroy(struct host_map *m);

/* The value for CR3. */
static inline uint64_t host_map_root(const struct host_map *m)
{
    return m->pt.root.raw;
}

/* Map device memory (or firmware tables outside RAM), any alignment; cache is PT_UC, PT_WC, PT_WT or PT_WB; readable
 * and writable, never executable. *pointer is to the byte at hpa. It stays mapped; the window is never reused. */
enum pt_result host_map_io(struct host_map *m, hpa_t hpa, uint64_t size, pt_attributes_t cache, void **pointer) MUST_CHECK;

/* A stack of `pages` (> 0) newly allocated pages, unmapped guard pages on both sides. *top is one past its highest byte. */
enum pt_result host_map_stack(struct host_map *m, unsigned pages, void **top) MUST_CHECK;

/* Identity-map one page as R-X, for a CPU that turns paging on in it (write it through hpa_to_ptr). */
enum pt_result host_map_identity(struct host_map *m, hpa_t page) MUST_CHECK;
enum pt_result host_unmap_identity(struct host_map *m, hpa_t page) MUST_CHECK;

/* The direct map; `hpa` must be in a RAM range handed to host_map_init. */
static inline void *hpa_to_ptr(hpa_t hpa)
{
    return (void *)(uintptr_t)(HOST_DIRECT_BASE + hpa.raw);
}

/* Only for pointers into the direct map. */
static inline hpa_t ptr_to_hpa(const void *pointer)
{
    return HPA((uint64_t)(uintptr_t)pointer - HOST_DIRECT_BASE);
}

/* Only for pointers into the image (globals, functions). */
static inline hpa_t host_image_hpa(const struct host_image *image, const void *pointer)
{
    return HPA((uint64_t)(uintptr_t)pointer - HOST_IMAGE_BASE + image->base.raw);
}

#endif
