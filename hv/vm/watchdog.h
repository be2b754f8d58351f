/* The hypervisor watches itself: a pCPU that does not come back to its loop (hv/vm/dispatch.c) for over a second is made to say,
 * by an NMI, where it is. CPU 0 watches all others, CPU 1 watches CPU 0; alone, a CPU is watched by nobody. No turn is longer
 * than a quarter of a second, so a guest that runs undisturbed gives no alarm, and exits cost nothing more. */
#ifndef HV_VM_WATCHDOG_H
#define HV_VM_WATCHDOG_H

#include "arch/x86_64/cpu/pcpu.h"

#define WATCHDOG_LOOK_NS UINT64_C(250000000)

/* Once, before any pCPU is in its loop. `alarm`: from now on, or no longer, log_emergency() has to reach all consoles by itself,
 * whoever holds their locks. */
void watchdog_init(void (*alarm)(bool on));

/* On each pCPU: its NMI handler, or a part of it. */
void watchdog_nmi(const struct trap_frame *frame);

/* This pCPU is alive: at each turn of its loop, and in between by work that may take longer than a second. */
void watchdog_beat(void);
void watchdog_sleep(void); /* around cpu_idle() */
void watchdog_wake(void);
void watchdog_leave(void); /* the machine ends: this pCPU is watched no more */

/* Look after others, if it is time; returns the host TSC at which to call again at the latest, UINT64_MAX: this pCPU watches
 * nobody. */
uint64_t watchdog_look(void);

#endif
