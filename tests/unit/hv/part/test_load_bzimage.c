#include "tests/unit/hv/part/load_fixture.h"

#define SETUP  1024
#define KERNEL 4096

/* A kernel of protocol 2.15 whose payload reaches to its end, so that every truncation can be seen. */
static void make_bzimage(void)
{
    memset(image, 0, sizeof image);
    memset(&request, 0, sizeof request);
    image_size = 0;
    put(0x1f1, 1, 1);             /* setup_sects */
    put(0x1f4, KERNEL / 16, 4);   /* syssize */
    put(0x1fe, 0xaa55, 2);
    put(0x200, 0x66eb, 2);        /* the jump says that the header ends at 0x268 */
    memcpy(image + 0x202, "HdrS", 4);
    put(0x206, 0x020f, 2);
    put(0x211, 1, 1);             /* LOADED_HIGH */
    put(0x22c, 0x7fffffff, 4);    /* initrd_addr_max */
    put(0x230, 0x200000, 4);      /* kernel_alignment */
    put(0x234, 1, 1);             /* relocatable */
    put(0x235, 21, 1);            /* min_alignment */
    put(0x236, 1, 2);             /* XLF_KERNEL_64 */
    put(0x238, 2047, 4);          /* cmdline_size */
    put(0x24c, KERNEL, 4);        /* payload_length, from offset 0 on */
    put(0x258, 0x1000000, 8);     /* pref_address */
    put(0x260, 0x100000, 4);      /* init_size */
    for (size_t i = 0; i < KERNEL; i++)
        put(SETUP + i, i ^ (i >> 8), 1);
}

TEST(a_64_bit_kernel_starts_in_long_mode_behind_its_first_sector)
{
    static uint8_t initrd[5000] = { 0xaa, 0xbb };
    make_bzimage();
    request.cmdline = "console=ttyS0";
    request.initrd = (struct load_file){ "initrd.img", initrd, sizeof initrd, NULL };
    request.rsdp_gpa = 0xe0000;
    CHECK(failed_saying(load(MiB(64)), LOAD_OK, ""));
    CHECK_EQ(result.kind, LOAD_KIND_LINUX64);
    CHECK_EQ(result.cpu.mode, LOAD_MODE_LONG64);
    CHECK_EQ(result.cpu.rip, 0x1000200);
    CHECK(!memcmp(guest.bytes + 0x1000000, image + SETUP, KERNEL));
    uint64_t page = result.cpu.rsi;
    CHECK(page && page % 4096 == 0);
    CHECK_EQ(fake_get(&guest, page + 0x202, 4), 0x53726448);
    CHECK_EQ(fake_get(&guest, page + 0x206, 2), 0x020f);
    CHECK_EQ(fake_get(&guest, page + 0x210, 1), 0xff);
    CHECK_EQ(fake_get(&guest, page + 0x070, 8), 0xe0000);
    CHECK(!strcmp((char *)guest.bytes + fake_get(&guest, page + 0x228, 4), "console=ttyS0"));
    CHECK_EQ(fake_get(&guest, page + 0x218, 4), MiB(64) - 8192);
    CHECK_EQ(fake_get(&guest, page + 0x21c, 4), 5000);
    CHECK_EQ(fake_get(&guest, MiB(64) - 8192, 2), 0xbbaa);
}

TEST(the_zero_page_has_the_memory_map_and_a_text_screen)
{
    make_bzimage();
    CHECK(failed_saying(load(MiB(64)), LOAD_OK, ""));
    uint64_t page = result.cpu.rsi;
    CHECK_EQ(fake_get(&guest, page + 0x1e8, 1), guest.layout.range_count);
    for (unsigned i = 0; i < guest.layout.range_count; i++) {
        CHECK_EQ(fake_get(&guest, page + 0x2d0 + i * 20, 8), guest.layout.ranges[i].base);
        CHECK_EQ(fake_get(&guest, page + 0x2d0 + i * 20 + 8, 8), guest.layout.ranges[i].size);
        CHECK_EQ(fake_get(&guest, page + 0x2d0 + i * 20 + 16, 4), guest.layout.ranges[i].type);
    }
    CHECK_EQ(fake_get(&guest, page + 0x006, 1), 3);
    CHECK_EQ(fake_get(&guest, page + 0x007, 1), 80);
    CHECK_EQ(fake_get(&guest, page + 0x00e, 1), 25);
    CHECK_EQ(fake_get(&guest, page + 0x00f, 1), 1);
    CHECK_EQ(fake_get(&guest, page + 0x1ef, 1), 0); /* the sentinel: non-zero means a sloppy loader */
}

