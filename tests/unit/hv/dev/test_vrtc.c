#include "hv/dev/vrtc.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

/* 2024-02-29 23:59:57 UTC, a Thursday. */
#define LEAP_NIGHT 1709251197

enum { A = 0x0a, B, C, D };

static struct vrtc rtc;
static struct line_recorder irq8;

static void out(unsigned index, unsigned value, vtime_t now)
{
    vrtc_ops.write(&rtc, 0, 1, index, now);
    vrtc_ops.write(&rtc, 1, 1, value, now);
}

static unsigned in(unsigned index, vtime_t now)
{
    vrtc_ops.write(&rtc, 0, 1, index, now);
    return (unsigned)vrtc_ops.read(&rtc, 1, 1, now);
}

static void start(int64_t epoch) { vrtc_init(&rtc, record(&irq8), epoch, 0); }

/* yyyymmddhhmmss in the registers' own digits. */
static uint64_t shown(vtime_t now)
{
    static const uint8_t order[] = { 0x32, 9, 8, 7, 4, 2, 0 };
    uint64_t all = 0;
    for (unsigned i = 0; i < sizeof order; i++)
        all = all << 8 | in(order[i], now);
    return all;
}

TEST(the_time_starts_at_the_epoch_and_runs_with_virtual_time)
{
    start(LEAP_NIGHT);
    CHECK_EQ(shown(0), 0x20240229235957);
    CHECK_EQ(in(6, 0), 5);
    CHECK_EQ(shown(SEC(3) - 1), 0x20240229235959);
    CHECK_EQ(shown(SEC(3)), 0x20240301000000);
    CHECK_EQ(in(6, SEC(3)), 6);
    CHECK_EQ(vrtc_time(&rtc, SEC(3)), LEAP_NIGHT + 3);
}

TEST(every_day_of_four_centuries_is_shown_right)
{
    static const uint8_t length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    unsigned year = 1970, month = 1, day = 1, weekday = 5;
    for (int64_t epoch = 0; year < 2370; epoch += 86400) {
        vtime_t now = SEC(86399);
        start(epoch);
        out(B, 0x06, 0);
        uint64_t expect = (uint64_t)(year / 100) << 24 | (year % 100) << 16 | month << 8 | day;
        CHECK_EQ(shown(now) >> 24, expect);
        CHECK_EQ(in(6, now), weekday);
        bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
        weekday = weekday % 7 + 1;
        if (++day > length[month - 1] + (month == 2 && leap ? 1u : 0u)) {
            day = 1;
            month = month % 12 + 1;
            year += month == 1;
        }
    }
}

TEST(binary_and_12_hour_formats_are_shown)
{
    start(LEAP_NIGHT);
    out(B, 0x06, 0);
    CHECK_EQ(in(4, 0), 23);
    CHECK_EQ(in(2, 0), 59);
    out(B, 0x04, 0);
    CHECK_EQ(in(4, 0), 0x8b);           /* 11 pm */
    out(B, 0x00, 0);
    CHECK_EQ(in(4, 0), 0x91);
    CHECK_EQ(in(4, SEC(3)), 0x12);      /* 12 am is midnight */
    CHECK_EQ(in(4, SEC(3 + 12 * 3600)), 0x92);
}

