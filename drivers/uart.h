/* The host's 16550 UART, polled. An absent or a stuck one never hangs the caller: every wait is bounded, and a
 * line that has not moved once is not waited for again. */
#ifndef DRIVERS_UART_H
#define DRIVERS_UART_H

#include "drivers/port_io.h"

#define UART_COM1 0x3F8
#define UART_COM1_IRQ 4

struct uart {
    const struct port_io *io;
    uint16_t base;
    uint8_t fifo_depth; /* bytes that may be written once the transmitter is empty: 16, or 1 for an 8250 */
    bool present;       /* it answered its scratch register and its loopback */
    bool stuck;         /* the transmitter did not empty in time: uart_put no longer waits */
};


/* Look for a UART at `base` and set it to 115200 baud, 8n1, FIFOs on, interrupts off. Returns u->present; on false
 * the other functions do nothing. */
bool uart_init(struct uart *u, const struct port_io *io, uint16_t base);

/* Hand over as many of `len` bytes as the transmitter takes now, without waiting; returns the count. */
size_t uart_put_some(struct uart *u, const char *bytes, size_t len);

/* Send one byte, waiting for the transmitter at most some 100 ms; false if it was not sent. For early boot and
 * panic. */
bool uart_put(struct uart *u, char byte);
void uart_put_all(struct uart *u, const char *bytes, size_t len);

/* The next received byte; false if there is none. */
bool uart_get(struct uart *u, uint8_t *byte);

/* Raise the UART's interrupt when a byte arrives. The handler calls uart_get until it returns false. */
void uart_set_receive_irq(struct uart *u, bool on);

#endif
