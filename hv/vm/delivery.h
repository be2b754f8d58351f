/* Could the guest's CPU deliver an exception now? The checks of SDM vol 3, "Interrupt and Exception Handling", made in
 * software on the registers and tables as they are: for the post-mortem, which has to say why a guest ended in a triple
 * fault although the hardware does not tell. Nothing is changed. */
#ifndef HV_VM_DELIVERY_H
#define HV_VM_DELIVERY_H

#include "arch/x86_64/mmu/guest_walk.h"
#include "hv/vm/vm.h"

enum delivery_result {
    DELIVERY_OK,
    DELIVERY_FAULT,    /* it raises .fault */
    DELIVERY_OUTSIDE,  /* it needs an address where there is no RAM: an exit, not a fault */
};

struct delivery {
    enum delivery_result result;
    uint8_t vector;      /* what is delivered */
    uint8_t fault;
    const char *problem; /* "its gate is not present" */
    bool has_address;    /* what could not be read or written: */
    uint64_t address;    /* linear */
    unsigned access;     /* enum guest_access */
};

void delivery_check(struct vcpu *v, const struct guest_paging *paging, uint8_t vector, struct delivery *out);

/* The chain from the first exception: each step is one delivery; by the rules of double faults the next is what comes of
 * it. It ends with a delivery that works, with one outside of RAM, or, after #DF, with a triple fault. */
#define DELIVERY_STEPS 6
struct delivery_chain {
    unsigned count;
    bool triple_fault;
    struct delivery step[DELIVERY_STEPS];
};
void delivery_chain(struct vcpu *v, const struct guest_paging *paging, uint8_t first, struct delivery_chain *out);

#endif
