/* The Intel 8042 keyboard controller of a PS/2 machine with a keyboard, and nothing plugged into the mouse port (ports
 * 60h, 64h, and system control port A, 92h). Facts from IBM's "PS/2 Hardware Interface Technical Reference: Keyboard
 * and Auxiliary Device Controller" and "Keyboards (101- and 102-Key)".
 *
 * The A20 bits are stored and read back, but the address line is always enabled: no guest today needs the wrap at 1 MiB. */
#ifndef HV_DEV_VKBC_H
#define HV_DEV_VKBC_H

#include "hv/dev/dev.h"

#define VKBC_PORT_RANGES 3
#define VKBC_QUEUE_BYTES 32
#define VKBC_RAM_BYTES   32

struct vkbc_queue {
    uint8_t bytes[VKBC_QUEUE_BYTES];
    uint8_t first, count;
};

struct vkbc {
    uint8_t status;                 /* without IBF, which is never seen set */
    uint8_t output;                 /* the output buffer */
    uint8_t displaced;              /* a keyboard byte that a controller's answer pushed out of it; comes back after */
    bool has_displaced, output_from_keyboard;
    uint8_t ram[VKBC_RAM_BYTES];    /* byte 0: the command byte */
    uint8_t output_port;
    uint8_t pending_command;        /* a controller command that waits for its byte at port 60h; 0: none */
    struct vkbc_queue keyboard;     /* from the keyboard, not yet in the output buffer */
    bool break_prefix;              /* translation has swallowed F0h */
    uint8_t keyboard_command;       /* a keyboard command that waits for its parameter; 0: none */
    uint8_t keyboard_last;          /* for Resend */
    uint8_t scan_set;               /* 1 or 2 */
    uint8_t leds;
    bool scanning;
    struct irq_line irq1, irq12;
    bool irq1_level, irq12_level;
    struct dev_request reset;
};

extern const struct dev_ops vkbc_ops;
extern const struct dev_ports vkbc_ports[VKBC_PORT_RANGES];

void vkbc_init(struct vkbc *kbc, struct irq_line irq1, struct irq_line irq12, struct dev_request reset_request);
/* One key event, as scan codes of set 1 (make or break, with its E0h prefix if it has one; E1h 1Dh 45h ... for Pause).
 * False: no room, or the keyboard is not scanning; nothing of the event was taken. */
bool vkbc_key(struct vkbc *kbc, const uint8_t *codes, unsigned count) MUST_CHECK;

#endif
