/* The partition's bus: which device answers a port or a memory-mapped address, and when devices next need time.
 *
 * Ports are found through a table with one byte per port, so a port exit costs the same whatever is attached. An access
 * that is wider than its device takes, or that leaves its region, is done byte by byte, lowest address first, as the
 * ISA bus does; a byte that nobody claims reads as all ones, and writing it does nothing. Ports do not wrap from FFFFh
 * to 0: beyond the end is unclaimed.
 *
 * No lock inside: the caller holds the partition's. `now` never goes back. */
#ifndef HV_DEV_BUS_H
#define HV_DEV_BUS_H

#include "hv/dev/dev.h"

#define BUS_DEVICES_MAX 48
#define BUS_IO_MAX      96      /* port regions */
#define BUS_MMIO_MAX    32

enum bus_result {
    BUS_OK,
    BUS_FULL,           /* no room for another device or region */
    BUS_OVERLAP,        /* part of the range is claimed already */
    BUS_BAD_RANGE,      /* empty, or beyond the end of the address space */
};

struct bus_device {
    const struct dev_ops *ops;
    void *dev;
    uint64_t quiet_reads;       /* as in dev_ops; all ones if it has no deadlines */
    vtime_t deadline;
    bool has_deadlines;
};

struct bus_region {
    uint64_t base;
    uint64_t length;
    uint64_t bias;              /* added to an address: the offset that the device sees */
    struct bus_device *device;
};

struct bus {
    uint8_t port_map[65536];                    /* index in io[] */
    struct bus_region io[BUS_IO_MAX + 2];       /* a row without device is free; the first and the last are never used */
    struct bus_region mmio[BUS_MMIO_MAX];       /* sorted by base */
    unsigned mmio_count, mmio_last;             /* the last: a hint */
    struct bus_device devices[BUS_DEVICES_MAX];
    unsigned device_count;
    vtime_t next;                               /* the earliest of the devices' deadlines */
};

void bus_init(struct bus *bus);

/* Attach a device; `dev` stays the caller's and must live as long as the bus. The handle comes out by `*handle`. */
enum bus_result bus_add_device(struct bus *bus, const struct dev_ops *ops, void *dev, struct bus_device **handle) MUST_CHECK;
enum bus_result bus_add_ports(struct bus *bus, struct bus_device *device, struct dev_ports ports) MUST_CHECK;
enum bus_result bus_add_mmio(struct bus *bus, struct bus_device *device, uint64_t base, uint64_t length,
                             uint64_t offset) MUST_CHECK;
/* Device and all its port ranges in one go; on an error nothing of it stays attached. */
enum bus_result bus_attach(struct bus *bus, const struct dev_ops *ops, void *dev, const struct dev_ports *ports,
                           unsigned port_count) MUST_CHECK;
/* The region that starts at `base` (a moved PCI base address register); false if there is none. */
bool bus_remove_ports(struct bus *bus, uint16_t base);
bool bus_remove_mmio(struct bus *bus, uint64_t base);
const char *bus_result_text(enum bus_result result);

/* size is 1, 2 or 4 (ports; MMIO also 8). The result says whether any device claimed any byte: false is the caller's
 * to log once. The value is written always, all ones where unclaimed. A gpa has at most 52 bits. */
bool bus_io_read(struct bus *bus, uint16_t port, unsigned size, vtime_t now, uint32_t *value);
bool bus_io_write(struct bus *bus, uint16_t port, unsigned size, uint32_t value, vtime_t now);
bool bus_mmio_read(struct bus *bus, uint64_t gpa, unsigned size, vtime_t now, uint64_t *value);
bool bus_mmio_write(struct bus *bus, uint64_t gpa, unsigned size, uint64_t value, vtime_t now);

/* An unclaimed port whose use was reported: true the first time; a reset does not forget it, or a guest that
 * restarts for ever would fill the log. */
bool bus_note_unclaimed(struct bus *bus, uint16_t port);

/* The earliest moment at which bus_expire() has something to do. */
static inline vtime_t bus_next_deadline(const struct bus *bus) { return bus->next; }
/* Let every device whose deadline has come do what was due; returns the next deadline, later than `now`. */
vtime_t bus_expire(struct bus *bus, vtime_t now);
/* After input from outside (a received byte, a key): ask `dev` again for its deadline. */
void bus_refresh(struct bus *bus, const void *dev, vtime_t now);
/* The machine's reset: every device's. */
void bus_reset(struct bus *bus, vtime_t now);

/* ---- the usual port access, one byte: inline because it is on the path of every port exit ---- */

void bus_update_deadline(struct bus *bus, struct bus_device *device, vtime_t now);

#define BUS_UNCLAIMED (-1) /* as a byte: all ones, which is what such a port reads as */

/* The byte, or BUS_UNCLAIMED. */
static inline int bus_io_read_byte(struct bus *bus, uint16_t port, vtime_t now)
{
    const struct bus_region *region = &bus->io[bus->port_map[port]];
    /* The device is kept aside: the access itself may move regions (a PCI base address register). */
    struct bus_device *device = region->device;
    uint64_t offset = port + region->bias;
    if (UNLIKELY(!device))
        return BUS_UNCLAIMED;
    uint8_t value = (uint8_t)device->ops->read(device->dev, offset, 1, now);
    if (UNLIKELY(!(device->quiet_reads >> offset % 64 & 1)))
        bus_update_deadline(bus, device, now);
    return value;
}

/* False: nobody claims it. */
static inline bool bus_io_write_byte(struct bus *bus, uint16_t port, uint8_t value, vtime_t now)
{
    const struct bus_region *region = &bus->io[bus->port_map[port]];
    struct bus_device *device = region->device;
    if (UNLIKELY(!device))
        return false;
    device->ops->write(device->dev, port + region->bias, 1, value, now);
    if (device->has_deadlines)
        bus_update_deadline(bus, device, now);
    return true;
}

#endif
