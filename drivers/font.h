/* Our own 8x16 font: printable ASCII, drawn as text in font.c. */
#ifndef DRIVERS_FONT_H
#define DRIVERS_FONT_H

#include "hv/lib/types.h"

#define FONT_WIDTH  8
#define FONT_HEIGHT 16
#define FONT_FIRST  32
#define FONT_LAST   126
#define FONT_COUNT  (FONT_LAST - FONT_FIRST + 1)

/* The eight pixels of a character's row (0 at the top), the leftmost in bit 7. A character outside of FONT_FIRST
 * to FONT_LAST is a filled box. */
uint8_t font_row(uint8_t character, unsigned row);

#endif
