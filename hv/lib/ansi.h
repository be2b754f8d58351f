/* A parser of terminal escape sequences (ECMA-48): tells text from control, byte by byte, and never trusts their
 * length. The framebuffer console obeys some; the console multiplexer keeps guests' from the terminal. */
#ifndef HV_LIB_ANSI_H
#define HV_LIB_ANSI_H

#include "hv/lib/types.h"

#define ANSI_MAX_PARAMETERS 8

enum ansi_event {
    ANSI_TEXT,     /* the byte is not part of a sequence: a character or a control character */
    ANSI_PENDING,  /* the byte belongs to a sequence that is not complete */
    ANSI_CSI,      /* the byte ends a control sequence ESC [ ... : it is `final`, the numbers are in `parameter` */
    ANSI_OTHER,    /* the byte ends a sequence of another kind: two characters, or a string (title, clipboard, ...) */
};

enum ansi_state { ANSI_GROUND, ANSI_ESCAPE, ANSI_INTERMEDIATE, ANSI_IN_CSI, ANSI_IN_STRING };

struct ansi {          /* all zero: no sequence begun */
    uint8_t state;     /* enum ansi_state */
    uint8_t final;
    uint8_t marker;    /* '?', '<', '=', '>' directly after ESC [: a private sequence; else 0 */
    uint8_t count;     /* of parameters */
    uint16_t parameter[ANSI_MAX_PARAMETERS]; /* an omitted one is 0 */
};

enum ansi_event ansi_feed(struct ansi *a, uint8_t byte);

/* Parameter `i` of a finished control sequence; `otherwise` if it was omitted or 0. */
static inline unsigned ansi_parameter(const struct ansi *a, unsigned i, unsigned otherwise)
{
    return i < a->count && a->parameter[i] ? a->parameter[i] : otherwise;
}

#endif
