/* Devices attached to and taken off the bus while it is used: every byte of every access goes to the device that a plain
 * list of regions names, no region overlaps another, and the next deadline is the earliest.
 * covers: hv/dev/bus.c
 * max_len: 128 */
#include "hv/dev/bus.h"
#include "tests/fuzz/fuzz.h"

#define REGIONS 12u
#define DEVICES 4u

/* A probe answers, for each byte, the low byte of its offset, and notes what is written to it. */
struct probe {
    unsigned number;
    vtime_t due;
};

struct region { uint64_t base, length, offset; unsigned device; bool memory, live; };

static struct bus bus;
static struct probe probes[DEVICES];
static struct region regions[REGIONS];
static struct bus_device *handles[DEVICES];
static uint64_t expected[8]; /* (device << 56 | offset) of each byte written, in order; and how many came */
static unsigned written;
static vtime_t now;

static uint64_t on_read(void *dev, uint64_t offset, unsigned size, vtime_t at)
{
    uint64_t value = 0;
    FUZZ_CHECK(at == now);
    for (unsigned i = 0; i < size; i++)
        value |= ((offset + i + ((struct probe *)dev)->number) & 0xff) << (8 * i);
    return value;
}

static void on_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t at)
{
    struct probe *p = dev;
    FUZZ_CHECK(at == now && (size == 8 || !(value >> (8 * size))));
    for (unsigned i = 0; i < size; i++)
        FUZZ_CHECK(written < 8 && expected[written++] == ((uint64_t)p->number << 56 | (offset + i)));
    p->due = value & 1 ? now + (value & 0xff) + 1 : VTIME_NEVER;
}

static void on_reset(void *dev, vtime_t at)
{
    FUZZ_CHECK(at == now);
    ((struct probe *)dev)->due = VTIME_NEVER;
}

static vtime_t on_expire(void *dev, vtime_t at)
{
    struct probe *p = dev;
    if (p->due <= at)
        p->due = VTIME_NEVER;
    return p->due;
}

static const struct dev_ops kinds[DEVICES] = {
    { "any", 0, on_read, on_write, on_reset, NULL, 0 }, { "byte", 1, on_read, on_write, on_reset, on_expire, 0 },
    { "word", 2, on_read, on_write, on_reset, on_expire, UINT64_MAX }, { "wide", 4, on_read, on_write, NULL, NULL, 0 },
};

static const struct region *owner(bool memory, uint64_t address)
{
    for (unsigned i = 0; i < REGIONS; i++)
        if (regions[i].live && regions[i].memory == memory && address - regions[i].base < regions[i].length)
            return &regions[i];
    return NULL;
}

/* Addresses near each other, so that accesses cross the borders of regions; and both ends of the space. */
static uint64_t pick(struct fuzz_input *in, bool memory)
{
    uint8_t byte = fuzz_u8(in);
    uint64_t top = memory ? (UINT64_C(1) << 52) - 1 : UINT16_MAX;
    return byte & 128 ? top - (byte & 63) : byte & 127;
}

static void attach(uint8_t op, struct fuzz_input *in)
{
    struct region r = { .memory = op & 8, .device = op >> 4 & 3, .live = true };
    r.base = pick(in, r.memory), r.length = fuzz_u8(in) & 31, r.offset = fuzz_u8(in);
    uint64_t top = r.memory ? UINT64_MAX : UINT64_C(65536);
    unsigned slot = 0;
    bool overlaps = false, fits = r.length && range_fits(r.base, r.length, top);
    while (slot < REGIONS && regions[slot].live)
        slot++;
    for (uint64_t i = 0; fits && i < r.length; i++)
        overlaps |= owner(r.memory, r.base + i) != NULL;
    if (slot == REGIONS)
        return;
    enum bus_result result = r.memory ? bus_add_mmio(&bus, handles[r.device], r.base, r.length, r.offset)
        : bus_add_ports(&bus, handles[r.device], (struct dev_ports){ (uint16_t)r.base, (uint16_t)r.length, (uint16_t)r.offset });
    FUZZ_CHECK(result == (!fits ? BUS_BAD_RANGE : overlaps ? BUS_OVERLAP : BUS_OK) && bus_result_text(result));
    if (result == BUS_OK)
        regions[slot] = r;
}

