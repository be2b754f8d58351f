#include <string.h>
#include "hv/trace/frame.h"
#include "tests/unit/test.h"

TEST(crc32_is_that_of_zlib)
{
    CHECK_EQ(trace_crc32("", 0), 0);
    CHECK_EQ(trace_crc32("123456789", 9), 0xcbf43926);
}

TEST(base64_is_that_of_the_rfc)
{
    static const char *const pairs[][2] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd", "//79" },
    };
    char out[16];
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        CHECK_EQ(trace_base64(out, pairs[i][0], strlen(pairs[i][0])), strlen(pairs[i][1]));
        CHECK(!strcmp(out, pairs[i][1]));
    }
}

TEST(a_frame_ends_with_the_checksum_of_all_before_it)
{
    char out[TRACE_FRAME_SIZE];
    unsigned crc;
    trace_frame(out, 12, "P %u %s", 3, "linux");
    char *hash = strrchr(out, '#');
    CHECK(!strncmp(out, "@trace 12 P 3 linux #", 21));
    CHECK(hash && sscanf(hash, "#%8x", &crc) == 1);
    CHECK_EQ(trace_crc32(out, (size_t)(hash - 1 - out)), crc);
}

TEST(a_body_that_does_not_fit_is_cut_and_still_has_its_checksum)
{
    char out[TRACE_FRAME_SIZE], body[400];
    memset(body, 'x', sizeof body);
    body[399] = '\0';
    trace_frame(out, 1, "%s", body);
    CHECK_EQ(strlen(out), TRACE_FRAME_SIZE - 1);
    CHECK(out[TRACE_FRAME_SIZE - 10] == '#');
}
