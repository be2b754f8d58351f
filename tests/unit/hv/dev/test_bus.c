#include "hv/dev/bus.h"
#include "hv/dev/vdebug.h"
#include "hv/dev/vdma.h"
#include "hv/dev/vkbc.h"
#include "hv/dev/vpci.h"
#include "hv/dev/vpic.h"
#include "hv/dev/vpit.h"
#include "hv/dev/vpm.h"
#include "hv/dev/vrtc.h"
#include "hv/dev/vuart.h"
#include "hv/dev/vvga.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

/* A device that notes what reaches it: reads answer the offset in every byte. */
struct probe {
    unsigned reads, writes, resets, expires;
    uint64_t offset, value;
    unsigned size;
    vtime_t next;
};

static uint64_t probe_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct probe *p = dev;
    uint64_t value = 0;
    (void)now;
    p->reads++;
    p->offset = offset, p->size = size;
    for (unsigned i = 0; i < 8; i++)
        value |= (offset + i) << (8 * i);
    return value;
}

static void probe_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct probe *p = dev;
    (void)now;
    p->writes++;
    p->offset = offset, p->size = size, p->value = value;
}

static void probe_reset(void *dev, vtime_t now)
{
    struct probe *p = dev;
    (void)now;
    p->resets++;
}

static vtime_t probe_expire(void *dev, vtime_t now)
{
    struct probe *p = dev;
    p->expires++;
    return p->next > now ? p->next : VTIME_NEVER;
}

static const struct dev_ops any_width = { "any", 0, probe_read, probe_write, probe_reset, NULL, 0 };
static const struct dev_ops byte_wide = { "byte", 1, probe_read, probe_write, probe_reset, NULL, 0 };
static const struct dev_ops timed = { "timed", 0, probe_read, probe_write, probe_reset, probe_expire, 0 };

static struct bus bus;
static struct probe a, b;
static uint32_t value;
static uint64_t wide;

static void start(void)
{
    bus_init(&bus);
    a = b = (struct probe){ 0 };
}

static enum bus_result attach(const struct dev_ops *ops, struct probe *p, unsigned base, unsigned length, unsigned offset)
{
    struct dev_ports ports = { (uint16_t)base, (uint16_t)length, (uint16_t)offset };
    return bus_attach(&bus, ops, p, &ports, 1);
}

static enum bus_result attach_mmio(const struct dev_ops *ops, struct probe *p, uint64_t base, uint64_t length)
{
    struct bus_device *device;
    enum bus_result result = bus_add_device(&bus, ops, p, &device);
    return result != BUS_OK ? result : bus_add_mmio(&bus, device, base, length, 0);
}

TEST(an_unclaimed_port_reads_all_ones_and_says_so)
{
    start();
    CHECK(!bus_io_read(&bus, 0x1234, 1, 0, &value));
    CHECK_EQ(value, 0xff);
    CHECK(!bus_io_read(&bus, 0x1234, 2, 0, &value));
    CHECK_EQ(value, 0xffff);
    CHECK(!bus_io_read(&bus, 0x1234, 4, 0, &value));
    CHECK_EQ(value, 0xffffffff);
    CHECK(!bus_io_write(&bus, 0x1234, 4, 0, 0));
}

TEST(an_unclaimed_port_is_reported_once_and_can_still_be_claimed)
{
    start();
    CHECK(bus_note_unclaimed(&bus, 0x300));
    CHECK(!bus_note_unclaimed(&bus, 0x300));
    CHECK(bus_io_read_byte(&bus, 0x300, 0) == BUS_UNCLAIMED);
    CHECK(!bus_io_write_byte(&bus, 0x300, 1, 0));
    bus_reset(&bus, 0);
    CHECK(!bus_note_unclaimed(&bus, 0x300));
    const struct dev_ports ports = { 0x2ff, 2, 6 };
    CHECK(bus_attach(&bus, &byte_wide, &a, &ports, 1) == BUS_OK);
    CHECK(!bus_note_unclaimed(&bus, 0x300));
    CHECK(bus_io_read_byte(&bus, 0x300, 0) != BUS_UNCLAIMED && a.offset == 7 && a.size == 1);
    CHECK(bus_io_write_byte(&bus, 0x2ff, 0x5a, 0) && a.offset == 6 && a.value == 0x5a);
}

