/* The hypervisor watches itself: a pCPU that does not come back to its loop (hv/vm/dispatch.c) for over a second is made to say,
 * by an NMI, where it is. Each watches the one before it (the first: the last), and those before that one while it is stuck, so
 * that one that goes on notices all that do not. No turn is longer than a quarter of a second, so a guest that runs undisturbed
 * gives no alarm, and exits cost nothing more. With a timer that sends NMIs to CPU 0, that looks at its own mark, too: for a
 * machine with one CPU, or in which none goes on. */
#ifndef HV_VM_WATCHDOG_H
#define HV_VM_WATCHDOG_H

#include "arch/x86_64/cpu/pcpu.h"

#define WATCHDOG_LOOK_NS UINT64_C(250000000)

/* Once, before any pCPU is in its loop. `alarm`: from now on, or no longer, log_emergency() has to reach all consoles by itself,
 * whoever holds their locks. */
void watchdog_init(void (*alarm)(bool on));

/* A timer sends an NMI to CPU 0 at least this often. */
void watchdog_expect_nmis(void);

/* On each pCPU: its NMI handler, or a part of it. */
void watchdog_nmi(const struct trap_frame *frame);

/* This pCPU is alive: at each turn of its loop, and in between by work that may take longer than a second. */
void watchdog_beat(void);
void watchdog_sleep(void); /* around cpu_idle() */
void watchdog_wake(void);
void watchdog_leave(void); /* the machine ends: this pCPU is watched no more */

/* Look after others, if it is time; returns the host TSC at which to call again at the latest, UINT64_MAX: there is
 * nobody else. */
uint64_t watchdog_look(void);

#endif
