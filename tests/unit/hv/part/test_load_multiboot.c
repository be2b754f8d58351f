#include "tests/unit/hv/part/load_fixture.h"

/* A 32-bit ELF kernel: header, one segment (0x100000, from offset 0x100), 4 sections, of which a string table and a
 * symbol table are in no segment. The Multiboot header goes to offset 0x100, the start of the segment. */
#define HEADER 0x100

static void make_elf32(void)
{
    memset(image, 0, sizeof image);
    memset(&request, 0, sizeof request);
    image_size = 0;
    memcpy(image, "\x7f" "ELF\1\1\1", 7);
    put(16, 2, 2);
    put(18, 3, 2);
    put(24, 0x100040, 4);  /* entry */
    put(28, 52, 4);        /* program headers */
    put(32, 0x400, 4);     /* section headers */
    put(42, 32, 2);
    put(44, 1, 2);
    put(46, 40, 2);
    put(48, 4, 2);
    put(50, 3, 2);
    put(52, 1, 4);         /* PT_LOAD */
    put(56, HEADER, 4);
    put(60, 0x100000, 4);
    put(64, 0x100000, 4);
    put(68, 0x200, 4);
    put(72, 0x1200, 4);
    for (size_t i = 0; i < 0x100; i++)
        put(HEADER + 0x100 + i, i, 1);
    put(0x400 + 40 + 4, 1, 4);         /* section 1: in the segment */
    put(0x400 + 40 + 12, 0x100000, 4);
    put(0x400 + 40 + 16, HEADER, 4);
    put(0x400 + 40 + 20, 0x200, 4);
    put(0x400 + 80 + 4, 2, 4);         /* section 2: symbols */
    put(0x400 + 80 + 16, 0x300, 4);
    put(0x400 + 80 + 20, 0x40, 4);
    put(0x400 + 120 + 4, 3, 4);        /* section 3: strings */
    put(0x400 + 120 + 16, 0x340, 4);
    put(0x400 + 120 + 20, 0x20, 4);
    put(0x400 + 159, 0, 1);
    memcpy(image + 0x340, "strings", 8);
}

static void put_header1(size_t at, uint32_t flags)
{
    put(at, 0x1badb002, 4);
    put(at + 4, flags, 4);
    put(at + 8, 0u - 0x1badb002u - flags, 4);
}

/* The tags follow at HEADER + 16; `length` is that of header and tags. */
static void put_header2(size_t length)
{
    put(HEADER, 0xe85250d6, 4);
    put(HEADER + 4, 0, 4);
    put(HEADER + 8, length, 4);
    put(HEADER + 12, 0u - 0xe85250d6u - (uint32_t)length, 4);
}

static void put_tag2(size_t at, unsigned type, unsigned flags, unsigned size)
{
    put(at, type, 2);
    put(at + 2, flags, 2);
    put(at + 4, size, 4);
}

/* An ELF kernel with one tag, whose words (after its header) are given, before the end tag. */
static void make_multiboot2(unsigned type, unsigned flags, unsigned size, const uint32_t *words)
{
    size_t padded = (size + 7u) & ~7u;
    make_elf32();
    put_header2(16 + padded + 8);
    put_tag2(HEADER + 16, type, flags, size);
    for (size_t i = 0; i + 8 < size; i += 4)
        put(HEADER + 24 + i, words[i / 4], 4);
    put_tag2(HEADER + 16 + padded, 0, 0, 8);
}

static const char *string_at(uint64_t gpa)
{
    return (const char *)guest.bytes + gpa;
}

static uint64_t info1(unsigned offset)
{
    return fake_get(&guest, result.cpu.rbx + offset, 4);
}

/* The address of the nth tag of this type; 0: there is none. */
static uint64_t find_tag(uint32_t type, unsigned nth)
{
    uint64_t at = result.cpu.rbx + 8, end = result.cpu.rbx + fake_get(&guest, result.cpu.rbx, 4);
    while (at + 8 <= end) {
        uint32_t found = (uint32_t)fake_get(&guest, at, 4), size = (uint32_t)fake_get(&guest, at + 4, 4);
        if (found == type && !nth--)
            return at;
        if (!found)
            return 0;
        at += (size + 7u) & ~7u;
    }
    return 0;
}

