#include "hv/dev/vpit.h"
#include "hv/dev/ticks.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

static struct vpit pit;
static struct line_recorder irq0;

static vtime_t at(uint64_t tick) { return ns_from_ticks(tick, VPIT_HZ); }
static void out(unsigned offset, unsigned value, uint64_t tick) { vpit_ops.write(&pit, offset, 1, value, at(tick)); }
static unsigned in(unsigned offset, uint64_t tick) { return (unsigned)vpit_ops.read(&pit, offset, 1, at(tick)); }
static vtime_t expire(uint64_t tick) { return vpit_ops.expire(&pit, at(tick)); }
static bool held;
static bool hold_it(void *ctx) { (void)ctx; return held; }
static void start(void) { held = false; vpit_init(&pit, record(&irq0), (struct vpit_controllers){ hold_it, NULL }); }

/* Programs a channel for low-then-high access. */
static void program(unsigned channel, unsigned mode, unsigned count, uint64_t tick)
{
    out(3, channel << 6 | 0x30 | mode << 1, tick);
    out(channel, count & 0xff, tick);
    out(channel, count >> 8, tick);
}

static unsigned count_now(unsigned channel, uint64_t tick)
{
    out(3, channel << 6, tick);
    unsigned low = in(channel, tick);
    return low | in(channel, tick) << 8;
}

static bool out2(uint64_t tick) { return in(4, tick) & 0x20; }

TEST(nothing_is_due_before_a_channel_is_programmed)
{
    start();
    CHECK_EQ(expire(0), VTIME_NEVER);
    CHECK_EQ(irq0.rises, 0);
}

TEST(mode_0_raises_out_n_plus_1_clocks_after_the_count)
{
    start();
    program(0, 0, 100, 1000);
    CHECK(!irq0.level);
    CHECK_EQ(expire(1000), at(1101));
    CHECK_EQ(expire(1100), at(1101));
    CHECK(!irq0.level);
    CHECK_EQ(expire(1101), VTIME_NEVER);
    CHECK(irq0.level);
    CHECK_EQ(irq0.rises, 1);
}

TEST(mode_0_counts_on_below_zero_and_a_new_count_lowers_out)
{
    start();
    program(0, 0, 100, 0);
    CHECK_EQ(count_now(0, 1), 100);
    CHECK_EQ(count_now(0, 51), 50);
    CHECK_EQ(count_now(0, 101), 0);
    CHECK_EQ(count_now(0, 103), 0xfffe);
    CHECK(irq0.level);
    out(0, 5, 200);
    CHECK(!irq0.level);         /* the first of two bytes already */
    CHECK_EQ(expire(200), VTIME_NEVER);
    out(0, 0, 200);
    CHECK_EQ(expire(200), at(206));
}

TEST(mode_2_has_the_period_of_its_count_and_a_low_pulse_of_one_clock)
{
    start();
    program(2, 2, 10, 0);
    out(4, 1, 0);               /* the gate rises: (re)loaded at tick 1 */
    for (unsigned t = 1; t < 100; t++) {
        CHECK_EQ(out2(t), (t - 1) % 10 != 9);
        CHECK_EQ(count_now(2, t), 10 - (t - 1) % 10);
    }
}

TEST(mode_2_delivers_an_edge_per_period)
{
    start();
    program(0, 2, 11932, 0);
    uint64_t due = 1;
    for (unsigned i = 1; i <= 50; i++) {
        due += 11932;
        CHECK_EQ(expire(due - 1), at(due));
        CHECK_EQ(irq0.rises, i - 1);
        expire(due);
        CHECK_EQ(irq0.rises, i);
    }
    CHECK_EQ(pit.coalesced, 0);
}

TEST(late_periods_come_one_by_one)
{
    start();
    program(0, 2, 1000, 0);
    vtime_t now = at(5500);
    for (unsigned i = 1; i <= 4; i++) {
        CHECK_EQ(vpit_ops.expire(&pit, now), now + VPIT_MIN_INTERVAL_NS);
        CHECK_EQ(irq0.rises, i);
        now += VPIT_MIN_INTERVAL_NS;
    }
    CHECK_EQ(vpit_ops.expire(&pit, now), at(6001));
    CHECK_EQ(irq0.rises, 5);
    CHECK_EQ(pit.coalesced, 0);
}

