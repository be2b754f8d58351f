#include "hv/dev/vuart.h"
#include "tests/unit/hv/dev/fixture.h"
#include "tests/unit/test.h"

static struct vuart uart;
static struct line_recorder irq;
static char sent[64];
static unsigned sent_count;

static void put(void *ctx, uint8_t byte)
{
    (void)ctx;
    sent[sent_count++ % sizeof sent] = (char)byte;
}

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = 2 };

static void out_at(unsigned reg, unsigned value, vtime_t now) { vuart_ops.write(&uart, reg, 1, value, now); }
static unsigned in_at(unsigned reg, vtime_t now) { return (unsigned)vuart_ops.read(&uart, reg, 1, now); }
static void out(unsigned reg, unsigned value) { out_at(reg, value, 0); }
static unsigned in(unsigned reg) { return in_at(reg, 0); }

static void start(void)
{
    sent_count = 0;
    vuart_init(&uart, record(&irq), (struct dev_output){ put, NULL });
}

static unsigned feed(unsigned count, vtime_t now)
{
    unsigned taken = 0;
    while (taken < count && vuart_receive(&uart, (uint8_t)('a' + taken), now))
        taken++;
    return taken;
}

TEST(a_byte_written_leaves_at_once)
{
    start();
    out(DATA, 'T'), out(DATA, 'z');
    CHECK_EQ(sent_count, 2);
    CHECK(sent[0] == 'T' && sent[1] == 'z');
    CHECK_EQ(in(LSR), 0x60);
}

TEST(the_divisor_latch_hides_data_and_interrupt_enable)
{
    start();
    out(IER, 0x01);
    out(LCR, 0x83), out(DATA, 0x0c), out(IER, 0x01);
    CHECK_EQ(in(DATA), 0x0c);
    CHECK_EQ(in(IER), 0x01);
    CHECK_EQ(uart.divisor, 0x10c);
    out(LCR, 0x03);
    CHECK_EQ(in(IER), 0x01);
    CHECK_EQ(sent_count, 0);
}

TEST(scratch_and_line_control_are_read_back_and_unused_enables_are_zero)
{
    start();
    out(SCR, 0xa5), out(LCR, 0x5b), out(IER, 0xf0), out(MCR, 0xe0);
    CHECK_EQ(in(SCR), 0xa5);
    CHECK_EQ(in(LCR), 0x5b);
    CHECK_EQ(in(IER), 0);
    CHECK_EQ(in(MCR), 0);
}

TEST(iir_shows_a_16550a_when_the_fifos_are_on)
{
    start();
    CHECK_EQ(in(IIR), 0x01);
    out(FCR, 0x01);
    CHECK_EQ(in(IIR), 0xc1);
    out(FCR, 0xc8);             /* without the enable bit nothing else counts */
    CHECK_EQ(in(IIR), 0x01);
}

TEST(enabling_the_transmitter_interrupt_raises_it)
{
    start();
    out(IER, 0x02);
    CHECK(irq.level);
    CHECK_EQ(in(IIR), 0x02);
    CHECK(!irq.level);
}

TEST(reading_iir_clears_thre)
{
    start();
    out(IER, 0x02);
    CHECK_EQ(in(IIR), 0x02);
    CHECK_EQ(in(IIR), 0x01);
    out(DATA, 'x');
    CHECK_EQ(in(IIR), 0x02);
    CHECK_EQ(in(IIR), 0x01);
    out(IER, 0x02);             /* no change, no news */
    CHECK_EQ(in(IIR), 0x01);
}

TEST(reading_iir_for_another_cause_keeps_thre)
{
    start();
    out(IER, 0x03);
    CHECK(vuart_receive(&uart, 'a', 0));
    CHECK_EQ(in(IIR), 0x04);
    CHECK_EQ(in(DATA), 'a');
    CHECK_EQ(in(IIR), 0x02);
}

TEST(writing_a_byte_gives_a_fresh_edge_for_the_transmitter_interrupt)
{
    start();
    out(IER, 0x02);
    unsigned rises = irq.rises;
    out(DATA, 'x');
    CHECK_EQ(irq.rises, rises + 1);
    CHECK(irq.level);
}

TEST(causes_come_in_their_order_of_priority)
{
    start();
    out(IER, 0x0f);
    out(MCR, 0x10);             /* loopback: the modem lines fall, which is a change */
    out(DATA, '1'), out(DATA, '2');     /* overrun: no FIFO */
    CHECK_EQ(in(IIR), 0x06);
    CHECK_EQ(in(LSR) & 0x1f, 0x03);
    CHECK_EQ(in(IIR), 0x04);
    CHECK_EQ(in(DATA), '2');
    CHECK_EQ(in(IIR), 0x02);
    CHECK_EQ(in(IIR), 0x00);
    CHECK_EQ(in(MSR), 0x0b);
    CHECK_EQ(in(IIR), 0x01);
    CHECK(!irq.level);
}

TEST(without_fifos_one_byte_is_taken_at_a_time)
{
    start();
    CHECK_EQ(feed(3, 0), 1);
    CHECK_EQ(in(LSR), 0x61);
    CHECK_EQ(in(DATA), 'a');
    CHECK_EQ(in(LSR), 0x60);
    CHECK_EQ(feed(3, 0), 1);
}

TEST(a_full_fifo_pushes_back_and_loses_nothing)
{
    start();
    out(FCR, 0x01);
    CHECK_EQ(feed(40, 0), 16);
    CHECK(!vuart_can_receive(&uart));
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(in(DATA), 'a' + i);
    CHECK_EQ(in(LSR), 0x60);
    CHECK(vuart_can_receive(&uart));
}

