#include <stdlib.h>
#include <string.h>
#include "hv/con/con_queue.h"
#include "tests/unit/test.h"

static struct con_queue q;

TEST(bytes_come_out_in_the_order_they_went_in)
{
    memset(&q, 0, sizeof q);
    char out[16];
    CHECK(con_queue_put(&q, 0, false, "abc", 3));
    CHECK(con_queue_put(&q, 1, false, "def", 3));
    CHECK(con_queue_put(&q, 1, false, "ghi", 3));
    CHECK_EQ(con_queue_peek(&q, out, 4), 4);
    CHECK(!memcmp(out, "abcd", 4));
    con_queue_consume(&q, 4);
    CHECK(con_queue_put(&q, 1, false, "jkl", 3));
    CHECK_EQ(con_queue_peek(&q, out, sizeof out), 8);
    CHECK(!memcmp(out, "efghijkl", 8));
    con_queue_consume(&q, 8);
    CHECK_EQ(con_queue_used(&q), 0);
    CHECK_EQ(q.queued[0] + q.queued[1], 0);
}

TEST(one_source_takes_half_and_two_a_third_each)
{
    memset(&q, 0, sizeof q);
    char text[100] = { 0 };
    while (con_queue_put(&q, 0, false, text, sizeof text))
        ;
    CHECK(q.queued[0] > CON_QUEUE_SIZE / 2 - 200 && q.queued[0] <= CON_QUEUE_SIZE / 2);
    while (con_queue_put(&q, 1, false, text, sizeof text))
        ;
    CHECK(q.queued[1] > CON_QUEUE_SIZE / 4 - 200);
    while (con_queue_put(&q, 2, true, text, sizeof text))
        ;
    CHECK(con_queue_used(&q) > CON_QUEUE_SIZE - 200);
    CHECK_EQ(q.dropped_bytes[0], 100);
}

TEST(dropped_lines_and_bytes_are_counted)
{
    memset(&q, 0, sizeof q);
    char text[CON_RECORD_MAX] = { 0 };
    while (con_queue_put(&q, 0, true, text, sizeof text))
        ;
    uint32_t before = q.dropped_bytes[3];
    for (int i = 0; i < 300; i++)
        (void)con_queue_put(&q, 3, false, "one\ntwo\n", 8);
    CHECK(q.dropped_bytes[3] > before);
    CHECK_EQ(q.dropped_lines[3] * 4, q.dropped_bytes[3]);
}

TEST(random_puts_and_takes_keep_the_stream_and_the_accounts)
{
    memset(&q, 0, sizeof q);
    uint32_t random = 3;
    uint8_t in = 0, expect = 0;
    for (int i = 0; i < 200000; i++) {
        random = random * 1664525u + 1013904223u;
        char text[CON_RECORD_MAX];
        size_t len = (random >> 8) % (sizeof text + 1);
        if (random >> 31) {
            for (size_t k = 0; k < len; k++)
                text[k] = (char)(uint8_t)(in + k);
            if (con_queue_put(&q, (random >> 24) % CON_QUEUE_SOURCES, random & 1, text, len))
                in = (uint8_t)(in + len);
        } else {
            size_t n = con_queue_peek(&q, text, len);
            for (size_t k = 0; k < n; k++)
                CHECK_EQ((uint8_t)text[k], expect++);
            con_queue_consume(&q, n);
        }
        uint64_t sum = 0;
        for (unsigned s = 0; s < CON_QUEUE_SOURCES; s++)
            sum += q.queued[s];
        CHECK_EQ(sum, con_queue_used(&q));
        CHECK(con_queue_used(&q) <= CON_QUEUE_SIZE);
    }
}