static void detach(uint8_t op, struct fuzz_input *in)
{
    bool memory = op & 8, found = false;
    uint64_t base = pick(in, memory);
    for (unsigned i = 0; i < REGIONS; i++)
        if (regions[i].live && regions[i].memory == memory && regions[i].base == base)
            regions[i].live = false, found = true;
    FUZZ_CHECK(found == (memory ? bus_remove_mmio(&bus, base) : bus_remove_ports(&bus, (uint16_t)base)));
}

static void use(uint8_t op, struct fuzz_input *in)
{
    bool memory = op & 8, claimed = false;
    unsigned size = 1u << (op >> 4 & (memory ? 3 : 1)), count = 0;
    uint64_t address = pick(in, memory), value = 0, wanted = 0, data = fuzz_take(in, 2) * UINT64_C(0x0001000100010001);
    for (unsigned i = 0; i < size; i++) {
        bool wraps = address + i < address || (!memory && address + i > UINT16_MAX);
        const struct region *r = wraps ? NULL : owner(memory, address + i);
        uint64_t offset = r ? address + i - r->base + r->offset : 0;
        claimed |= r != NULL;
        wanted |= (r ? (offset + r->device) & 0xff : 0xff) << (8 * i);
        if (r)
            expected[count++] = (uint64_t)r->device << 56 | offset;
    }
    written = 0;
    if (op & 128) {
        FUZZ_CHECK(claimed == (memory ? bus_mmio_write(&bus, address, size, data, now)
                                      : bus_io_write(&bus, (uint16_t)address, size, (uint32_t)data, now)));
        FUZZ_CHECK(written == count);
        return;
    }
    uint32_t narrow = 0;
    FUZZ_CHECK(claimed == (memory ? bus_mmio_read(&bus, address, size, now, &value)
                                  : bus_io_read(&bus, (uint16_t)address, size, now, &narrow)));
    FUZZ_CHECK((memory ? value : narrow) == wanted);
}

/* A chip with two ranges: if the second cannot be had, nothing of it stays. */
static void attach_chip(struct fuzz_input *in)
{
    static const struct dev_ops chip = { "chip", 1, on_read, on_write, NULL, NULL, 0 };
    const struct dev_ports ranges[2] = { { (uint16_t)pick(in, false), 2, 0 }, { (uint16_t)pick(in, false), 2, 2 } };
    unsigned before = bus.device_count;
    enum bus_result result = bus_attach(&bus, &chip, &probes[0], ranges, 2);
    if (result == BUS_OK) {
        FUZZ_CHECK(bus_remove_ports(&bus, ranges[0].base) && bus_remove_ports(&bus, ranges[1].base));
        bus.device_count--; /* the last that was added: nothing names it any more */
    }
    FUZZ_CHECK(bus.device_count == before);
}

/* A port that nobody claims is reported once. */
static void report(struct fuzz_input *in)
{
    uint16_t port = (uint16_t)pick(in, false);
    bool first = bus_note_unclaimed(&bus, port);
    FUZZ_CHECK(!first || !owner(false, port));
    FUZZ_CHECK(!bus_note_unclaimed(&bus, port));
}

static void pass_time(uint8_t op)
{
    now += op >> 3;
    FUZZ_CHECK(bus_expire(&bus, now) > now);
}

static void check(void)
{
    vtime_t next = VTIME_NEVER;
    for (unsigned i = 0; i < DEVICES; i++)
        bus_refresh(&bus, &probes[i], now);
    for (unsigned i = 0; i < DEVICES; i++)
        next = MIN(next, kinds[i].expire ? probes[i].due : VTIME_NEVER);
    FUZZ_CHECK(bus_next_deadline(&bus) == next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    bus_init(&bus);
    memset(regions, 0, sizeof regions);
    now = 0;
    for (unsigned i = 0; i < DEVICES; i++) {
        probes[i] = (struct probe){ i, VTIME_NEVER };
        FUZZ_CHECK(bus_add_device(&bus, &kinds[i], &probes[i], &handles[i]) == BUS_OK);
    }
    while (in.left) {
        uint8_t op = fuzz_u8(&in);
        switch (op & 7) {
        case 0: case 1: attach(op, &in); break;
        case 2: detach(op, &in); break;
        case 3: pass_time(op); break;
        case 4: op & 8 ? bus_reset(&bus, now) : op & 16 ? report(&in) : attach_chip(&in); break;
        default: use(op, &in); break;
        }
        check();
    }
    return 0;
}