TEST(page_tables_map_4_gib_one_to_one_and_the_gdt_is_as_the_protocol_says)
{
    make_bzimage();
    CHECK(failed_saying(load(MiB(64)), LOAD_OK, ""));
    static const uint64_t addresses[] = { 0, 0x1000, 0x1000200, 0x3fffffff, 0x40000000, 0xfee00123, 0xffffffff };
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
        CHECK_EQ(translate(addresses[i]), addresses[i]);
    CHECK_EQ(translate(0x100000000), UINT64_MAX);
    CHECK_EQ(result.cpu.cs, 0x10);
    CHECK_EQ(result.cpu.data, 0x18);
    CHECK_EQ(fake_get(&guest, result.cpu.gdt_base + 0x10, 8), 0xaf9b000000ffff);
    CHECK_EQ(fake_get(&guest, result.cpu.gdt_base + 0x18, 8), 0xcf93000000ffff);
    CHECK(layout_is_ram(&guest.layout, result.cpu.rsp - 4096, 4096));
}

TEST(a_kernel_without_64_bit_entry_starts_in_protected_mode)
{
    make_bzimage();
    put(0x236, 0, 2);
    CHECK(failed_saying(load(MiB(64)), LOAD_OK, ""));
    CHECK_EQ(result.kind, LOAD_KIND_LINUX32);
    CHECK_EQ(result.cpu.mode, LOAD_MODE_PROTECTED32);
    CHECK_EQ(result.cpu.rip, 0x1000000);
    CHECK_EQ(fake_get(&guest, result.cpu.gdt_base + 0x10, 8), 0xcf9b000000ffff);
    CHECK(result.cpu.rsi && !result.cpu.rbx && !result.cpu.rdi && !result.cpu.rbp && !result.cpu.cr3);
}

TEST(a_relocatable_kernel_goes_where_it_fits)
{
    make_bzimage();
    CHECK(failed_saying(load(MiB(8)), LOAD_OK, ""));
    CHECK_EQ(result.image_base, MiB(2));
    make_bzimage();
    put(0x258, UINT64_C(0x1000000000), 8);
    CHECK(failed_saying(load(MiB(8)), LOAD_OK, ""));
    CHECK_EQ(result.image_base, MiB(2));
}

TEST(a_fixed_kernel_that_does_not_fit_is_refused)
{
    make_bzimage();
    put(0x234, 0, 1);
    CHECK(failed_saying(load(MiB(8)), LOAD_NO_ROOM, "kernel: the kernel needs memory from 0x1000000 on"));
    put(0x234, 1, 1);
    put(0x260, MiB(7), 4);
    CHECK(failed_saying(load(MiB(8)), LOAD_NO_ROOM, "give it more memory"));
    put(0x234, 0, 1);
    put(0x258, UINT64_C(0xfffffffffffff000), 8);
    CHECK(failed_saying(load(MiB(8)), LOAD_BAD_IMAGE, "offset 0x258 is above 4 GiB"));
}

TEST(the_initrd_respects_the_kernel_s_limit)
{
    static uint8_t initrd[100];
    make_bzimage();
    put(0x22c, 0x2ffffff, 4);
    request.initrd = (struct load_file){ "initrd.img", initrd, sizeof initrd, NULL };
    CHECK(failed_saying(load(MiB(64)), LOAD_OK, ""));
    CHECK_EQ(fake_get(&guest, result.cpu.rsi + 0x218, 4), 0x2fff000);
    put(0x22c, 0xfffff, 4);
    CHECK(failed_saying(load(MiB(64)), LOAD_NO_ROOM, "there is no room for initrd.img"));
}

