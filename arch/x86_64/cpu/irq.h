/* Interrupts that the hypervisor takes for itself, per CPU. They arrive in cpu_idle(), or by a VM exit that
 * acknowledged the interrupt: the exit path then calls irq_dispatch() with the vector. */
#ifndef ARCH_X86_64_CPU_IRQ_H
#define ARCH_X86_64_CPU_IRQ_H

#include "arch/x86_64/cpu/pcpu.h"

/* On this CPU, with interrupts off. fn is called before the EOI, which irq_dispatch() sends: it must return.
 * NULL removes the handler. */
void irq_set_handler(unsigned vector, irq_handler_t fn, void *ctx);

/* An interrupt without handler is counted, logged once per CPU, and ended like any other. */
void irq_dispatch(unsigned vector);

/* On this CPU. fn runs anywhere, between any two instructions: it may only set atomics and use log_emergency. It gets the frame
 * of what was interrupted; NULL if that was a guest, or the few instructions around one's stay. */
void nmi_set_handler(nmi_handler_t fn, void *ctx);

/* For an NMI that arrived as a VM exit: with NULL, and followed by nmi_unblock(). */
void nmi_dispatch(const struct trap_frame *frame);

/* IRET: ends the blocking of NMIs that an NMI or an NMI exit began. */
void nmi_unblock(void);

/* Sleep until an interrupt has been served or an NMI came. The order that loses no wake-up:
 *   cpu_idle_arm(); if there is no work: cpu_idle(); */
static inline void cpu_idle_arm(void)
{
    atomic_store_explicit(&pcpu_this()->woken, 0, memory_order_seq_cst);
}
void cpu_idle(void);

/* Serve what is pending now, without sleeping. */
void irq_poll(void);

#endif
