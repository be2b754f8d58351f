#include "hv/dev/vpic.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

static struct vpic pic;
static struct line_recorder intr;

static void out(unsigned offset, unsigned value) { vpic_ops.write(&pic, offset, 1, value, 0); }
static unsigned in(unsigned offset) { return (unsigned)vpic_ops.read(&pic, offset, 1, 0); }
static void ocw3_read(unsigned chip, bool isr) { out(chip * 2, isr ? 0x0b : 0x0a); }
static unsigned irr(unsigned chip) { ocw3_read(chip, false); return in(chip * 2); }
static unsigned isr(unsigned chip) { ocw3_read(chip, true); return in(chip * 2); }

static void initialize(unsigned icw4_master)
{
    out(0, 0x11), out(1, 0x20), out(1, 0x04), out(1, icw4_master);
    out(2, 0x11), out(3, 0x28), out(3, 0x02), out(3, 0x01);
}

/* As a PC sets it up: vectors 20h and 28h, nothing masked. */
static void start(void)
{
    vpic_init(&pic, record(&intr));
    initialize(0x01);
}

static void pulse(unsigned irq)
{
    vpic_set_irq(&pic, irq, false);
    vpic_set_irq(&pic, irq, true);
}

TEST(everything_is_masked_until_software_says_otherwise)
{
    vpic_init(&pic, record(&intr));
    for (unsigned irq = 0; irq < 16; irq++)
        vpic_set_irq(&pic, irq, true);
    CHECK_EQ(intr.rises, 0);
    CHECK_EQ(in(1), 0xff);
    CHECK_EQ(in(3), 0xff);
}

TEST(initialization_takes_four_words_and_then_ocw1_is_the_mask)
{
    start();
    out(1, 0xa5), out(3, 0x5a);
    CHECK_EQ(in(1), 0xa5);
    CHECK_EQ(in(3), 0x5a);
}

TEST(initialization_without_icw4_takes_three_words)
{
    vpic_init(&pic, record(&intr));
    out(0, 0x10), out(1, 0x40), out(1, 0x04), out(1, 0x77);
    CHECK_EQ(in(1), 0x77);
}

TEST(initialization_in_single_mode_has_no_icw3)
{
    vpic_init(&pic, record(&intr));
    out(0, 0x13), out(1, 0x40), out(1, 0x01), out(1, 0x99);
    CHECK_EQ(in(1), 0x99);
}

TEST(no_interrupt_is_raised_in_the_middle_of_initialization)
{
    start();
    out(0, 0x11);
    pulse(3);
    CHECK(!intr.level);
    out(1, 0x20), out(1, 0x04), out(1, 0x01);
    CHECK(intr.level);
}

TEST(icw1_forgets_edges_and_clears_the_mask)
{
    start();
    out(1, 0xff);
    pulse(4);
    CHECK_EQ(irr(0), 0x10);
    initialize(1);
    CHECK_EQ(irr(0), 0);
    CHECK_EQ(in(1), 0);
}

TEST(an_edge_is_acknowledged_once_with_its_vector)
{
    start();
    vpic_set_irq(&pic, 4, true);
    CHECK(intr.level && vpic_intr(&pic));
    CHECK_EQ(vpic_ack(&pic), 0x24);
    CHECK(!intr.level);
    CHECK_EQ(isr(0), 0x10);
    CHECK_EQ(irr(0), 0);
    out(0, 0x20);
    CHECK_EQ(isr(0), 0);
    CHECK(!intr.level);     /* the line is still high: that is no new edge */
}

TEST(an_edge_that_goes_away_before_it_is_acknowledged_is_forgotten)
{
    start();
    vpic_set_irq(&pic, 4, true);
    vpic_set_irq(&pic, 4, false);
    CHECK(!intr.level);
    CHECK_EQ(irr(0), 0);
}

TEST(an_acknowledge_with_nothing_pending_is_the_spurious_irq_7)
{
    start();
    CHECK_EQ(vpic_ack(&pic), 0x27);
    CHECK_EQ(isr(0), 0);
}

