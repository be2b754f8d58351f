/* A clock that cannot be masked: the PIT's interrupt as NMI to every CPU, through the IOAPIC. For machines on which a
 * guest with RFLAGS.IF = 0 is not interrupted otherwise: see vt_features.masked_interrupts_exit. */
#ifndef DRIVERS_NMI_GUARD_H
#define DRIVERS_NMI_GUARD_H

#define NMI_GUARD_HZ 250u

/* `ioapic` is mapped, uncached; `pin` is where the PIT's channel 0 arrives. All CPUs have their NMI handler. */
void nmi_guard_start(volatile void *ioapic, unsigned pin);

#endif
