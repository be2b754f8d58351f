/* The PC's two cascaded Intel 8259A interrupt controllers with the edge/level registers of the PIIX (ports 20h, A0h,
 * 4D0h). Facts from Intel's "8259A Programmable Interrupt Controller" data sheet and the 82371SB's. */
#ifndef HV_DEV_VPIC_H
#define HV_DEV_VPIC_H

#include "hv/dev/dev.h"

#define VPIC_PORT_RANGES 3
#define VPIC_IRQS        16
#define VPIC_CASCADE     2      /* the master's input that the slave drives */

struct vpic_chip {
    uint8_t lines;              /* the levels now at IR0-IR7 */
    uint8_t irr, isr, imr;
    uint8_t level;              /* ELCR: 1 is level-triggered */
    uint8_t vector;             /* ICW2, low three bits zero */
    uint8_t lowest;             /* the input that has the lowest priority now */
    uint8_t icw_next;           /* the initialization word expected next: 2, 3 or 4; 0 when done */
    bool need_icw4, single;
    bool auto_eoi, rotate_on_auto_eoi, special_mask, special_fully_nested;
    bool poll, read_isr;
};

struct vpic {
    struct vpic_chip chip[2];   /* master, slave */
    struct irq_line intr;       /* to the CPU's INTR (or a LINT0 in ExtINT mode) */
    bool intr_level;
};

extern const struct dev_ops vpic_ops;
extern const struct dev_ports vpic_ports[VPIC_PORT_RANGES];

/* Starts as firmware leaves it: vectors 08h and 70h, everything masked. `intr` is set on each change of the output. */
void vpic_init(struct vpic *pic, struct irq_line intr);
/* Drive input `irq` (0-15; 2 is the cascade and ignored). An edge-triggered request that goes away before it was
 * acknowledged is forgotten, as in the chip. */
void vpic_set_irq(struct vpic *pic, unsigned irq, bool level);
/* The CPU's INTA cycle: returns the vector. With nothing left to acknowledge it is the spurious IRQ 7's (or 15's). */
uint8_t vpic_ack(struct vpic *pic);
static inline bool vpic_intr(const struct vpic *pic) { return pic->intr_level; }
/* Does an unmasked request of `irq` wait to be acknowledged? */
static inline bool vpic_holds(const struct vpic *pic, unsigned irq)
{
    const struct vpic_chip *chip = &pic->chip[irq >> 3];
    return chip->irr & ~chip->imr & 1u << (irq & 7);
}
/* Input `irq` as a line to hand to a device. */
struct irq_line vpic_line(struct vpic *pic, unsigned irq);

#endif
