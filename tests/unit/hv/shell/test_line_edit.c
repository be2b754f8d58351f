#include <string.h>
#include "hv/shell/line_edit.h"
#include "tests/unit/test.h"

/* A terminal of one line: applies what the editor writes, so that the tests see what its user sees. */
static char screen[256];
static unsigned column, width;
static char entered[LINE_EDIT_SIZE];
static unsigned lines, bells;
static struct ansi ansi;
static struct line_edit edit;

static void screen_byte(uint8_t byte)
{
    enum ansi_event event = ansi_feed(&ansi, byte);
    if (event == ANSI_CSI && ansi.final == 'K')
        memset(screen + column, 0, sizeof screen - column);
    if (event == ANSI_CSI && ansi.final == 'D')
        column -= ansi_parameter(&ansi, 0, 1);
    if (event != ANSI_TEXT)
        return;
    if (byte == '\a')
        bells++;
    else if (byte == '\r')
        column = 0;
    else if (byte == '\n')
        memset(screen, 0, sizeof screen), column = 0;
    else if (column < sizeof screen - 1)
        screen[column++] = (char)byte;
    width = column;
}

static void write(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        screen_byte((uint8_t)text[i]);
}

static void line(void *ctx, const char *text)
{
    (void)ctx;
    strcpy(entered, text);
    lines++;
}

static bool complete(void *ctx, const char *text, size_t cursor, char *more, size_t size)
{
    (void)ctx, (void)size;
    if (cursor == 2 && !strncmp(text, "li", 2))
        strcpy(more, "st ");
    return cursor == 0;
}

static void type(const char *keys)
{
    while (*keys)
        line_edit_feed(&edit, (uint8_t)*keys++);
}

static void fresh(void)
{
    memset(screen, 0, sizeof screen);
    memset(&ansi, 0, sizeof ansi);
    column = lines = bells = 0;
    entered[0] = '\0';
    line_edit_init(&edit, "> ", &(struct line_edit_hooks){ write, line, complete, NULL });
    line_edit_redraw(&edit);
}

#define SEES(text, at) (!strcmp(screen, "> " text) && column == (at) + 2)

TEST(a_typed_line_is_handed_over_by_enter)
{
    fresh();
    type("list");
    CHECK(SEES("list", 4));
    type("\r");
    CHECK(!strcmp(entered, "list"));
    CHECK(SEES("", 0));
}

TEST(cr_lf_is_one_enter_and_lf_alone_is_one_too)
{
    fresh();
    type("a\r\n");
    CHECK_EQ(lines, 1);
    type("\n\n");
    CHECK_EQ(lines, 3);
}

TEST(backspace_and_delete_work_in_the_middle)
{
    fresh();
    type("lxist\033[D\033[D\033[D\x7F");
    CHECK(SEES("list", 1));
    type("\033[3~");
    CHECK(SEES("lst", 1));
    type("\x08\x08\x08");
    CHECK(SEES("st", 0));
}

TEST(home_end_and_control_letters_move)
{
    fresh();
    type("onsole\x01" "c\x05 linux");
    CHECK(SEES("console linux", 13));
    type("\033[H\033[C\x0B");
    CHECK(SEES("c", 1));
    type("d\x15" "ok");
    CHECK(SEES("ok", 2));
    type(" one two\x17");
    CHECK(SEES("ok one ", 7));
}

TEST(control_c_abandons_the_line)
{
    fresh();
    type("poweroff\x03\r");
    CHECK(!strcmp(entered, ""));
    CHECK(SEES("", 0));
}

TEST(the_history_goes_back_and_forth_and_keeps_the_draft)
{
    fresh();
    type("one\rtwo\rdraft\033[A");
    CHECK(SEES("two", 3));
    type("\033[A");
    CHECK(SEES("one", 3));
    type("\033[A");
    CHECK(bells == 1 && SEES("one", 3));
    type("\033[B\033[B");
    CHECK(SEES("draft", 5));
    type("\033[A!\r");
    CHECK(!strcmp(entered, "two!"));
}

TEST(the_history_forgets_the_oldest_and_repeats_nothing)
{
    fresh();
    for (int i = 0; i < 40; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d\r", i);
        type(text);
        type(text);
    }
    for (int i = 0; i < LINE_EDIT_HISTORY; i++)
        type("\033[A");
    CHECK(SEES("24", 2));
}

TEST(tab_completes_what_is_certain)
{
    fresh();
    type("li\t");
    CHECK(SEES("list ", 5));
    type("\x01\x0B\t");
    CHECK(SEES("", 0));
}

TEST(a_line_too_long_is_refused_with_a_bell)
{
    fresh();
    for (int i = 0; i < 500; i++)
        type("x");
    CHECK_EQ(bells, 500 - (LINE_EDIT_SIZE - 1));
    type("\r");
    CHECK_EQ(strlen(entered), LINE_EDIT_SIZE - 1);
}

TEST(no_key_sequence_whatever_breaks_the_editor)
{
    fresh();
    uint32_t random = 11;
    for (int i = 0; i < 200000; i++) {
        random = random * 1664525u + 1013904223u;
        static const char alphabet[] = "ab \033\033[[ABCDHF~13478\x01\x02\x03\x04\x05\x06\x08\x0B\x0E\x10\x15\x17\x7F\t\r\xFF";
        line_edit_feed(&edit, (uint8_t)alphabet[(random >> 16) % (sizeof alphabet - 1)]);
        CHECK(edit.cursor <= edit.length && edit.length < LINE_EDIT_SIZE);
        CHECK_EQ(column, edit.cursor + 2);
    }
}
