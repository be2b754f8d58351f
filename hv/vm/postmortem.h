/* Why a guest could not go on, for its owner to read: the instruction, the registers, the chain of faults, the page walk
 * of the address in question, the last exits. */
#ifndef HV_VM_POSTMORTEM_H
#define HV_VM_POSTMORTEM_H

#include "hv/vm/vm.h"

/* On the pCPU that has the vCPU loaded, before its partition's state is touched: write it into the partition's `postmortem`,
 * whole lines of at most 79 characters. What was there before is gone. */
void postmortem_take(struct vcpu *v);

/* Hand the lines of what was taken to `line`, one by one, without '\n'. False: there is none. */
bool postmortem_lines(const struct partition *p, void (*line)(void *ctx, const char *text), void *ctx);

#endif