TEST(a_quiet_read_asks_for_no_new_deadline)
{
    static const struct dev_ops quiet_at_1 = { "quiet", 1, probe_read, probe_write, probe_reset, probe_expire, 2 };
    const struct dev_ports ports = { 0x300, 2, 0 };
    start();
    CHECK(bus_attach(&bus, &quiet_at_1, &a, &ports, 1) == BUS_OK);
    (void)bus_io_read_byte(&bus, 0x301, 0);
    CHECK(a.expires == 0);
    (void)bus_io_read_byte(&bus, 0x300, 0);
    CHECK(a.expires == 1);
    (void)bus_io_write_byte(&bus, 0x301, 0, 0);
    CHECK(a.expires == 2);
}

TEST(a_region_passes_offsets_from_its_start)
{
    start();
    CHECK_EQ(attach(&any_width, &a, 0x100, 8, 0x20), BUS_OK);
    CHECK(bus_io_read(&bus, 0x104, 2, 0, &value));
    CHECK_EQ(value, 0x2524);
    CHECK_EQ(a.offset, 0x24);
    CHECK_EQ(a.size, 2);
    CHECK(bus_io_write(&bus, 0x100, 1, 0xabcd, 0));
    CHECK_EQ(a.value, 0xcd);
}

TEST(a_byte_wide_device_gets_wide_accesses_byte_by_byte)
{
    start();
    CHECK_EQ(attach(&byte_wide, &a, 0x100, 8, 0), BUS_OK);
    CHECK(bus_io_read(&bus, 0x102, 4, 0, &value));
    CHECK_EQ(value, 0x05040302);
    CHECK_EQ(a.reads, 4);
    CHECK(bus_io_write(&bus, 0x102, 2, 0xbbaa, 0));
    CHECK_EQ(a.writes, 2);
    CHECK_EQ(a.offset, 3);
    CHECK_EQ(a.value, 0xbb);
}

TEST(an_access_across_regions_is_split_between_them)
{
    start();
    CHECK_EQ(attach(&any_width, &a, 0x100, 2, 0), BUS_OK);
    CHECK_EQ(attach(&any_width, &b, 0x103, 1, 0x60), BUS_OK);
    CHECK(bus_io_read(&bus, 0x100, 4, 0, &value));
    CHECK_EQ(value, 0x60ff0100);
    CHECK(bus_io_write(&bus, 0x101, 4, 0x44332211, 0));
    CHECK_EQ(a.value, 0x11);
    CHECK_EQ(b.value, 0x33);
    CHECK(bus_io_read(&bus, 0xff, 2, 0, &value));      /* starts outside */
    CHECK_EQ(value, 0x00ff);
}

TEST(ports_do_not_wrap_around_at_the_end)
{
    start();
    CHECK_EQ(attach(&any_width, &a, 0, 4, 0), BUS_OK);
    CHECK_EQ(attach(&any_width, &b, 0xffff, 1, 7), BUS_OK);
    CHECK(bus_io_read(&bus, 0xffff, 4, 0, &value));
    CHECK_EQ(value, 0xffffff07);
    CHECK_EQ(a.reads, 0);
}

TEST(overlapping_or_impossible_ranges_are_refused)
{
    start();
    CHECK_EQ(attach(&any_width, &a, 0x100, 8, 0), BUS_OK);
    CHECK_EQ(attach(&any_width, &b, 0x107, 1, 0), BUS_OVERLAP);
    CHECK_EQ(attach(&any_width, &b, 0xf8, 9, 0), BUS_OVERLAP);
    CHECK_EQ(attach(&any_width, &b, 0xffff, 2, 0), BUS_BAD_RANGE);
    CHECK_EQ(attach(&any_width, &b, 0x200, 0, 0), BUS_BAD_RANGE);
    CHECK_EQ(bus.device_count, 1);
    CHECK(bus_result_text(BUS_OVERLAP) != NULL);
}

TEST(a_device_that_does_not_fit_leaves_nothing_behind)
{
    static const struct dev_ports ports[] = { { 0x200, 4, 0 }, { 0x300, 4, 4 }, { 0x102, 2, 8 } };
    start();
    CHECK_EQ(attach(&any_width, &a, 0x100, 8, 0), BUS_OK);
    CHECK_EQ(bus_attach(&bus, &any_width, &b, ports, 3), BUS_OVERLAP);
    CHECK(!bus_io_read(&bus, 0x200, 1, 0, &value));
    CHECK(!bus_io_read(&bus, 0x300, 1, 0, &value));
    CHECK(bus_io_read(&bus, 0x102, 1, 0, &value));
    CHECK_EQ(bus_attach(&bus, &any_width, &b, ports, 2), BUS_OK);
}

