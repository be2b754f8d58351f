#include <stdlib.h>
#include <string.h>
#include "boot/last_log.h"
#include "boot/mb2/mb2_convert.h"
#include "boot/mb2/mb2_format.h"
#include "boot/memory_map.h"
#include "tests/unit/test.h"

static struct mb2_result out;
static const struct mb2_place place = { MiB(16), MiB(1), 0x1234000, 3 };

/* The information under construction. */
static union {
    struct mb2_header header;
    uint8_t raw[8192];
} mbi;

static void start(void)
{
    memset(&mbi, 0, sizeof mbi);
    mbi.header.total_size = sizeof mbi.header;
}

static void *add(uint32_t type, const void *payload, size_t size)
{
    struct mb2_tag *tag = (void *)(mbi.raw + mbi.header.total_size);
    *tag = (struct mb2_tag){ type, (uint32_t)(sizeof *tag + size) };
    if (size)
        memcpy(tag + 1, payload, size);
    mbi.header.total_size += (uint32_t)ALIGN_UP(tag->size, 8);
    return tag;
}

static void add_map(const struct mb2_mmap_entry *entries, size_t count)
{
    uint8_t payload[1024] = { sizeof(struct mb2_mmap_entry) };
    memcpy(payload + 8, entries, count * sizeof *entries);
    add(MB2_TAG_MMAP, payload, 8 + count * sizeof *entries);
}

static void add_pc_map(void)
{
    static const struct mb2_mmap_entry pc[] = {
        { 0, 0x9fc00, 1, 0 }, { 0x9fc00, 0x400, 2, 0 }, { MiB(1), MiB(255), 1, 0 }, { MiB(255), KiB(64), 3, 0 },
    };
    add_map(pc, ARRAY_SIZE(pc));
}

static void add_module(uint32_t from, uint32_t to, const char *cmdline)
{
    uint8_t payload[256];
    uint32_t range[2] = { from, to };
    memcpy(payload, range, 8);
    memcpy(payload + 8, cmdline, strlen(cmdline) + 1);
    add(MB2_TAG_MODULE, payload, 8 + strlen(cmdline) + 1);
}

/* A heap copy of just the right size, so that the sanitizer sees every byte read too far. */
static enum mb2_status convert_exact(size_t bytes)
{
    void *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, mbi.raw, bytes);
    enum mb2_status status = mb2_convert(copy, bytes, &place, &out);
    free(copy);
    return status;
}

static enum mb2_status convert(void)
{
    add(MB2_TAG_END, NULL, 0);
    return convert_exact(mbi.header.total_size);
}

TEST(a_usual_structure_becomes_boot_info)
{
    start();
    add(MB2_TAG_CMDLINE, "demo", 5);
    add(MB2_TAG_LOADER, "GRUB 2.06", 10);
    add_module(MiB(32), MiB(32) + 100, "/trapeze/guest.bin guest.bin");
    add_pc_map();
    CHECK_EQ(convert(), MB2_OK);
    CHECK_EQ(out.info.magic, BOOT_INFO_MAGIC);
    CHECK(!strcmp(out.info.cmdline, "demo"));
    CHECK(!strcmp(out.info.loader, "Multiboot2 (GRUB 2.06)"));
    CHECK_EQ(out.info.boot_apic_id, 3);
    CHECK_EQ(out.info.module_count, 1);
    CHECK(!strcmp(out.info.modules[0].name, "guest.bin"));
    CHECK_EQ(out.info.modules[0].size, 100);
    CHECK(memory_map_is(&out.info, MiB(32), 4096, BOOT_MEMORY_MODULE));
    CHECK(memory_map_is(&out.info, MiB(16), MiB(1), BOOT_MEMORY_IMAGE));
    CHECK(memory_map_is(&out.info, MiB(255), KiB(64), BOOT_MEMORY_ACPI));
    CHECK(memory_map_is(&out.info, 0, 4096, BOOT_MEMORY_RESERVED));
    CHECK_EQ(out.info.acpi_rsdp, 0);
}

TEST(the_log_gets_the_first_fixed_place_that_is_free)
{
    start();
    add_pc_map();
    CHECK_EQ(convert(), MB2_OK);
    CHECK_EQ(out.info.log_base, last_log_places[0]);
    start();
    add_pc_map();
    add_module((uint32_t)MiB(47), (uint32_t)MiB(49), "m");
    CHECK_EQ(convert(), MB2_OK);
    CHECK_EQ(out.info.log_base, last_log_places[1]);
    CHECK_EQ(out.info.log_size, LAST_LOG_AREA);
}

