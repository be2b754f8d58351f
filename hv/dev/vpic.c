/* The two 8259As: initialization, priority, acknowledge, and the cascade between them. */
#include "hv/dev/vpic.h"

#include "hv/lib/str.h"

enum icw1 { ICW1_IC4 = 0x01, ICW1_SNGL = 0x02, ICW1_INIT = 0x10 };
enum icw4 { ICW4_AEOI = 0x02, ICW4_SFNM = 0x10 };
enum ocw2 { OCW2_LEVEL = 0x07, OCW2_EOI = 0x20, OCW2_SPECIFIC = 0x40, OCW2_ROTATE = 0x80 };
enum ocw3 {
    OCW3_RIS = 0x01, OCW3_RR = 0x02, OCW3_POLL = 0x04, OCW3 = 0x08, OCW3_SMM = 0x20, OCW3_ESMM = 0x40,
};

#define POLL_INTERRUPT 0x80
#define SPURIOUS       7
#define NONE           8        /* no input; also a priority below all others */

enum offset { MASTER = 0, SLAVE = 2, ELCR = 4 };

const struct dev_ports vpic_ports[VPIC_PORT_RANGES] = { { 0x20, 2, MASTER }, { 0xa0, 2, SLAVE }, { 0x4d0, 2, ELCR } };

/* IRQ 0, 1, 2, 8 and 13 belong to the board and are edge-triggered (82371SB, "ELCR"). */
static const uint8_t elcr_writable[2] = { 0xf8, 0xde };

static uint8_t bit(unsigned n) { return (uint8_t)(1u << n); }

/* ---- one chip -------------------------------------------------------------------------------------------------- */

/* The input of highest priority in `set`, NONE if empty; `*priority` is 0 for the highest. */
static unsigned highest(const struct vpic_chip *chip, uint8_t set, unsigned *priority)
{
    unsigned first = (chip->lowest + 1u) & 7;
    unsigned in_order = (set >> first | set << (8 - first)) & 0xff;
    if (!in_order) {
        *priority = NONE;
        return NONE;
    }
    *priority = (unsigned)__builtin_ctz(in_order);
    return (first + *priority) & 7;
}

/* The request that the chip would acknowledge now, NONE if no unmasked one outranks what is in service. */
static unsigned pending(const struct vpic_chip *chip, bool is_master)
{
    if (!(chip->irr & (uint8_t)~chip->imr) || chip->icw_next)
        return NONE;
    unsigned request_priority, service_priority;
    unsigned request = highest(chip, chip->irr & (uint8_t)~chip->imr, &request_priority);
    /* "Special Mask Mode": a masked level in service no longer holds back the others. */
    uint8_t in_service = chip->special_mask ? chip->isr & (uint8_t)~chip->imr : chip->isr;
    highest(chip, in_service, &service_priority);
    if (request_priority < service_priority)
        return request;
    /* "Special Fully Nested Mode": the slave may interrupt its own service with something that it ranks higher. */
    bool nested = is_master && chip->special_fully_nested && request == VPIC_CASCADE;
    return nested && request_priority == service_priority ? request : NONE;
}

static void acknowledge(struct vpic_chip *chip, unsigned input)
{
    if (!(chip->level & bit(input)))
        chip->irr &= (uint8_t)~bit(input);
    if (!chip->auto_eoi)
        chip->isr |= bit(input);
    else if (chip->rotate_on_auto_eoi)
        chip->lowest = (uint8_t)input;
}

static void drive(struct vpic_chip *chip, unsigned input, bool level)
{
    uint8_t mask = bit(input);
    bool rose = level && !(chip->lines & mask);
    chip->lines = level ? chip->lines | mask : chip->lines & (uint8_t)~mask;
    if (rose)
        chip->irr |= mask;
    else if (!level)
        chip->irr &= (uint8_t)~mask;    /* gone before it was acknowledged: IR must stay high until INTA */
}

/* ---- both ------------------------------------------------------------------------------------------------------ */

static void update(struct vpic *pic)
{
    drive(&pic->chip[0], VPIC_CASCADE, pending(&pic->chip[1], false) != NONE);
    bool level = pending(&pic->chip[0], true) != NONE;
    if (level == pic->intr_level)
        return;
    pic->intr_level = level;
    irq_line_set(&pic->intr, level);
}

/* An acknowledged slave lets go of the cascade line for a moment: what it still has pending is a new edge. */
static unsigned acknowledge_slave(struct vpic *pic)
{
    unsigned input = pending(&pic->chip[1], false);
    if (input == NONE)
        return SPURIOUS;
    acknowledge(&pic->chip[1], input);
    drive(&pic->chip[0], VPIC_CASCADE, false);
    return input;
}

uint8_t vpic_ack(struct vpic *pic)
{
    struct vpic_chip *master = &pic->chip[0], *slave = &pic->chip[1];
    unsigned input = pending(master, true);
    uint8_t vector = (uint8_t)(master->vector | (input == NONE ? SPURIOUS : input));
    if (input != NONE)
        acknowledge(master, input);
    if (input == VPIC_CASCADE)
        vector = (uint8_t)(slave->vector | acknowledge_slave(pic));
    update(pic);
    return vector;
}

void vpic_set_irq(struct vpic *pic, unsigned irq, bool level)
{
    if (irq >= VPIC_IRQS || irq == VPIC_CASCADE)
        return;
    struct vpic_chip *chip = &pic->chip[irq / 8];
    if (!(chip->lines & bit(irq % 8)) == !level)
        return;
    drive(chip, irq % 8, level);
    update(pic);
}

