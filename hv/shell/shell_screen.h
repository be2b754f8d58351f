/* A VGA text page as plain ASCII. */
#ifndef HV_SHELL_SHELL_SCREEN_H
#define HV_SHELL_SHELL_SCREEN_H

#include "hv/shell/shell_ops.h"

/* One row of the page (character and attribute bytes, from the guest: anything) as terminated text, each character of
 * code page 437 as the printable one that looks most like it. */
void shell_screen_row(const uint8_t *cells, unsigned row, char out[SHELL_VGA_COLUMNS + 1]);

#endif
