/* The terminals of this machine, joined to the console: serial line and screen for output, serial line and keyboard for
 * input. Composition: it knows drivers and hv/con, neither of which knows the other. */
#ifndef HV_TERMINALS_H
#define HV_TERMINALS_H

#include "boot/boot_info.h"
#include "drivers/fb.h"
#include "drivers/i8042.h"
#include "drivers/uart.h"
#include "hv/con/con.h"

struct terminals {
    struct con *con;
    struct uart uart;
    struct i8042 keyboard;
    struct fb screen; /* large: static memory */
    char text[4096];  /* of the log, for terminals added later */
};

/* First thing at start: needs no memory management. Looks for COM1 and the keyboard, adds the serial line to the console,
 * makes the console a sink of the log, and says what it found. Lines logged before are written, too. `con` is
 * initialised (con_init). */
void terminals_init(struct terminals *t, struct con *con, const struct port_io *io);

/* Once the framebuffer is mapped, at `memory`: adds the screen, with the log so far. Without a framebuffer (info->base
 * is 0) it only says so. */
void terminals_add_screen(struct terminals *t, void *memory, const struct boot_framebuffer *info);

/* Let COM1 (ISA IRQ 4) and the keyboard (IRQ 1) interrupt; each interrupt calls terminals_poll_input. Without that, the
 * caller polls. */
void terminals_enable_interrupts(struct terminals *t);

/* Hand over to the console what was typed. One CPU at a time. Returns true if there was something. */
bool terminals_poll_input(struct terminals *t);

#endif
