#include "hv/lib/fmt.h"
#include "tests/unit/test.h"

#include <string.h>

static bool prints(const char *expected, const char *format, ...)
{
    char buf[64];
    va_list args;
    va_start(args, format);
    size_t n = fmt_vprint(buf, sizeof buf, format, args);
    va_end(args);
    return n == strlen(expected) && !strcmp(buf, expected);
}

TEST(numbers_are_padded_and_signed)
{
    CHECK(prints("   7|7   |0007|-007", "%4d|%-4d|%04d|%04d", 7, 7, 7, -7));
    CHECK(prints("-9223372036854775808", "%ld", INT64_MIN));
    CHECK(prints("ffffffffffffffff", "%lx", UINT64_MAX));
    CHECK(prints("18446744073709551615", "%zu", SIZE_MAX));
}

TEST(text_honours_width_and_precision)
{
    CHECK(prints("[ab  ][  ab][a]", "[%-4s][%4s][%.*s]", "ab", "ab", 1, "ab"));
    CHECK(prints("(null) 100%", "%s 100%%", (char *)NULL));
}

TEST(a_short_buffer_is_terminated_and_the_full_length_returned)
{
    char buf[4];
    CHECK_EQ(fmt_print(buf, sizeof buf, "%s", "abcdef"), 6);
    CHECK(!strcmp(buf, "abc"));
    CHECK_EQ(fmt_print(NULL, 0, "%d", 12345), 5);
}

TEST(numbers_parse_only_when_the_whole_text_is_one)
{
    uint64_t v = 0;
    CHECK(fmt_parse_u64("18446744073709551615", 20, &v) && v == UINT64_MAX);
    CHECK(fmt_parse_u64("0xFf", 4, &v) && v == 255);
    CHECK(!fmt_parse_u64("18446744073709551616", 20, &v));
    CHECK(!fmt_parse_u64("12a", 3, &v));
    CHECK(!fmt_parse_u64("", 0, &v));
    CHECK(!fmt_parse_u64("0x", 2, &v));
}