TEST(a_slave_interrupt_goes_through_the_cascade_and_needs_two_ends)
{
    start();
    vpic_set_irq(&pic, 12, true);
    CHECK_EQ(irr(0), 0x04);
    CHECK_EQ(vpic_ack(&pic), 0x2c);
    CHECK_EQ(isr(0), 0x04);
    CHECK_EQ(isr(1), 0x10);
    pulse(13);
    CHECK(!intr.level);
    out(2, 0x20);
    CHECK(!intr.level);     /* the master still has the cascade in service */
    out(0, 0x20);
    CHECK(intr.level);
    CHECK_EQ(vpic_ack(&pic), 0x2d);
}

TEST(a_slave_request_that_the_master_acknowledged_but_vanished_is_the_spurious_irq_15)
{
    start();
    vpic_set_irq(&pic, 12, true);
    out(0, 0x0c);           /* poll the master: it acknowledges IR2, the slave hears nothing */
    CHECK_EQ(in(0), 0x82);
    CHECK_EQ(isr(0), 0x04);
    CHECK_EQ(isr(1), 0);
    CHECK_EQ(irr(1), 0x10);
}

TEST(lower_priorities_wait_and_higher_ones_interrupt)
{
    start();
    pulse(4);
    CHECK_EQ(vpic_ack(&pic), 0x24);
    pulse(6);
    CHECK(!intr.level);
    pulse(1);
    CHECK(intr.level);
    CHECK_EQ(vpic_ack(&pic), 0x21);
    out(0, 0x20);
    CHECK_EQ(isr(0), 0x10);     /* non-specific: the highest in service */
    CHECK(!intr.level);
    out(0, 0x20);
    CHECK_EQ(vpic_ack(&pic), 0x26);
}

TEST(the_highest_priority_request_is_acknowledged_first)
{
    start();
    for (unsigned irq = 0; irq < 16; irq++)
        vpic_set_irq(&pic, irq, true);
    static const uint8_t order[] = { 0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7 };
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        CHECK(intr.level);
        CHECK_EQ(vpic_ack(&pic), 0x20u + order[i]);
        if (order[i] >= 8)
            out(2, 0x20);
        out(0, 0x20);
    }
    CHECK(!intr.level);
}

TEST(a_specific_end_of_interrupt_names_its_level)
{
    start();
    pulse(4), vpic_ack(&pic);
    pulse(1), vpic_ack(&pic);
    out(0, 0x64);
    CHECK_EQ(isr(0), 0x02);
    out(0, 0x61);
    CHECK_EQ(isr(0), 0);
}

TEST(masked_requests_are_kept)
{
    start();
    out(1, 0x10);
    pulse(4);
    CHECK(!intr.level);
    CHECK_EQ(irr(0), 0x10);
    out(1, 0);
    CHECK(intr.level);
}

TEST(automatic_end_of_interrupt_leaves_nothing_in_service)
{
    vpic_init(&pic, record(&intr));
    initialize(0x03);
    pulse(4);
    CHECK_EQ(vpic_ack(&pic), 0x24);
    CHECK_EQ(isr(0), 0);
    pulse(6);
    CHECK(intr.level);
}

TEST(rotation_in_automatic_mode_gives_the_served_level_the_lowest_priority)
{
    vpic_init(&pic, record(&intr));
    initialize(0x03);
    out(0, 0x80);
    pulse(4), vpic_ack(&pic);
    pulse(4), pulse(6), pulse(3);
    CHECK_EQ(vpic_ack(&pic), 0x26);
    CHECK_EQ(vpic_ack(&pic), 0x23);
    CHECK_EQ(vpic_ack(&pic), 0x24);
    out(0, 0x00);
    pulse(5), vpic_ack(&pic);
    pulse(4), pulse(5);
    CHECK_EQ(vpic_ack(&pic), 0x25);     /* no more rotation: 4 is still the lowest */
}

TEST(rotation_on_a_non_specific_end_makes_the_served_level_the_lowest)
{
    start();
    pulse(3), vpic_ack(&pic);
    out(0, 0xa0);
    pulse(3), pulse(5);
    CHECK_EQ(vpic_ack(&pic), 0x25);
}

TEST(set_priority_chooses_the_lowest_level)
{
    start();
    out(0, 0xc4);           /* 4 is lowest, 5 highest */
    pulse(0), pulse(4), pulse(5);
    CHECK_EQ(vpic_ack(&pic), 0x25);
    out(0, 0xe0 | 5);       /* specific end with rotation: 5 is lowest now, 6 highest */
    CHECK_EQ(isr(0), 0);
    pulse(5);
    CHECK_EQ(vpic_ack(&pic), 0x20);
}

