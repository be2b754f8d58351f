#include <string.h>
#include "hv/lib/ansi.h"
#include "tests/unit/test.h"

static enum ansi_event feed(struct ansi *a, const char *text)
{
    enum ansi_event last = ANSI_TEXT;
    while (*text)
        last = ansi_feed(a, (uint8_t)*text++);
    return last;
}

TEST(text_is_text)
{
    struct ansi a = { 0 };
    CHECK_EQ(feed(&a, "hello\r\n"), ANSI_TEXT);
    CHECK_EQ(ansi_feed(&a, 0xFF), ANSI_TEXT);
}

TEST(a_control_sequence_gives_its_final_byte_and_parameters)
{
    struct ansi a = { 0 };
    CHECK_EQ(feed(&a, "\033[12;;7"), ANSI_PENDING);
    CHECK_EQ(feed(&a, "H"), ANSI_CSI);
    CHECK_EQ(a.final, 'H');
    CHECK_EQ(a.count, 3);
    CHECK_EQ(ansi_parameter(&a, 0, 1), 12);
    CHECK_EQ(ansi_parameter(&a, 1, 1), 1);
    CHECK_EQ(ansi_parameter(&a, 2, 1), 7);
    CHECK_EQ(ansi_parameter(&a, 3, 5), 5);
    CHECK_EQ(feed(&a, "x"), ANSI_TEXT);
}

TEST(a_private_sequence_is_marked)
{
    struct ansi a = { 0 };
    CHECK_EQ(feed(&a, "\033[?25h"), ANSI_CSI);
    CHECK_EQ(a.marker, '?');
    CHECK_EQ(feed(&a, "\033[m"), ANSI_CSI);
    CHECK_EQ(a.marker, 0);
}

TEST(parameters_without_end_neither_overflow_nor_are_kept)
{
    struct ansi a = { 0 };
    feed(&a, "\033[");
    for (int i = 0; i < 100000; i++)
        CHECK_EQ(feed(&a, "99999999;"), ANSI_PENDING);
    CHECK_EQ(feed(&a, "m"), ANSI_CSI);
    CHECK_EQ(a.count, ANSI_MAX_PARAMETERS);
    CHECK_EQ(a.parameter[0], 9999);
}

TEST(a_string_ends_with_bel_or_st_or_the_line)
{
    struct ansi a = { 0 };
    CHECK_EQ(feed(&a, "\033]0;title"), ANSI_PENDING);
    CHECK_EQ(feed(&a, "\a"), ANSI_OTHER);
    CHECK_EQ(feed(&a, "\033Pdata\033\\"), ANSI_OTHER);
    CHECK_EQ(feed(&a, "\033]0;endless"), ANSI_PENDING);
    CHECK_EQ(feed(&a, "\n"), ANSI_TEXT);
    CHECK_EQ(feed(&a, "text"), ANSI_TEXT);
}

TEST(cancel_and_a_new_escape_end_a_sequence)
{
    struct ansi a = { 0 };
    CHECK_EQ(feed(&a, "\033[12\030"), ANSI_OTHER);
    CHECK_EQ(feed(&a, "m"), ANSI_TEXT);
    CHECK_EQ(feed(&a, "\033[12\033[3m"), ANSI_CSI);
    CHECK_EQ(a.parameter[0], 3);
}

TEST(character_sets_and_two_character_sequences_are_swallowed)
{
    struct ansi a = { 0 };
    CHECK_EQ(feed(&a, "\033(B"), ANSI_OTHER);
    CHECK_EQ(feed(&a, "\033c"), ANSI_OTHER);
    CHECK_EQ(feed(&a, "B"), ANSI_TEXT);
}
