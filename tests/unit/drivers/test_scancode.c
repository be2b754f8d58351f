#include <string.h>
#include "drivers/i8042.h"
#include "tests/unit/test.h"

static char typed[64];
static size_t typed_count;

static void keys(struct scancode *s, const char *codes, size_t count)
{
    typed_count = 0;
    for (size_t i = 0; i < count; i++) {
        char out[SCANCODE_MAX_BYTES];
        size_t n = scancode_feed(s, (uint8_t)codes[i], out);
        if (typed_count + n < sizeof typed)
            memcpy(typed + typed_count, out, n);
        typed_count += n;
    }
    typed[typed_count < sizeof typed ? typed_count : 0] = '\0';
}
#define KEYS(s, codes) keys(s, codes, sizeof codes - 1)

TEST(letters_come_on_the_press_and_not_on_the_release)
{
    struct scancode s = { 0 };
    KEYS(&s, "\x26\xA6\x17\x97\x1F\x9F\x14\x94\x1C\x9C");
    CHECK(!strcmp(typed, "list\r"));
}

TEST(shift_and_caps_lock_make_capitals_and_cancel_each_other)
{
    struct scancode s = { 0 };
    KEYS(&s, "\x2A\x1E\x02\xAA\x1E");
    CHECK(!strcmp(typed, "A!a"));
    KEYS(&s, "\x3A\xBA\x1E\x02\x36\x1E\xB6\x3A\xBA\x1E");
    CHECK(!strcmp(typed, "A1aa"));
}

TEST(control_with_the_closing_bracket_is_the_console_s_prefix)
{
    struct scancode s = { 0 };
    KEYS(&s, "\x1D\x1B\x9D\x1B");
    CHECK(!strcmp(typed, "\x1D]"));
    KEYS(&s, "\xE0\x1D\x1E\x2E\xE0\x9D\x1E"); /* the right Ctrl */
    CHECK(!strcmp(typed, "\x01\x03" "a"));
}

TEST(cursor_keys_send_a_terminal_s_sequences)
{
    struct scancode s = { 0 };
    KEYS(&s, "\xE0\x48\xE0\xC8\xE0\x4B\xE0\x53");
    CHECK(!strcmp(typed, "\033[A\033[D\033[3~"));
    KEYS(&s, "\x48"); /* 8 on the numeric pad */
    CHECK(!strcmp(typed, "8"));
}

TEST(pause_and_the_keyboard_s_own_messages_type_nothing)
{
    struct scancode s = { 0 };
    KEYS(&s, "\xE1\x1D\x45\xE1\x9D\xC5\xFA\xFE\x1E");
    CHECK(!strcmp(typed, "a"));
}

TEST(backspace_sends_del_and_alt_sends_escape_first)
{
    struct scancode s = { 0 };
    KEYS(&s, "\x0E\x38\x30\xB8\xE0\x38\x30");
    CHECK(!strcmp(typed, "\x7F\033bb"));
}

TEST(any_bytes_whatever_make_at_most_four_characters)
{
    struct scancode s = { 0 };
    uint32_t random = 1;
    for (int i = 0; i < 200000; i++) {
        char out[SCANCODE_MAX_BYTES];
        random = random * 1664525u + 1013904223u;
        CHECK(scancode_feed(&s, (uint8_t)(random >> 24), out) <= SCANCODE_MAX_BYTES);
    }
}

/* A controller with bytes waiting; `config` is what it was told. */
static struct {
    bool missing, deaf;
    uint8_t config, command;
    const char *waiting;
    uint8_t status_extra;
} chip;

static uint8_t in8(uint16_t port)
{
    if (chip.missing)
        return 0xFF;
    bool reply = chip.command == 0x20;
    if (port == 0x64)
        return (uint8_t)((*chip.waiting || reply) | (chip.deaf ? 2 : 0) | chip.status_extra);
    if (reply) {
        chip.command = 0;
        return chip.config;
    }
    return (uint8_t)(*chip.waiting ? *chip.waiting++ : 0);
}

static void out8(uint16_t port, uint8_t value)
{
    if (port == 0x64)
        chip.command = value;
    else if (chip.command == 0x60)
        chip.config = value;
}

static const struct port_io io = { in8, out8 };

TEST(the_controller_is_set_to_translate_and_to_interrupt_if_asked)
{
    struct i8042 k;
    memset(&chip, 0, sizeof chip);
    chip.config = 0x12;
    chip.waiting = "\x1E\x1E";
    CHECK(i8042_init(&k, &io));
    CHECK_EQ(chip.config, 0x40);
    CHECK_EQ(*chip.waiting, 0);
    i8042_set_irq(&k, true);
    CHECK_EQ(chip.config, 0x41);
}

TEST(a_missing_or_deaf_controller_is_given_up)
{
    struct i8042 k;
    char out[SCANCODE_MAX_BYTES];
    size_t count;
    memset(&chip, 0, sizeof chip);
    chip.waiting = "";
    chip.missing = true;
    CHECK(!i8042_init(&k, &io));
    CHECK(!i8042_poll(&k, out, &count));
    chip.missing = false;
    chip.deaf = true;
    CHECK(!i8042_init(&k, &io));
}

TEST(a_mouse_s_bytes_are_dropped)
{
    struct i8042 k;
    char out[SCANCODE_MAX_BYTES];
    size_t count;
    memset(&chip, 0, sizeof chip);
    chip.waiting = "";
    CHECK(i8042_init(&k, &io));
    chip.waiting = "\x1E";
    chip.status_extra = 0x20;
    CHECK(i8042_poll(&k, out, &count));
    CHECK_EQ(count, 0);
    chip.waiting = "\x1E";
    chip.status_extra = 0;
    CHECK(i8042_poll(&k, out, &count));
    CHECK_EQ(count, 1);
    CHECK_EQ(out[0], 'a');
    CHECK(!i8042_poll(&k, out, &count));
}
