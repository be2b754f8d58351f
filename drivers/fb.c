#include "drivers/fb.h"
#include "hv/lib/str.h"

#define TAB_STOP 8
#define COLOUR_DEFAULT 7u
#define ATTRIBUTE_COLOUR  0x0F
#define ATTRIBUTE_REVERSE 0x10
#define ATTRIBUTE_CURSOR  0x20 /* only in the copy of what is shown */

/* 0xRRGGBB, in the order of the SGR codes 30-37, then the bright ones. */
static const uint32_t palette[16] = {
    0x101418, 0xD05050, 0x50B860, 0xC8A040, 0x5890E0, 0xB070D0, 0x40B0B8, 0xC8CCD0,
    0x707880, 0xFF7070, 0x80E890, 0xF8D860, 0x88B8FF, 0xE0A0FF, 0x70E0E8, 0xFFFFFF,
};

static struct fb_cell *row_of(struct fb *fb, unsigned y)
{
    return fb->cells[(fb->top + y) % fb->rows];
}

static void mark_dirty(struct fb *fb, unsigned from, unsigned to)
{
    fb->dirty_from = MIN(fb->dirty_from, from);
    fb->dirty_to = MAX(fb->dirty_to, to);
}

/* Blank the cells [from, to) of row y; both are clipped. */
static void blank(struct fb *fb, unsigned y, unsigned from, unsigned to)
{
    struct fb_cell *row = row_of(fb, y);
    for (unsigned x = from; x < MIN(to, fb->columns); x++)
        row[x] = (struct fb_cell){ ' ', COLOUR_DEFAULT };
    mark_dirty(fb, y, y + 1);
}

static void line_feed(struct fb *fb)
{
    if (fb->y + 1 < fb->rows) {
        fb->y++;
        return;
    }
    fb->top = (fb->top + 1) % fb->rows;
    blank(fb, fb->rows - 1, 0, fb->columns);
    mark_dirty(fb, 0, fb->rows);
}

static void put_character(struct fb *fb, uint8_t character)
{
    if (fb->x >= fb->columns) {
        fb->x = 0;
        line_feed(fb);
    }
    row_of(fb, fb->y)[fb->x++] = (struct fb_cell){ character, fb->attribute };
    mark_dirty(fb, fb->y, fb->y + 1);
}

static void put_control(struct fb *fb, uint8_t byte)
{
    switch (byte) {
    case '\n':
        line_feed(fb);
        break;
    case '\r':
        fb->x = 0;
        break;
    case '\b':
        if (fb->x)
            fb->x--;
        break;
    case '\t':
        fb->x = MIN((unsigned)ALIGN_UP(fb->x + 1, TAB_STOP), fb->columns - 1);
        break;
    default:
        break;
    }
}

static void set_rendition(struct fb *fb, unsigned code)
{
    unsigned bright = fb->attribute & 8u;
    unsigned a = fb->attribute;
    if (code == 0)
        a = COLOUR_DEFAULT;
    else if (code == 1)
        a |= 8;
    else if (code == 22)
        a &= ~8u;
    else if (code == 7)
        a |= ATTRIBUTE_REVERSE;
    else if (code == 27)
        a &= ~(unsigned)ATTRIBUTE_REVERSE;
    else if (code >= 30 && code <= 37)
        a = (a & ATTRIBUTE_REVERSE) | bright | (code - 30);
    else if (code == 39)
        a = (a & ATTRIBUTE_REVERSE) | bright | COLOUR_DEFAULT;
    else if (code >= 90 && code <= 97)
        a = (a & ATTRIBUTE_REVERSE) | 8 | (code - 90);
    fb->attribute = (uint8_t)a;
}

static void set_renditions(struct fb *fb)
{
    for (unsigned i = 0; i < MAX(fb->ansi.count, 1u); i++)
        set_rendition(fb, ansi_parameter(&fb->ansi, i, 0));
}

static void erase_line(struct fb *fb, unsigned mode)
{
    blank(fb, fb->y, mode == 0 ? fb->x : 0, mode == 1 ? fb->x + 1 : fb->columns);
}

