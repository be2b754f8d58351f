#include "hv/lib/ansi.h"

#define BEL 0x07
#define CAN 0x18
#define SUB 0x1A
#define ESC 0x1B

#define PARAMETER_LIMIT 9999u

static enum ansi_event after_escape(struct ansi *a, uint8_t byte)
{
    if (byte == '[') {
        *a = (struct ansi){ .state = ANSI_IN_CSI, .count = 1 };
        return ANSI_PENDING;
    }
    /* DCS, SOS, OSC, PM, APC: text up to a string terminator. */
    if (byte == 'P' || byte == 'X' || byte == ']' || byte == '^' || byte == '_') {
        a->state = ANSI_IN_STRING;
        return ANSI_PENDING;
    }
    if (byte >= 0x20 && byte <= 0x2F) {
        a->state = ANSI_INTERMEDIATE;
        return ANSI_PENDING;
    }
    a->state = ANSI_GROUND;
    return ANSI_OTHER;
}

static void add_digit(struct ansi *a, uint8_t digit)
{
    if (a->count > ANSI_MAX_PARAMETERS)
        return;
    uint16_t *p = &a->parameter[a->count - 1];
    unsigned value = *p * 10u + digit;
    *p = (uint16_t)MIN(value, PARAMETER_LIMIT);
}

static enum ansi_event in_csi(struct ansi *a, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        add_digit(a, (uint8_t)(byte - '0'));
    } else if (byte == ';' || byte == ':') {
        if (a->count <= ANSI_MAX_PARAMETERS)
            a->count++;
    } else if (byte >= '<' && byte <= '?') {
        a->marker = byte;
    } else if (byte >= 0x40 && byte <= 0x7E) {
        a->count = MIN(a->count, ANSI_MAX_PARAMETERS);
        a->final = byte;
        a->state = ANSI_GROUND;
        return ANSI_CSI;
    }
    return ANSI_PENDING;
}

static enum ansi_event in_string(struct ansi *a, uint8_t byte)
{
    /* A line's end ends the string, too: it cannot swallow what follows for ever. */
    if (byte == BEL || byte == '\n') {
        a->state = ANSI_GROUND;
        return byte == BEL ? ANSI_OTHER : ANSI_TEXT;
    }
    return ANSI_PENDING;
}

enum ansi_event ansi_feed(struct ansi *a, uint8_t byte)
{
    if (byte == CAN || byte == SUB) {
        bool inside = a->state != ANSI_GROUND;
        a->state = ANSI_GROUND;
        return inside ? ANSI_OTHER : ANSI_TEXT;
    }
    if (byte == ESC) {
        /* Also in the middle of a sequence: it begins a new one; ESC \ then ends a string. */
        a->state = ANSI_ESCAPE;
        return ANSI_PENDING;
    }
    switch ((enum ansi_state)a->state) {
    case ANSI_GROUND:
        return ANSI_TEXT;
    case ANSI_IN_STRING:
        return in_string(a, byte);
    default:
        break;
    }
    /* Control characters inside a sequence take effect as if they stood before it. */
    if (byte < 0x20 || byte >= 0x7F) {
        if (byte < 0x20 && byte != '\n')
            return ANSI_PENDING;
        a->state = ANSI_GROUND;
        return ANSI_TEXT;
    }
    switch ((enum ansi_state)a->state) {
    case ANSI_ESCAPE:
        return after_escape(a, byte);
    case ANSI_INTERMEDIATE:
        if (byte <= 0x2F)
            return ANSI_PENDING;
        a->state = ANSI_GROUND;
        return ANSI_OTHER;
    default:
        return in_csi(a, byte);
    }
}
