#include "hv/dev/vioapic.h"

/* 82093AA data sheet, "Register Description". */
enum vioapic_offset { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40 };
enum vioapic_index { IOAPICID = 0, IOAPICVER = 1, IOAPICARB = 2, IOREDTBL = 0x10 };

#define VERSION_VALUE    (UINT32_C(0x20) | (VIOAPIC_PINS - 1) << 16)
#define ID_WRITABLE      UINT32_C(0x0f000000)
#define ENTRY_LOGICAL    (UINT64_C(1) << 11)
#define ENTRY_REMOTE_IRR (UINT64_C(1) << 14)
#define ENTRY_LEVEL      (UINT64_C(1) << 15)
#define ENTRY_MASKED     (UINT64_C(1) << 16)
/* Not writable: remote IRR, and delivery status (bit 12), which always reads idle since delivery takes no time. */
#define ENTRY_WRITABLE   UINT64_C(0xff0000000001afff)

static void deliver(struct vioapic *io, unsigned pin)
{
    uint64_t entry = io->entries[pin];
    struct apic_message m = {
        .dest = (uint32_t)(entry >> 56), .vector = (uint8_t)entry, .mode = (entry >> 8) & 7,
        .logical = entry & ENTRY_LOGICAL, .level = true, .trigger = entry & ENTRY_LEVEL,
    };
    bool has_vector = m.mode == APIC_FIXED || m.mode == APIC_LOWEST_PRIORITY;
    if (!m.logical && m.dest == 0xff)
        m.dest = APIC_DEST_ALL;
    if (m.trigger && has_vector)
        io->entries[pin] |= ENTRY_REMOTE_IRR; /* first: the receiver's EOI may come from within deliver() */
    else
        m.trigger = false;                    /* NMI, INIT, ... are edges whatever the entry says */
    io->deliver(io->ctx, &m);
}

/* A level-triggered pin interrupts while its line is asserted and no earlier interrupt waits for its EOI. */
static void deliver_level(struct vioapic *io, unsigned pin)
{
    uint64_t entry = io->entries[pin];
    if ((entry & ENTRY_LEVEL) && !(entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) && (io->lines >> pin & 1))
        deliver(io, pin);
}

void vioapic_set_line(void *vioapic, unsigned pin, bool level)
{
    struct vioapic *io = vioapic;
    if (pin >= VIOAPIC_PINS)
        return;
    uint32_t bit = UINT32_C(1) << pin;
    bool rising = level && !(io->lines & bit);
    io->lines = level ? io->lines | bit : io->lines & ~bit;
    if (!rising || (io->entries[pin] & ENTRY_MASKED))
        return; /* an edge at a masked pin is lost, as the data sheet says */
    if (io->entries[pin] & ENTRY_LEVEL)
        deliver_level(io, pin);
    else
        deliver(io, pin);
}

uint8_t vioapic_edge_vector(const struct vioapic *io, unsigned pin)
{
    uint64_t entry = io->entries[pin];
    uint8_t mode = entry >> 8 & 7;
    bool has_vector = mode == APIC_FIXED || mode == APIC_LOWEST_PRIORITY;
    return has_vector && !(entry & (ENTRY_MASKED | ENTRY_LEVEL)) ? (uint8_t)entry : 0;
}

void vioapic_eoi(struct vioapic *io, uint8_t vector)
{
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        if (!(io->entries[pin] & ENTRY_REMOTE_IRR) || (uint8_t)io->entries[pin] != vector)
            continue;
        io->entries[pin] &= ~ENTRY_REMOTE_IRR;
        deliver_level(io, pin);
    }
}

static void write_entry(struct vioapic *io, unsigned half_index, uint32_t value)
{
    unsigned pin = half_index / 2, shift = half_index & 1 ? 32 : 0;
    uint64_t half = UINT64_C(0xffffffff) << shift;
    uint64_t writable = ENTRY_WRITABLE & half;
    uint64_t entry = (io->entries[pin] & ~writable) | ((uint64_t)value << shift & writable);
    if (!(entry & ENTRY_LEVEL))
        entry &= ~ENTRY_REMOTE_IRR;
    io->entries[pin] = entry;
    deliver_level(io, pin);
}

static uint32_t read_indexed(const struct vioapic *io)
{
    switch (io->index) {
    case IOAPICID:
    case IOAPICARB:
        return io->id;
    case IOAPICVER:
        return VERSION_VALUE;
    }
    unsigned half = io->index - (unsigned)IOREDTBL;
    return half < 2 * VIOAPIC_PINS ? (uint32_t)(io->entries[half / 2] >> (half & 1 ? 32 : 0)) : 0;
}

static void write_indexed(struct vioapic *io, uint32_t value)
{
    unsigned half = io->index - (unsigned)IOREDTBL;
    if (io->index == IOAPICID)
        io->id = value & ID_WRITABLE;
    else if (half < 2 * VIOAPIC_PINS)
        write_entry(io, half, value);
}

/* The registers are dwords: a narrower read gives its part of one, a narrower write is extended with zeroes. */
static uint64_t read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    const struct vioapic *io = dev;
    uint64_t value = 0;
    if ((offset & ~UINT64_C(3)) == IOREGSEL)
        value = io->index;
    else if ((offset & ~UINT64_C(3)) == IOWIN)
        value = read_indexed(io);
    value >>= 8 * (offset & 3);
    return size < 4 ? value & ((UINT64_C(1) << (8 * size)) - 1) : value;
}

static void write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vioapic *io = dev;
    uint32_t dword = (uint32_t)(size < 4 ? value & ((UINT64_C(1) << (8 * size)) - 1) : value);
    switch (offset) {
    case IOREGSEL:
        io->index = (uint8_t)dword;
        break;
    case IOWIN:
        write_indexed(io, dword);
        break;
    case IOEOI:
        vioapic_eoi(io, (uint8_t)dword);
        break;
    default:
        break; /* reserved: no register, no effect */
    }
}

static void reset(void *dev, vtime_t now)
{
    struct vioapic *io = dev;
    io->index = 0;
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
        io->entries[pin] = ENTRY_MASKED;
}

void vioapic_init(struct vioapic *io, uint8_t id, void (*deliver_message)(void *, const struct apic_message *), void *ctx)
{
    *io = (struct vioapic){ .deliver = deliver_message, .ctx = ctx, .id = (uint32_t)id << 24 & ID_WRITABLE };
    reset(io, 0);
}

const struct dev_ops vioapic_ops = { .name = "ioapic", .read = read, .write = write, .reset = reset };
