#include "drivers/scancode.h"
#include "hv/lib/str.h"

#define HELD_SHIFT   0x03 /* left, right */
#define HELD_CONTROL 0x0C
#define HELD_LEFT_ALT 0x10 /* AltGr is 0x20 */

#define CODE_RELEASED     0x80
#define CODE_EXTENDED     0xE0
#define CODE_PAUSE_PREFIX 0xE1
#define CODE_CAPS_LOCK    0x3A
#define CODE_BREAK_FIRST  0xFA /* FAh acknowledge, FEh resend, FFh error: the keyboard's own messages */

#define ESC "\033"

static const char plain[] =
    "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
_Static_assert(sizeof plain == sizeof shifted, "the two layers have the same keys");

/* Keys of the numeric pad, from 47h on, while not extended: always digits, Num Lock or not. */
static const char numeric_pad[] = "789-456+1230.";
#define NUMERIC_PAD_FIRST 0x47

static const struct { uint8_t code; const char *sends; } extended_keys[] = {
    { 0x1C, "\r" },     { 0x35, "/" },      { 0x47, ESC "[H" },  { 0x48, ESC "[A" },  { 0x49, ESC "[5~" },
    { 0x4B, ESC "[D" }, { 0x4D, ESC "[C" }, { 0x4F, ESC "[F" },  { 0x50, ESC "[B" },  { 0x51, ESC "[6~" },
    { 0x52, ESC "[2~" }, { 0x53, ESC "[3~" },
};

static const struct { uint8_t code; bool extended; uint8_t held; } modifiers[] = {
    { 0x2A, false, 0x01 }, { 0x36, false, 0x02 }, { 0x1D, false, 0x04 },
    { 0x1D, true, 0x08 },  { 0x38, false, 0x10 }, { 0x38, true, 0x20 },
};

static bool take_modifier(struct scancode *s, uint8_t key, bool extended, bool released)
{
    for (unsigned i = 0; i < ARRAY_SIZE(modifiers); i++) {
        if (modifiers[i].code != key || modifiers[i].extended != extended)
            continue;
        s->held = (uint8_t)(released ? s->held & ~modifiers[i].held : s->held | modifiers[i].held);
        return true;
    }
    return false;
}

static size_t send_extended(uint8_t key, char out[SCANCODE_MAX_BYTES])
{
    for (unsigned i = 0; i < ARRAY_SIZE(extended_keys); i++)
        if (extended_keys[i].code == key) {
            size_t n = strlen(extended_keys[i].sends);
            memcpy(out, extended_keys[i].sends, n);
            return n;
        }
    return 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* As terminals do: Ctrl with @ A-Z [ \ ] ^ _ gives 00h-1Fh; Ctrl-Space is Ctrl-@, Ctrl-6 is Ctrl-^, Ctrl-- is Ctrl-_. */
static char with_control(char c)
{
    if (c == ' ' || c == '2')
        return 0;
    if (c == '6')
        return 0x1E;
    if (c == '-' || c == '/')
        return 0x1F;
    if (c >= '@' && c < 0x7F)
        return (char)(c & 0x1F);
    return c;
}

static char character_of(const struct scancode *s, uint8_t key)
{
    if (key >= NUMERIC_PAD_FIRST && key < NUMERIC_PAD_FIRST + sizeof numeric_pad - 1)
        return numeric_pad[key - NUMERIC_PAD_FIRST];
    if (key >= sizeof plain - 1)
        return 0;
    bool upper = s->held & HELD_SHIFT;
    if (s->caps_lock && is_letter(plain[key]))
        upper = !upper;
    return upper ? shifted[key] : plain[key];
}

/* Alt sends an ESC first, as terminals do; AltGr, which chooses characters on other layouts, is the same as no Alt. */
static size_t send_character(const struct scancode *s, char c, char out[SCANCODE_MAX_BYTES])
{
    size_t n = 0;
    if (s->held & HELD_LEFT_ALT)
        out[n++] = '\033';
    out[n++] = s->held & HELD_CONTROL ? with_control(c) : c;
    return n;
}

size_t scancode_feed(struct scancode *s, uint8_t code, char out[SCANCODE_MAX_BYTES])
{
    if (s->skip) {
        s->skip--;
        return 0;
    }
    if (code == CODE_PAUSE_PREFIX) {
        s->skip = 2;
        return 0;
    }
    if (code == CODE_EXTENDED) {
        s->extended = true;
        return 0;
    }
    bool extended = s->extended;
    s->extended = false;
    if (code >= CODE_BREAK_FIRST)
        return 0;
    uint8_t key = code & (uint8_t)~CODE_RELEASED;
    bool released = code & CODE_RELEASED;
    if (take_modifier(s, key, extended, released) || released)
        return 0;
    if (extended)
        return send_extended(key, out);
    if (key == CODE_CAPS_LOCK) {
        s->caps_lock = !s->caps_lock;
        return 0;
    }
    char c = character_of(s, key);
    return c ? send_character(s, c, out) : 0;
}
