/* Finding the device for an access, and keeping the earliest of the devices' deadlines. */
#include "hv/dev/bus.h"

#include "hv/lib/str.h"

#define PORT_COUNT 65536u

/* Rows without a device, for ports that nobody claims. */
enum { NOBODY = 0, NOBODY_REPORTED = BUS_IO_MAX + 1 };

static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return value & (UINT64_MAX >> (64 - 8 * size));
}

void bus_init(struct bus *bus)
{
    memset(bus, 0, sizeof *bus);
    bus->next = VTIME_NEVER;
}

/* ---- attaching ------------------------------------------------------------------------------------------------- */

enum bus_result bus_add_device(struct bus *bus, const struct dev_ops *ops, void *dev, struct bus_device **handle)
{
    if (bus->device_count == BUS_DEVICES_MAX)
        return BUS_FULL;
    *handle = &bus->devices[bus->device_count++];
    **handle = (struct bus_device){ .ops = ops, .dev = dev, .deadline = VTIME_NEVER,
                                    .quiet_reads = ops->expire ? ops->quiet_reads : UINT64_MAX,
                                    .has_deadlines = ops->expire != NULL };
    return BUS_OK;
}

static unsigned free_io_row(const struct bus *bus)
{
    unsigned row = 1;
    while (row <= BUS_IO_MAX && bus->io[row].device)
        row++;
    return row;
}

enum bus_result bus_add_ports(struct bus *bus, struct bus_device *device, struct dev_ports ports)
{
    if (!ports.length || !range_fits(ports.base, ports.length, PORT_COUNT))
        return BUS_BAD_RANGE;
    for (unsigned i = 0; i < ports.length; i++)
        if (bus->io[bus->port_map[ports.base + i]].device)
            return BUS_OVERLAP;
    unsigned row = free_io_row(bus);
    if (row > BUS_IO_MAX)
        return BUS_FULL;
    bus->io[row] = (struct bus_region){ ports.base, ports.length, (uint64_t)ports.offset - ports.base, device };
    memset(&bus->port_map[ports.base], (int)row, ports.length);
    return BUS_OK;
}

enum bus_result bus_add_mmio(struct bus *bus, struct bus_device *device, uint64_t base, uint64_t length, uint64_t offset)
{
    if (!length || !range_fits(base, length, UINT64_MAX))
        return BUS_BAD_RANGE;
    unsigned at = 0;
    while (at < bus->mmio_count && bus->mmio[at].base < base)
        at++;
    if (at < bus->mmio_count && bus->mmio[at].base - base < length)
        return BUS_OVERLAP;
    if (at > 0 && base - bus->mmio[at - 1].base < bus->mmio[at - 1].length)
        return BUS_OVERLAP;
    if (bus->mmio_count == BUS_MMIO_MAX)
        return BUS_FULL;
    memmove(&bus->mmio[at + 1], &bus->mmio[at], (bus->mmio_count - at) * sizeof bus->mmio[0]);
    bus->mmio[at] = (struct bus_region){ base, length, offset - base, device };
    bus->mmio_count++;
    return BUS_OK;
}

enum bus_result bus_attach(struct bus *bus, const struct dev_ops *ops, void *dev, const struct dev_ports *ports,
                           unsigned port_count)
{
    struct bus_device *device;
    enum bus_result result = bus_add_device(bus, ops, dev, &device);
    if (result != BUS_OK)
        return result;
    for (unsigned i = 0; i < port_count; i++) {
        result = bus_add_ports(bus, device, ports[i]);
        if (result == BUS_OK)
            continue;
        while (i-- > 0)
            bus_remove_ports(bus, ports[i].base);
        bus->device_count--;
        return result;
    }
    return BUS_OK;
}

bool bus_remove_ports(struct bus *bus, uint16_t base)
{
    struct bus_region *region = &bus->io[bus->port_map[base]];
    if (!region->device || region->base != base)
        return false;
    memset(&bus->port_map[base], NOBODY, (size_t)region->length);
    *region = (struct bus_region){ 0 };
    return true;
}

bool bus_remove_mmio(struct bus *bus, uint64_t base)
{
    for (unsigned i = 0; i < bus->mmio_count; i++) {
        if (bus->mmio[i].base != base)
            continue;
        bus->mmio_count--;
        memmove(&bus->mmio[i], &bus->mmio[i + 1], (bus->mmio_count - i) * sizeof bus->mmio[0]);
        bus->mmio[bus->mmio_count] = (struct bus_region){ 0 };
        return true;
    }
    return false;
}

const char *bus_result_text(enum bus_result result)
{
    static const char *const text[] = {
        [BUS_OK] = "attached",
        [BUS_FULL] = "the bus has no room for another device or region",
        [BUS_OVERLAP] = "the range overlaps another device's",
        [BUS_BAD_RANGE] = "the range is empty or leaves the address space",
    };
    return text[result];
}

/* ---- deadlines ------------------------------------------------------------------------------------------------- */

static vtime_t earliest(const struct bus *bus)
{
    vtime_t next = VTIME_NEVER;
    for (unsigned i = 0; i < bus->device_count; i++)
        next = MIN(next, bus->devices[i].deadline);
    return next;
}

void bus_update_deadline(struct bus *bus, struct bus_device *device, vtime_t now)
{
    if (!device->has_deadlines)
        return;
    vtime_t before = device->deadline;
    device->deadline = device->ops->expire(device->dev, now);
    if (device->deadline < bus->next)
        bus->next = device->deadline;
    else if (before == bus->next && device->deadline != before)
        bus->next = earliest(bus);
}