TEST(the_guest_sets_the_clock_with_set)
{
    start(LEAP_NIGHT);
    out(B, 0x82, MS(300));
    static const uint8_t value[][2] = {
        { 0, 0x58 }, { 2, 0x59 }, { 4, 0x23 }, { 6, 4 }, { 7, 0x31 }, { 8, 0x12 }, { 9, 0x99 }, { 0x32, 0x19 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(value); i++)
        out(value[i][0], value[i][1], MS(300));
    CHECK_EQ(shown(SEC(100)), 0x19991231235958);        /* stopped */
    out(B, 0x02, SEC(100) + MS(300));
    CHECK_EQ(shown(SEC(100) + MS(999)), 0x19991231235958);
    CHECK_EQ(shown(SEC(101)), 0x19991231235959);        /* the divider's phase has not changed */
    CHECK_EQ(shown(SEC(102)), 0x20000101000000);
    CHECK_EQ(in(6, SEC(102)), 5);                       /* the weekday the guest chose, counted on */
}

TEST(while_stopped_the_registers_are_memory)
{
    start(LEAP_NIGHT);
    out(B, 0x82, 0);
    out(0, 0xee, 0);
    CHECK_EQ(in(0, SEC(5)), 0xee);
    CHECK_EQ(in(A, MS(999)) & 0x80, 0);
}

TEST(a_time_register_written_while_running_changes_the_time)
{
    start(LEAP_NIGHT);
    out(2, 0x05, MS(500));
    CHECK_EQ(shown(SEC(1)), 0x20240229230558);
}

TEST(nonsense_in_the_registers_makes_some_date)
{
    start(0);
    out(B, 0x82, 0);
    for (unsigned i = 0; i < 10; i++)
        out(i, 0xff, 0);
    out(0x32, 0xff, 0);
    out(B, 0x02, 0);
    CHECK((in(8, SEC(1)) & 0x0f) <= 12);
}

TEST(releasing_the_divider_gives_the_first_update_half_a_second_later)
{
    start(LEAP_NIGHT);
    out(A, 0x76, MS(100));
    CHECK_EQ(in(0, SEC(50)), 0x57);
    out(A, 0x26, SEC(50));
    CHECK_EQ(in(0, SEC(50) + MS(499)), 0x57);
    CHECK_EQ(in(0, SEC(50) + MS(500)), 0x58);
}

TEST(update_in_progress_covers_the_end_of_each_second)
{
    start(0);
    CHECK_EQ(in(A, 0), 0x26);
    CHECK_EQ(in(A, SEC(1) - US(2229)), 0x26);
    CHECK_EQ(in(A, SEC(1) - US(2228)), 0xa6);
    CHECK_EQ(in(A, SEC(1) - 1), 0xa6);
    CHECK_EQ(in(A, SEC(1)), 0x26);
}

TEST(update_ended_interrupts_every_second_once_c_is_read)
{
    start(0);
    out(B, 0x12, MS(200));
    CHECK_EQ(vrtc_ops.expire(&rtc, MS(200)), SEC(1));
    CHECK_EQ(vrtc_ops.expire(&rtc, SEC(1)), VTIME_NEVER);       /* pending: nothing more to tell */
    CHECK(irq8.level);
    CHECK_EQ(in(C, SEC(1)) & 0xb0, 0x90);
    CHECK(!irq8.level);
    CHECK_EQ(in(C, SEC(1)), 0);
    CHECK_EQ(vrtc_ops.expire(&rtc, SEC(1)), SEC(2));
}

TEST(flags_are_set_also_when_their_interrupts_are_off)
{
    start(0);
    CHECK_EQ(vrtc_ops.expire(&rtc, 0), VTIME_NEVER);
    CHECK_EQ(in(C, SEC(2)) & 0x50, 0x50);
    CHECK_EQ(irq8.rises, 0);
}

TEST(set_clears_the_update_interrupt_enable)
{
    start(0);
    out(B, 0x12, 0);
    out(B, 0x92, 0);
    CHECK_EQ(in(B, 0), 0x82);
}

TEST(periodic_interrupts_come_at_the_programmed_rate)
{
    static const struct { unsigned rate, hz; } row[] = { { 1, 256 }, { 2, 128 }, { 3, 8192 }, { 6, 1024 }, { 15, 2 } };
    for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
        start(0);
        out(A, 0x20 | row[i].rate, 0);
        out(B, 0x42, 0);
        vtime_t now = vrtc_ops.expire(&rtc, 0);
        unsigned count = 0;
        while (now <= SEC(1)) {
            vrtc_ops.expire(&rtc, now);
            CHECK(irq8.level);
            CHECK_EQ(in(C, now) & 0xc0, 0xc0);
            CHECK(vrtc_ops.expire(&rtc, now) > now);
            now = vrtc_ops.expire(&rtc, now);
            count++;
        }
        CHECK_EQ(count, row[i].hz);
    }
}

TEST(rate_zero_and_a_held_divider_have_no_periodic_interrupt)
{
    start(0);
    out(A, 0x20, 0), out(B, 0x42, 0);
    CHECK_EQ(vrtc_ops.expire(&rtc, 0), VTIME_NEVER);
    out(A, 0x76, 0);
    CHECK_EQ(vrtc_ops.expire(&rtc, 0), VTIME_NEVER);
}

TEST(the_alarm_goes_off_at_its_time_of_day)
{
    start(LEAP_NIGHT);
    out(1, 0x05, 0), out(3, 0x00, 0), out(5, 0x06, 0);
    out(B, 0x22, 0);
    vtime_t due = SEC(3 + 6 * 3600 + 5);
    CHECK_EQ(vrtc_ops.expire(&rtc, 0), due);
    vrtc_ops.expire(&rtc, due - 1);
    CHECK(!irq8.level);
    vrtc_ops.expire(&rtc, due);
    CHECK(irq8.level);
    CHECK_EQ(in(C, due) & 0xa0, 0xa0);
    CHECK_EQ(vrtc_ops.expire(&rtc, due), due + SEC(86400));
}

