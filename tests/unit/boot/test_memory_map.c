#include "boot/memory_map.h"
#include "tests/unit/test.h"

static struct boot_info info;

static void start(void)
{
    info.memory_count = 0;
}

static bool sorted_and_disjoint(void)
{
    for (uint32_t i = 0; i + 1 < info.memory_count; i++)
        if (info.memory[i].base + info.memory[i].size > info.memory[i + 1].base)
            return false;
    return true;
}

TEST(ranges_are_sorted_and_neighbours_of_one_type_merge)
{
    start();
    CHECK(memory_map_paint(&info, MiB(2), MiB(1), BOOT_MEMORY_FREE));
    CHECK(memory_map_paint(&info, 0, MiB(1), BOOT_MEMORY_FREE));
    CHECK_EQ(info.memory_count, 2);
    CHECK(memory_map_paint(&info, MiB(1), MiB(1), BOOT_MEMORY_FREE));
    CHECK_EQ(info.memory_count, 1);
    CHECK_EQ(info.memory[0].size, MiB(3));
}

TEST(painting_inside_a_range_splits_it)
{
    start();
    CHECK(memory_map_paint(&info, 0, MiB(16), BOOT_MEMORY_FREE));
    CHECK(memory_map_paint(&info, MiB(4), MiB(1), BOOT_MEMORY_IMAGE));
    CHECK_EQ(info.memory_count, 3);
    CHECK_EQ(info.memory[1].type, BOOT_MEMORY_IMAGE);
    CHECK_EQ(info.memory[2].base, MiB(5));
    CHECK_EQ(info.memory[2].size, MiB(11));
    CHECK(sorted_and_disjoint());
}

TEST(painting_over_several_ranges_replaces_them)
{
    start();
    for (uint64_t i = 0; i < 8; i++)
        CHECK(memory_map_paint(&info, MiB(i), MiB(1), i % 2 ? BOOT_MEMORY_FREE : BOOT_MEMORY_RESERVED));
    CHECK_EQ(info.memory_count, 8);
    CHECK(memory_map_paint(&info, MiB(1) + KiB(4), MiB(5), BOOT_MEMORY_ACPI));
    CHECK_EQ(info.memory_count, 5);
    CHECK_EQ(info.memory[2].type, BOOT_MEMORY_ACPI);
    CHECK_EQ(info.memory[3].base, MiB(6) + KiB(4));
    CHECK(sorted_and_disjoint());
}

TEST(free_memory_shrinks_to_pages_and_the_rest_grows)
{
    start();
    CHECK(memory_map_paint(&info, 0x10001, 0x9fc00 - 0x10001, BOOT_MEMORY_FREE));
    CHECK_EQ(info.memory[0].base, 0x11000);
    CHECK_EQ(info.memory[0].size, 0x9f000 - 0x11000);
    CHECK(memory_map_paint(&info, 0x9fc00, 0x400, BOOT_MEMORY_RESERVED));
    CHECK_EQ(info.memory[1].base, 0x9f000);
    CHECK_EQ(info.memory[1].size, 0x1000);
    CHECK(memory_map_paint(&info, 0x200001, 100, BOOT_MEMORY_FREE));
    CHECK_EQ(info.memory_count, 2);
}

TEST(a_range_that_wraps_around_is_cut_at_the_top)
{
    start();
    CHECK(memory_map_paint(&info, UINT64_MAX - 0x1fff, UINT64_MAX, BOOT_MEMORY_RESERVED));
    CHECK_EQ(info.memory_count, 1);
    CHECK(info.memory[0].base + info.memory[0].size > info.memory[0].base);
    CHECK(memory_map_paint(&info, UINT64_MAX, 1, BOOT_MEMORY_FREE));
    CHECK_EQ(info.memory_count, 1);
}

TEST(a_full_map_is_reported)
{
    start();
    for (uint64_t i = 0; i < BOOT_MAX_MEMORY; i++)
        CHECK(memory_map_paint(&info, MiB(2 * i), MiB(1), BOOT_MEMORY_FREE));
    CHECK(!memory_map_paint(&info, MiB(2 * BOOT_MAX_MEMORY), MiB(1), BOOT_MEMORY_FREE));
    CHECK(!memory_map_paint(&info, KiB(64), KiB(64), BOOT_MEMORY_RESERVED));
    CHECK(!memory_map_is(&info, KiB(64), KiB(64), BOOT_MEMORY_FREE));
    CHECK(sorted_and_disjoint());
}

TEST(memory_map_is_asks_for_the_whole_range)
{
    start();
    CHECK(memory_map_paint(&info, MiB(1), MiB(1), BOOT_MEMORY_FREE));
    CHECK(memory_map_is(&info, MiB(1), MiB(1), BOOT_MEMORY_FREE));
    CHECK(!memory_map_is(&info, MiB(1), MiB(1) + 1, BOOT_MEMORY_FREE));
    CHECK(!memory_map_is(&info, 0, MiB(2), BOOT_MEMORY_FREE));
    CHECK(!memory_map_is(&info, MiB(1), 4096, BOOT_MEMORY_ACPI));
}
