#include "hv/dev/bus.h"
#include "hv/dev/vfwcfg.h"
#include "tests/unit/test.h"

static struct bus bus;
static struct vfwcfg dev;

static bool start(void)
{
    const struct dev_ports ports = vfwcfg_ports();
    bus_init(&bus);
    vfwcfg_init(&dev, UINT64_C(0x123456789000), 3);
    return bus_attach(&bus, &vfwcfg_ops, &dev, &ports, 1) == BUS_OK;
}

static uint64_t read_item(uint16_t item, unsigned bytes)
{
    uint64_t value = 0;
    uint32_t byte = 0xff;
    if (!bus_io_write(&bus, VFWCFG_PORT, 2, item, 0))
        return UINT64_MAX;
    for (unsigned i = 0; i < bytes; i++) {
        if (!bus_io_read(&bus, VFWCFG_PORT + 1, 1, 0, &byte))
            return UINT64_MAX;
        value |= (uint64_t)(byte & 0xff) << 8 * i;
    }
    return value;
}

TEST(items_come_byte_by_byte_and_selecting_starts_anew)
{
    CHECK(start());
    CHECK_EQ(read_item(VFWCFG_SIGNATURE, 4), 0x554d4551);
    CHECK_EQ(read_item(VFWCFG_CPUS, 2), 3);
    CHECK_EQ(read_item(VFWCFG_MAX_CPUS, 2), 3);
    CHECK_EQ(read_item(VFWCFG_RAM_SIZE, 8), UINT64_C(0x123456789000));
    CHECK_EQ(read_item(VFWCFG_ID, 4), 1);
}

TEST(what_is_not_there_reads_zero)
{
    uint32_t byte;
    CHECK(start());
    CHECK_EQ(read_item(0x4321, 8), 0);
    CHECK_EQ(read_item(VFWCFG_RAM_SIZE, 8), UINT64_C(0x123456789000));
    CHECK(bus_io_read(&bus, VFWCFG_PORT + 1, 1, 0, &byte));
    CHECK_EQ(byte & 0xff, 0);
}

TEST(the_data_port_cannot_be_written)
{
    CHECK(start());
    CHECK(bus_io_write(&bus, VFWCFG_PORT, 2, VFWCFG_CPUS, 0));
    CHECK(bus_io_write(&bus, VFWCFG_PORT + 1, 1, 9, 0));
    CHECK_EQ(read_item(VFWCFG_CPUS, 2), 3);
}
