#include "hv/dev/bus.h"
#include "hv/dev/vdebug.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

static struct bus bus;
static uint32_t status;
static unsigned ends;
static uint8_t shown[8];
static unsigned shown_count;

static void ended(void *ctx, uint32_t value)
{
    (void)ctx;
    status = value;
    ends++;
}

static void put(void *ctx, uint8_t byte)
{
    (void)ctx;
    shown[shown_count++ % sizeof shown] = byte;
}

TEST(the_value_written_is_the_status_whatever_its_width)
{
    struct vdebug_exit port = { ended, NULL };
    struct dev_ports at = vdebug_exit_ports(0xf4);
    bus_init(&bus);
    ends = 0;
    CHECK_EQ(bus_attach(&bus, &vdebug_exit_ops, &port, &at, 1), BUS_OK);
    CHECK(bus_io_write(&bus, 0xf4, 4, 0x12345678, 0));
    CHECK_EQ(status, 0x12345678);
    CHECK(bus_io_write(&bus, 0xf4, 1, 0x10, 0));
    CHECK_EQ(status, 0x10);
    CHECK_EQ(ends, 2);
}

TEST(the_console_shows_bytes_and_answers_with_its_number)
{
    struct vdebug_console port = { { put, NULL } };
    struct dev_ports at = vdebug_console_ports(0xe9);
    uint32_t value;
    bus_init(&bus);
    shown_count = 0;
    CHECK_EQ(bus_attach(&bus, &vdebug_console_ops, &port, &at, 1), BUS_OK);
    CHECK(bus_io_write(&bus, 0xe9, 1, 'x', 0));
    CHECK_EQ(shown_count, 1);
    CHECK_EQ(shown[0], 'x');
    CHECK(bus_io_read(&bus, 0xe9, 1, 0, &value));
    CHECK_EQ(value, 0xe9);
}