TEST(a_late_period_waits_while_the_last_one_is_held)
{
    start();
    program(0, 2, 1000, 0);
    held = true;
    vtime_t now = at(2500), quarter = ns_from_ticks(1000, VPIT_HZ) / 4;
    CHECK_EQ(vpit_ops.expire(&pit, now), now + quarter);
    CHECK_EQ(irq0.rises, 0);
    CHECK_EQ(vpit_ops.expire(&pit, now + quarter), now + 2 * quarter);
    CHECK_EQ(irq0.rises, 0);
    held = false;
    now += 2 * quarter;
    CHECK_EQ(vpit_ops.expire(&pit, now), now + VPIT_MIN_INTERVAL_NS);
    CHECK_EQ(irq0.rises, 1);
    now += VPIT_MIN_INTERVAL_NS; /* beyond tick 3001 */
    CHECK_EQ(vpit_ops.expire(&pit, now), now + VPIT_MIN_INTERVAL_NS);
    CHECK_EQ(vpit_ops.expire(&pit, now + VPIT_MIN_INTERVAL_NS), at(4001));
    CHECK_EQ(irq0.rises, 3);
}

TEST(no_more_than_a_second_of_ticks_waits)
{
    start();
    program(0, 2, 11932, 0);
    held = true;
    expire(5 * VPIT_HZ);
    CHECK_EQ(pit.owed, 99);
    CHECK_EQ(pit.coalesced, 5 * VPIT_HZ / 11932 - 99);
}

TEST(a_new_count_or_mode_ends_what_waits)
{
    for (unsigned control = 0; control < 2; control++) {
        start();
        program(0, 2, 11932, 0);
        held = true;
        expire(VPIT_HZ / 2);
        CHECK(pit.owed > 40);
        control ? out(3, 0x34, VPIT_HZ / 2) : out(0, 0x10, VPIT_HZ / 2);
        CHECK_EQ(pit.owed, 0);
        held = false;
        expire(VPIT_HZ / 2);
        CHECK_EQ(irq0.rises, 0);
    }
}

TEST(in_the_other_modes_nothing_waits)
{
    start();
    held = true;
    program(0, 0, 1000, 0);
    expire(5000);
    CHECK_EQ(irq0.rises, 1);
    CHECK_EQ(pit.owed, 0);
}

TEST(mode_3_is_high_for_the_longer_half_and_counts_by_two)
{
    start();
    program(2, 3, 7, 0);
    out(4, 1, 0);
    static const uint8_t counts[7] = { 6, 4, 2, 0, 6, 4, 2 };
    for (unsigned t = 1; t < 70; t++) {
        CHECK_EQ(out2(t), (t - 1) % 7 < 4);
        CHECK_EQ(count_now(2, t), counts[(t - 1) % 7]);
    }
    program(2, 3, 8, 100);
    CHECK_EQ(count_now(2, 101), 8);
    CHECK_EQ(count_now(2, 104), 2);
    CHECK(out2(104) && !out2(105) && !out2(108) && out2(109));
}

TEST(a_new_count_in_mode_2_starts_with_the_next_cycle)
{
    start();
    program(0, 2, 1000, 0);
    expire(1);
    out(0, 0xf4, 500), out(0, 0x01, 500);       /* 500 */
    CHECK_EQ(count_now(0, 501), 500);
    CHECK_EQ(expire(501), at(1001));
    CHECK_EQ(expire(1001), at(1501));
    CHECK_EQ(irq0.rises, 1);
}

TEST(a_new_count_in_mode_3_starts_with_the_next_half_cycle)
{
    start();
    program(2, 3, 100, 0);
    out(4, 1, 0);
    out(2, 20, 10), out(2, 0, 10);
    CHECK(out2(50) && !out2(51) && !out2(60) && out2(61) && out2(70) && !out2(71));
}

TEST(a_shorter_count_written_in_the_high_half_of_mode_3_is_delivered_in_time)
{
    start();
    program(0, 3, 20000, 0);
    out(0, 1000 & 0xff, 100), out(0, 1000 >> 8, 100);
    CHECK_EQ(expire(100), at(10001));
    CHECK_EQ(expire(10001), at(10501));
    expire(10501);
    CHECK_EQ(irq0.rises, 1);
}

