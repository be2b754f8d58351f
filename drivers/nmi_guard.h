/* Clocks that cannot be masked: a timer's interrupt as NMI, through the IOAPIC. The PIT's to every CPU is for machines on which
 * a guest with RFLAGS.IF = 0 is not interrupted otherwise: see vt_features.masked_interrupts_exit. */
#ifndef DRIVERS_NMI_GUARD_H
#define DRIVERS_NMI_GUARD_H

#include "hv/lib/types.h"

#define NMI_GUARD_HZ 250u

/* Each edge at `pin` becomes an NMI of the CPU with this APIC ID. `ioapic` is mapped, uncached. */
void nmi_guard_route(volatile void *ioapic, unsigned pin, uint8_t apic_id);
void nmi_guard_unroute(volatile void *ioapic, unsigned pin); /* and no more */

/* `ioapic` is mapped, uncached; `pin` is where the PIT's channel 0 arrives. All CPUs have their NMI handler. */
void nmi_guard_start(volatile void *ioapic, unsigned pin);

#endif
