#include "hv/dev/vfwcfg.h"

#define SIGNATURE UINT32_C(0x554d4551) /* "QEMU" */

void vfwcfg_init(struct vfwcfg *f, uint64_t ram_size, uint16_t cpus)
{
    *f = (struct vfwcfg){ .ram_size = ram_size, .cpus = cpus };
}

static uint64_t item(const struct vfwcfg *f)
{
    switch (f->selected) {
    case VFWCFG_SIGNATURE: return SIGNATURE;
    case VFWCFG_ID:        return 1;
    case VFWCFG_RAM_SIZE:  return f->ram_size;
    case VFWCFG_CPUS:
    case VFWCFG_MAX_CPUS:  return f->cpus;
    default:               return 0;
    }
}

static uint64_t fwcfg_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vfwcfg *f = dev;
    if (offset == 0)
        return f->selected;
    uint32_t at = f->next++;
    return at < sizeof(uint64_t) ? (item(f) >> (8 * at)) & 0xff : 0;
}

static void fwcfg_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vfwcfg *f = dev;
    if (offset != 0 || size != 2)
        return; /* the data port is read-only */
    f->selected = (uint16_t)value;
    f->next = 0;
}

static void fwcfg_reset(void *dev, vtime_t now)
{
    struct vfwcfg *f = dev;
    f->selected = 0;
    f->next = 0;
}

const struct dev_ops vfwcfg_ops = {
    .name = "fw-cfg", .max_width = 2, .read = fwcfg_read, .write = fwcfg_write, .reset = fwcfg_reset,
};