TEST(mode_4_strobes_low_for_one_clock)
{
    start();
    program(2, 4, 10, 0);
    out(4, 1, 0);
    program(2, 4, 10, 100);
    CHECK(out2(110) && !out2(111) && out2(112));
    program(0, 4, 10, 200);
    CHECK_EQ(expire(200), at(212));
    CHECK_EQ(expire(212), VTIME_NEVER);
    CHECK_EQ(irq0.rises, 1);
}

TEST(mode_1_is_a_one_shot_triggered_by_the_gate)
{
    start();
    program(2, 1, 10, 0);
    CHECK(out2(50));
    out(4, 1, 100);
    CHECK(out2(100) && !out2(101) && !out2(110) && out2(111));
    out(4, 0, 200);
    CHECK(out2(201));           /* the gate falling does nothing */
    out(4, 1, 300), out(4, 0, 303), out(4, 1, 305);     /* retriggered */
    CHECK(!out2(306) && !out2(315) && out2(316));
}

TEST(mode_5_strobes_after_its_trigger)
{
    start();
    program(2, 5, 10, 0);
    CHECK(out2(50));
    out(4, 1, 100);
    CHECK(out2(110) && !out2(111) && out2(112));
}

TEST(the_gate_pauses_mode_0_and_reloads_mode_2)
{
    start();
    out(4, 1, 0);
    program(2, 0, 100, 0);
    out(4, 0, 51);
    CHECK_EQ(count_now(2, 500), 50);
    out(4, 1, 1000);
    CHECK_EQ(count_now(2, 1010), 40);
    CHECK(!out2(1049) && out2(1050));
    program(2, 2, 100, 2000);
    out(4, 0, 2051);
    CHECK(out2(2100));
    out(4, 1, 3000);
    CHECK_EQ(count_now(2, 3001), 100);
}

TEST(channel_2_measures_time_as_kernels_calibrate_with_it)
{
    start();
    out(4, 0, 0);
    out(3, 0xb0, 0), out(2, 59659 & 0xff, 0), out(2, 59659 >> 8, 0);
    out(4, 1, 0);
    uint64_t t = 1;
    while (!out2(t))
        t++;
    CHECK(t >= 59659 && t <= 59661);
}

TEST(a_count_of_zero_is_the_longest)
{
    start();
    program(0, 2, 0, 0);
    CHECK_EQ(expire(1), at(65537));
    out(3, 0x35, 100), out(0, 0, 100), out(0, 0, 100);      /* BCD */
    CHECK_EQ(expire(100), at(10101));
}

TEST(bcd_counts_in_decimal)
{
    start();
    out(3, 0x35, 0), out(0, 0x34, 0), out(0, 0x12, 0);
    CHECK_EQ(count_now(0, 1), 0x1234);
    CHECK_EQ(count_now(0, 36), 0x1199);
    CHECK_EQ(expire(36), at(1235));
    out(3, 0x31, 2000), out(0, 0x05, 2000), out(0, 0x00, 2000);
    CHECK_EQ(count_now(0, 2007), 0x9999);
}

TEST(a_latched_count_stays_until_both_bytes_are_read)
{
    start();
    program(0, 0, 0x1234, 0);
    out(3, 0x00, 1);
    out(3, 0x00, 100);          /* ignored: one is latched */
    CHECK_EQ(in(0, 200), 0x34);
    CHECK_EQ(in(0, 300), 0x12);
    CHECK_EQ(in(0, 0x101), 0x34);
}

TEST(single_byte_access_reads_and_writes_one_half)
{
    start();
    out(3, 0x10, 0), out(0, 0x40, 0);
    CHECK_EQ(expire(0), at(0x41));
    CHECK_EQ(in(0, 1), 0x40);
    CHECK_EQ(in(0, 2), 0x3f);
    out(3, 0x20, 1000), out(0, 0x02, 1000);
    CHECK_EQ(expire(1000), at(1000 + 0x201));
    CHECK_EQ(in(0, 1001), 0x02);
    CHECK_EQ(in(0, 1002), 0x01);
}

TEST(read_back_latches_status_first_and_then_the_count)
{
    start();
    program(0, 3, 1000, 0);
    out(3, 0xc2, 11);
    CHECK_EQ(in(0, 20), 0x80 | 0x36);
    CHECK_EQ(in(0, 30), 980 & 0xff);
    CHECK_EQ(in(0, 40), 980 >> 8);
    out(3, 0xe2, 600);          /* status only: OUT low now */
    CHECK_EQ(in(0, 600), 0x36);
}