TEST(a_multiboot_elf_kernel_starts_as_the_specification_says)
{
    make_elf32();
    put_header1(HEADER, 3);
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(result.kind, LOAD_KIND_MULTIBOOT1);
    CHECK_EQ(result.cpu.mode, LOAD_MODE_PROTECTED32);
    CHECK_EQ(result.cpu.rax, 0x2badb002);
    CHECK_EQ(result.cpu.rip, 0x100040);
    CHECK_EQ(fake_get(&guest, 0x100101, 1), 1);
    CHECK_EQ(fake_get(&guest, result.cpu.gdt_base + result.cpu.cs, 8), 0xcf9b000000ffff);
    CHECK(layout_is_ram(&guest.layout, result.cpu.rsp - 4096, 4096));
    CHECK_EQ(info1(4), 639);
    CHECK_EQ(info1(8), 15 * 1024);
}

TEST(multiboot_information_is_complete)
{
    static uint8_t initrd[5000] = { 1 }, extra[10] = { 2 };
    struct load_file module = { "extra.bin", extra, sizeof extra, "a b" };
    make_elf32();
    put_header1(HEADER, 0);
    request.cmdline = "one two";
    request.initrd = (struct load_file){ "initrd.img", initrd, sizeof initrd, NULL };
    request.modules = &module;
    request.module_count = 1;
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(info1(0), 0x126d);
    CHECK(!strcmp(string_at(info1(16)), "kernel one two"));
    CHECK(!strcmp(string_at(info1(64)), "Trapeze"));
    CHECK_EQ(info1(20), 2);
    uint64_t mods = info1(24), first = fake_get(&guest, mods, 4), second = fake_get(&guest, mods + 16, 4);
    CHECK(first % 4096 == 0 && first >= 0x101200 && second % 4096 == 0);
    CHECK_EQ(fake_get(&guest, mods + 4, 4) - first, 5000);
    CHECK_EQ(fake_get(&guest, first, 1), 1);
    CHECK_EQ(fake_get(&guest, second, 1), 2);
    CHECK(!strcmp(string_at(fake_get(&guest, mods + 8, 4)), "initrd.img"));
    CHECK(!strcmp(string_at(fake_get(&guest, mods + 24, 4)), "extra.bin a b"));
    CHECK_EQ(info1(44), guest.layout.range_count * 24);
    CHECK_EQ(fake_get(&guest, info1(48), 4), 20);
    CHECK_EQ(fake_get(&guest, info1(48) + 12, 8), 0x9fc00);
    CHECK_EQ(fake_get(&guest, info1(48) + 20, 4), 1);
    CHECK_EQ(fake_get(&guest, result.cpu.rbx + 88, 8), 0xb8000);
    CHECK_EQ(fake_get(&guest, result.cpu.rbx + 109, 1), 2);
}

TEST(multiboot_section_headers_say_where_the_strings_are)
{
    make_elf32();
    put_header1(HEADER, 0);
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(info1(28), 4);
    CHECK_EQ(info1(32), 40);
    CHECK_EQ(info1(40), 3);
    uint64_t headers = info1(36);
    CHECK_EQ(fake_get(&guest, headers + 40 + 12, 4), 0x100000);
    CHECK(!strcmp(string_at(fake_get(&guest, headers + 120 + 12, 4)), "strings"));
}

TEST(a_multiboot_header_with_addresses_loads_a_raw_file)
{
    make_elf32();
    memset(image, 0, 52); /* no ELF any more */
    put_header1(HEADER, 0x10003);
    put(HEADER + 12, 0x200100, 4); /* header_addr: file offset 0x80 is loaded at 0x200080 */
    put(HEADER + 16, 0x200080, 4);
    put(HEADER + 20, 0x200300, 4);
    put(HEADER + 24, 0x201000, 4);
    put(HEADER + 28, 0x200140, 4);
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(result.cpu.rip, 0x200140);
    CHECK_EQ(fake_get(&guest, 0x200100, 4), 0x1badb002);
    CHECK_EQ(result.image_base, 0x200080);
    CHECK_EQ(result.image_size, 0xf80);
    CHECK_EQ(info1(0) & 0x20, 0);
    put(HEADER + 20, 0, 4);
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    put(HEADER + 16, 0x200200, 4);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "corrupt Multiboot header at offset 0x100"));
    put(HEADER + 16, 0x200080, 4);
    put(HEADER + 28, 0x300000, 4);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "the entry 0x300000 is not within the image"));
}

