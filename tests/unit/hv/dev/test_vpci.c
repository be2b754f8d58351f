#include "hv/dev/vpci.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

static struct vpci pci;
static unsigned resets;

static void out(unsigned offset, unsigned size, uint32_t value) { vpci_ops.write(&pci, offset, size, value, 0); }
static uint32_t in(unsigned offset, unsigned size)
{
    return (uint32_t)(vpci_ops.read(&pci, offset, size, 0) & (UINT64_MAX >> (64 - 8 * size)));
}
static void start(void) { vpci_init(&pci, counted(&resets)); }
static void select_reg(unsigned bus, unsigned devfn, unsigned reg) { out(0, 4, 0x80000000u | bus << 16 | devfn << 8 | reg); }

TEST(the_host_bridge_is_found_by_every_access_size)
{
    start();
    select_reg(0, 0, 0);
    CHECK_EQ(in(0, 4), 0x80000000);
    CHECK_EQ(in(4, 4), 0x12378086);
    CHECK_EQ(in(4, 2), 0x8086);
    CHECK_EQ(in(6, 2), 0x1237);
    CHECK_EQ(in(7, 1), 0x12);
    select_reg(0, 0, 8);
    CHECK_EQ(in(4, 4), 0x06000002);
    select_reg(0, 0, 0x0c);
    CHECK_EQ(in(6, 1), 0);      /* header type 0, one function */
}

TEST(everything_else_reads_all_ones)
{
    start();
    for (unsigned devfn = 1; devfn < 256; devfn++) {
        select_reg(0, devfn, 0);
        CHECK_EQ(in(4, 4), 0xffffffff);
    }
    select_reg(1, 0, 0);
    CHECK_EQ(in(4, 4), 0xffffffff);
    out(4, 4, 0x12345678);
}

TEST(without_the_enable_bit_nothing_is_selected)
{
    start();
    out(0, 4, 0);
    CHECK_EQ(in(4, 4), 0xffffffff);
}

TEST(only_double_words_reach_the_address_register)
{
    start();
    select_reg(0, 0, 0x40);
    out(0, 1, 0xff), out(0, 2, 0xffff), out(2, 2, 0xffff);
    CHECK_EQ(in(0, 4), 0x80000040);
    CHECK_EQ(in(0, 2), 0xffff);
    CHECK_EQ(in(0, 1), 0xff);
    out(0, 4, 0xffffffff);
    CHECK_EQ(in(0, 4), 0x80fffffc);
}

TEST(read_only_registers_stay_and_latches_keep)
{
    start();
    select_reg(0, 0, 0);
    out(4, 4, 0);
    CHECK_EQ(in(4, 4), 0x12378086);
    select_reg(0, 0, 0x58);
    out(5, 1, 0x33);
    CHECK_EQ(in(4, 4), 0x3300);
    select_reg(0, 0, 4);
    out(4, 2, 0);
    CHECK_EQ(in(4, 2), 0x0006);
}

static struct { unsigned offset, size, calls; } written;

static void note_write(void *ctx, unsigned offset, unsigned size, vtime_t now)
{
    (void)ctx, (void)now;
    written.offset = offset, written.size = size, written.calls++;
}

TEST(an_added_function_sizes_its_bar_and_hears_of_writes)
{
    static struct vpci_function f;
    start();
    vpci_function_init(&f, 0x1af4, 0x1042, 0x018000, 1);
    f.written = note_write;
    for (unsigned i = 0x11; i < 0x14; i++)
        f.writable[i] = i == 0x11 ? 0xf0 : 0xff;        /* 4 KiB of memory */
    CHECK(vpci_add(&pci, VPCI_DEVFN(3, 0), &f));
    CHECK(!vpci_add(&pci, VPCI_DEVFN(3, 0), &f));
    CHECK(!vpci_add(&pci, 256, &f));
    select_reg(0, VPCI_DEVFN(3, 0), 0x10);
    out(4, 4, 0xffffffff);
    CHECK_EQ(in(4, 4), 0xfffff000);
    out(4, 4, 0xe0001000);
    uint32_t bar;
    CHECK(vpci_config_get(&f, 0x10, 4, &bar));
    CHECK_EQ(bar, 0xe0001000);
    CHECK_EQ(written.offset, 0x10);
    CHECK_EQ(written.size, 4);
    out(6, 2, 0xd000);
    CHECK_EQ(written.offset, 0x12);
    CHECK_EQ(in(4, 4), 0xd0001000);
}

TEST(status_bits_are_cleared_by_writing_one)
{
    static struct vpci_function f;
    start();
    vpci_function_init(&f, 1, 2, 0, 0);
    f.config[7] = 0xf0, f.write_one_clears[7] = 0xf0;
    CHECK(vpci_add(&pci, 8, &f));
    select_reg(0, 8, 4);
    out(7, 1, 0x30);
    CHECK_EQ(in(7, 1), 0xc0);
}

TEST(configuration_access_helpers_stay_inside)
{
    uint32_t value;
    start();
    CHECK(!vpci_config_get(&pci.host_bridge, 253, 4, &value));
    CHECK(!vpci_config_get(&pci.host_bridge, 0xffffffff, 1, &value));
    CHECK(!vpci_config_get(&pci.host_bridge, 0, 8, &value));
    CHECK(!vpci_config_set(&pci.host_bridge, 256, 1, 0));
    CHECK(vpci_config_set(&pci.host_bridge, 252, 4, 0x01020304));
    CHECK_EQ(pci.host_bridge.config[255], 1);
}

TEST(the_reset_register_resets_when_its_bit_rises)
{
    start();
    out(1, 1, 0x02);
    CHECK_EQ(resets, 0);
    CHECK_EQ(in(1, 1), 0x02);
    out(1, 1, VPCI_RESET_VALUE);
    CHECK_EQ(resets, 1);
    out(1, 1, 0x06);
    CHECK_EQ(resets, 1);
    out(1, 1, 0x00), out(1, 1, 0x04);
    CHECK_EQ(resets, 2);
}

TEST(random_port_sequences_stay_inside)
{
    uint64_t seed = 23;
    start();
    for (unsigned i = 0; i < 300000; i++) {
        uint32_t r = random_next(&seed);
        unsigned size = 1u << (r >> 4 & 3) % 3, offset = r >> 8 & 7;
        if (offset + size > 8)
            continue;
        r & 1 ? out(offset, size, random_next(&seed) & (r & 2 ? 0x800007ff : 0xffffffff)) : (void)in(offset, size);
        CHECK_EQ(pci.address & 0x7f000003, 0);
    }
}
