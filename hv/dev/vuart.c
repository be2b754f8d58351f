/* The 16550A: receive FIFO, interrupt causes and their priority, modem lines and loopback. */
#include "hv/dev/vuart.h"

#include "hv/lib/str.h"

enum reg { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };
enum ier { IER_RDA = 0x01, IER_THRE = 0x02, IER_LINE = 0x04, IER_MODEM = 0x08, IER_MASK = 0x0f };
enum iir {
    IIR_MODEM = 0x00, IIR_NONE = 0x01, IIR_THRE = 0x02, IIR_RDA = 0x04, IIR_LINE = 0x06, IIR_TIMEOUT = 0x0c, IIR_FIFOS = 0xc0,
};
enum fcr { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_TRIGGER_SHIFT = 6, FCR_KEPT = 0xc9 };
enum lcr { LCR_WORD_MASK = 0x03, LCR_STOP = 0x04, LCR_PARITY = 0x08, LCR_DLAB = 0x80 };
enum mcr { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10, MCR_MASK = 0x1f };
enum lsr { LSR_DR = 0x01, LSR_OE = 0x02, LSR_ERRORS = 0x1e, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum msr {
    MSR_TERI = 0x04, MSR_DELTAS = 0x0f, MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80, MSR_LINES = 0xf0,
};

/* ---- interrupts ------------------------------------------------------------------------------------------------ */

static bool fifo_enabled(const struct vuart *uart) { return uart->fcr & FCR_ENABLE; }
static uint8_t rx_capacity(const struct vuart *uart) { return fifo_enabled(uart) ? VUART_FIFO_BYTES : 1; }

static uint8_t rx_trigger(const struct vuart *uart)
{
    static const uint8_t level[4] = { 1, 4, 8, 14 };
    return fifo_enabled(uart) ? level[uart->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The cause that IIR shows: "Interrupt Identification Register", highest priority first. */
static uint8_t cause(const struct vuart *uart)
{
    if (uart->ier & IER_LINE && uart->lsr & LSR_ERRORS)
        return IIR_LINE;
    if (uart->ier & IER_RDA && uart->rx_count >= rx_trigger(uart))
        return IIR_RDA;
    if (uart->ier & IER_RDA && uart->timeout_pending)
        return IIR_TIMEOUT;
    if (uart->ier & IER_THRE && uart->thre_pending)
        return IIR_THRE;
    if (uart->ier & IER_MODEM && uart->msr & MSR_DELTAS)
        return IIR_MODEM;
    return IIR_NONE;
}

static void update_irq(struct vuart *uart)
{
    bool level = cause(uart) != IIR_NONE;
    if (level == uart->irq_level)
        return;
    uart->irq_level = level;
    irq_line_set(&uart->irq, level);
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

/* Four characters' time at the programmed speed and format: "FIFO Interrupt Mode Operation". */
static vtime_t timeout_ns(const struct vuart *uart)
{
    unsigned parity = uart->lcr & LCR_PARITY ? 1 : 0, stop = uart->lcr & LCR_STOP ? 2 : 1;
    unsigned bits = 1u + 5u + (uart->lcr & LCR_WORD_MASK) + parity + stop;
    return 4 * bits * NS_PER_SEC / VUART_CLOCK_BAUD * MAX(uart->divisor, 1);
}

static void rx_clear(struct vuart *uart)
{
    uart->rx_first = uart->rx_count = 0;
    uart->lsr &= (uint8_t)~LSR_DR;
    uart->timeout_pending = false;
}

static void rx_push(struct vuart *uart, uint8_t byte, vtime_t now)
{
    uart->rx[(uart->rx_first + uart->rx_count) % VUART_FIFO_BYTES] = byte;
    uart->rx_count++;
    uart->lsr |= LSR_DR;
    uart->rx_activity = now;
    uart->timeout_pending = false;
}

static uint8_t rx_pop(struct vuart *uart, vtime_t now)
{
    uint8_t byte = uart->rx[uart->rx_first];
    if (!uart->rx_count)
        return byte;        /* the buffer keeps its last byte */
    uart->timeout_pending = false;
    uart->rx_activity = now;
    if (--uart->rx_count)
        uart->rx_first = (uint8_t)((uart->rx_first + 1u) % VUART_FIFO_BYTES);
    else
        uart->lsr &= (uint8_t)~LSR_DR;
    return byte;
}

/* A byte sent to ourselves has no back-pressure: a full FIFO drops it, a single buffer is overwritten; both tell. */
static void rx_loop(struct vuart *uart, uint8_t byte, vtime_t now)
{
    if (uart->rx_count < rx_capacity(uart)) {
        rx_push(uart, byte, now);
        return;
    }
    uart->lsr |= LSR_OE;
    if (!fifo_enabled(uart))
        uart->rx[uart->rx_first] = byte;
}

bool vuart_can_receive(const struct vuart *uart)
{
    return !(uart->mcr & MCR_LOOP) && uart->rx_count < rx_capacity(uart);
}

bool vuart_receive(struct vuart *uart, uint8_t byte, vtime_t now)
{
    if (!vuart_can_receive(uart))
        return false;
    uart->bytes_in++;
    rx_push(uart, byte, now);
    update_irq(uart);
    return true;
}

static vtime_t vuart_expire(void *dev, vtime_t now)
{
    struct vuart *uart = dev;
    bool waiting = fifo_enabled(uart) && uart->rx_count && !uart->timeout_pending;
    if (!waiting)
        return VTIME_NEVER;
    vtime_t at = uart->rx_activity + timeout_ns(uart);
    if (now >= at) {
        uart->timeout_pending = true;
        update_irq(uart);
        return VTIME_NEVER;
    }
    /* Nobody would see the flag: it can wait for the next access. */
    return uart->ier & IER_RDA ? at : VTIME_NEVER;
}

/* ---- registers ------------------------------------------------------------------------------------------------- */

/* A byte leaves at once: the transmitter stops being empty and is empty again, which is a new interrupt. */
static void transmit(struct vuart *uart, uint8_t byte, vtime_t now)
{
    uart->thre_pending = false;
    update_irq(uart);
    if (uart->mcr & MCR_LOOP) {
        rx_loop(uart, byte, now);
    } else {
        uart->bytes_out++;
        dev_output_put(&uart->output, byte);
    }
    uart->thre_pending = true;
}

/* In loopback the modem control outputs are wired to the modem status inputs. */
static uint8_t modem_lines(const struct vuart *uart)
{
    if (!(uart->mcr & MCR_LOOP))
        return MSR_DCD | MSR_DSR | MSR_CTS;
    return (uint8_t)((uart->mcr & MCR_DTR ? MSR_DSR : 0) | (uart->mcr & MCR_RTS ? MSR_CTS : 0) |
                     (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static void update_modem(struct vuart *uart)
{
    uint8_t before = uart->msr & MSR_LINES, after = modem_lines(uart);
    uint8_t changed = before ^ after;
    uint8_t deltas = (uint8_t)((changed & (MSR_CTS | MSR_DSR | MSR_DCD)) >> 4);
    if (before & MSR_RI && !(after & MSR_RI))   /* only the trailing edge of RI counts */
        deltas |= MSR_TERI;
    uart->msr = (uint8_t)(after | (uart->msr & MSR_DELTAS) | deltas);
}

static uint8_t read_iir(struct vuart *uart)
{
    uint8_t now_shown = cause(uart);
    if (now_shown == IIR_THRE)
        uart->thre_pending = false;
    return now_shown | (fifo_enabled(uart) ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct vuart *uart)
{
    uint8_t value = uart->lsr;
    uart->lsr &= (uint8_t)~LSR_ERRORS;
    return value;
}

static uint8_t read_msr(struct vuart *uart)
{
    uint8_t value = uart->msr;
    uart->msr &= MSR_LINES;
    return value;
}

static uint8_t read_reg(struct vuart *uart, uint64_t reg, vtime_t now)
{
    bool dlab = uart->lcr & LCR_DLAB;
    switch (reg) {
    case REG_DATA:
        return dlab ? (uint8_t)uart->divisor : rx_pop(uart, now);
    case REG_IER:
        return dlab ? (uint8_t)(uart->divisor >> 8) : uart->ier;
    case REG_IIR_FCR:
        return read_iir(uart);
    case REG_LCR:
        return uart->lcr;
    case REG_MCR:
        return uart->mcr;
    case REG_LSR:
        return read_lsr(uart);
    case REG_MSR:
        return read_msr(uart);
    default:
        return uart->scratch;
    }
}

/* The transmitter being empty counts as news when its interrupt is switched on. */
static void write_ier(struct vuart *uart, uint8_t value)
{
    if (value & IER_THRE && !(uart->ier & IER_THRE))
        uart->thre_pending = true;
    uart->ier = value & IER_MASK;
}

/* Switching the FIFOs on or off empties them; the other bits count only together with the enable bit. */
static void write_fcr(struct vuart *uart, uint8_t value)
{
    bool toggled = (value ^ uart->fcr) & FCR_ENABLE;
    uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    if (toggled || (value & FCR_ENABLE && value & FCR_CLEAR_RX))
        rx_clear(uart);
}

static void write_mcr(struct vuart *uart, uint8_t value)
{
    uart->mcr = value & MCR_MASK;
    update_modem(uart);
}

static void write_divisor(struct vuart *uart, unsigned shift, uint8_t value)
{
    uart->divisor = (uint16_t)((uart->divisor & ~(0xffu << shift)) | (unsigned)value << shift);
}

static void write_reg(struct vuart *uart, uint64_t reg, uint8_t value, vtime_t now)
{
    bool dlab = uart->lcr & LCR_DLAB;
    switch (reg) {
    case REG_DATA:
        dlab ? write_divisor(uart, 0, value) : transmit(uart, value, now);
        break;
    case REG_IER:
        dlab ? write_divisor(uart, 8, value) : write_ier(uart, value);
        break;
    case REG_IIR_FCR:
        write_fcr(uart, value);
        break;
    case REG_LCR:
        uart->lcr = value;
        break;
    case REG_MCR:
        write_mcr(uart, value);
        break;
    case REG_SCR:
        uart->scratch = value;
        break;
    default:                /* LSR and MSR are for reading */
        break;
    }
}

static uint64_t vuart_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vuart *uart = dev;
    vuart_expire(uart, now);    /* a timeout that nobody waited for */
    uint8_t value = read_reg(uart, offset, now);
    update_irq(uart);
    return value;
}

static void vuart_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vuart *uart = dev;
    vuart_expire(uart, now);
    write_reg(uart, offset, (uint8_t)value, now);
    update_irq(uart);
}

static void vuart_reset(void *dev, vtime_t now)
{
    struct vuart *uart = dev;
    rx_clear(uart);
    uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->scratch = 0;
    uart->lsr = LSR_THRE | LSR_TEMT;
    uart->msr = modem_lines(uart);
    uart->divisor = 1;
    uart->thre_pending = false;
    update_irq(uart);
}

void vuart_init(struct vuart *uart, struct irq_line irq, struct dev_output output)
{
    memset(uart, 0, sizeof *uart);
    uart->irq = irq;
    uart->output = output;
    vuart_reset(uart, 0);
}

const struct dev_ops vuart_ops = {
    .name = "uart", .max_width = 1, .read = vuart_read, .write = vuart_write, .reset = vuart_reset, .expire = vuart_expire,
    .quiet_reads = ~(UINT64_C(1) << REG_DATA),    /* taking a byte starts the character timeout anew */
};
