/* What a loader hands over is checked before it is believed. */
#include <string.h>
#include "boot/boot_info.h"
#include "tests/unit/test.h"

static struct boot_info info;

/* A machine with 16 MiB: page 0 reserved, the image at 2 MiB, the log behind it, a module at 8 MiB. */
static void start(void)
{
    static const struct boot_memory map[] = {
        { 0, PAGE_SIZE, BOOT_MEMORY_RESERVED, 0 },
        { PAGE_SIZE, MiB(2) - PAGE_SIZE, BOOT_MEMORY_FREE, 0 },
        { MiB(2), MiB(2), BOOT_MEMORY_IMAGE, 0 },
        { MiB(4), MiB(4), BOOT_MEMORY_FREE, 0 },
        { MiB(8), MiB(1), BOOT_MEMORY_MODULE, 0 },
        { MiB(9), MiB(7), BOOT_MEMORY_FREE, 0 },
    };
    info = (struct boot_info){ .magic = BOOT_INFO_MAGIC, .version = BOOT_INFO_VERSION, .size = sizeof info,
                               .image_base = MiB(2), .image_size = MiB(1), .log_base = MiB(3), .log_size = KiB(64),
                               .memory_count = ARRAY_SIZE(map), .cpu_count = 1, .module_count = 2 };
    memcpy(info.memory, map, sizeof map);
    info.modules[0] = (struct boot_module){ .base = MiB(8), .size = MiB(1), .name = "vmlinuz" };
    info.modules[1] = (struct boot_module){ .base = MiB(5), .flags = BOOT_MODULE_MISSING, .name = "missing" };
}

static bool refused(const char *words)
{
    const char *problem = boot_info_check(&info);
    return problem && strstr(problem, words);
}

TEST(good_boot_information_passes)
{
    start();
    CHECK(!boot_info_check(&info));
    info.log_size = info.log_base = 0; /* there need not be a place for the log */
    CHECK(!boot_info_check(&info));
}

TEST(another_build_is_refused)
{
    start();
    info.magic++;
    CHECK(refused("magic"));
    start();
    info.version++;
    CHECK(refused("another version"));
    start();
    info.size--;
    CHECK(refused("another version"));
}

TEST(counts_beyond_their_tables_are_refused)
{
    start();
    info.memory_count = BOOT_MAX_MEMORY + 1;
    CHECK(refused("room"));
    start();
    info.cpu_count = BOOT_MAX_CPUS + 1;
    CHECK(refused("room"));
    start();
    info.module_count = UINT32_MAX;
    CHECK(refused("room"));
}

TEST(text_without_an_end_is_refused)
{
    start();
    memset(info.cmdline, 'x', sizeof info.cmdline);
    CHECK(refused("does not end"));
    start();
    memset(info.loader, 'x', sizeof info.loader);
    CHECK(refused("does not end"));
    start();
    memset(info.modules[1].name, 'x', sizeof info.modules[1].name);
    CHECK(refused("does not end"));
}

TEST(a_map_that_is_no_map_is_refused)
{
    start();
    info.memory[1].base++;
    CHECK(refused("not made of pages"));
    start();
    info.memory[3].size = 0;
    CHECK(refused("empty"));
    start();
    info.memory[5].size = UINT64_MAX - MiB(9) + PAGE_SIZE; /* a page more than there is */
    CHECK(refused("wraps"));
    start();
    info.memory[1].size += PAGE_SIZE;
    CHECK(refused("overlap"));
    start();
    info.memory[0].type = 0;
    CHECK(refused("unknown type"));
}

TEST(nothing_that_is_in_use_is_free)
{
    start();
    info.memory[2].type = BOOT_MEMORY_FREE;
    CHECK(refused("image"));
    start();
    info.image_base = MiB(2) - PAGE_SIZE;
    CHECK(refused("image"));
    start();
    info.image_size = UINT64_MAX;
    CHECK(refused("image"));
    start();
    info.log_base = MiB(4) - KiB(4);
    CHECK(refused("log"));
    start();
    info.modules[0].size += 1;
    CHECK(refused("module"));
    start();
    info.modules[0].size = UINT64_MAX;
    CHECK(refused("module"));
}