TEST(a_machine_with_little_memory_has_no_log_place)
{
    static const struct mb2_mmap_entry small[] = { { 0, MiB(32), 1, 0 } };
    start();
    add_map(small, 1);
    CHECK_EQ(convert(), MB2_NO_LOG_AREA);
    CHECK_EQ(out.info.log_size, 0);
    CHECK(out.info.memory_count > 0);
}

TEST(the_module_name_is_the_last_word_or_the_base_name)
{
    static const char *const cases[][2] = {
        { "/a/b/vmlinuz", "vmlinuz" }, { "/a/b linux/vmlinuz", "linux/vmlinuz" }, { "/a/", "module0" }, { "one two  ", "two" }, { "", "module0" },
        { "   ", "module0" }, { "x", "x" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start();
        add_module(MiB(32), MiB(33), cases[i][0]);
        add_pc_map();
        CHECK_EQ(convert(), MB2_OK);
        CHECK(!strcmp(out.info.modules[0].name, cases[i][1]));
    }
}

TEST(overlapping_firmware_ranges_take_the_cautious_type)
{
    static const struct mb2_mmap_entry entries[] = { { MiB(64), MiB(1), 2, 0 }, { 0, MiB(128), 1, 0 } };
    start();
    add_map(entries, 2);
    CHECK_EQ(convert(), MB2_OK);
    CHECK(memory_map_is(&out.info, MiB(64), MiB(1), BOOT_MEMORY_RESERVED));
}

TEST(the_newer_rsdp_wins_whatever_the_order)
{
    uint8_t old[20] = "RSD PTR ", new[36] = "RSD PTR ";
    new[15] = 2;
    for (int order = 0; order < 2; order++) {
        start();
        add_pc_map();
        add(order ? MB2_TAG_ACPI_OLD : MB2_TAG_ACPI_NEW, order ? old : new, order ? 20 : 36);
        add(order ? MB2_TAG_ACPI_NEW : MB2_TAG_ACPI_OLD, order ? new : old, order ? 36 : 20);
        CHECK_EQ(convert(), MB2_OK);
        CHECK_EQ(out.info.acpi_rsdp, place.result + offsetof(struct mb2_result, rsdp));
        CHECK_EQ(out.rsdp[15], 2);
    }
}

TEST(only_32_bit_framebuffers_are_taken)
{
    struct mb2_tag_framebuffer f = { .base = 0xe0000000, .pitch = 3200, .width = 800, .height = 600, .bpp = 32,
                                     .type = MB2_FRAMEBUFFER_RGB, .red_position = 16, .green_position = 8 };
    start();
    add_pc_map();
    add(MB2_TAG_FRAMEBUFFER, &f.base, sizeof f - 8);
    CHECK_EQ(convert(), MB2_OK);
    CHECK_EQ(out.info.framebuffer.base, 0xe0000000);
    CHECK_EQ(out.info.framebuffer.format, BOOT_PIXEL_BGRX);
    start();
    f.bpp = 24;
    add_pc_map();
    add(MB2_TAG_FRAMEBUFFER, &f.base, sizeof f - 8);
    CHECK_EQ(convert(), MB2_OK);
    CHECK_EQ(out.info.framebuffer.base, 0);
}

TEST(malformed_structures_are_refused)
{
    start();
    CHECK_EQ(convert(), MB2_NO_MEMORY_MAP);
    start();
    add_pc_map();
    CHECK_EQ(convert_exact(mbi.header.total_size), MB2_BAD_TAG); /* no end tag */
    CHECK_EQ(convert_exact(4), MB2_BAD_SIZE);
    mbi.header.total_size = 4;
    CHECK_EQ(convert_exact(64), MB2_BAD_SIZE);
    start();
    add_pc_map();
    add_module(MiB(33), MiB(32), "backwards");
    CHECK_EQ(convert(), MB2_BAD_TAG);
}

TEST(a_tag_size_that_lies_reads_nothing_beyond_the_structure)
{
    static const uint32_t sizes[] = { 0, 7, 8, 9, 15, 17, 4096, 0x7fffffff, 0xffffffff };
    for (uint32_t type = 1; type < 22; type++)
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            start();
            add_pc_map();
            struct mb2_tag *tag = add(type, "unterminated", 12);
            tag->size = sizes[i];
            add(MB2_TAG_END, NULL, 0);
            enum mb2_status status = convert_exact(mbi.header.total_size);
            CHECK(status <= MB2_NO_LOG_AREA);
        }
}

TEST(too_many_modules_are_reported)
{
    start();
    add_pc_map();
    for (uint32_t i = 0; i <= BOOT_MAX_MODULES; i++)
        add_module((uint32_t)MiB(32 + i), (uint32_t)MiB(32 + i) + 5, "m");
    CHECK_EQ(convert(), MB2_TOO_MANY_MODULES);
}