TEST(a_full_bus_says_so)
{
    start();
    for (unsigned i = 0; i < BUS_DEVICES_MAX; i++)
        CHECK_EQ(attach(&any_width, &a, i * 2, 1, 0), BUS_OK);
    CHECK_EQ(attach(&any_width, &a, 0x1000, 1, 0), BUS_FULL);
    start();
    struct bus_device *device;
    CHECK_EQ(bus_add_device(&bus, &any_width, &a, &device), BUS_OK);
    for (unsigned i = 0; i < BUS_IO_MAX; i++)
        CHECK_EQ(bus_add_ports(&bus, device, (struct dev_ports){ (uint16_t)(i * 2), 1, 0 }), BUS_OK);
    CHECK_EQ(bus_add_ports(&bus, device, (struct dev_ports){ 0x1000, 1, 0 }), BUS_FULL);
    for (unsigned i = 0; i < BUS_MMIO_MAX; i++)
        CHECK_EQ(bus_add_mmio(&bus, device, i * 0x1000, 0x1000, 0), BUS_OK);
    CHECK_EQ(bus_add_mmio(&bus, device, 0xfee00000, 0x1000, 0), BUS_FULL);
}

TEST(a_removed_region_is_unclaimed_and_its_place_free)
{
    start();
    CHECK_EQ(attach(&any_width, &a, 0x100, 8, 0), BUS_OK);
    CHECK(!bus_remove_ports(&bus, 0x101));
    CHECK(bus_remove_ports(&bus, 0x100));
    CHECK(!bus_remove_ports(&bus, 0x100));
    CHECK(!bus_io_read(&bus, 0x100, 1, 0, &value));
    CHECK_EQ(attach(&any_width, &b, 0x104, 2, 0), BUS_OK);
    CHECK(bus_io_read(&bus, 0x105, 1, 0, &value));
    CHECK_EQ(value, 1);
}

TEST(mmio_regions_are_found_whatever_the_order_they_came_in)
{
    static struct probe p[BUS_MMIO_MAX];
    start();
    for (unsigned i = 0; i < BUS_MMIO_MAX; i++)
        CHECK_EQ(attach_mmio(&any_width, &p[i], 0xe0000000ull + (i * 7 % BUS_MMIO_MAX) * 0x10000, 0x1000), BUS_OK);
    for (unsigned i = 0; i < BUS_MMIO_MAX; i++) {
        uint64_t base = 0xe0000000ull + (i * 7 % BUS_MMIO_MAX) * 0x10000;
        p[i].reads = 0;
        CHECK(bus_mmio_read(&bus, base, 8, 0, &wide));
        CHECK_EQ(wide, 0x0706050403020100ull);
        CHECK(bus_mmio_write(&bus, base + 0xffc, 4, 0x1ffffffffull, 0));
        CHECK_EQ(p[i].value, 0xffffffff);
        CHECK_EQ(p[i].reads, 1);
        CHECK(!bus_mmio_read(&bus, base + 0x1000, 4, 0, &wide));
        CHECK_EQ(wide, 0xffffffff);
        CHECK(!bus_mmio_read(&bus, base - 4, 4, 0, &wide));
    }
}

TEST(an_mmio_access_over_the_end_of_a_region_is_split)
{
    start();
    CHECK_EQ(attach_mmio(&any_width, &a, 0x10000, 0x100), BUS_OK);
    CHECK_EQ(attach_mmio(&any_width, &b, 0x100fc, 0x100), BUS_OVERLAP);
    CHECK_EQ(attach_mmio(&any_width, &b, 0xff80, 0x100), BUS_OVERLAP);
    CHECK_EQ(attach_mmio(&any_width, &b, UINT64_MAX - 1, 0x100), BUS_BAD_RANGE);
    CHECK(bus_mmio_read(&bus, 0x100fe, 4, 0, &wide));
    CHECK_EQ(wide, 0xfffffffe);
    CHECK(bus_mmio_write(&bus, 0xfffe, 4, 0x44332211, 0));
    CHECK_EQ(a.offset, 1);
    CHECK_EQ(a.value, 0x44);
    CHECK(!bus_mmio_read(&bus, UINT64_MAX - 1, 4, 0, &wide));
    CHECK(bus_remove_mmio(&bus, 0x10000));
    CHECK(!bus_remove_mmio(&bus, 0x10000));
    CHECK(!bus_mmio_read(&bus, 0x10000, 4, 0, &wide));
}

