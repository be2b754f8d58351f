#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/panic.h"
#include "hv/lib/log.h"

void cpu_idle_wait(const _Atomic uint32_t *woken); /* idt.asm */

void irq_set_handler(unsigned vector, irq_handler_t fn, void *ctx)
{
    struct irq_entry *e = &pcpu_this()->irq[vector % VECTOR_COUNT];
    e->fn = NULL; /* an NMI's log is the only reader in between */
    e->ctx = ctx;
    e->fn = fn;
}

static void irq_unexpected(struct pcpu *p, unsigned vector)
{
    if (p->irq_unexpected++ == 0)
        log_line("cpu %u: interrupt %u has no handler; acknowledged and ignored (said once per CPU)", p->index, vector);
}

void irq_dispatch(unsigned vector)
{
    struct pcpu *p = pcpu_this();
    if (vector == LAPIC_SPURIOUS_VECTOR)
        return; /* SDM vol 3, "Spurious Interrupt": not in service, so no EOI */
    const struct irq_entry *e = &p->irq[vector % VECTOR_COUNT];
    if (LIKELY(e->fn != NULL))
        e->fn(e->ctx, vector);
    else
        irq_unexpected(p, vector);
    lapic_eoi();
}

void nmi_set_handler(nmi_handler_t fn, void *ctx)
{
    struct pcpu *p = pcpu_this();
    p->nmi_fn = NULL; /* an NMI in between must not see the new function with the old context */
    atomic_signal_fence(memory_order_seq_cst);
    p->nmi_ctx = ctx;
    atomic_signal_fence(memory_order_seq_cst);
    p->nmi_fn = fn;
}

void nmi_dispatch(const struct trap_frame *frame)
{
    struct pcpu *p = pcpu_this();
    panic_stop_if_told();
    p->nmi_count++;
    atomic_store_explicit(&p->woken, 1, memory_order_seq_cst);
    if (p->nmi_fn)
        p->nmi_fn(p->nmi_ctx, frame);
    else if (p->nmi_count == 1)
        log_emergency("cpu %u: an NMI that nobody asked for (port 61h: %02x)", p->index, inb(0x61));
}

void cpu_idle(void)
{
    cpu_idle_wait(&pcpu_this()->woken);
}

void irq_poll(void)
{
    sti_nop_cli();
}
