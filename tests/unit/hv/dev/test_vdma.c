#include "hv/dev/vdma.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

static struct vdma dma;

static void out(unsigned offset, unsigned value) { vdma_ops.write(&dma, offset, 1, value, 0); }
static unsigned in(unsigned offset) { return (unsigned)vdma_ops.read(&dma, offset, 1, 0); }

TEST(address_registers_alternate_between_low_and_high_byte)
{
    vdma_init(&dma);
    out(12, 0);
    out(0, 0x34), out(0, 0x12);
    CHECK_EQ(in(0), 0x34);
    CHECK_EQ(in(0), 0x12);
    in(0);
    out(12, 0);
    CHECK_EQ(in(0), 0x34);
}

TEST(the_second_controller_has_every_other_port)
{
    vdma_init(&dma);
    out(32 + 4, 0x78), out(32 + 4, 0x56);
    CHECK_EQ(dma.controller[1].base[2], 0x5678);
    out(32 + 30, 0x05);
    CHECK_EQ(in(32 + 30), 0xf5);
}

TEST(channels_are_masked_one_by_one_or_all)
{
    vdma_init(&dma);
    CHECK_EQ(in(15), 0xff);
    out(10, 0x02);
    CHECK_EQ(in(15), 0xfb);
    out(10, 0x06);
    CHECK_EQ(in(15), 0xff);
    out(14, 0);
    CHECK_EQ(in(15), 0xf0);
    out(13, 0);
    CHECK_EQ(in(15), 0xff);
}

TEST(page_registers_and_the_progress_code_are_kept)
{
    vdma_init(&dma);
    for (unsigned i = 16; i < 32; i++)
        out(i, i);
    for (unsigned i = 16; i < 32; i++)
        CHECK_EQ(in(i), i);
    CHECK_EQ(dma.page[0], 16);
}

TEST(no_transfer_is_ever_reported)
{
    vdma_init(&dma);
    out(9, 0x04), out(11, 0x44);
    CHECK_EQ(in(8), 0);
    CHECK_EQ(in(64), 0xff);
}