static void erase_screen(struct fb *fb, unsigned mode)
{
    erase_line(fb, MIN(mode, 2u));
    for (unsigned y = mode == 0 ? fb->y + 1 : 0; y < (mode == 1 ? fb->y : fb->rows); y++)
        blank(fb, y, 0, fb->columns);
}

static void control_sequence(struct fb *fb)
{
    unsigned n = ansi_parameter(&fb->ansi, 0, 1);
    if (fb->ansi.marker)
        return; /* private modes: none is ours */
    switch (fb->ansi.final) {
    case 'A': fb->y -= MIN(n, fb->y); break;
    case 'B': fb->y = MIN(fb->y + n, fb->rows - 1); break;
    case 'C': fb->x = MIN(fb->x + n, fb->columns - 1); break;
    case 'D': fb->x -= MIN(n, fb->x); break;
    case 'G': fb->x = MIN(n - 1, fb->columns - 1); break;
    case 'H':
    case 'f':
        fb->y = MIN(n - 1, fb->rows - 1);
        fb->x = MIN(ansi_parameter(&fb->ansi, 1, 1) - 1, fb->columns - 1);
        break;
    case 'J': erase_screen(fb, ansi_parameter(&fb->ansi, 0, 0)); break;
    case 'K': erase_line(fb, ansi_parameter(&fb->ansi, 0, 0)); break;
    case 'm': set_renditions(fb); break;
    default: break;
    }
}

static void write_byte(struct fb *fb, uint8_t byte)
{
    enum ansi_event event = ansi_feed(&fb->ansi, byte);
    if (event == ANSI_CSI)
        control_sequence(fb);
    if (event != ANSI_TEXT)
        return;
    if (byte < 0x20 || byte == 0x7F)
        put_control(fb, byte);
    else if (byte < 0x80)
        put_character(fb, byte);
    else if (byte >= 0xC0)
        put_character(fb, '?'); /* one for each character of UTF-8: the continuation bytes are left out */
}

void fb_write(struct fb *fb, const char *text, size_t len)
{
    if (!fb->pixels)
        return;
    mark_dirty(fb, fb->y, fb->y + 1); /* the cursor leaves this row */
    for (size_t i = 0; i < len; i++)
        write_byte(fb, (uint8_t)text[i]);
    mark_dirty(fb, fb->y, fb->y + 1);
}

static uint32_t pixel_value(const struct fb *fb, uint32_t rgb)
{
    if (fb->order == FB_BGRX)
        return rgb; /* little-endian: blue in the lowest byte */
    return (rgb & 0xFF) << 16 | (rgb & 0xFF00) | (rgb >> 16 & 0xFF);
}

/* Two pixels at a time: half as many writes, and writes are what this costs. */
typedef uint64_t pixel_pair_t __attribute__((aligned(4), may_alias));

static void draw_glyph(uint32_t *pixels, uint32_t pitch, const uint8_t *glyph, uint32_t ink, uint32_t paper)
{
    uint64_t left_ink = ink, left_paper = paper, right_ink = left_ink << 32, right_paper = left_paper << 32;
    const uint64_t pairs[4] = {
        left_paper | right_paper, left_paper | right_ink, left_ink | right_paper, left_ink | right_ink,
    };
    for (unsigned y = 0; y < FONT_HEIGHT; y++, pixels += pitch) {
        volatile pixel_pair_t *line = (volatile pixel_pair_t *)pixels;
        line[0] = pairs[glyph[y] >> 6];
        line[1] = pairs[glyph[y] >> 4 & 3];
        line[2] = pairs[glyph[y] >> 2 & 3];
        line[3] = pairs[glyph[y] & 3];
    }
}

static void draw_scaled_glyph(uint32_t *pixels, uint32_t pitch, unsigned scale, const uint8_t *glyph, uint32_t ink,
                              uint32_t paper)
{
    for (unsigned y = 0; y < FONT_HEIGHT * scale; y++, pixels += pitch) {
        volatile uint32_t *line = pixels;
        for (unsigned x = 0; x < FONT_WIDTH * scale; x++)
            line[x] = glyph[y / scale] & 0x80u >> x / scale ? ink : paper;
    }
}

