/* The PS/2 keyboard behind the host's i8042, with the controller's translation to scan code set 1. */
#ifndef DRIVERS_I8042_H
#define DRIVERS_I8042_H

#include "drivers/port_io.h"
#include "drivers/scancode.h"

#define I8042_IRQ 1

struct i8042 {
    const struct port_io *io;
    bool present;
    struct scancode keys;
};

/* Look for the controller, drop what it holds, switch the keyboard on with translation to set 1. Returns
 * k->present. All waits are bounded. */
bool i8042_init(struct i8042 *k, const struct port_io *io);

/* Let the keyboard raise I8042_IRQ when it has a byte; the handler calls i8042_poll until it returns false. */
void i8042_set_irq(struct i8042 *k, bool on);

/* Take one byte from the controller, if there is one: returns false if there was none, else sets *count to the number
 * of characters it made. Bytes of a mouse are dropped. */
bool i8042_poll(struct i8042 *k, char out[SCANCODE_MAX_BYTES], size_t *count);

#endif
