#include "hv/dev/vvga.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

static struct vvga vga;

static void out(unsigned port, unsigned value) { vvga_ops.write(&vga, port - 0x3b0, 1, value, 0); }
static unsigned in(unsigned port) { return (unsigned)vvga_ops.read(&vga, port - 0x3b0, 1, 0); }

TEST(the_cursor_is_moved_and_read_back)
{
    vvga_init(&vga);
    out(0x3d4, 0x0e), out(0x3d5, 0x07), out(0x3d4, 0x0f), out(0x3d5, 0xcf);
    CHECK_EQ(in(0x3d4), 0x0f);
    CHECK_EQ(in(0x3d5), 0xcf);
    struct vvga_text text = vvga_text(&vga);
    CHECK_EQ(text.cursor, 1999);
    CHECK_EQ(text.start, 0);
    CHECK(text.cursor_on);
    out(0x3d4, 0x0a), out(0x3d5, 0x20);
    CHECK(!vvga_text(&vga).cursor_on);
    out(0x3d4, 0x0c), out(0x3d5, 0x01);
    CHECK_EQ(vvga_text(&vga).start, 256);
}

TEST(retrace_comes_and_goes)
{
    vvga_init(&vga);
    bool on = in(0x3da) & 8;
    CHECK_EQ((in(0x3da) & 8) != 0, !on);
    CHECK_EQ((in(0x3da) & 8) != 0, on);
}

TEST(colour_and_monochrome_addresses_exclude_each_other)
{
    vvga_init(&vga);
    out(0x3b4, 0x0e);
    CHECK_EQ(in(0x3b4), 0xff);
    CHECK_EQ(in(0x3d4), 0);
    out(0x3c2, 0x66);
    CHECK_EQ(in(0x3cc), 0x66);
    CHECK_EQ(in(0x3d4), 0xff);
    out(0x3b4, 0x0f);
    CHECK_EQ(in(0x3b4), 0x0f);
}

TEST(the_attribute_port_takes_index_and_data_in_turn)
{
    vvga_init(&vga);
    in(0x3da);
    out(0x3c0, 0x30), out(0x3c0, 0x04);
    CHECK_EQ(vga.attribute[0x10], 0x04);
    out(0x3c0, 0x31);
    in(0x3da);              /* back to the index */
    out(0x3c0, 0x30);
    CHECK_EQ(in(0x3c1), 0x04);
}

TEST(the_palette_counts_on_by_itself)
{
    vvga_init(&vga);
    out(0x3c8, 255);
    for (unsigned i = 0; i < 4; i++)
        out(0x3c9, 10 + i);     /* the last one wraps to colour 0 */
    out(0x3c7, 255);
    CHECK_EQ(in(0x3c7), 3);
    CHECK_EQ(in(0x3c9), 10);
    CHECK_EQ(in(0x3c9), 11);
    CHECK_EQ(in(0x3c9), 12);
    CHECK_EQ(in(0x3c9), 13);
}

TEST(timing_registers_are_protected_until_software_unlocks_them)
{
    vvga_init(&vga);
    out(0x3d4, 0x00), out(0x3d5, 0x12);
    CHECK_EQ(in(0x3d5), 0x5f);
    out(0x3d4, 0x11), out(0x3d5, 0x0e), out(0x3d4, 0x00), out(0x3d5, 0x12);
    CHECK_EQ(in(0x3d5), 0x12);
}

TEST(every_register_index_stays_inside)
{
    vvga_init(&vga);
    for (unsigned index = 0; index < 256; index++) {
        for (unsigned port = 0x3b4; port < 0x3e0; port++) {
            out(0x3d4, index), out(0x3c4, index), out(0x3ce, index), out(0x3c8, index);
            out(port, index);
            CHECK(in(port) <= 0xff);
        }
    }
}