TEST(the_next_deadline_follows_every_access)
{
    start();
    CHECK_EQ(attach(&timed, &a, 0x100, 8, 0), BUS_OK);
    CHECK_EQ(attach(&timed, &b, 0x200, 8, 0), BUS_OK);
    CHECK_EQ(bus_next_deadline(&bus), VTIME_NEVER);
    a.next = 500, b.next = 300;
    bus_io_read(&bus, 0x100, 1, 10, &value);
    CHECK_EQ(bus_next_deadline(&bus), 500);
    bus_io_write(&bus, 0x200, 1, 0, 20);
    CHECK_EQ(bus_next_deadline(&bus), 300);
    b.next = 700;
    bus_io_write(&bus, 0x200, 1, 0, 30);
    CHECK_EQ(bus_next_deadline(&bus), 500);
    a.next = 400;
    bus_refresh(&bus, &a, 40);
    CHECK_EQ(bus_next_deadline(&bus), 400);
}

TEST(expire_calls_only_what_is_due)
{
    start();
    CHECK_EQ(attach(&timed, &a, 0x100, 8, 0), BUS_OK);
    CHECK_EQ(attach(&timed, &b, 0x200, 8, 0), BUS_OK);
    a.next = 500, b.next = 300;
    bus_reset(&bus, 0);
    CHECK_EQ(a.resets + b.resets, 2);
    a.expires = b.expires = 0;
    CHECK_EQ(bus_expire(&bus, 299), 300);
    CHECK_EQ(a.expires + b.expires, 0);
    CHECK_EQ(bus_expire(&bus, 300), 500);
    CHECK_EQ(b.expires, 1);
    CHECK_EQ(bus_expire(&bus, 1000), VTIME_NEVER);
    CHECK_EQ(a.expires, 1);
    CHECK_EQ(b.expires, 1);
}

/* ---- the whole PC ---------------------------------------------------------------------------------------------- */

static struct {
    struct bus bus;
    struct vpic pic;
    struct vpit pit;
    struct vrtc rtc;
    struct vuart uart;
    struct vkbc kbc;
    struct vpci pci;
    struct vpm pm;
    struct vvga vga;
    struct vdma dma;
    struct vdebug_exit exit;
    struct vdebug_console console;
    struct line_recorder intr;
    unsigned requests;
} pc;

static enum bus_result build_pc(void)
{
    struct dev_ports com1 = vuart_ports(0x3f8), exit_at = vdebug_exit_ports(0xf4), console_at = vdebug_console_ports(0xe9);
    struct dev_request request = counted(&pc.requests);
    bus_init(&pc.bus);
    vpic_init(&pc.pic, record(&pc.intr));
    vpit_init(&pc.pit, vpic_line(&pc.pic, 0), (struct vpit_controllers){ 0 });
    vrtc_init(&pc.rtc, vpic_line(&pc.pic, 8), 0, 0);
    vuart_init(&pc.uart, vpic_line(&pc.pic, 4), (struct dev_output){ 0 });
    vkbc_init(&pc.kbc, vpic_line(&pc.pic, 1), vpic_line(&pc.pic, 12), request);
    vpci_init(&pc.pci, request);
    vpm_init(&pc.pm, vpic_line(&pc.pic, 9), request, true);
    vvga_init(&pc.vga);
    vdma_init(&pc.dma);
    const struct { const struct dev_ops *ops; void *dev; const struct dev_ports *ports; unsigned count; } row[] = {
        { &vpic_ops, &pc.pic, vpic_ports, VPIC_PORT_RANGES }, { &vpit_ops, &pc.pit, vpit_ports, VPIT_PORT_RANGES },
        { &vrtc_ops, &pc.rtc, vrtc_ports, VRTC_PORT_RANGES }, { &vuart_ops, &pc.uart, &com1, 1 },
        { &vkbc_ops, &pc.kbc, vkbc_ports, VKBC_PORT_RANGES }, { &vpci_ops, &pc.pci, vpci_ports, VPCI_PORT_RANGES },
        { &vpm_ops, &pc.pm, vpm_ports, VPM_PORT_RANGES },     { &vvga_ops, &pc.vga, vvga_ports, VVGA_PORT_RANGES },
        { &vdma_ops, &pc.dma, vdma_ports, VDMA_PORT_RANGES }, { &vdebug_exit_ops, &pc.exit, &exit_at, 1 },
        { &vdebug_console_ops, &pc.console, &console_at, 1 },
    };
    enum bus_result result = BUS_OK;
    for (unsigned i = 0; i < ARRAY_SIZE(row) && result == BUS_OK; i++)
        result = bus_attach(&pc.bus, row[i].ops, row[i].dev, row[i].ports, row[i].count);
    return result;
}