TEST(alarm_bytes_from_c0_on_match_everything)
{
    start(LEAP_NIGHT);
    out(1, 0xff, 0), out(3, 0xff, 0), out(5, 0xc0, 0), out(B, 0x22, 0);
    CHECK_EQ(vrtc_ops.expire(&rtc, 0), SEC(1));
    out(1, 0x30, 0);
    CHECK_EQ(vrtc_ops.expire(&rtc, 0), SEC(33));
}

TEST(an_alarm_time_that_does_not_exist_never_comes)
{
    start(0);
    out(1, 0x75, 0), out(B, 0x22, 0);
    CHECK_EQ(vrtc_ops.expire(&rtc, 0), VTIME_NEVER);
}

TEST(registers_c_and_d_cannot_be_written)
{
    start(0);
    out(C, 0xff, 0), out(D, 0x00, 0);
    CHECK_EQ(in(C, 0), 0);
    CHECK_EQ(in(D, 0), 0x80);
}

TEST(the_index_port_carries_the_nmi_mask_and_cannot_be_read)
{
    start(0);
    vrtc_ops.write(&rtc, 0, 1, 0x8d, 0);
    CHECK(rtc.nmi_masked);
    CHECK_EQ(vrtc_ops.read(&rtc, 1, 1, 0), 0x80);
    CHECK_EQ(vrtc_ops.read(&rtc, 0, 1, 0), 0xff);
}

TEST(both_banks_keep_what_is_written)
{
    start(0);
    out(0x40, 0x12, 0);
    vrtc_ops.write(&rtc, 2, 1, 0x40, 0), vrtc_ops.write(&rtc, 3, 1, 0x34, 0);
    CHECK_EQ(in(0x40, 0), 0x12);
    CHECK_EQ(vrtc_ops.read(&rtc, 3, 1, 0), 0x34);
    CHECK_EQ(vrtc_ops.read(&rtc, 2, 1, 0), 0x40);
}

static unsigned word(unsigned index) { return in(index, 0) | in(index + 1, 0) << 8; }

TEST(cmos_tells_the_memory_sizes)
{
    start(0);
    vrtc_set_memory(&rtc, MiB(128), 0);
    CHECK_EQ(word(0x15), 640);
    CHECK_EQ(word(0x17), 65535);
    CHECK_EQ(word(0x30), 65535);
    CHECK_EQ(word(0x34), 112 * 16);
    CHECK_EQ(word(0x5b), 0);
    vrtc_set_memory(&rtc, MiB(8), 0);
    CHECK_EQ(word(0x17), 7 * 1024);
    CHECK_EQ(word(0x34), 0);
    vrtc_set_memory(&rtc, GiB(3), GiB(5));
    CHECK_EQ(word(0x34), (3072 - 16) * 16);
    CHECK_EQ(word(0x5b) | in(0x5d, 0) << 16, 5 * 16384);
    vrtc_set_memory(&rtc, KiB(512), 0);
    CHECK_EQ(word(0x15), 512);
}

TEST(the_cmos_checksum_is_right)
{
    start(0);
    vrtc_set_memory(&rtc, MiB(64), 0);
    unsigned sum = 0;
    for (unsigned i = 0x10; i <= 0x2d; i++)
        sum += in(i, 0);
    CHECK_EQ(in(0x2e, 0) << 8 | in(0x2f, 0), sum & 0xffff);
}

TEST(reset_turns_interrupts_off_and_keeps_time_and_memory)
{
    start(LEAP_NIGHT);
    out(0x50, 0x77, 0), out(B, 0x72, 0);
    vrtc_ops.expire(&rtc, SEC(1));
    CHECK(irq8.level);
    vrtc_ops.reset(&rtc, SEC(1));
    CHECK(!irq8.level);
    CHECK_EQ(in(B, SEC(1)), 0x02);
    CHECK_EQ(in(0x50, SEC(1)), 0x77);
    CHECK_EQ(in(0, SEC(1)), 0x58);
}

TEST(random_register_sequences_keep_deadlines_ahead_and_the_line_consistent)
{
    uint64_t seed = 5;
    vtime_t now = 0;
    start(LEAP_NIGHT);
    for (unsigned i = 0; i < 300000; i++) {
        uint32_t r = random_next(&seed);
        now += r & 64 ? r : r >> 20;
        unsigned index = r & 128 ? r >> 8 & 15 : r >> 8 & 127;
        switch (r & 3) {
        case 0: out(index, random_next(&seed) & 0xff, now); break;
        case 1: CHECK(in(index, now) <= 0xff); break;
        default: CHECK(vrtc_ops.expire(&rtc, now) > now);
        }
        CHECK_EQ(irq8.repeats, 0);
        CHECK_EQ(irq8.level, (rtc.ram[C] & rtc.ram[B] & 0x70) != 0);
        CHECK_EQ(irq8.level, (rtc.ram[C] & 0x80) != 0);
    }
    CHECK(irq8.rises > 100);
}