static void line_set(void *ctx, unsigned number, bool level)
{
    vpic_set_irq(ctx, number, level);
}

struct irq_line vpic_line(struct vpic *pic, unsigned irq)
{
    return (struct irq_line){ line_set, pic, irq };
}

/* ---- registers ------------------------------------------------------------------------------------------------- */

/* "Initialization Command Words": edge detection starts afresh, the mask is cleared, IR7 gets the lowest priority,
 * special mask mode ends and status reads give IRR; without ICW4 its functions are off. */
static void write_icw1(struct vpic_chip *chip, uint8_t value)
{
    chip->irr = chip->lines & chip->level;
    chip->isr = chip->imr = 0;
    chip->lowest = 7;
    chip->special_mask = chip->read_isr = chip->poll = false;
    chip->auto_eoi = chip->special_fully_nested = chip->rotate_on_auto_eoi = false;
    chip->need_icw4 = value & ICW1_IC4;
    chip->single = value & ICW1_SNGL;
    chip->icw_next = 2;
}

static void write_icw(struct vpic_chip *chip, uint8_t value)
{
    uint8_t after_3 = chip->need_icw4 ? 4 : 0;
    switch (chip->icw_next) {
    case 2:
        chip->vector = value & 0xf8;
        chip->icw_next = chip->single ? after_3 : 3;
        break;
    case 3:                     /* the cascade is wired on the board, whatever software says */
        chip->icw_next = after_3;
        break;
    default:
        chip->auto_eoi = value & ICW4_AEOI;
        chip->special_fully_nested = value & ICW4_SFNM;
        chip->icw_next = 0;
    }
}

/* A non-specific EOI ends the service of the highest level, but in special mask mode not of a masked one. */
static void end_of_interrupt(struct vpic_chip *chip, uint8_t value)
{
    unsigned priority, input = value & OCW2_LEVEL;
    if (!(value & OCW2_SPECIFIC))
        input = highest(chip, chip->special_mask ? chip->isr & (uint8_t)~chip->imr : chip->isr, &priority);
    if (input == NONE)
        return;
    chip->isr &= (uint8_t)~bit(input);
    if (value & OCW2_ROTATE)
        chip->lowest = (uint8_t)input;
}

static void write_ocw2(struct vpic_chip *chip, uint8_t value)
{
    if (value & OCW2_EOI)
        end_of_interrupt(chip, value);
    else if (!(value & OCW2_SPECIFIC))
        chip->rotate_on_auto_eoi = value & OCW2_ROTATE;
    else if (value & OCW2_ROTATE)
        chip->lowest = value & OCW2_LEVEL;
}

static void write_ocw3(struct vpic_chip *chip, uint8_t value)
{
    if (value & OCW3_ESMM)
        chip->special_mask = value & OCW3_SMM;
    if (value & OCW3_RR)
        chip->read_isr = value & OCW3_RIS;
    if (value & OCW3_POLL)
        chip->poll = true;
}

static void write_chip(struct vpic_chip *chip, unsigned a0, uint8_t value)
{
    if (!a0 && value & ICW1_INIT)
        write_icw1(chip, value);
    else if (!a0 && value & OCW3)
        write_ocw3(chip, value);
    else if (!a0)
        write_ocw2(chip, value);
    else if (chip->icw_next)
        write_icw(chip, value);
    else
        chip->imr = value;
}

/* "Poll Command": the read acknowledges, and tells which level that was. */
static __attribute__((noinline)) uint8_t read_poll(struct vpic *pic, unsigned which)
{
    struct vpic_chip *chip = &pic->chip[which];
    unsigned input = pending(chip, which == 0);
    chip->poll = false;
    if (input == NONE)
        return 0;
    if (which == 1)
        (void)acknowledge_slave(pic);
    else
        acknowledge(chip, input);
    update(pic);
    return (uint8_t)(POLL_INTERRUPT | input);
}

static uint64_t vpic_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vpic *pic = dev;
    if (offset >= ELCR)
        return pic->chip[offset & 1].level;
    struct vpic_chip *chip = &pic->chip[offset / SLAVE];
    if (chip->poll)
        return read_poll(pic, (unsigned)offset / SLAVE);
    if (offset & 1)
        return chip->imr;
    return chip->read_isr ? chip->isr : chip->irr;
}

static void write_elcr(struct vpic *pic, unsigned which, uint8_t value)
{
    struct vpic_chip *chip = &pic->chip[which];
    chip->level = value & elcr_writable[which];
    chip->irr |= chip->lines & chip->level;
}

static void vpic_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vpic *pic = dev;
    if (offset >= ELCR)
        write_elcr(pic, offset & 1, (uint8_t)value);
    else
        write_chip(&pic->chip[offset / SLAVE], offset & 1, (uint8_t)value);
    update(pic);
}

/* The inputs are driven from outside and keep their levels over a reset. */
static void vpic_reset(void *dev, vtime_t now)
{
    struct vpic *pic = dev;
    for (unsigned i = 0; i < 2; i++)
        pic->chip[i] = (struct vpic_chip){ .lines = pic->chip[i].lines, .imr = 0xff, .vector = i ? 0x70 : 0x08, .lowest = 7 };
    update(pic);
}

void vpic_init(struct vpic *pic, struct irq_line intr)
{
    memset(pic, 0, sizeof *pic);
    pic->intr = intr;
    vpic_reset(pic, 0);
}

const struct dev_ops vpic_ops = { .name = "pic", .max_width = 1, .read = vpic_read, .write = vpic_write, .reset = vpic_reset };