TEST(a_command_line_longer_than_the_kernel_takes_is_refused)
{
    make_bzimage();
    put(0x238, 4, 4);
    request.cmdline = "12345";
    CHECK(failed_saying(load(MiB(64)), LOAD_UNSUPPORTED, "the command line has 5 characters; this kernel takes 4"));
    request.cmdline = "1234";
    CHECK(failed_saying(load(MiB(64)), LOAD_OK, ""));
}

TEST(modules_are_refused_with_a_hint)
{
    static uint8_t bytes[1];
    struct load_file module = { "m", bytes, 1, NULL };
    make_bzimage();
    request.modules = &module;
    request.module_count = 1;
    CHECK(failed_saying(load(MiB(64)), LOAD_UNSUPPORTED, "\"module\" is for Multiboot kernels"));
}

TEST(every_truncated_bzimage_is_refused)
{
    make_bzimage();
    size_t whole = image_size;
    for (size_t n = 0; n < whole; n++) {
        enum load_status status = load_bytes(MiB(32), n);
        CHECK_EQ(status, LOAD_BAD_IMAGE);
        CHECK(!strncmp(error, "kernel: ", 8));
        CHECK(n < 0x206 || strstr(error, "truncated"));
    }
    CHECK_EQ(load_bytes(MiB(32), whole), LOAD_OK);
}

TEST(corrupt_headers_are_explained)
{
    make_bzimage();
    put(0x1fe, 0xaa54, 2);
    CHECK(failed_saying(load(MiB(64)), LOAD_BAD_IMAGE, "0xaa54 at offset 0x1fe, expected 0xaa55"));
    make_bzimage();
    put(0x206, 0x0201, 2);
    CHECK(failed_saying(load(MiB(64)), LOAD_UNSUPPORTED, "boot protocol 2.01 at offset 0x206"));
    make_bzimage();
    put(0x230, 0x300000, 4);
    CHECK(failed_saying(load(MiB(64)), LOAD_BAD_IMAGE, "alignment 0x300000 at offset 0x230"));
}

TEST(damaged_bzimages_do_no_harm)
{
    make_bzimage();
    survive_noise(MiB(20), 300, 0x300);
}

static bool read_whole(const char *path, uint8_t **data, size_t *size)
{
    FILE *f = fopen(path, "rb");
    long end;
    if (!f)
        return false;
    fseek(f, 0, SEEK_END);
    end = ftell(f);
    rewind(f);
    *size = (size_t)end;
    *data = malloc(*size);
    bool ok = fread(*data, 1, *size, f) == *size;
    fclose(f);
    return ok;
}

/* The files are there once the guests were fetched; without them there is nothing to compare with. */
TEST(real_kernels_load)
{
    static const struct { const char *path; uint64_t entry; } files[] = {
        { "build/guests/vmlinuz", 0x1000200 }, { "build/guests/memtest86+x64.bin", 0x100200 } };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        uint8_t *data;
        size_t size;
        if (!read_whole(files[i].path, &data, &size)) {
            printf("  %s is not there: not tried\n", files[i].path);
            continue;
        }
        memset(&request, 0, sizeof request);
        fake_free(&guest);
        CHECK(fake_init(&guest, MiB(128)));
        request.kernel = (struct load_file){ files[i].path, data, size, NULL };
        request.layout = &guest.layout;
        enum load_status status = load_image(&request, &guest.ops, &result, error, sizeof error);
        free(data);
        CHECK(failed_saying(status, LOAD_OK, ""));
        CHECK_EQ(result.kind, LOAD_KIND_LINUX64);
        CHECK_EQ(result.cpu.rip, files[i].entry);
    }
}
