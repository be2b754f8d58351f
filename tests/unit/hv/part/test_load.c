#include "tests/unit/hv/part/load_fixture.h"

static void make_elf64(void)
{
    memset(image, 0, sizeof image);
    memset(&request, 0, sizeof request);
    image_size = 0;
    memcpy(image, "\x7f" "ELF\2\1\1", 7);
    put(16, 2, 2);                          /* executable */
    put(18, 62, 2);                         /* x86-64 */
    put(24, UINT64_C(0xffffffff80100010), 8); /* entry: a virtual address */
    put(32, 64, 8);                         /* program headers */
    put(54, 56, 2);
    put(56, 1, 2);
    put(64, 1, 4);                          /* PT_LOAD */
    put(72, 0x1000, 8);                     /* offset */
    put(80, UINT64_C(0xffffffff80100000), 8);
    put(88, 0x200000, 8);                   /* physical */
    put(96, 0x100, 8);
    put(104, 0x3000, 8);
    for (size_t i = 0; i < 0x100; i++)
        put(0x1000 + i, i + 1, 1);
}

TEST(a_64_bit_elf_starts_at_its_physical_entry_with_tables_in_registers)
{
    make_elf64();
    request.rsdp_gpa = 0xe0000;
    request.cmdline = "hello";
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(result.kind, LOAD_KIND_ELF64);
    CHECK_EQ(result.cpu.mode, LOAD_MODE_LONG64);
    CHECK_EQ(result.cpu.rip, 0x200010);
    CHECK_EQ(translate(0x200010), 0x200010);
    CHECK_EQ(fake_get(&guest, 0x200000, 1), 1);
    CHECK_EQ(result.cpu.rdi, 0xe0000);
    CHECK(!strcmp((char *)guest.bytes + fake_get(&guest, result.cpu.rsi + 0x228, 4), "hello"));
    CHECK_EQ(fake_get(&guest, result.cpu.rsi + 0x202, 4), 0x53726448);
    CHECK(result.cpu.rsp % 16 == 0 && layout_is_ram(&guest.layout, result.cpu.rsp - 4096, 4096));
    CHECK(result.cpu.rsp <= 0x200000 || result.cpu.rsp - 4096 >= 0x203000);
}

TEST(a_segment_in_low_memory_pushes_the_loader_s_tables_away)
{
    make_elf64();
    put(88, 0x10000, 8);
    put(104, 0x80000, 8);
    CHECK(failed_saying(load(MiB(16)), LOAD_OK, ""));
    CHECK_EQ(fake_get(&guest, 0x10000, 1), 1);
    CHECK(result.cpu.cr3 >= 0x90000 && result.cpu.rsi >= 0x90000 && result.cpu.gdt_base >= 0x90000);
}

TEST(every_truncated_elf_is_refused)
{
    make_elf64();
    size_t whole = image_size;
    for (size_t n = 0; n < whole; n++) {
        enum load_status status = load_bytes(MiB(8), n);
        CHECK_EQ(status, LOAD_BAD_IMAGE);
        CHECK(n < 5 || strstr(error, "truncated"));
    }
}

TEST(elf_mistakes_are_explained)
{
    make_elf64();
    put(18, 183, 2);
    CHECK(failed_saying(load(MiB(16)), LOAD_UNSUPPORTED, "machine 183 at offset 0x12, expected 62"));
    make_elf64();
    put(16, 1, 2);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "not executable"));
    make_elf64();
    put(88, UINT64_C(0xffffffff80100000), 8);
    CHECK(failed_saying(load(MiB(16)), LOAD_UNSUPPORTED, "expected below 4 GiB"));
    make_elf64();
    put(88, MiB(16), 8);
    CHECK(failed_saying(load(MiB(16)), LOAD_NO_ROOM, "a segment needs memory from 0x1000000 on"));
    make_elf64();
    put(24, 0, 8);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "the entry point 0x0 is in no segment"));
    make_elf64();
    put(96, 0x4000, 8);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "segment 0 has 0x4000 bytes in the file and 0x3000 in memory"));
    make_elf64();
    put(64, 2, 4);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "nothing is to be loaded"));
}

TEST(overlapping_segments_are_refused)
{
    make_elf64();
    put(56, 2, 2);
    memcpy(image + 120, image + 64, 56);
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "a segment at 0x200000 (0x3000 bytes) overlaps a segment"));
}

TEST(damaged_elf_files_do_no_harm)
{
    make_elf64();
    survive_noise(MiB(8), 1000, 128);
}

static void make_flat(size_t size, uint64_t address)
{
    memset(&request, 0, sizeof request);
    memset(image, 0x90, sizeof image);
    image_size = size;
    request.flat = true;
    request.flat_address = address;
}

TEST(a_flat_image_starts_like_a_boot_sector)
{
    make_flat(512, 0x7c00);
    CHECK(failed_saying(load(MiB(1)), LOAD_OK, ""));
    CHECK_EQ(result.kind, LOAD_KIND_FLAT16);
    CHECK_EQ(result.cpu.mode, LOAD_MODE_REAL16);
    CHECK_EQ(result.cpu.cs, 0);
    CHECK_EQ(result.cpu.rip, 0x7c00);
    CHECK_EQ(result.cpu.rsp, 0x7c00);
    CHECK_EQ(result.cpu.rdx, 0x80);
    CHECK_EQ(fake_get(&guest, 0x7dff, 1), 0x90);
}

TEST(a_flat_image_above_64_kib_gets_a_segment)
{
    make_flat(512, 0x12345);
    CHECK(failed_saying(load(MiB(1)), LOAD_OK, ""));
    CHECK_EQ(result.cpu.cs, 0x1234);
    CHECK_EQ(result.cpu.rip, 5);
}

TEST(the_stack_of_a_flat_image_is_not_in_the_image)
{
    make_flat(0x8000, 0x6000);
    CHECK(failed_saying(load(MiB(1)), LOAD_OK, ""));
    CHECK_EQ(result.cpu.rsp, 0x6000);
}

TEST(a_flat_image_may_not_reach_the_ebda)
{
    make_flat(0x10000, 0x90000);
    CHECK(failed_saying(load(MiB(1)), LOAD_NO_ROOM, "does not end below 0x9fc00"));
    make_flat(1, UINT64_MAX);
    CHECK(failed_saying(load(MiB(1)), LOAD_NO_ROOM, "does not end below 0x9fc00"));
}

TEST(a_file_of_no_known_kind_is_shown_and_what_was_expected)
{
    memset(&request, 0, sizeof request);
    memset(image, 0, sizeof image);
    memcpy(image, "PNG\x01\x02", 5);
    image_size = 600;
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "kernel: not a bzImage, Multiboot or 64-bit ELF image: its 600 "
                        "bytes start with 50 4e 47 01 02 00 00 00; expected"));
    image_size = 0;
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "the file is empty"));
    image_size = 3;
    CHECK(failed_saying(load(MiB(16)), LOAD_BAD_IMAGE, "its 3 bytes start with"));
}