/* The claimed ports of a PC as built above, written down independently. */
static bool expected(unsigned port)
{
    static const struct { unsigned first, last; } claimed[] = {
        { 0x00, 0x0f }, { 0x20, 0x21 }, { 0x40, 0x43 }, { 0x60, 0x61 }, { 0x64, 0x64 }, { 0x70, 0x73 }, { 0x80, 0x8f },
        { 0x92, 0x92 }, { 0xa0, 0xa1 }, { 0xb2, 0xb3 }, { 0xc0, 0xdf }, { 0xe9, 0xe9 }, { 0xed, 0xed }, { 0xf4, 0xf7 },
        { 0x3b4, 0x3bb }, { 0x3c0, 0x3df }, { 0x3f8, 0x3ff }, { 0x4d0, 0x4d1 }, { 0x600, 0x605 }, { 0x608, 0x60b },
        { 0x620, 0x623 }, { 0xcf8, 0xcff },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(claimed); i++)
        if (port >= claimed[i].first && port <= claimed[i].last)
            return true;
    return false;
}

TEST(all_65536_ports_answer_or_read_all_ones_in_every_size)
{
    vtime_t now = 0;
    CHECK_EQ(build_pc(), BUS_OK);
    for (unsigned port = 0; port < 65536; port++) {
        CHECK_EQ(bus_io_read(&pc.bus, (uint16_t)port, 1, now += 997, &value), expected(port));
        CHECK(value <= 0xff);
        CHECK(expected(port) || value == 0xff);
        for (unsigned size = 2; size <= 4; size += 2) {
            bool any = false;
            for (unsigned i = 0; i < size; i++)
                any |= expected(port + i);
            CHECK_EQ(bus_io_read(&pc.bus, (uint16_t)port, size, now += 997, &value), any);
            CHECK(size == 4 || value <= 0xffff);
            CHECK(any || value == (size == 4 ? 0xffffffff : 0xffff));
        }
        CHECK(bus_next_deadline(&pc.bus) > now);
    }
}

TEST(all_65536_ports_take_any_write_in_every_size)
{
    uint64_t seed = 41;
    vtime_t now = 0;
    CHECK_EQ(build_pc(), BUS_OK);
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned port = 0; port < 65536; port++) {
            unsigned size = 1u << random_next(&seed) % 3;
            now += random_next(&seed) % 10000;
            CHECK(bus_io_write(&pc.bus, (uint16_t)port, size, random_next(&seed), now) || !expected(port));
            CHECK(bus_expire(&pc.bus, now) > now);
        }
    }
}

TEST(random_traffic_of_a_whole_pc_keeps_every_deadline_ahead)
{
    static const uint16_t base[] = { 0x20, 0x40, 0x60, 0x70, 0xa0, 0x3f8, 0x600, 0xcf8 };
    uint64_t seed = 43;
    vtime_t now = 0;
    CHECK_EQ(build_pc(), BUS_OK);
    for (unsigned i = 0; i < 500000; i++) {
        uint32_t r = random_next(&seed);
        uint16_t port = (uint16_t)(base[r & 7] + (r >> 3 & 15));
        unsigned size = 1u << (r >> 8 & 3) % 3;
        now += r >> 20;
        if (r & 0x800)
            bus_io_write(&pc.bus, port, size, random_next(&seed), now);
        else
            bus_io_read(&pc.bus, port, size, now, &value);
        if (r & 0x1000 && vpic_intr(&pc.pic))
            (void)vpic_ack(&pc.pic);
        if (r & 0x2000 && vuart_can_receive(&pc.uart)) {
            CHECK(vuart_receive(&pc.uart, (uint8_t)r, now));
            bus_refresh(&pc.bus, &pc.uart, now);
        }
        CHECK(bus_expire(&pc.bus, now) > now);
        CHECK_EQ(pc.intr.level, vpic_intr(&pc.pic));
        if (i % 50000 == 49999)
            bus_reset(&pc.bus, now);
    }
    CHECK(pc.intr.rises > 100);
    CHECK(pc.requests > 0);
}

TEST(a_periodic_pit_reaches_the_processor_through_the_pic)
{
    CHECK_EQ(build_pc(), BUS_OK);
    static const uint16_t sequence[][2] = {
        { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0x21, 0xfe },
        { 0x43, 0x34 }, { 0x40, 11932 & 0xff }, { 0x40, 11932 >> 8 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(sequence); i++)
        bus_io_write(&pc.bus, sequence[i][0], 1, sequence[i][1], 0);
    unsigned ticks = 0;
    for (vtime_t now = 0; now < SEC(1); now = bus_expire(&pc.bus, bus_next_deadline(&pc.bus)) - 1) {
        if (!vpic_intr(&pc.pic))
            continue;
        CHECK_EQ(vpic_ack(&pc.pic), 0x20);
        bus_io_write(&pc.bus, 0x20, 1, 0x20, now);
        ticks++;
    }
    CHECK(ticks >= 98 && ticks <= 100);
}