TEST(a_required_multiboot_feature_nobody_knows_is_refused)
{
    make_elf32();
    put_header1(HEADER, 0x8);
    CHECK(failed_saying(load(MiB(16)), LOAD_UNSUPPORTED, "requires features 0x8 (flags at offset 0x104)"));
}

TEST(a_header_with_a_wrong_checksum_is_none)
{
    make_elf32();
    put_header1(HEADER, 0);
    put(HEADER + 8, 0, 4);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "not a bzImage, Multiboot or 64-bit ELF image"));
}

TEST(a_multiboot2_kernel_gets_its_tags)
{
    static uint8_t initrd[100] = { 9 };
    static const struct acpi_rsdp rsdp = { .signature = { 'R', 'S', 'D' } };
    make_multiboot2(6, 0, 8, NULL);
    request.cmdline = "hi";
    request.initrd = (struct load_file){ "initrd.img", initrd, sizeof initrd, "args" };
    request.rsdp_gpa = 0xe0000;
    request.rsdp = &rsdp;
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(result.kind, LOAD_KIND_MULTIBOOT2);
    CHECK_EQ(result.cpu.rax, 0x36d76289);
    CHECK_EQ(result.cpu.rbx % 8, 0);
    CHECK_EQ(result.cpu.rip, 0x100040);
    CHECK(find_tag(1, 0) && !strcmp(string_at(find_tag(1, 0) + 8), "hi"));
    CHECK(find_tag(2, 0) && !strcmp(string_at(find_tag(2, 0) + 8), "Trapeze"));
    CHECK(find_tag(3, 0) && !find_tag(3, 1) && !strcmp(string_at(find_tag(3, 0) + 16), "args"));
    CHECK_EQ(fake_get(&guest, fake_get(&guest, find_tag(3, 0) + 8, 4), 1), 9);
    CHECK_EQ(fake_get(&guest, find_tag(4, 0) + 12, 4), 15 * 1024);
    CHECK_EQ(fake_get(&guest, find_tag(6, 0) + 4, 4), 16 + guest.layout.range_count * 24);
    CHECK_EQ(fake_get(&guest, find_tag(6, 0) + 8, 4), 24);
    CHECK_EQ(fake_get(&guest, find_tag(8, 0) + 8, 8), 0xb8000);
    CHECK_EQ(fake_get(&guest, find_tag(8, 0) + 29, 1), 2);
    CHECK_EQ(fake_get(&guest, find_tag(9, 0) + 8, 4), 4);
    CHECK(!strcmp(string_at(fake_get(&guest, find_tag(9, 0) + 20 + 120 + 12, 4)), "strings"));
    CHECK_EQ(fake_get(&guest, find_tag(14, 0) + 4, 4), 28);
    CHECK(!memcmp(string_at(find_tag(15, 0) + 8), "RSD", 3));
    CHECK(find_tag(0, 0) && !find_tag(21, 0));
    CHECK_EQ(find_tag(0, 0) + 8 - result.cpu.rbx, fake_get(&guest, result.cpu.rbx, 4));
}

TEST(multiboot2_graphics_are_refused_only_if_nothing_else_will_do)
{
    make_multiboot2(4, 0, 12, &(uint32_t){ 1 });
    CHECK(failed_saying(load(MiB(16)), LOAD_UNSUPPORTED, "requires a graphics console"));
    make_multiboot2(4, 0, 12, &(uint32_t){ 3 });
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    make_multiboot2(4, 0, 12, &(uint32_t){ 0 });
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK(!find_tag(8, 0));
    make_multiboot2(5, 0, 20, (uint32_t[]){ 1024, 768, 32 });
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK(find_tag(8, 0));
}

