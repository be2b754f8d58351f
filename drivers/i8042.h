/* The PS/2 keyboard behind the host's i8042: scan codes (set 1, as the controller translates them) to ASCII, US
 * layout. Cursor keys come out as the escape sequences a serial terminal would send. */
#ifndef DRIVERS_I8042_H
#define DRIVERS_I8042_H

#include "drivers/port_io.h"

#define I8042_IRQ 1
#define SCANCODE_MAX_BYTES 4

/* Which modifier keys are held; all zero is the state after power-on. */
struct scancode {
    uint8_t held;      /* SCANCODE_* */
    bool caps_lock;
    bool extended;     /* an E0 prefix came */
    uint8_t skip;      /* bytes of an E1 sequence (Pause) still to be ignored */
};

/* Feed one byte from the keyboard; returns how many characters it makes (0 for releases and modifiers). */
size_t scancode_feed(struct scancode *s, uint8_t code, char out[SCANCODE_MAX_BYTES]);

struct i8042 {
    const struct port_io *io;
    bool present;
    struct scancode keys;
};

/* Look for the controller, drop what it holds, switch the keyboard on with translation to set 1. Returns
 * k->present. All waits are bounded. `irq` lets the keyboard raise I8042_IRQ. */
bool i8042_init(struct i8042 *k, const struct port_io *io, bool irq);

/* Take one byte from the controller, if there is one: returns false if there was none, else sets *count to the number
 * of characters it made. Bytes of a mouse are dropped. */
bool i8042_poll(struct i8042 *k, char out[SCANCODE_MAX_BYTES], size_t *count);

#endif
