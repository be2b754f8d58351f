/* Instructions that the hypervisor carries out itself: those behind an access to a device's memory, and INS and OUTS. */
#ifndef HV_VM_EMULATE_H
#define HV_VM_EMULATE_H

#include "hv/vm/vm.h"

/* The instruction's access that the CPU has translated and found allowed, on its way to the exit. Neither: there is none. */
struct known_access {
    gpa_t gpa;
    bool read, write;
};

/* Fetch, decode and execute the instruction at RIP. By pointer: for an argument of 16 bytes gcc keeps a frame pointer. */
enum vcpu_next vcpu_emulate(struct vcpu *v, const struct vt_exit *exit, const struct known_access *known);

/* The instruction at RIP, decoded; valid until the next one. NULL: *failure says why. */
const struct insn *vcpu_decode(struct vcpu *v, struct fetch_failure *failure);

/* The CPU fetched an instruction, and now it cannot be: the page, or what leads to it, was changed since. The guest gets the
 * exception that fetching it now raises, or tries again. False: it can be read, but is not known. */
bool vcpu_settle_fetch(struct vcpu *v, const struct fetch_failure *failure);

/* The guest executes the same again, with nothing that its CPU remembers of the page. */
static inline void vcpu_retry(struct vcpu *v)
{
    vt.flush_linear(v->vt);
}

/* For vt_vcpu_config.insn_length; the context is the struct vcpu. */
unsigned vcpu_insn_length(void *vcpu);

/* exit_io.c: one access of 1, 2 or 4 bytes, with the partition's lock taken inside. */
uint32_t vcpu_port_in(struct vcpu *v, uint16_t port, unsigned size);
void vcpu_port_out(struct vcpu *v, uint16_t port, unsigned size, uint32_t value);

/* exit_mmio.c: guest-physical memory that is not RAM; size 1, 2, 4 or 8, within a page. */
uint64_t vcpu_mmio_read(struct vcpu *v, gpa_t gpa, unsigned size);
void vcpu_mmio_write(struct vcpu *v, gpa_t gpa, unsigned size, uint64_t value);

#endif
