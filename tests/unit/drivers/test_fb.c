#include <stdlib.h>
#include <string.h>
#include "drivers/fb.h"
#include "tests/unit/test.h"

#define WIDTH  320
#define HEIGHT 64   /* 40 columns, 4 rows */
#define PITCH  (WIDTH + 8)

static struct fb fb;
static uint32_t pixels[PITCH * HEIGHT];

static void fresh(void)
{
    memset(pixels, 0xEE, sizeof pixels);
    (void)fb_init(&fb, pixels, WIDTH, HEIGHT, PITCH * 4, FB_BGRX);
}

static void show(const char *text)
{
    fb_write(&fb, text, strlen(text));
    (void)fb_flush(&fb, SIZE_MAX);
}

/* Reads a row of the screen back from the pixels, by comparing with the font; '?' where nothing fits. */
static const char *row_text(unsigned row)
{
    static char text[WIDTH / FONT_WIDTH + 1];
    for (unsigned x = 0; x < WIDTH / FONT_WIDTH; x++) {
        const uint32_t *cell = pixels + row * FONT_HEIGHT * PITCH + x * FONT_WIDTH;
        text[x] = '?';
        for (unsigned c = FONT_FIRST; c <= FONT_LAST; c++) {
            bool same = true;
            for (unsigned i = 0; i < FONT_WIDTH * FONT_HEIGHT && same; i++) {
                bool ink = cell[i / FONT_WIDTH * PITCH + i % FONT_WIDTH] != pixels[HEIGHT * PITCH - 9];
                same = ink == !!(font_row((uint8_t)c, i / FONT_WIDTH) & 0x80 >> i % FONT_WIDTH);
            }
            if (same)
                text[x] = (char)c;
        }
    }
    size_t end = WIDTH / FONT_WIDTH;
    while (end && (text[end - 1] == ' ' || text[end - 1] == '?'))
        end--;
    text[end] = '\0';
    return text;
}

TEST(every_character_has_its_own_shape)
{
    for (unsigned a = FONT_FIRST; a <= FONT_LAST; a++)
        for (unsigned b = a + 1; b <= FONT_LAST; b++) {
            bool differ = false;
            for (unsigned r = 0; r < FONT_HEIGHT; r++)
                differ |= font_row((uint8_t)a, r) != font_row((uint8_t)b, r);
            CHECK(differ);
        }
}

TEST(text_appears_on_the_screen)
{
    fresh();
    show("Hello, world\r\n[linux] ready");
    CHECK(!strcmp(row_text(0), "Hello, world"));
    CHECK(!strcmp(row_text(1), "[linux] ready"));
}

TEST(the_screen_scrolls)
{
    fresh();
    show("one\r\ntwo\r\nthree\r\nfour\r\nfive\r\nsix");
    CHECK(!strcmp(row_text(0), "three"));
    CHECK(!strcmp(row_text(3), "six"));
}

TEST(a_long_line_wraps)
{
    fresh();
    show("0123456789012345678901234567890123456789x");
    CHECK(!strcmp(row_text(1), "x"));
}

TEST(only_changed_cells_are_drawn)
{
    fresh();
    show("abc");
    fb_write(&fb, "d", 1);
    CHECK(!fb_flush(&fb, 1)); /* the character and the cursor: two cells */
    CHECK(fb_flush(&fb, 1));
    fb_write(&fb, "\r\nabcd", 6);
    CHECK(fb_flush(&fb, 6));
}

TEST(a_colour_reaches_the_pixels_and_reset_ends_it)
{
    fresh();
    show("\033[31m_\033[0m_\033[7m_\033[m\r\n");
    uint32_t red = pixels[13 * PITCH], grey = pixels[13 * PITCH + 8];
    CHECK(red != grey);
    CHECK_EQ(red, 0xD05050);
    CHECK_EQ(pixels[16], grey); /* reversed: the paper has the ink's colour */
}

TEST(pixel_order_rgbx_swaps_red_and_blue)
{
    CHECK(fb_init(&fb, pixels, WIDTH, HEIGHT, PITCH * 4, FB_RGBX));
    show("\033[31m_");
    CHECK_EQ(pixels[13 * PITCH], 0x5050D0);
}

TEST(erasing_and_cursor_movement_work)
{
    fresh();
    show("abcdef\b\b\b\033[K\033[2;5Hmid\033[1Gleft\033[3;1Hx\033[D\033[Cy\033[Az\033[4;1H");
    CHECK(!strcmp(row_text(0), "abc"));
    CHECK(!strcmp(row_text(1), "leztmid"));
    CHECK(!strcmp(row_text(2), "xy"));
    show("\033[2J");
    CHECK(!strcmp(row_text(0), ""));
}

TEST(utf8_shows_one_box_for_each_character)
{
    fresh();
    show("a\xC3\xA9\xE2\x82\xAC" "b");
    CHECK(!strcmp(row_text(0), "a??b"));
}

TEST(nothing_outside_the_screen_is_written)
{
    fresh();
    uint32_t random = 7;
    for (int i = 0; i < 100000; i++) {
        random = random * 1664525u + 1013904223u;
        static const char alphabet[] = "\033\033[[;0123456789ABCDGHfJKm?\r\n\b\t xyz\xC3\xFF\x01";
        char c = alphabet[(random >> 16) % (sizeof alphabet - 1)];
        fb_write(&fb, &c, 1);
        if (i % 100 == 0)
            (void)fb_flush(&fb, 50);
    }
    for (unsigned y = 0; y < HEIGHT; y++)
        for (unsigned x = WIDTH; x < PITCH; x++)
            CHECK_EQ(pixels[y * PITCH + x], 0xEEEEEEEE);
}

TEST(a_large_screen_gets_larger_characters)
{
    uint32_t *large = malloc(3840u * 200 * 4);
    CHECK(fb_init(&fb, large, 3840, 200, 3840 * 4, FB_BGRX));
    CHECK_EQ(fb.scale, 2);
    CHECK_EQ(fb.columns, 240);
    CHECK_EQ(fb.rows, 6);
    for (int i = 0; i < 10; i++)
        show("large\r\n");
    free(large);
}

TEST(an_impossible_screen_is_refused_and_then_ignored)
{
    CHECK(!fb_init(&fb, NULL, WIDTH, HEIGHT, PITCH * 4, FB_BGRX));
    CHECK(!fb_init(&fb, pixels, WIDTH, HEIGHT, WIDTH * 4 - 4, FB_BGRX));
    CHECK(!fb_init(&fb, pixels, 4, 4, 16, FB_BGRX));
    CHECK(!fb_init(&fb, pixels, WIDTH, HEIGHT, PITCH * 4 + 2, FB_BGRX));
    CHECK(!fb_init(&fb, pixels, WIDTH, HEIGHT, PITCH * 4, (enum fb_order)0));
    show("nobody sees this");
    CHECK(fb_flush(&fb, 1));
}
