/* PC keyboard scan codes (set 1) to characters, US layout: pure, byte by byte. Cursor keys come out as the escape
 * sequences a serial terminal would send. */
#ifndef DRIVERS_SCANCODE_H
#define DRIVERS_SCANCODE_H

#include "hv/lib/types.h"

#define SCANCODE_MAX_BYTES 4

struct scancode {      /* all zero is the state after power-on */
    uint8_t held;      /* modifiers: HELD_* in scancode.c */
    bool caps_lock;
    bool extended;     /* an E0 prefix came */
    uint8_t skip;      /* bytes of an E1 sequence (Pause) still to be ignored */
};

/* Feed one byte from the keyboard; returns how many characters it makes (0 for releases and modifiers). */
size_t scancode_feed(struct scancode *s, uint8_t code, char out[SCANCODE_MAX_BYTES]);

#endif
