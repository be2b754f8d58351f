#include "hv/con/con_line.h"

#define TAB_STOP 8

static void put_character(struct con_line *l, char character)
{
    if (l->cursor >= CON_LINE_SIZE)
        return;
    l->text[l->cursor++] = character;
    l->length = MAX(l->length, l->cursor);
}

static bool put_control(struct con_line *l, uint8_t byte)
{
    switch (byte) {
    case '\n':
        return true;
    case '\r':
        l->cursor = 0;
        break;
    case '\b':
        if (l->cursor)
            l->cursor--;
        break;
    case '\t':
        do
            put_character(l, ' ');
        while (l->cursor % TAB_STOP && l->cursor < CON_LINE_SIZE);
        break;
    default:
        break; /* NUL, BEL, DEL and the like have nothing to show */
    }
    return l->cursor >= CON_LINE_SIZE;
}

/* A guest that moves its cursor about the screen draws fields, not lines: each becomes a line of its own. */
static bool ends_a_field(const struct con_line *l)
{
    bool moves = l->ansi.final == 'H' || l->ansi.final == 'f' || l->ansi.final == 'J';
    return moves && !l->ansi.marker && l->length;
}

bool con_line_feed(struct con_line *l, uint8_t byte)
{
    switch (ansi_feed(&l->ansi, byte)) {
    case ANSI_PENDING:
    case ANSI_OTHER:
        return false;
    case ANSI_CSI:
        if (l->ansi.final == 'K' && ansi_parameter(&l->ansi, 0, 0) == 0)
            l->length = MIN(l->length, l->cursor);
        return ends_a_field(l);
    case ANSI_TEXT:
        break;
    }
    if (byte < 0x20 || byte == 0x7F)
        return put_control(l, byte);
    /* One '?' for a character of several bytes (UTF-8): its continuation bytes, and with them the 8-bit control
     * characters, are dropped. */
    if (byte >= 0x80 && byte < 0xC0)
        return false;
    put_character(l, byte < 0x80 ? (char)byte : '?');
    return l->cursor >= CON_LINE_SIZE;
}

void con_line_clear(struct con_line *l, bool continued)
{
    l->cursor = 0;
    l->length = 0;
    l->since = 0;
    l->continued = continued;
}
