#include <string.h>
#include "boot/last_log.h"
#include "tests/unit/test.h"

static union {
    struct log_ring ring;
    char raw[LAST_LOG_AREA];
} area;
static char text[LAST_LOG_TEXT];

static void fill(uint64_t size, const char *content)
{
    memset(&area, 0, sizeof area);
    uint64_t head = 0;
    for (; *content; content++)
        area.ring.text[head++ & (size - 1)] = *content;
    area.ring = (struct log_ring){ LOG_RING_MAGIC, size, head, ~head };
}

TEST(random_memory_is_no_ring)
{
    memset(&area, 0xa5, sizeof area);
    CHECK(!last_log_valid(&area.ring));
    memset(&area, 0, sizeof area);
    CHECK(!last_log_valid(&area.ring));
}

TEST(a_ring_with_impossible_numbers_is_refused)
{
    fill(16, "hello\n");
    CHECK(last_log_valid(&area.ring));
    area.ring.size = 24;
    CHECK(!last_log_valid(&area.ring));
    area.ring.size = LAST_LOG_TEXT * 2;
    CHECK(!last_log_valid(&area.ring));
    area.ring.size = 0;
    CHECK(!last_log_valid(&area.ring));
    fill(16, "hello\n");
    area.ring.head++;
    CHECK(!last_log_valid(&area.ring));
    fill(16, "");
    CHECK(!last_log_valid(&area.ring));
}

TEST(a_short_log_is_copied_whole)
{
    fill(16, "one\ntwo\n");
    size_t len = last_log_copy(&area.ring, text);
    CHECK_EQ(len, 8);
    CHECK(!memcmp(text, "one\ntwo\n", 8));
}

TEST(a_wrapped_log_starts_with_a_whole_line)
{
    fill(16, "first line\nsecond\nthird\n");
    size_t len = last_log_copy(&area.ring, text);
    CHECK_EQ(len, 13);
    CHECK(!memcmp(text, "second\nthird\n", 13));
}

TEST(the_logger_itself_makes_a_valid_ring)
{
    memset(&area, 0, sizeof area);
    log_init(&area, sizeof area);
    log_line("line %d", 1);
    CHECK(last_log_valid(&area.ring));
    CHECK_EQ(area.ring.size, LAST_LOG_TEXT);
    static struct log_ring back_to_rest_of_tests[64];
    log_init(back_to_rest_of_tests, sizeof back_to_rest_of_tests);
}
