#include "hv/dev/vkbc.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

enum { DATA, COMMAND, PORT_A };
enum { OBF = 0x01, SYSTEM = 0x04, WAS_COMMAND = 0x08, AUX = 0x20, TIMED_OUT = 0x40 };

static struct vkbc kbc;
static struct line_recorder irq1, irq12;
static unsigned resets;

static void out(unsigned offset, unsigned value) { vkbc_ops.write(&kbc, offset, 1, value, 0); }
static unsigned in(unsigned offset) { return (unsigned)vkbc_ops.read(&kbc, offset, 1, 0); }
static void start(void) { vkbc_init(&kbc, record(&irq1), record(&irq12), counted(&resets)); }
static void command_byte(unsigned value) { out(COMMAND, 0x60), out(DATA, value); }
static unsigned ask(unsigned command) { out(COMMAND, command); return in(DATA); }
static bool full(void) { return in(COMMAND) & OBF; }

static bool press(uint8_t code) { return vkbc_key(&kbc, &code, 1); }

TEST(the_controller_starts_empty_tested_and_unlocked)
{
    start();
    CHECK_EQ(in(COMMAND), 0x14);
    CHECK_EQ(ask(0x20), 0x65);
}

TEST(status_tells_whether_the_last_byte_was_a_command)
{
    start();
    out(COMMAND, 0xae);
    CHECK(in(COMMAND) & WAS_COMMAND);
    out(DATA, 0xee);
    CHECK(!(in(COMMAND) & WAS_COMMAND));
}

TEST(self_test_and_interface_tests_pass)
{
    start();
    CHECK_EQ(ask(0xaa), 0x55);
    CHECK_EQ(ask(0xab), 0x00);
    CHECK_EQ(ask(0xa9), 0x00);
    CHECK(in(COMMAND) & SYSTEM);
}

TEST(the_command_byte_and_the_ram_are_kept)
{
    start();
    command_byte(0x47);
    CHECK_EQ(ask(0x20), 0x47);
    command_byte(0x03);
    CHECK(!(in(COMMAND) & SYSTEM));
    out(COMMAND, 0x7f), out(DATA, 0x5a);
    CHECK_EQ(ask(0x3f), 0x5a);
}

TEST(a_key_raises_irq_1_and_reading_it_lowers_it)
{
    start();
    CHECK(press(0x1e));
    CHECK(irq1.level && full());
    CHECK_EQ(in(DATA), 0x1e);
    CHECK(!irq1.level && !full());
}

TEST(each_waiting_byte_gives_its_own_edge)
{
    static const uint8_t up_arrow[] = { 0xe0, 0x48, 0xe0, 0xc8 };
    start();
    CHECK(vkbc_key(&kbc, up_arrow, 4));
    for (unsigned i = 0; i < 4; i++) {
        CHECK(irq1.level);
        CHECK_EQ(irq1.rises, i + 1);
        CHECK_EQ(in(DATA), up_arrow[i]);
    }
    CHECK(!irq1.level);
}

TEST(without_translation_keys_come_in_set_2)
{
    static const uint8_t keys[] = { 0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8 };
    static const uint8_t expect[] = { 0x1c, 0xf0, 0x1c, 0xe0, 0x75, 0xe0, 0xf0, 0x75 };
    start();
    command_byte(0x05);
    CHECK(vkbc_key(&kbc, keys, sizeof keys));
    for (unsigned i = 0; i < sizeof expect; i++)
        CHECK_EQ(in(DATA), expect[i]);
    CHECK(!full());
}

TEST(every_key_of_set_1_survives_translation_there_and_back)
{
    start();
    for (unsigned code = 1; code < 0x7f; code++) {
        uint8_t keys[2] = { (uint8_t)code, (uint8_t)(code | 0x80) };
        if (code == 0x60 || code == 0x61)
            continue;       /* as breaks they would be the prefixes E0h and E1h */
        CHECK(vkbc_key(&kbc, keys, 2));
        CHECK_EQ(in(DATA), code);
        CHECK_EQ(in(DATA), code | 0x80);
    }
}