TEST(special_mask_mode_lets_lower_levels_in_while_the_masked_one_is_served)
{
    start();
    pulse(3), vpic_ack(&pic);
    out(1, 0x08);
    pulse(6);
    CHECK(!intr.level);
    out(0, 0x68);
    CHECK(intr.level);
    CHECK_EQ(vpic_ack(&pic), 0x26);
    out(0, 0x20);
    CHECK_EQ(isr(0), 0x08);     /* a non-specific end spares the masked level */
    out(0, 0x20);
    CHECK_EQ(isr(0), 0x08);
    out(0, 0x63);
    CHECK_EQ(isr(0), 0);
}

TEST(special_fully_nested_mode_lets_the_slave_interrupt_itself_but_nothing_lower)
{
    vpic_init(&pic, record(&intr));
    initialize(0x11);
    pulse(12), vpic_ack(&pic);
    pulse(3);
    CHECK(!intr.level);
    pulse(14);
    CHECK(!intr.level);
    pulse(9);
    CHECK(intr.level);
    CHECK_EQ(vpic_ack(&pic), 0x29);
}

TEST(poll_mode_acknowledges_by_a_read)
{
    start();
    out(1, 0x00);
    out(0, 0x0c);
    CHECK_EQ(in(0), 0);
    pulse(5);
    out(0, 0x0c);
    CHECK_EQ(in(0), 0x85);
    CHECK_EQ(isr(0), 0x20);
    CHECK(!intr.level);
    CHECK_EQ(in(0), 0x20);      /* one poll, one read: this one is ISR again */
}

TEST(level_triggered_inputs_ask_again_until_the_line_falls)
{
    start();
    out(5, 0x08);               /* IRQ 11 */
    CHECK_EQ(in(5), 0x08);
    vpic_set_irq(&pic, 11, true);
    CHECK_EQ(vpic_ack(&pic), 0x2b);
    out(2, 0x20), out(0, 0x20);
    CHECK(intr.level);
    CHECK_EQ(vpic_ack(&pic), 0x2b);
    vpic_set_irq(&pic, 11, false);
    out(2, 0x20), out(0, 0x20);
    CHECK(!intr.level);
}

TEST(a_level_input_stays_requested_over_initialization)
{
    start();
    out(4, 0x20);
    vpic_set_irq(&pic, 5, true);
    initialize(1);
    CHECK(intr.level);
    CHECK_EQ(vpic_ack(&pic), 0x25);
}

TEST(the_boards_own_interrupts_cannot_be_made_level_triggered)
{
    start();
    out(4, 0xff), out(5, 0xff);
    CHECK_EQ(in(4), 0xf8);
    CHECK_EQ(in(5), 0xde);
}

TEST(reset_masks_everything_and_drops_the_output)
{
    start();
    pulse(3);
    CHECK(intr.level);
    vpic_ops.reset(&pic, 0);
    CHECK(!intr.level);
    CHECK_EQ(in(1), 0xff);
}

TEST(random_register_sequences_keep_the_output_consistent)
{
    uint64_t seed = 1;
    vpic_init(&pic, record(&intr));
    for (unsigned i = 0; i < 300000; i++) {
        uint32_t r = random_next(&seed);
        switch (r & 3) {
        case 0: out((r >> 8) % 6, r >> 16 & 0xff); break;
        case 1: in((r >> 8) % 6); break;
        case 2: vpic_set_irq(&pic, r >> 8 & 15, r >> 16 & 1); break;
        default: {
            bool pending = vpic_intr(&pic);
            unsigned vector = vpic_ack(&pic);
            CHECK(pending || (vector & 7) == 7);
        }
        }
        CHECK_EQ(intr.level, vpic_intr(&pic));
        CHECK_EQ(intr.repeats, 0);
        for (unsigned c = 0; c < 2; c++) {
            uint8_t level = pic.chip[c].level;
            CHECK_EQ(pic.chip[c].irr & level, pic.chip[c].lines & level);
            CHECK_EQ(pic.chip[c].irr & ~pic.chip[c].lines, 0);
        }
    }
}
