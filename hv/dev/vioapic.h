/* The I/O APIC, 82093AA with 24 pins, version 20h (so with an EOI register).
 * A line's level is logical (true: asserted); the polarity bit is stored and has no further effect. */
#ifndef HV_DEV_VIOAPIC_H
#define HV_DEV_VIOAPIC_H

#include "hv/dev/apic_message.h"
#include "hv/dev/dev.h"

#define VIOAPIC_BASE UINT64_C(0xfec00000)
#define VIOAPIC_SIZE UINT64_C(0x1000)
#define VIOAPIC_PINS 24u

struct vioapic {
    void (*deliver)(void *ctx, const struct apic_message *message);
    void *ctx;
    uint32_t id;                   /* bits 27:24 */
    uint8_t index;                 /* IOREGSEL */
    uint32_t lines;                /* current levels, one bit per pin */
    uint64_t entries[VIOAPIC_PINS];
};

void vioapic_init(struct vioapic *io, uint8_t id, void (*deliver)(void *, const struct apic_message *), void *ctx);

/* read, write, reset; `dev` is a struct vioapic. */
extern const struct dev_ops vioapic_ops;

/* An input pin changes its level; fits struct irq_line. */
void vioapic_set_line(void *vioapic, unsigned pin, bool level);

/* The vector that an edge at this pin asks for; 0: it is masked, or asks for none. */
uint8_t vioapic_edge_vector(const struct vioapic *io, unsigned pin);

/* A local APIC finished a level-triggered vector: lines that are still asserted interrupt again. */
void vioapic_eoi(struct vioapic *io, uint8_t vector);

#endif
