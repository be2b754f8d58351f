#include "hv/part/layout.h"
#include "tests/unit/test.h"

static struct layout l;

TEST(a_small_partition_has_a_pc_s_first_mebibyte)
{
    CHECK(layout_init(&l, MiB(1)));
    CHECK_EQ(l.low_top, MiB(1));
    CHECK_EQ(l.high_top, 0);
    CHECK_EQ(l.range_count, 3);
    CHECK_EQ(l.slot_count, 3);
    CHECK(layout_is_ram(&l, 0, 0x9fc00) && !layout_is_ram(&l, 0, 0x9fc01));
    CHECK(!layout_is_ram(&l, LAYOUT_VGA_TEXT, 1) && !layout_is_ram(&l, LAYOUT_ROM, 1) && !layout_is_ram(&l, MiB(1), 1));
}

TEST(memory_beyond_3_gib_continues_at_4_gib)
{
    CHECK(layout_init(&l, GiB(5)));
    CHECK_EQ(l.low_top, GiB(3));
    CHECK_EQ(l.high_top, GiB(6));
    CHECK(layout_is_ram(&l, GiB(4), GiB(2)) && !layout_is_ram(&l, GiB(3), 1) && !layout_is_ram(&l, GiB(6), 1));
    CHECK(!layout_is_ram(&l, GiB(3) - 1, 2) && !layout_is_ram(&l, UINT64_MAX, 2));
}

TEST(slots_use_each_byte_of_memory_at_most_once_and_none_beyond)
{
    static const uint64_t sizes[] = { MiB(1), MiB(1) + KiB(4), MiB(64), GiB(3), GiB(3) + KiB(4), GiB(7) };
    for (unsigned n = 0; n < ARRAY_SIZE(sizes); n++) {
        uint64_t used = 0, mapped = 0;
        CHECK(layout_init(&l, sizes[n]));
        for (unsigned i = 0; i < l.slot_count; i++) {
            CHECK(l.slots[i].offset >= used && l.slots[i].gpa >= mapped);
            CHECK(l.slots[i].gpa % PAGE_SIZE == 0 && l.slots[i].size % PAGE_SIZE == 0);
            used = l.slots[i].offset + l.slots[i].size;
            mapped = l.slots[i].gpa + l.slots[i].size;
        }
        CHECK_EQ(used, sizes[n]);
        for (unsigned i = 1; i < l.range_count; i++)
            CHECK(l.ranges[i].base >= l.ranges[i - 1].base + l.ranges[i - 1].size);
    }
}

TEST(impossible_sizes_are_refused)
{
    CHECK(!layout_init(&l, 0));
    CHECK(!layout_init(&l, MiB(1) - KiB(4)));
    CHECK(!layout_init(&l, MiB(2) + 1));
    CHECK(!layout_init(&l, UINT64_MAX & ~UINT64_C(4095)));
}