vtime_t bus_expire(struct bus *bus, vtime_t now)
{
    if (bus->next > now)
        return bus->next;
    for (unsigned i = 0; i < bus->device_count; i++) {
        struct bus_device *device = &bus->devices[i];
        if (device->deadline <= now)
            device->deadline = device->ops->expire(device->dev, now);
    }
    return bus->next = earliest(bus);
}

void bus_refresh(struct bus *bus, const void *dev, vtime_t now)
{
    for (unsigned i = 0; i < bus->device_count; i++)
        if (bus->devices[i].dev == dev)
            bus_update_deadline(bus, &bus->devices[i], now);
}

bool bus_note_unclaimed(struct bus *bus, uint16_t port)
{
    if (bus->port_map[port] != NOBODY)
        return false;
    bus->port_map[port] = NOBODY_REPORTED;
    return true;
}

void bus_reset(struct bus *bus, vtime_t now)
{
    for (unsigned i = 0; i < bus->device_count; i++) {
        struct bus_device *device = &bus->devices[i];
        if (device->ops->reset)
            device->ops->reset(device->dev, now);
        bus_update_deadline(bus, device, now);
    }
}

/* ---- access ---------------------------------------------------------------------------------------------------- */

/* Can the region's device take this access in one piece? (A free row has length 0.) */
static inline bool takes(const struct bus_region *region, uint64_t address, unsigned size)
{
    return region->device && range_fits(address - region->base, size, region->length) &&
           (!region->device->ops->max_width || size <= region->device->ops->max_width);
}

/* The device is kept aside: the access itself may move regions (a PCI base address register). */
static inline uint64_t read_region(struct bus *bus, const struct bus_region *region, uint64_t address, unsigned size,
                                   vtime_t now)
{
    struct bus_device *device = region->device;
    uint64_t offset = address + region->bias, value = device->ops->read(device->dev, offset, size, now);
    if (UNLIKELY(!(device->quiet_reads >> offset % 64 & 1)))
        bus_update_deadline(bus, device, now);
    return low_bytes(value, size);
}

static inline void write_region(struct bus *bus, const struct bus_region *region, uint64_t address, unsigned size,
                                uint64_t value, vtime_t now)
{
    struct bus_device *device = region->device;
    device->ops->write(device->dev, address + region->bias, size, low_bytes(value, size), now);
    if (device->has_deadlines)
        bus_update_deadline(bus, device, now);
}

static const struct bus_region *find_port(struct bus *bus, uint64_t port)
{
    return &bus->io[port < PORT_COUNT ? bus->port_map[port] : NOBODY];
}

static const struct bus_region nowhere;

static const struct bus_region *search_mmio(struct bus *bus, uint64_t gpa)
{
    unsigned low = 0, high = bus->mmio_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (bus->mmio[middle].base <= gpa)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return &nowhere;
    bus->mmio_last = low - 1;
    return &bus->mmio[low - 1];
}

/* After a look at the one last hit; rows beyond mmio_count have no length. */
static inline const struct bus_region *find_mmio(struct bus *bus, uint64_t gpa)
{
    const struct bus_region *last = &bus->mmio[bus->mmio_last];
    return LIKELY(gpa - last->base < last->length) ? last : search_mmio(bus, gpa);
}

typedef const struct bus_region *find_fn(struct bus *bus, uint64_t address);

static bool read_bytes(struct bus *bus, find_fn *find, uint64_t address, unsigned size, vtime_t now, uint64_t *value)
{
    bool claimed = false;
    *value = 0;
    for (unsigned i = 0; i < size; i++) {
        const struct bus_region *region = find(bus, address + i);
        bool hit = takes(region, address + i, 1);
        uint64_t byte = hit ? read_region(bus, region, address + i, 1, now) : 0xff;
        *value |= byte << (8 * i);
        claimed |= hit;
    }
    return claimed;
}

static bool write_bytes(struct bus *bus, find_fn *find, uint64_t address, unsigned size, uint64_t value, vtime_t now)
{
    bool claimed = false;
    for (unsigned i = 0; i < size; i++) {
        const struct bus_region *region = find(bus, address + i);
        if (!takes(region, address + i, 1))
            continue;
        write_region(bus, region, address + i, 1, value >> (8 * i), now);
        claimed = true;
    }
    return claimed;
}

bool bus_io_read(struct bus *bus, uint16_t port, unsigned size, vtime_t now, uint32_t *value)
{
    const struct bus_region *region = &bus->io[bus->port_map[port]];
    if (LIKELY(takes(region, port, size))) {
        *value = (uint32_t)read_region(bus, region, port, size, now);
        return true;
    }
    uint64_t wide;
    bool claimed = read_bytes(bus, find_port, port, size, now, &wide);
    *value = (uint32_t)wide;
    return claimed;
}

bool bus_io_write(struct bus *bus, uint16_t port, unsigned size, uint32_t value, vtime_t now)
{
    const struct bus_region *region = &bus->io[bus->port_map[port]];
    if (UNLIKELY(!takes(region, port, size)))
        return write_bytes(bus, find_port, port, size, value, now);
    write_region(bus, region, port, size, value, now);
    return true;
}

bool bus_mmio_read(struct bus *bus, uint64_t gpa, unsigned size, vtime_t now, uint64_t *value)
{
    const struct bus_region *region = find_mmio(bus, gpa);
    if (UNLIKELY(!takes(region, gpa, size)))
        return read_bytes(bus, find_mmio, gpa, size, now, value);
    *value = read_region(bus, region, gpa, size, now);
    return true;
}

bool bus_mmio_write(struct bus *bus, uint64_t gpa, unsigned size, uint64_t value, vtime_t now)
{
    const struct bus_region *region = find_mmio(bus, gpa);
    if (UNLIKELY(!takes(region, gpa, size)))
        return write_bytes(bus, find_mmio, gpa, size, value, now);
    write_region(bus, region, gpa, size, value, now);
    return true;
}
