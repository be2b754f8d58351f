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

/* `size` bytes at `linear`; they may cross pages. */
enum linear_result linear_read(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, void *buffer,
                               size_t size, struct vt_event *fault) MUST_CHECK;
enum linear_result linear_write(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, const void *buffer,
                                size_t size, struct vt_event *fault) MUST_CHECK;
/* Would linear_write() succeed? */
enum linear_result linear_probe(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, size_t size,
                                struct vt_event *fault) MUST_CHECK;

/* The same for an operand of the guest's instruction: with the rights of its CPL. */
enum linear_result linear_load(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, void *buffer,
                               size_t size, struct vt_event *fault) MUST_CHECK;
enum linear_result linear_store(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, const void *buffer,
                                size_t size, struct vt_event *fault) MUST_CHECK;

#endif
