/* The registers of the DMA controllers, without the transfers. */
#include "hv/dev/vdma.h"

#include "hv/lib/str.h"

enum offset { FIRST = 0, PAGES = 16, SECOND = 32, DELAY = 64 };
enum reg { REG_COMMAND = 8, REG_MASK_BIT = 10, REG_CLEAR_POINTER = 12, REG_CLEAR = 13, REG_CLEAR_MASK = 14, REG_MASK = 15 };
enum mask_bit { MASK_CHANNEL = 3, MASK_SET = 4, MASK_ALL = 15 };

const struct dev_ports vdma_ports[VDMA_PORT_RANGES] = {
    { 0x00, 16, FIRST }, { 0x80, 16, PAGES }, { 0xc0, 32, SECOND }, { 0xed, 1, DELAY },
};

static uint8_t read_controller(struct vdma_controller *c, unsigned reg)
{
    if (reg == REG_COMMAND || reg == REG_CLEAR)     /* status (nothing ever ends) and the temporary register */
        return 0;
    if (reg == REG_MASK)
        return c->mask | (uint8_t)~MASK_ALL;
    if (reg >= REG_COMMAND)
        return 0xff;
    uint8_t value = (uint8_t)(c->base[reg] >> (c->high_next ? 8 : 0));
    c->high_next = !c->high_next;
    return value;
}

static void controller_clear(struct vdma_controller *c)
{
    c->command = 0;
    c->mask = MASK_ALL;
    c->high_next = false;
}

static void write_base(struct vdma_controller *c, unsigned reg, uint8_t value)
{
    unsigned shift = c->high_next ? 8 : 0;
    c->base[reg] = (uint16_t)((c->base[reg] & ~(0xffu << shift)) | (unsigned)value << shift);
    c->high_next = !c->high_next;
}

static void write_controller(struct vdma_controller *c, unsigned reg, uint8_t value)
{
    uint8_t channel = (uint8_t)(1u << (value & MASK_CHANNEL));
    switch (reg) {
    case REG_COMMAND:
        c->command = value;
        break;
    case REG_MASK_BIT:
        c->mask = value & MASK_SET ? c->mask | channel : c->mask & (uint8_t)~channel;
        break;
    case REG_CLEAR_POINTER:
        c->high_next = false;
        break;
    case REG_CLEAR:
        controller_clear(c);
        break;
    case REG_CLEAR_MASK:
        c->mask = 0;
        break;
    case REG_MASK:
        c->mask = value & MASK_ALL;
        break;
    default:                /* requests and modes have nothing to start */
        if (reg < REG_COMMAND)
            write_base(c, reg, value);
    }
}

static uint64_t vdma_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vdma *dma = dev;
    if (offset < PAGES)
        return read_controller(&dma->controller[0], (unsigned)offset);
    if (offset < SECOND)
        return dma->page[offset - PAGES];
    return offset < DELAY ? read_controller(&dma->controller[1], (unsigned)(offset - SECOND) / 2) : 0xff;
}

static void vdma_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vdma *dma = dev;
    if (offset < PAGES)
        write_controller(&dma->controller[0], (unsigned)offset, (uint8_t)value);
    else if (offset < SECOND)
        dma->page[offset - PAGES] = (uint8_t)value;
    else if (offset < DELAY)
        write_controller(&dma->controller[1], (unsigned)(offset - SECOND) / 2, (uint8_t)value);
}

static void vdma_reset(void *dev, vtime_t now)
{
    struct vdma *dma = dev;
    controller_clear(&dma->controller[0]);
    controller_clear(&dma->controller[1]);
}

void vdma_init(struct vdma *dma)
{
    memset(dma, 0, sizeof *dma);
    vdma_reset(dma, 0);
}

const struct dev_ops vdma_ops = { .name = "dma", .max_width = 1, .read = vdma_read, .write = vdma_write, .reset = vdma_reset };
