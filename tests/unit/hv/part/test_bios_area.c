#include "hv/part/bios_area.h"
#include "tests/unit/hv/part/fake_guest.h"
#include "tests/unit/test.h"

static struct fake_guest guest;

static bool build(unsigned cpus)
{
    fake_free(&guest);
    return fake_init(&guest, MiB(1)) && bios_area_build(cpus, &guest.ops);
}

static uint8_t sum(uint64_t gpa, uint64_t size)
{
    uint8_t total = 0;
    for (uint64_t i = 0; i < size; i++)
        total = (uint8_t)(total + guest.bytes[gpa + i]);
    return total;
}

TEST(every_vector_leads_to_an_iret)
{
    CHECK(build(1));
    for (unsigned v = 0; v < 256; v++) {
        uint64_t target = fake_get(&guest, v * 4, 2) + 16 * fake_get(&guest, v * 4 + 2, 2);
        CHECK_EQ(fake_get(&guest, target, 1), 0xcf);
    }
}

TEST(bios_data_points_to_the_ebda_and_com1)
{
    CHECK(build(1));
    CHECK_EQ(fake_get(&guest, 0x400, 2), 0x3f8);
    CHECK_EQ(fake_get(&guest, 0x40e, 2) * 16, LAYOUT_EBDA);
    CHECK_EQ(fake_get(&guest, 0x413, 2), 639);
    CHECK_EQ(fake_get(&guest, 0x449, 1), 3);
    CHECK_EQ(fake_get(&guest, 0x44a, 2), 80);
    CHECK_EQ(fake_get(&guest, LAYOUT_EBDA, 1), 1);
}

TEST(the_reset_vector_jumps_to_a_write_of_the_reset_register)
{
    CHECK(build(1));
    CHECK_EQ(fake_get(&guest, 0xffff0, 1), 0xea);
    uint64_t target = fake_get(&guest, 0xffff1, 2) + 16 * fake_get(&guest, 0xffff3, 2);
    CHECK_EQ(fake_get(&guest, target, 6), 0xee06b00cf9ba);
    CHECK_EQ(fake_get(&guest, 0xffffe, 1), 0xfc);
}

TEST(the_mp_table_lists_every_processor_and_adds_up)
{
    CHECK(build(3));
    CHECK(!memcmp(guest.bytes + 0xf0000, "_MP_", 4) && !sum(0xf0000, 16));
    uint64_t table = fake_get(&guest, 0xf0004, 4), at = table + 44;
    CHECK(!memcmp(guest.bytes + table, "PCMP", 4) && !sum(table, fake_get(&guest, table + 4, 2)));
    unsigned entries = (unsigned)fake_get(&guest, table + 34, 2), counts[5] = { 0 };
    for (unsigned i = 0; i < entries; i++) {
        uint8_t type = guest.bytes[at];
        CHECK(type < 5);
        counts[type]++;
        at += type ? 8 : 20;
    }
    CHECK_EQ(at, table + fake_get(&guest, table + 4, 2));
    CHECK(counts[0] == 3 && counts[1] == 1 && counts[2] == 1 && counts[3] == 15 && counts[4] == 2);
}

TEST(too_many_processors_are_refused)
{
    CHECK(build(16) && !build(17) && !build(0));
}