TEST(the_receive_interrupt_follows_the_trigger_level)
{
    static const struct { uint8_t fcr, level; } row[] = { { 0x01, 1 }, { 0x41, 4 }, { 0x81, 8 }, { 0xc1, 14 } };
    for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
        start();
        out(FCR, row[i].fcr), out(IER, 0x01);
        feed(row[i].level - 1u, 0);
        CHECK(!irq.level);
        feed(1, 0);
        CHECK(irq.level);
        CHECK_EQ(in(IIR), 0xc4);
        in(DATA);
        CHECK(!irq.level);
    }
}

TEST(bytes_below_the_trigger_time_out_after_four_characters)
{
    start();
    out(LCR, 0x83), out(DATA, 12), out(IER, 0), out(LCR, 0x03);     /* 9600 8N1 */
    out(FCR, 0x81), out(IER, 0x01);
    feed(3, MS(10));
    vtime_t due = vuart_ops.expire(&uart, MS(10));
    CHECK(due > MS(10) + US(4160) && due < MS(10) + US(4170));
    CHECK(!irq.level);
    vuart_ops.expire(&uart, due);
    CHECK(irq.level);
    CHECK_EQ(in_at(IIR, due), 0xcc);
    CHECK_EQ(in_at(DATA, due), 'a');
    CHECK(!irq.level);          /* one read ends it, and the time starts again */
    CHECK(vuart_ops.expire(&uart, due) > due + MS(4));
}

TEST(a_new_byte_restarts_the_timeout)
{
    start();
    out(FCR, 0x81), out(IER, 0x01);
    feed(1, US(100));
    vtime_t first = vuart_ops.expire(&uart, US(100));
    feed(1, US(200));
    CHECK_EQ(vuart_ops.expire(&uart, US(200)), first + US(100));
}

TEST(without_the_receive_interrupt_nobody_waits_for_the_timeout)
{
    start();
    out(FCR, 0x81);
    feed(1, 0);
    CHECK_EQ(vuart_ops.expire(&uart, 0), VTIME_NEVER);
    out_at(IER, 0x01, MS(5));   /* long overdue by then */
    CHECK(irq.level);
    CHECK_EQ(in_at(IIR, MS(5)), 0xcc);
}

TEST(clearing_the_receive_fifo_drops_its_bytes)
{
    start();
    out(FCR, 0x01), out(IER, 0x01);
    feed(5, 0);
    CHECK(irq.level);
    out(FCR, 0x03);
    CHECK(!irq.level);
    CHECK_EQ(in(LSR), 0x60);
}

TEST(switching_the_fifos_empties_them)
{
    start();
    out(FCR, 0x01);
    feed(5, 0);
    out(FCR, 0x00);
    CHECK_EQ(in(LSR), 0x60);
}

TEST(loopback_returns_what_is_sent_and_cuts_off_the_world)
{
    start();
    out(MCR, 0x1e);
    out(DATA, 0xae);
    CHECK_EQ(sent_count, 0);
    CHECK(!vuart_can_receive(&uart));
    CHECK_EQ(in(LSR) & 1, 1);
    CHECK_EQ(in(DATA), 0xae);
    out(MCR, 0x0f);
    out(DATA, 'k');
    CHECK_EQ(sent_count, 1);
}

TEST(a_loopback_overrun_keeps_the_fifo_and_tells)
{
    start();
    out(FCR, 0x01), out(MCR, 0x10);
    for (unsigned i = 0; i < 17; i++)
        out(DATA, i);
    CHECK_EQ(in(LSR) & 0x03, 0x03);
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(in(DATA), i);
    CHECK_EQ(in(LSR) & 0x03, 0);
}

TEST(loopback_wires_modem_outputs_to_inputs)
{
    start();
    CHECK_EQ(in(MSR), 0xb0);
    out(MCR, 0x10);
    CHECK_EQ(in(MSR), 0x0b);
    CHECK_EQ(in(MSR), 0x00);
    out(MCR, 0x1a);
    CHECK_EQ(in(MSR) & 0xf0, 0x90);     /* RTS to CTS, OUT2 to DCD */
    out(MCR, 0x15);
    CHECK_EQ(in(MSR) & 0xf0, 0x60);     /* DTR to DSR, OUT1 to RI */
    out(MCR, 0x10);
    CHECK_EQ(in(MSR), 0x06);            /* RI counts when it ends */
}

TEST(reset_stops_all_interrupts)
{
    start();
    out(IER, 0x02);
    vuart_ops.reset(&uart, 0);
    CHECK(!irq.level);
    CHECK_EQ(in(IER), 0);
}

TEST(random_register_sequences_keep_the_interrupt_consistent)
{
    uint64_t seed = 11;
    vtime_t now = 0;
    start();
    for (unsigned i = 0; i < 300000; i++) {
        uint32_t r = random_next(&seed);
        now += r >> 16;
        switch (r & 3) {
        case 0: out_at(r >> 8 & 7, random_next(&seed) & 0xff, now); break;
        case 1: CHECK(in_at(r >> 8 & 7, now) <= 0xff); break;
        case 2: {
            bool room = vuart_can_receive(&uart);
            CHECK_EQ(vuart_receive(&uart, (uint8_t)r, now), room);
            break;
        }
        default: CHECK(vuart_ops.expire(&uart, now) > now);
        }
        CHECK_EQ(irq.repeats, 0);
        CHECK_EQ(irq.level, uart.irq_level);
        CHECK_EQ(!(uart.lsr & 1), !uart.rx_count);
        uint8_t lcr = uart.lcr;
        struct vuart copy = uart;       /* IIR is asked on a copy: asking changes it */
        copy.irq.set = NULL;
        copy.lcr = lcr;
        CHECK_EQ(!(vuart_ops.read(&copy, IIR, 1, now) & 1), irq.level || copy.timeout_pending != uart.timeout_pending);
    }
}
