/* How a driver reaches I/O ports: two functions, handed in. The machine's own are in port_io.c; a unit test hands
 * in a model of the chip, so that a missing or a stuck one can be tried, too. */
#ifndef DRIVERS_PORT_IO_H
#define DRIVERS_PORT_IO_H

#include "hv/lib/types.h"

struct port_io {
    uint8_t (*in8)(uint16_t port);
    void (*out8)(uint16_t port, uint8_t value);
};

/* The CPU's IN and OUT instructions. */
extern const struct port_io port_io_machine;

#endif
