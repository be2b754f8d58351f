/* Memory by linear address, never through a segment: as the CPU itself reads and writes descriptor tables and task-state
 * segments (supervisor accesses at any CPL), and as an instruction does. */
#ifndef HV_VM_LINEAR_H
#define HV_VM_LINEAR_H

#include "arch/x86_64/mmu/guest_walk.h"
#include "hv/vm/vm.h"

enum linear_result {
    LINEAR_OK = 0,
    LINEAR_FAULT,   /* *fault is the #PF (CR2 is set) or #GP to inject; nothing was touched */
    LINEAR_OUTSIDE, /* the address, or a page table on the way, is not RAM; nothing was touched */
};

/* How many of `size` bytes are in the page of the first. */
static inline size_t linear_in_page(uint64_t linear, size_t size)
{
    size_t room = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    return MIN(size, room);
}

/* `size` bytes at `linear`; they may cross pages. */
enum linear_result linear_read(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, void *buffer,
                               size_t size, struct vt_event *fault) MUST_CHECK;
enum linear_result linear_write(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, const void *buffer,
                                size_t size, struct vt_event *fault) MUST_CHECK;
/* Would linear_write() succeed? */
enum linear_result linear_probe(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, size_t size,
                                struct vt_event *fault) MUST_CHECK;

/* One byte of a descriptor, locked: SDM vol 3, "Automatic Locking". *swapped: it was `expected` and is now `desired`; if not,
 * another CPU was first. */
enum linear_result linear_cmpxchg(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, uint8_t expected,
                                  uint8_t desired, bool *swapped, struct vt_event *fault) MUST_CHECK;

/* For an operand of the guest's instruction: with the rights of its CPL; what is not RAM is a device's, or nobody's. OUTSIDE:
 * a page table is not RAM. */
enum linear_result linear_load(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, void *buffer,
                               size_t size, struct vt_event *fault) MUST_CHECK;
enum linear_result linear_store(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, const void *buffer,
                                size_t size, struct vt_event *fault) MUST_CHECK;

#endif
