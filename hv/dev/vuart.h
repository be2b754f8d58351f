/* The National 16550A UART. Facts from National Semiconductor's "PC16550D" data sheet.
 *
 * A byte written is sent at once: the transmitter is always empty, but its interrupt comes and goes as in the chip. The
 * far end has DCD, DSR and CTS on. Two liberties, both towards guests that forget something: bytes are 8 bits wide
 * whatever LCR says, and MCR.OUT2 does not gate the interrupt (some PC kernels never set it). */
#ifndef HV_DEV_VUART_H
#define HV_DEV_VUART_H

#include "hv/dev/dev.h"

#define VUART_PORTS      8
#define VUART_FIFO_BYTES 16
#define VUART_CLOCK_BAUD 115200     /* the speed at divisor 1 */

struct vuart {
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scratch;
    uint16_t divisor;
    uint8_t rx[VUART_FIFO_BYTES];
    uint8_t rx_first, rx_count;
    bool thre_pending;          /* the transmitter-empty interrupt has not been seen yet */
    bool timeout_pending;       /* bytes wait below the trigger level, and the line has been quiet for four characters */
    vtime_t rx_activity;        /* when a byte last came in or was read */
    struct irq_line irq;
    bool irq_level;
    struct dev_output output;
    uint64_t bytes_out, bytes_in;
};

extern const struct dev_ops vuart_ops;
/* The ports of a UART at `base` (3F8h, 2F8h, 3E8h, 2E8h). */
static inline struct dev_ports vuart_ports(uint16_t base) { return (struct dev_ports){ base, VUART_PORTS, 0 }; }

void vuart_init(struct vuart *uart, struct irq_line irq, struct dev_output output);
/* A byte from the far end. False: no room now, offer it again after the guest has read (see vuart_can_receive). Nothing
 * is ever lost to an overrun. Call bus_refresh() afterwards: the character timeout has moved. */
bool vuart_receive(struct vuart *uart, uint8_t byte, vtime_t now) MUST_CHECK;
bool vuart_can_receive(const struct vuart *uart);

#endif
