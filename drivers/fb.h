/* A text console on a linear framebuffer with 32 bits per pixel.
 *
 * The text lives in a shadow of character cells; the framebuffer is only ever written (reading it is slow), and only
 * where a cell differs from what is shown. Writing text is cheap, drawing is done by fb_flush, which can be given a
 * budget. Understood: CR, LF, BS, TAB, and of the escape sequences SGR colours (0, 1, 7, 30-37, 39, 90-97), cursor
 * movement (A B C D G H f) and erasing (J, K); the others are swallowed. */
#ifndef DRIVERS_FB_H
#define DRIVERS_FB_H

#include "drivers/font.h"
#include "hv/lib/ansi.h"

#define FB_MAX_COLUMNS 240
#define FB_MAX_ROWS    100

enum fb_order { FB_BGRX = 1, FB_RGBX = 2 }; /* byte order in memory; the values of enum boot_pixel_format */

struct fb_cell {
    uint8_t character;
    uint8_t attribute; /* colour 0-15, reversed or not */
};

struct fb {
    uint32_t *pixels;  /* NULL: there is no screen, and every function does nothing */
    uint32_t pitch;    /* in pixels */
    enum fb_order order;
    unsigned scale;    /* each font pixel is scale x scale pixels */
    unsigned columns, rows;
    unsigned x, y;     /* cursor, in cells; x == columns: the next character wraps */
    uint8_t attribute;
    struct ansi ansi;
    unsigned top;      /* the ring row shown at the top: scrolling moves this, not the cells */
    unsigned dirty_from, dirty_to; /* rows that may differ from what is shown, [from, to) */
    struct fb_cell cells[FB_MAX_ROWS][FB_MAX_COLUMNS];
    struct fb_cell shown[FB_MAX_ROWS][FB_MAX_COLUMNS];
    uint8_t glyphs[FONT_COUNT][FONT_HEIGHT];
};

/* `memory`: the mapped framebuffer (write-combining is best) of width x height pixels, `pitch` bytes per line. Clears
 * it. Returns false, and leaves the screen out of use, for a size that cannot be (smaller than a cell, a pitch below
 * the width or not a multiple of 4). */
bool fb_init(struct fb *fb, void *memory, uint32_t width, uint32_t height, uint32_t pitch, enum fb_order order);

void fb_write(struct fb *fb, const char *text, size_t len);

/* Draw up to `max_cells` of the changed cells; returns true if nothing is left to draw. */
bool fb_flush(struct fb *fb, size_t max_cells);

#endif