TEST(read_back_shows_the_null_count_until_it_is_loaded)
{
    start();
    out(3, 0x30, 0);
    out(3, 0xe2, 0);
    CHECK_EQ(in(0, 0), 0x40 | 0x30);
    out(0, 10, 5), out(0, 0, 5);
    out(3, 0xe2, 5);
    CHECK_EQ(in(0, 5), 0x40 | 0x30);
    out(3, 0xe2, 6);
    CHECK_EQ(in(0, 6), 0x30);
}

TEST(read_back_latches_several_channels_at_once)
{
    start();
    program(0, 2, 1000, 0), program(1, 2, 500, 0);
    out(3, 0xd6, 101);          /* counts of 0 and 1 */
    CHECK_EQ(in(0, 900) | in(0, 900) << 8, 900);
    CHECK_EQ(in(1, 900) | in(1, 900) << 8, 400);
}

TEST(port_61_keeps_its_low_bits_and_alternates_refresh)
{
    start();
    out(4, 0xff, 0);
    CHECK_EQ(in(4, 0) & 0xcf, 0x0f);
    unsigned changes = 0;
    for (unsigned t = 1; t <= 1800; t++)
        changes += (in(4, t) ^ in(4, t - 1)) >> 4 & 1;
    CHECK_EQ(changes, 100);
}

TEST(the_speaker_is_heard_only_with_gate_and_data_on)
{
    start();
    program(2, 3, 1193, 0);
    CHECK_EQ(vpit_speaker_hz(&pit), 0);
    out(4, 3, 0);
    CHECK_EQ(vpit_speaker_hz(&pit), 1000);
    out(4, 1, 0);
    CHECK_EQ(vpit_speaker_hz(&pit), 0);
}

TEST(a_tiny_period_does_not_flood_the_machine)
{
    start();
    program(0, 2, 2, 0);
    vtime_t now = 0;
    unsigned calls = 0;
    while (now < MS(10)) {
        vtime_t next = vpit_ops.expire(&pit, now);
        CHECK(next > now);
        now = next;
        calls++;
    }
    CHECK(calls <= 2 * 10000 / 20 + 2);
    uint64_t ticks = ticks_from_ns(now, VPIT_HZ);
    vpit_ops.expire(&pit, now);
    CHECK(pit.edges + pit.coalesced + pit.owed >= (ticks - 2) / 2 - 1);
}

TEST(leaving_mode_0_raises_the_line_as_the_chip_does)
{
    start();
    program(0, 0, 1000, 0);
    CHECK(!irq0.level);
    out(3, 0x34, 10);
    CHECK(irq0.level);
}

TEST(no_tick_is_lost_or_invented_however_the_time_is_cut)
{
    uint64_t seed = 7;
    start();
    program(0, 2, 4321, 0);
    vtime_t now = 0;
    for (unsigned i = 0; i < 20000; i++) {
        now += random_next(&seed) % 9000000;
        (random_next(&seed) & 1) ? (void)vpit_ops.expire(&pit, now) : (void)vpit_ops.read(&pit, 4, 1, now);
    }
    vpit_ops.expire(&pit, now + VPIT_MIN_INTERVAL_NS);
    uint64_t ticks = ticks_from_ns(now + VPIT_MIN_INTERVAL_NS, VPIT_HZ);
    CHECK_EQ(pit.edges + pit.coalesced + pit.owed, (ticks - 1) / 4321);
}

TEST(random_register_sequences_keep_deadlines_ahead)
{
    uint64_t seed = 3;
    vtime_t now = 0;
    start();
    for (unsigned i = 0; i < 300000; i++) {
        uint32_t r = random_next(&seed);
        now += r & 64 ? r >> 12 : r >> 26;
        switch (r & 3) {
        case 0: vpit_ops.write(&pit, (r >> 8) % 5, 1, random_next(&seed) & 0xff, now); break;
        case 1: CHECK(vpit_ops.read(&pit, (r >> 8) % 5, 1, now) <= 0xff); break;
        default: CHECK(vpit_ops.expire(&pit, now) > now);
        }
        CHECK_EQ(irq0.falls == irq0.rises || irq0.falls + 1 == irq0.rises, 1);
    }
    CHECK(pit.edges > 100);
}
