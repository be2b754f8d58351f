#include <string.h>
#include "drivers/uart.h"
#include "tests/unit/test.h"

/* A 16550 of eight registers, as far as the driver uses it; `missing`: nothing answers; `memory`: it only keeps. */
static struct {
    bool missing, memory, never_empty, has_data;
    unsigned fifo_bits;
    uint8_t reg[8];
    char sent[64];
    size_t sent_count;
    unsigned long reads;
    uint16_t divisor;
} chip;

static uint8_t in8(uint16_t port)
{
    chip.reads++;
    if (chip.missing || port < UART_COM1 || port > UART_COM1 + 7)
        return 0xFF;
    unsigned r = port - UART_COM1;
    if (chip.memory)
        return chip.reg[r];
    switch (r) {
    case 0: chip.has_data = false; return 'k';
    case 2: return (uint8_t)(0x01 | chip.fifo_bits);
    case 5: return (uint8_t)((chip.never_empty ? 0 : 0x60) | chip.has_data);
    case 6: {
        unsigned m = chip.reg[4];
        if (!(m & 0x10))
            return 0xB0;
        return (uint8_t)((m & 1) << 5 | (m & 2) << 3 | (m & 4) << 4 | (m & 8) << 4);
    }
    default: return chip.reg[r];
    }
}

static void out8(uint16_t port, uint8_t value)
{
    unsigned r = port - UART_COM1;
    if (r > 7)
        return;
    if (chip.reg[3] & 0x80 && r < 2)
        chip.divisor = (uint16_t)(r ? (chip.divisor & 0xFF) | value << 8 : (chip.divisor & 0xFF00) | value);
    else if (r == 0 && chip.sent_count < sizeof chip.sent)
        chip.sent[chip.sent_count++] = (char)value;
    else
        chip.reg[r] = value;
}

static const struct port_io io = { in8, out8 };

static void fresh(void)
{
    memset(&chip, 0, sizeof chip);
    chip.fifo_bits = 0xC0;
}

TEST(a_16550_is_found_and_set_to_115200_8n1)
{
    struct uart u;
    fresh();
    CHECK(uart_init(&u, &io, UART_COM1));
    CHECK_EQ(chip.divisor, 1);
    CHECK_EQ(chip.reg[3], 0x03);
    CHECK_EQ(u.fifo_depth, 16);
    CHECK_EQ(chip.reg[4] & 0x10, 0);
}

TEST(an_8250_without_fifos_takes_one_byte_at_a_time)
{
    struct uart u;
    fresh();
    chip.fifo_bits = 0;
    CHECK(uart_init(&u, &io, UART_COM1));
    CHECK_EQ(uart_put_some(&u, "abc", 3), 1);
}

TEST(a_missing_uart_is_not_found_and_everything_returns_at_once)
{
    struct uart u;
    uint8_t byte;
    fresh();
    chip.missing = true;
    CHECK(!uart_init(&u, &io, UART_COM1));
    chip.reads = 0;
    CHECK(!uart_put(&u, 'x'));
    CHECK(!uart_get(&u, &byte));
    CHECK_EQ(uart_put_some(&u, "x", 1), 0);
    uart_put_all(&u, "hello", 5);
    uart_set_receive_irq(&u, true);
    CHECK_EQ(chip.reads, 0);
}

TEST(registers_that_only_keep_what_is_written_are_no_uart)
{
    struct uart u;
    fresh();
    chip.memory = true;
    CHECK(!uart_init(&u, &io, UART_COM1));
}

TEST(as_many_bytes_are_handed_over_as_the_fifo_takes)
{
    struct uart u;
    fresh();
    CHECK(uart_init(&u, &io, UART_COM1));
    CHECK_EQ(uart_put_some(&u, "0123456789abcdefghij", 20), 16);
    CHECK_EQ(chip.sent_count, 16);
    chip.never_empty = true;
    CHECK_EQ(uart_put_some(&u, "x", 1), 0);
}

TEST(a_stuck_transmitter_is_waited_for_once_only)
{
    struct uart u;
    fresh();
    CHECK(uart_init(&u, &io, UART_COM1));
    chip.never_empty = true;
    CHECK(!uart_put(&u, 'x'));
    chip.reads = 0;
    CHECK(!uart_put(&u, 'x'));
    CHECK(chip.reads <= 2);
    chip.never_empty = false;
    CHECK(uart_put(&u, 'y'));
    CHECK(!u.stuck);
}

TEST(a_received_byte_is_read_once)
{
    struct uart u;
    uint8_t byte = 0;
    fresh();
    CHECK(uart_init(&u, &io, UART_COM1));
    CHECK(!uart_get(&u, &byte));
    chip.has_data = true;
    CHECK(uart_get(&u, &byte));
    CHECK_EQ(byte, 'k');
    CHECK(!uart_get(&u, &byte));
}
