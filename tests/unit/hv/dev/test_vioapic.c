#include "hv/dev/vioapic.h"
#include "tests/unit/test.h"

static struct vioapic io;
static struct apic_message got;
static unsigned count;

static void on_message(void *ctx, const struct apic_message *m) { (void)ctx; got = *m; count++; }

static void start(void)
{
    count = 0;
    vioapic_init(&io, 2, on_message, NULL);
}
static void put(unsigned index, uint32_t value)
{
    vioapic_ops.write(&io, 0, 4, index, 0);
    vioapic_ops.write(&io, 0x10, 4, value, 0);
}
static uint32_t get(unsigned index)
{
    vioapic_ops.write(&io, 0, 1, index, 0);
    return (uint32_t)vioapic_ops.read(&io, 0x10, 4, 0);
}

TEST(identification_registers_are_the_chips)
{
    start();
    CHECK_EQ(get(0), 0x02000000);
    CHECK_EQ(get(1), 0x00170020);
    CHECK_EQ(get(2), 0x02000000);
    put(0, 0xffffffff);
    CHECK_EQ(get(0), 0x0f000000);
    put(1, 0);
    CHECK_EQ(get(1), 0x00170020);
    CHECK_EQ(get(0x0f), 0);
    CHECK_EQ(get(0x40), 0);
}

TEST(every_pin_starts_masked_and_read_only_bits_stay)
{
    start();
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
        CHECK(get(0x10 + 2 * pin) == 0x10000 && get(0x11 + 2 * pin) == 0);
    put(0x10, 0xffffffff);
    put(0x11, 0xffffffff);
    CHECK_EQ(get(0x10), 0x1afff);
    CHECK_EQ(get(0x11), 0xff000000);
    vioapic_ops.reset(&io, 0);
    CHECK_EQ(get(0x10), 0x10000);
}

TEST(an_edge_interrupts_once_and_is_lost_while_masked)
{
    start();
    put(0x13, 0x05000000);
    put(0x12, 0x0931); /* lowest priority, logical */
    vioapic_set_line(&io, 1, true);
    vioapic_set_line(&io, 1, true);
    CHECK_EQ(count, 1);
    CHECK(got.dest == 5 && got.vector == 0x31 && got.mode == APIC_LOWEST_PRIORITY && got.logical && !got.trigger);
    vioapic_set_line(&io, 1, false);
    put(0x12, 0x10931);
    vioapic_set_line(&io, 1, true);
    put(0x12, 0x0931);
    CHECK_EQ(count, 1);
}

TEST(a_level_interrupts_again_after_eoi_while_asserted)
{
    start();
    put(0x20, 0x8040);
    vioapic_set_line(&io, 8, true);
    CHECK(count == 1 && got.trigger && got.dest == 0);
    CHECK_EQ(get(0x20), 0xc040);
    vioapic_set_line(&io, 8, false);
    vioapic_set_line(&io, 8, true); /* waits for EOI */
    CHECK_EQ(count, 1);
    vioapic_eoi(&io, 0x41);
    CHECK_EQ(count, 1);
    vioapic_eoi(&io, 0x40);
    CHECK_EQ(count, 2);
    vioapic_set_line(&io, 8, false);
    vioapic_ops.write(&io, 0x40, 4, 0x40, 0); /* the EOI register */
    CHECK_EQ(count, 2);
    CHECK_EQ(get(0x20), 0x8040);
}

TEST(unmasking_an_asserted_level_interrupts)
{
    start();
    put(0x20, 0x18040);
    vioapic_set_line(&io, 8, true);
    CHECK_EQ(count, 0);
    put(0x20, 0x8040);
    CHECK_EQ(count, 1);
    put(0x20, 0x8040);
    CHECK_EQ(count, 1);
    put(0x20, 0x0040); /* to edge: remote IRR is forgotten */
    CHECK_EQ(get(0x20), 0x0040);
}

TEST(an_nmi_pin_is_an_edge_whatever_its_trigger_bit)
{
    start();
    put(0x10, 0x8400);
    put(0x11, 0xff000000);
    vioapic_set_line(&io, 0, true);
    CHECK(got.mode == APIC_NMI && !got.trigger && got.dest == APIC_DEST_ALL);
    CHECK_EQ(get(0x10), 0x8400);
}

TEST(narrow_accesses_behave_as_dwords)
{
    start();
    put(0x10, 0x8140);
    vioapic_ops.write(&io, 0, 1, 0x110, 0);
    CHECK_EQ(vioapic_ops.read(&io, 0, 4, 0), 0x10);
    CHECK_EQ(vioapic_ops.read(&io, 0x10, 2, 0), 0x8140);
    CHECK_EQ(vioapic_ops.read(&io, 0x11, 1, 0), 0x81);
    vioapic_ops.write(&io, 0x10, 1, 0x1ff42, 0);
    CHECK_EQ(get(0x10), 0x42);
    vioapic_ops.write(&io, 0x11, 1, 0xff, 0);
    vioapic_ops.write(&io, 0xffc, 4, 0xff, 0);
    CHECK_EQ(get(0x10), 0x42);
    CHECK_EQ(vioapic_ops.read(&io, 0x800, 8, 0), 0);
}

TEST(random_traffic_keeps_the_level_rule)
{
    uint64_t seed = 7;
    start();
    vioapic_set_line(&io, 99, true);
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t r = (uint32_t)(seed >> 32);
        if (r & 1)
            vioapic_set_line(&io, r >> 8 & 31, r & 2);
        else if (r & 2)
            vioapic_eoi(&io, (uint8_t)(r >> 8));
        else
            vioapic_ops.write(&io, r >> 2 & 0x50, 1u << (r >> 24 & 3), r >> 4, 0);
        for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
            uint64_t e = io.entries[pin];
            bool fixed = (e >> 8 & 7) <= 1, waits = (e & 0x8000) && !(e & 0x10000) && (io.lines >> pin & 1) && fixed;
            CHECK(!waits || (e & 0x4000));      /* an asserted level pin was delivered */
            CHECK((e & 0x8000) || !(e & 0x4000)); /* remote IRR only with level */
            CHECK(!(e & 0x1000));
        }
    }
}
