#include "drivers/uart.h"

/* National Semiconductor PC16550D data sheet, "Register Summary". */
enum uart_register {
    DATA = 0,             /* and the divisor's low byte while LCR_DLAB */
    INTERRUPT_ENABLE = 1, /* and the divisor's high byte */
    FIFO_CONTROL = 2,     /* written */
    INTERRUPT_ID = 2,     /* read */
    LINE_CONTROL = 3,
    MODEM_CONTROL = 4,
    LINE_STATUS = 5,
    MODEM_STATUS = 6,
    SCRATCH = 7,
};

#define IER_RECEIVE      0x01
#define FCR_ENABLE_CLEAR 0x07 /* enable; clear receiver; clear transmitter */
#define FCR_TRIGGER_1    0x00 /* interrupt from the first byte on: a key is one byte */
#define IIR_FIFOS        0xC0 /* both set: the FIFOs work (16550A) */
#define LCR_8N1          0x03
#define LCR_DLAB         0x80
#define MCR_DTR_RTS      0x03
#define MCR_OUT2         0x08 /* on a PC: connects the interrupt */
#define MCR_LOOPBACK     0x10
#define LSR_DATA         0x01
#define LSR_THR_EMPTY    0x20
#define MSR_LINES        0xF0 /* DCD, RI, DSR, CTS */

#define DIVISOR_115200   1
#define FIFO_DEPTH       16

/* A port read takes about a microsecond on real machines, so this is some 100 ms: 1000 times what one byte takes. */
#define MAX_SPIN         100000u

static uint8_t get(const struct uart *u, enum uart_register r)
{
    return u->io->in8((uint16_t)(u->base + r));
}

static void set(const struct uart *u, enum uart_register r, uint8_t value)
{
    u->io->out8((uint16_t)(u->base + r), value);
}

static bool scratch_holds(const struct uart *u, uint8_t value)
{
    set(u, SCRATCH, value);
    return get(u, SCRATCH) == value;
}

/* In loopback the modem outputs come back as modem inputs: DTR as DSR, RTS as CTS, OUT1 as RI, OUT2 as DCD. This tells a
 * UART from memory that merely keeps what is written. */
static bool loopback_answers(const struct uart *u)
{
    set(u, MODEM_CONTROL, MCR_LOOPBACK | MCR_OUT2 | 0x02);
    uint8_t lines = get(u, MODEM_STATUS) & MSR_LINES;
    set(u, MODEM_CONTROL, MCR_LOOPBACK);
    uint8_t none = get(u, MODEM_STATUS) & MSR_LINES;
    return lines == 0x90 && none == 0;
}

bool uart_init(struct uart *u, const struct port_io *io, uint16_t base)
{
    *u = (struct uart){ .io = io, .base = base };
    if (!scratch_holds(u, 0x5A) || !scratch_holds(u, 0xA5) || !loopback_answers(u))
        return false;
    set(u, INTERRUPT_ENABLE, 0);
    set(u, LINE_CONTROL, LCR_DLAB | LCR_8N1);
    set(u, DATA, DIVISOR_115200 & 0xFF);
    set(u, INTERRUPT_ENABLE, DIVISOR_115200 >> 8);
    set(u, LINE_CONTROL, LCR_8N1);
    set(u, FIFO_CONTROL, FCR_ENABLE_CLEAR | FCR_TRIGGER_1);
    u->fifo_depth = (get(u, INTERRUPT_ID) & IIR_FIFOS) == IIR_FIFOS ? FIFO_DEPTH : 1;
    set(u, MODEM_CONTROL, MCR_DTR_RTS | MCR_OUT2);
    u->present = true;
    return true;
}

static bool transmitter_empty(const struct uart *u)
{
    return get(u, LINE_STATUS) & LSR_THR_EMPTY;
}

size_t uart_put_some(struct uart *u, const char *bytes, size_t len)
{
    if (!u->present || !len || !transmitter_empty(u))
        return 0;
    u->stuck = false;
    size_t n = MIN(len, (size_t)u->fifo_depth);
    for (size_t i = 0; i < n; i++)
        set(u, DATA, (uint8_t)bytes[i]);
    return n;
}

static bool wait_for_transmitter(struct uart *u)
{
    for (unsigned spin = u->stuck ? MAX_SPIN - 1 : 0; spin < MAX_SPIN; spin++)
        if (transmitter_empty(u)) {
            u->stuck = false;
            return true;
        }
    u->stuck = true;
    return false;
}

bool uart_put(struct uart *u, char byte)
{
    if (!u->present || !wait_for_transmitter(u))
        return false;
    set(u, DATA, (uint8_t)byte);
    return true;
}

void uart_put_all(struct uart *u, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && uart_put(u, bytes[i]); i++)
        ;
}

bool uart_get(struct uart *u, uint8_t *byte)
{
    if (!u->present || !(get(u, LINE_STATUS) & LSR_DATA))
        return false;
    *byte = get(u, DATA);
    return true;
}

void uart_set_receive_irq(struct uart *u, bool on)
{
    if (u->present)
        set(u, INTERRUPT_ENABLE, on ? IER_RECEIVE : 0);
}
