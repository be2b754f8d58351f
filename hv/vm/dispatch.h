/* Which vCPU a pCPU runs: the one loop of each pCPU around the scheduling policy. */
#ifndef HV_VM_DISPATCH_H
#define HV_VM_DISPATCH_H

#include "hv/vm/vm.h"

/* Work that the boot pCPU does between turns: console, monitor, partitions that start and end. Returns the host TSC
 * at which it has to be called again at the latest (VM_TSC_NEVER: not before dispatch_wake_housekeeper). */
typedef uint64_t (*housekeeper_t)(void);

/* Once, before any pCPU is in the loop. */
void dispatch_init(housekeeper_t housekeeper);

/* On each pCPU, in root operation. */
NORETURN void dispatch_loop(void);

void dispatch_wake_housekeeper(void);

/* From the housekeeper: nothing is loaded on this pCPU afterwards, so that it may load a vCPU itself. */
void dispatch_unload(void);

/* From the housekeeper, for a parked vCPU: its turn may come. */
void dispatch_unpark(struct vcpu *v, uint32_t requests);

/* True if another vCPU has more claim to this pCPU: the running one should yield. */
bool dispatch_should_yield(void);

/* Bring v->snapshot up to date; waits a millisecond at most for a pCPU that has the vCPU loaded. */
void dispatch_fetch_snapshot(struct vcpu *v);

/* From the housekeeper: call fn where the vCPU's registers can be read: here, or on the pCPU that has it. False: that one
 * did not come to it within some milliseconds, and fn was not and will not be called. */
typedef void (*inspector_t)(struct vcpu *v, void *ctx);
bool dispatch_inspect(struct vcpu *v, inspector_t fn, void *ctx) MUST_CHECK;

/* CPU time that it ever received, its present turn included. */
uint64_t dispatch_ran_ns(const struct vcpu *v);

struct dispatch_stats {
    uint64_t busy_ns;          /* time of turns since start, the present one included */
    const struct vcpu *running; /* NULL: idle; may be out of date when read */
    unsigned runnable;
};
void dispatch_get_stats(unsigned cpu, struct dispatch_stats *out);

#endif
