#include "hv/dev/vpm.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

enum { STATUS = 0, ENABLE = 2, CONTROL = 4, TIMER = 8, GPE = 12, SMI = 16 };

static struct vpm pm;
static struct line_recorder sci;
static unsigned offs;

static void out(unsigned offset, unsigned size, unsigned value, vtime_t now) { vpm_ops.write(&pm, offset, size, value, now); }
static uint64_t in(unsigned offset, unsigned size, vtime_t now)
{
    return vpm_ops.read(&pm, offset, size, now) & (UINT64_MAX >> (64 - 8 * size));
}
static void start(bool wide) { vpm_init(&pm, record(&sci), counted(&offs), wide); }

TEST(the_timer_runs_at_its_frequency_and_wraps_at_its_width)
{
    start(false);
    CHECK_EQ(in(TIMER, 4, 0), 0);
    CHECK_EQ(in(TIMER, 4, SEC(1)), 3579545);
    CHECK_EQ(in(TIMER, 4, SEC(10)), 35795450 & 0xffffff);
    CHECK_EQ(in(TIMER + 1, 1, SEC(1)), 3579545 >> 8 & 0xff);
    start(true);
    CHECK_EQ(in(TIMER, 4, SEC(10)), 35795450);
    CHECK_EQ(in(TIMER, 4, SEC(2000)), 2000ull * 3579545 & 0xffffffff);
}

TEST(the_timers_highest_bit_raises_sci_if_enabled)
{
    start(false);
    CHECK_EQ(vpm_ops.expire(&pm, 0), VTIME_NEVER);
    out(ENABLE, 2, VPM_TMR, 0);
    vtime_t due = vpm_ops.expire(&pm, 0);
    CHECK(due > MS(2343) && due < MS(2344));        /* 2^23 ticks */
    CHECK_EQ(vpm_ops.expire(&pm, due - 1), due);
    CHECK(!sci.level);
    CHECK_EQ(vpm_ops.expire(&pm, due), VTIME_NEVER);
    CHECK(sci.level);
    CHECK_EQ(in(STATUS, 2, due), VPM_TMR);
    out(STATUS, 2, VPM_TMR, due);
    CHECK(!sci.level);
    CHECK(vpm_ops.expire(&pm, due) > due + MS(2000));
}

TEST(the_timer_status_is_set_also_without_interrupt)
{
    start(false);
    CHECK_EQ(in(STATUS, 2, SEC(3)), VPM_TMR);
    CHECK_EQ(sci.rises, 0);
}

TEST(the_power_button_raises_sci_until_its_status_is_cleared)
{
    start(true);
    CHECK(!vpm_press_power_button(&pm));
    out(STATUS, 2, 0xffff, 0);
    out(ENABLE, 2, VPM_PWRBTN, 0);
    CHECK(vpm_press_power_button(&pm));
    CHECK(sci.level);
    out(STATUS, 1, 0xff, 0);
    CHECK(sci.level);
    out(STATUS + 1, 1, 0x01, 0);
    CHECK(!sci.level);
}

TEST(acpi_mode_is_always_on)
{
    start(true);
    CHECK_EQ(in(CONTROL, 2, 0), VPM_SCI_EN);
    out(CONTROL, 2, 0, 0);
    CHECK_EQ(in(CONTROL, 2, 0), VPM_SCI_EN);
}

TEST(s5_with_sleep_enable_powers_off)
{
    start(true);
    out(CONTROL, 2, VPM_S5_SLP_TYP << VPM_SLP_TYP_SHIFT, 0);
    CHECK_EQ(offs, 0);
    out(CONTROL, 2, VPM_S5_SLP_TYP << VPM_SLP_TYP_SHIFT | VPM_SLP_EN, 0);
    CHECK_EQ(offs, 1);
    CHECK_EQ(in(CONTROL, 2, 0), VPM_S5_SLP_TYP << VPM_SLP_TYP_SHIFT | VPM_SCI_EN);
    out(CONTROL + 1, 1, (VPM_S5_SLP_TYP << VPM_SLP_TYP_SHIFT | VPM_SLP_EN) >> 8, 0);
    CHECK_EQ(offs, 2);
    out(CONTROL, 2, 1 << VPM_SLP_TYP_SHIFT | VPM_SLP_EN, 0);
    CHECK_EQ(offs, 2);
}

TEST(enable_keeps_the_defined_bits_only)
{
    start(true);
    out(ENABLE, 2, 0xffff, 0);
    CHECK_EQ(in(ENABLE, 2, 0), VPM_TMR | VPM_GBL | VPM_PWRBTN | VPM_SLPBTN | VPM_RTC);
    CHECK_EQ(in(STATUS, 4, 0) >> 16, VPM_TMR | VPM_GBL | VPM_PWRBTN | VPM_SLPBTN | VPM_RTC);
}

TEST(the_gpe_block_is_empty_and_the_smi_port_remembers)
{
    start(true);
    out(GPE, 4, 0xffffffff, 0);
    CHECK_EQ(in(GPE, 4, 0), 0xffff0000);
    CHECK(!sci.level);
    out(SMI, 1, 0xf1, 0);
    CHECK_EQ(in(SMI, 1, 0), 0xf1);
    CHECK_EQ(in(CONTROL, 2, 0), VPM_SCI_EN);
}

TEST(random_register_sequences_keep_sci_consistent)
{
    uint64_t seed = 29;
    vtime_t now = 0;
    start(false);
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t r = random_next(&seed);
        now += r >> 4;
        unsigned offset = (r >> 8) % 18, size = offset % 4 == 0 && offset < 16 && offset != 4 ? 4 : 1;
        switch (r & 3) {
        case 0: out(offset, size, random_next(&seed), now); break;
        case 1: (void)in(offset, size, now); break;
        case 2: CHECK(vpm_ops.expire(&pm, now) > now); break;
        default: (void)vpm_press_power_button(&pm);
        }
        CHECK_EQ(sci.repeats, 0);
        CHECK_EQ(sci.level, (pm.status & pm.enable) != 0);
    }
}
