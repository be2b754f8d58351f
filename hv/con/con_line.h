/* One line of a guest's output, made harmless for the overview: escape sequences, control characters and all but ASCII
 * are taken out, CR and BS move within the line, tabs become spaces. */
#ifndef HV_CON_CON_LINE_H
#define HV_CON_CON_LINE_H

#include "hv/lib/ansi.h"

#define CON_LINE_SIZE 200 /* a longer line is shown in pieces */

struct con_line {            /* all zero: an empty line */
    struct ansi ansi;
    bool continued;          /* the piece before was shown without its line's end */
    uint8_t cursor, length;
    uint64_t since;          /* when con_poll first saw it unfinished; 0: not yet */
    char text[CON_LINE_SIZE];
};

/* Take one byte. Returns true if the line has to be shown now: text[0, length) is complete (or full); call
 * con_line_clear and feed on. */
bool con_line_feed(struct con_line *l, uint8_t byte);

/* Start anew; `continued`: the line's end has not come yet. */
void con_line_clear(struct con_line *l, bool continued);

#endif