TEST(pause_is_translated_as_one_key)
{
    static const uint8_t pause[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
    static const uint8_t set_2[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };
    start();
    CHECK(vkbc_key(&kbc, pause, sizeof pause));
    for (unsigned i = 0; i < sizeof pause; i++)
        CHECK_EQ(in(DATA), pause[i]);
    command_byte(0x05);
    CHECK(vkbc_key(&kbc, pause, sizeof pause));
    for (unsigned i = 0; i < sizeof set_2; i++)
        CHECK_EQ(in(DATA), set_2[i]);
}

TEST(a_full_queue_takes_no_part_of_a_key)
{
    static const uint8_t key[] = { 0xe0, 0x48 };
    start();
    unsigned taken = 0, read = 0;
    while (vkbc_key(&kbc, key, 2))
        taken++;
    CHECK(taken >= 10 && taken < 100);
    while (full())
        CHECK_EQ(in(DATA), key[read++ % 2]);
    CHECK_EQ(read, 2 * taken);
}

TEST(a_disabled_keyboard_keeps_its_keys)
{
    start();
    out(COMMAND, 0xad);
    CHECK(press(0x1e));
    CHECK(!full() && !irq1.level);
    out(COMMAND, 0xae);
    CHECK(full() && irq1.level);
    CHECK_EQ(in(DATA), 0x1e);
}

TEST(no_interrupt_comes_while_the_command_byte_forbids_it)
{
    start();
    command_byte(0x44);
    CHECK(press(0x1e));
    CHECK(full() && !irq1.level);
    CHECK_EQ(in(DATA), 0x1e);
}

TEST(a_controller_answer_does_not_lose_a_waiting_key)
{
    start();
    CHECK(press(0x1e) && press(0x30));
    CHECK_EQ(ask(0x20), 0x65);
    CHECK_EQ(in(DATA), 0x1e);
    CHECK_EQ(in(DATA), 0x30);
    CHECK(!full());
}

TEST(keyboard_reset_acknowledges_and_reports_its_self_test)
{
    start();
    out(DATA, 0xff);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK_EQ(in(DATA), 0xaa);
    CHECK(!full());
}

TEST(identify_gives_the_id_raw_or_translated)
{
    start();
    command_byte(0x05);
    out(DATA, 0xf2);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK_EQ(in(DATA), 0xab);
    CHECK_EQ(in(DATA), 0x83);
    command_byte(0x45);
    out(DATA, 0xf2);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK_EQ(in(DATA), 0xab);
    CHECK_EQ(in(DATA), 0x41);
}

TEST(echo_leds_rate_and_unknown_commands_are_answered)
{
    start();
    out(DATA, 0xee);
    CHECK_EQ(in(DATA), 0xee);
    out(DATA, 0xed);
    CHECK_EQ(in(DATA), 0xfa);
    out(DATA, 0x05);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK_EQ(kbc.leds, 5);
    out(DATA, 0xf3);
    CHECK_EQ(in(DATA), 0xfa);
    out(DATA, 0x20);
    CHECK_EQ(in(DATA), 0xfa);
    static const uint8_t unknown[] = { 0x00, 0xec, 0xef, 0xf1 };
    for (unsigned i = 0; i < sizeof unknown; i++) {
        out(DATA, unknown[i]);
        CHECK_EQ(in(DATA), 0xfe);
    }
}

TEST(resend_repeats_the_last_byte)
{
    start();
    out(DATA, 0xee);
    CHECK_EQ(in(DATA), 0xee);
    out(DATA, 0xfe);
    CHECK_EQ(in(DATA), 0xee);
}

TEST(scan_code_set_1_can_be_chosen_and_asked_for)
{
    start();
    command_byte(0x05);
    out(DATA, 0xf0), out(DATA, 0x01);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK_EQ(in(DATA), 0xfa);
    out(DATA, 0xf0), out(DATA, 0x00);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK_EQ(in(DATA), 0x01);
    CHECK(press(0x9e));
    CHECK_EQ(in(DATA), 0x9e);
    out(DATA, 0xf0), out(DATA, 0x03);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK_EQ(in(DATA), 0xfe);
}

TEST(a_keyboard_told_to_stop_scanning_takes_no_keys)
{
    start();
    out(DATA, 0xf5);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK(!press(0x1e));
    out(DATA, 0xf4);
    CHECK_EQ(in(DATA), 0xfa);
    CHECK(press(0x1e));
}

TEST(the_mouse_port_works_and_nothing_is_plugged_in)
{
    start();
    command_byte(0x47);
    out(COMMAND, 0xa7);
    CHECK_EQ(ask(0x20), 0x67);
    out(COMMAND, 0xa8);
    CHECK_EQ(ask(0x20), 0x47);
    out(COMMAND, 0xd3), out(DATA, 0x5a);
    CHECK(irq12.level && !irq1.level);
    CHECK_EQ(in(COMMAND) & (OBF | AUX | TIMED_OUT), OBF | AUX);
    CHECK_EQ(in(DATA), 0x5a);
    out(COMMAND, 0xd4), out(DATA, 0xff);
    CHECK_EQ(in(COMMAND) & (OBF | AUX | TIMED_OUT), OBF | AUX | TIMED_OUT);
    CHECK_EQ(in(DATA), 0xfe);
    CHECK_EQ(in(COMMAND) & (OBF | AUX | TIMED_OUT), 0);
}

TEST(the_keyboard_buffer_can_be_filled_by_the_host)
{
    start();
    out(COMMAND, 0xd2), out(DATA, 0x77);
    CHECK(irq1.level);
    CHECK_EQ(in(COMMAND) & AUX, 0);
    CHECK_EQ(in(DATA), 0x77);
}

TEST(the_reset_pulse_asks_for_a_reset_and_other_pulses_do_not)
{
    start();
    out(COMMAND, 0xff), out(COMMAND, 0xfd);
    CHECK_EQ(resets, 0);
    out(COMMAND, 0xfe);
    CHECK_EQ(resets, 1);
    out(COMMAND, 0xf0);
    CHECK_EQ(resets, 2);
}

TEST(the_output_port_resets_by_its_lowest_bit)
{
    start();
    out(COMMAND, 0xd1), out(DATA, 0xdf);
    CHECK_EQ(resets, 0);
    out(COMMAND, 0xd1), out(DATA, 0xfe);
    CHECK_EQ(resets, 1);
}

TEST(a20_is_remembered_in_both_its_places)
{
    start();
    CHECK_EQ(ask(0xd0) & 3, 3);
    out(COMMAND, 0xd1), out(DATA, 0xdd);
    CHECK_EQ(in(PORT_A), 0);
    CHECK_EQ(ask(0xd0) & 3, 1);
    out(PORT_A, 2);
    CHECK_EQ(ask(0xd0) & 3, 3);
    out(COMMAND, 0xdd);
    CHECK_EQ(in(PORT_A), 0);
    out(COMMAND, 0xdf);
    CHECK_EQ(in(PORT_A), 2);
}

TEST(port_92_resets)
{
    start();
    out(PORT_A, 2);
    CHECK_EQ(resets, 0);
    out(PORT_A, 3);
    CHECK_EQ(resets, 1);
}

TEST(reset_lowers_the_lines_and_forgets_keys)
{
    start();
    CHECK(press(0x1e));
    vkbc_ops.reset(&kbc, 0);
    CHECK(!irq1.level && !full());
}

TEST(random_register_sequences_keep_the_lines_consistent)
{
    uint64_t seed = 17;
    start();
    for (unsigned i = 0; i < 300000; i++) {
        uint32_t r = random_next(&seed);
        switch (r & 3) {
        case 0: out((r >> 8) % 3, r >> 16 & 0xff); break;
        case 1: CHECK(in((r >> 8) % 3) <= 0xff); break;
        case 2: {
            uint8_t keys[4] = { (uint8_t)r, (uint8_t)(r >> 8), (uint8_t)(r >> 16), (uint8_t)(r >> 24) };
            (void)!vkbc_key(&kbc, keys, r >> 30);
            break;
        }
        default: CHECK_EQ(in(COMMAND) & 2, 0);
        }
        CHECK_EQ(irq1.repeats + irq12.repeats, 0);
        bool obf = kbc.status & OBF, aux = kbc.status & AUX;
        CHECK_EQ(irq1.level, obf && !aux && kbc.ram[0] & 1);
        CHECK_EQ(irq12.level, obf && aux && kbc.ram[0] & 2);
        CHECK(kbc.keyboard.count <= VKBC_QUEUE_BYTES);
    }
}