TEST(multiboot2_demands_are_met_or_refused)
{
    make_multiboot2(1, 0, 16, (uint32_t[]){ 6, 21 });
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    make_multiboot2(1, 0, 16, (uint32_t[]){ 6, 99 });
    CHECK(failed_saying(load(MiB(16)), LOAD_UNSUPPORTED, "requires information of type 99 (offset 0x11c)"));
    make_multiboot2(1, 1, 16, (uint32_t[]){ 6, 99 });
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    make_multiboot2(77, 0, 8, NULL);
    CHECK(failed_saying(load(MiB(16)), LOAD_UNSUPPORTED, "tag of type 77 at offset 0x110"));
    make_multiboot2(77, 1, 8, NULL);
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    make_multiboot2(7, 0, 8, NULL);
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
}

TEST(multiboot2_addresses_and_entry_replace_the_elf_header_s)
{
    make_multiboot2(3, 0, 12, &(uint32_t){ 0x100080 });
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(result.cpu.rip, 0x100080);
    make_multiboot2(2, 0, 24, (uint32_t[]){ 0x100100, 0x100000, 0, 0 });
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "has an address tag, but no entry tag"));
}

TEST(a_relocatable_multiboot2_kernel_is_moved_into_its_range)
{
    make_multiboot2(10, 0, 24, (uint32_t[]){ 0x400000, 0x7fffff, 0x1000, 1 });
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(result.image_base, 0x400000);
    CHECK_EQ(result.cpu.rip, 0x400040);
    CHECK_EQ(fake_get(&guest, 0x400101, 1), 1);
    CHECK_EQ(fake_get(&guest, find_tag(21, 0) + 8, 4), 0x400000);
    make_multiboot2(10, 0, 24, (uint32_t[]){ 0x400000, 0x7fffff, 0x1000, 2 });
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(result.image_base, 0x7fe000);
    make_multiboot2(10, 0, 24, (uint32_t[]){ 0x400000, 0x4000ff, 0x1000, 2 });
    CHECK(failed_saying(load(MiB(16)), LOAD_NO_ROOM, "between 0x400000 and 0x4000ff"));
    make_multiboot2(10, 0, 24, (uint32_t[]){ 0, 0xffffffff, 0x1800, 0 });
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "alignment 0x1800"));
}

TEST(corrupt_multiboot2_headers_are_explained)
{
    make_multiboot2(3, 0, 12, &(uint32_t){ 0x100080 });
    put(HEADER + 16 + 4, 4, 4);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "the tag at offset 0x110 has a size of 0x4 bytes"));
    put(HEADER + 16 + 4, 0xfffffff8, 4);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "the tag at offset 0x110 has a size of 0xfffffff8 bytes"));
    put(HEADER + 16 + 4, 8, 4);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "has 8 bytes, expected 12"));
    make_multiboot2(77, 1, 8, NULL);
    put_header2(24);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "there is no end tag"));
    put_header2(0x8000);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "has a length of 0x8000 bytes"));
}

static bool truncations_fail(size_t whole)
{
    for (size_t n = 0; n < whole; n++)
        if (load_bytes(MiB(4), n) != LOAD_BAD_IMAGE || strncmp(error, "kernel: ", 8))
            return false;
    return true;
}

TEST(every_truncated_multiboot_kernel_is_refused)
{
    make_elf32();
    put_header1(HEADER, 0);
    CHECK(truncations_fail(HEADER + 0x200));
    make_multiboot2(6, 0, 8, NULL);
    CHECK(truncations_fail(HEADER + 0x200));
}

TEST(a_module_that_does_not_fit_is_named)
{
    static uint8_t big[MiB(4)];
    make_elf32();
    put_header1(HEADER, 0);
    request.initrd = (struct load_file){ "big.img", big, sizeof big, NULL };
    CHECK(failed_saying(load(MiB(4)), LOAD_NO_ROOM, "there is no room for big.img (0x400000 bytes"));
}

TEST(damaged_multiboot_kernels_do_no_harm)
{
    make_elf32();
    put_header1(HEADER, 0);
    survive_noise(MiB(2), 2000, image_size);
    make_multiboot2(10, 0, 24, (uint32_t[]){ 0x110000, 0x1fffff, 0x1000, 1 });
    survive_noise(MiB(2), 2000, image_size);
}
