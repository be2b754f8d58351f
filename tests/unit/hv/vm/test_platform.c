/* The PC of a partition (included here): all 65,536 ports, and who answers each of them. */
#include <stdlib.h>
#include <string.h>
#include "hv/part/config_check.h"
#include "hv/vm/vm.h"
#include "tests/unit/test.h"

#include "hv/vm/platform.c"

struct tsc_scale tsc_scale;
bool partition_end(struct partition *p, enum partition_wish wish, const char *reason) { (void)p, (void)wish, (void)reason; return true; }
bool partition_reset(struct partition *p, const char *by) { (void)p, (void)by; return true; }
void partition_end_with_status(struct partition *p, uint32_t status) { (void)p, (void)status; }
void partition_set_gsi(void *part, unsigned gsi_number, bool level) { (void)part, (void)gsi_number, (void)level; }
void partition_route(void *part, const struct apic_message *message) { (void)part, (void)message; }
void vcpu_kick(struct vcpu *v, uint32_t requests) { (void)v, (void)requests; }
void vm_output(struct partition *p, enum vm_stream stream, uint8_t byte) { (void)p, (void)stream, (void)byte; }
void panic(const char *format, ...) { printf("%s\n", format); abort(); }

/* A PC's ports, from the manuals of its chips; 600h and 620h are our own choice, said to guests in the FADT. */
static const struct { uint16_t first, last; const char *name; } pc[] = {
    { 0x00, 0x0f, "dma" }, { 0x20, 0x21, "pic" }, { 0x40, 0x43, "pit" }, { 0x60, 0x60, "kbc" }, { 0x61, 0x61, "pit" },
    { 0x64, 0x64, "kbc" }, { 0x70, 0x73, "rtc" }, { 0x80, 0x8f, "dma" }, { 0x92, 0x92, "kbc" }, { 0xa0, 0xa1, "pic" },
    { 0xb2, 0xb3, "pm" }, { 0xc0, 0xdf, "dma" }, { 0xed, 0xed, "dma" }, { 0x3b4, 0x3bb, "vga" }, { 0x3c0, 0x3df, "vga" },
    { 0x4d0, 0x4d1, "pic" }, { 0x600, 0x605, "pm" }, { 0x608, 0x60b, "pm" }, { 0x620, 0x623, "pm" }, { 0xcf8, 0xcff, "pci" },
};
#define COM1(port)   ((port) >= 0x3f8 && (port) <= 0x3ff)
#define FWCFG(port)  ((port) == 0x510 || (port) == 0x511)
#define DEBUG_EXIT   0xf4
#define DEBUG_OUTPUT 0xe9

static struct partition p;
static struct partition_config config;

static const char *expected(unsigned port, bool com1, bool debug)
{
    for (size_t i = 0; i < ARRAY_SIZE(pc); i++)
        if (port >= pc[i].first && port <= pc[i].last)
            return pc[i].name;
    if (com1 && COM1(port))
        return "uart";
    if (debug && port >= DEBUG_EXIT && port < DEBUG_EXIT + 4)
        return vdebug_exit_ops.name;
    if (debug && port == DEBUG_OUTPUT)
        return vdebug_console_ops.name;
    return debug && FWCFG(port) ? vfwcfg_ops.name : NULL;
}

static void start(bool com1, bool debug)
{
    memset(&p, 0, sizeof p);
    config = (struct partition_config){ .console = com1 ? PARTITION_CONSOLE_COM1 : PARTITION_CONSOLE_NONE,
                                        .debug_exit = debug ? DEBUG_EXIT : 0, .debug_console = debug ? DEBUG_OUTPUT : 0 };
    p.config = &config;
    platform_init(&p);
}

TEST(every_port_is_answered_by_its_chip_or_by_nobody)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned claimed = 0;
        start(i & 1, i & 2);
        for (unsigned port = 0; port < 65536; port++) {
            const struct bus_device *device = p.bus.io[p.bus.port_map[port]].device;
            const char *name = expected(port, i & 1, i & 2);
            claimed += device != NULL;
            if (!device != !name || (name && strcmp(name, device->ops->name)))
                printf("  port %x: %s, expected %s\n", port, device ? device->ops->name : "nobody", name ? name : "nobody");
            CHECK(!device == !name && (!name || !strcmp(name, device->ops->name)));
        }
        CHECK_EQ(claimed, 147 + (i & 1 ? 8 : 0) + (i & 2 ? 7 : 0));
    }
}

TEST(the_configuration_gives_away_no_port_that_a_chip_has)
{
    start(true, true);
    for (unsigned port = 0; port < 65536; port++) {
        const struct bus_device *device = p.bus.io[p.bus.port_map[port]].device;
        bool debug = device && (device->ops == &vdebug_exit_ops || device->ops == &vdebug_console_ops);
        if (device && !debug && !config_port_owner(port))
            printf("  port %x of %s can be given to another\n", port, device->ops->name);
        CHECK(!device || debug || config_port_owner(port));
    }
    CHECK(!config_port_owner(DEBUG_EXIT) && !config_port_owner(DEBUG_OUTPUT));
}

TEST(a_port_that_nobody_has_reads_ones_at_every_width)
{
    start(true, true);
    for (unsigned port = 0; port < 65536; port++)
        for (unsigned size = 1; size <= 4; size *= 2) {
            uint32_t value = 0;
            bool any = false;
            for (unsigned i = 0; i < size && port + i < 65536; i++)
                any |= expected(port + i, true, true) != NULL;
            if (any)
                continue;
            CHECK(!bus_io_read(&p.bus, (uint16_t)port, size, 0, &value));
            CHECK_EQ(value, UINT32_MAX >> (32 - 8 * size));
            CHECK(!bus_io_write(&p.bus, (uint16_t)port, size, 0, 0));
        }
}

TEST(a_later_start_has_a_later_epoch)
{
    tsc_scale = (struct tsc_scale){ .hz = 2000000000, .ns_per_tick = UINT64_C(1) << 31, .ticks_per_ns = UINT64_C(2) << 32 };
    p.made_epoch = 1700000000;
    p.made_at = 5000000000;
    CHECK_EQ(vm_epoch_at(&p, p.made_at), 1700000000);
    CHECK_EQ(vm_epoch_at(&p, p.made_at + tsc_scale.hz - 1), 1700000000);
    CHECK_EQ(vm_epoch_at(&p, p.made_at + 3600 * tsc_scale.hz), 1700003600);
}

TEST(the_only_device_in_memory_is_the_ioapic)
{
    start(true, true);
    CHECK_EQ(p.bus.mmio_count, 1);
    CHECK_EQ(p.bus.mmio[0].base, 0xfec00000);
    CHECK_EQ(p.bus.mmio[0].length, 0x1000);
}