static void draw_cell(struct fb *fb, unsigned column, unsigned row, struct fb_cell cell)
{
    uint32_t ink = pixel_value(fb, palette[cell.attribute & ATTRIBUTE_COLOUR]);
    uint32_t paper = pixel_value(fb, palette[0]);
    bool cursor = cell.attribute & ATTRIBUTE_CURSOR;
    if (!(cell.attribute & ATTRIBUTE_REVERSE) != !cursor) {
        uint32_t swap = ink;
        ink = paper;
        paper = swap;
    }
    size_t at = (size_t)row * FONT_HEIGHT * fb->scale * fb->pitch + (size_t)column * FONT_WIDTH * fb->scale;
    const uint8_t *glyph = fb->glyphs[cell.character - FONT_FIRST];
    if (fb->scale == 1)
        draw_glyph(fb->pixels + at, fb->pitch, glyph, ink, paper);
    else
        draw_scaled_glyph(fb->pixels + at, fb->pitch, fb->scale, glyph, ink, paper);
}

/* Draw the changed cells of a row until the budget is used up; true if the row is done. */
static bool flush_row(struct fb *fb, unsigned y, size_t *budget)
{
    const struct fb_cell *wanted = row_of(fb, y);
    unsigned cursor = y == fb->y ? MIN(fb->x, fb->columns - 1) : fb->columns;
    for (unsigned x = 0; x < fb->columns; x++) {
        struct fb_cell cell = wanted[x];
        if (x == cursor)
            cell.attribute |= ATTRIBUTE_CURSOR;
        struct fb_cell *shown = &fb->shown[y][x];
        if (cell.character == shown->character && cell.attribute == shown->attribute)
            continue;
        if (!*budget)
            return false;
        --*budget;
        draw_cell(fb, x, y, cell);
        *shown = cell;
    }
    return true;
}

bool fb_flush(struct fb *fb, size_t max_cells)
{
    if (!fb->pixels)
        return true;
    while (fb->dirty_from < fb->dirty_to) {
        if (!flush_row(fb, fb->dirty_from, &max_cells))
            return false;
        fb->dirty_from++;
    }
    fb->dirty_from = fb->rows;
    fb->dirty_to = 0;
    return true;
}

static void clear_pixels(struct fb *fb, uint32_t width, uint32_t height)
{
    uint32_t paper = pixel_value(fb, palette[0]);
    for (uint32_t y = 0; y < height; y++) {
        volatile uint32_t *line = fb->pixels + (size_t)y * fb->pitch;
        for (uint32_t x = 0; x < width; x++)
            line[x] = paper;
    }
}

static void make_glyphs(struct fb *fb)
{
    for (unsigned c = 0; c < FONT_COUNT; c++)
        for (unsigned row = 0; row < FONT_HEIGHT; row++)
            fb->glyphs[c][row] = font_row((uint8_t)(FONT_FIRST + c), row);
}

bool fb_init(struct fb *fb, void *memory, uint32_t width, uint32_t height, uint32_t pitch, enum fb_order order)
{
    fb->pixels = NULL;
    if (!memory || !width || pitch % 4 || pitch / 4 < width)
        return false;
    if (order != FB_BGRX && order != FB_RGBX)
        return false;
    /* The smallest scale that fits the cell arrays: 2 on a screen wider than 1920 pixels. */
    unsigned scale = 1 + (width - 1) / (FB_MAX_COLUMNS * FONT_WIDTH);
    if (width < FONT_WIDTH * scale || height < FONT_HEIGHT * scale)
        return false;
    memset(fb, 0, sizeof *fb);
    fb->pixels = memory;
    fb->pitch = pitch / 4;
    fb->order = order;
    fb->scale = scale;
    fb->columns = width / (FONT_WIDTH * scale);
    fb->rows = MIN(height / (FONT_HEIGHT * scale), (uint32_t)FB_MAX_ROWS);
    fb->attribute = COLOUR_DEFAULT;
    fb->dirty_from = fb->rows;
    make_glyphs(fb);
    clear_pixels(fb, width, height);
    for (unsigned y = 0; y < fb->rows; y++) {
        blank(fb, y, 0, fb->columns);
        memcpy(fb->shown[y], row_of(fb, y), sizeof fb->shown[y]);
    }
    return true;
}
