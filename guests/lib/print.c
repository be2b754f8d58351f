#include "lib/print.h"
#include "lib/cpu.h"

#include <stdarg.h>

enum { COM1 = 0x3f8, DIVISOR_LOW = 0, FIFO = 2, LINE_CONTROL = 3, LINE_STATUS = 5, DLAB = 0x80, BITS_8N1 = 3, CAN_SEND = 0x20 };

void print_init(void)
{
    out8(COM1 + LINE_CONTROL, DLAB | BITS_8N1);
    out8(COM1 + DIVISOR_LOW, 1);
    out8(COM1 + DIVISOR_LOW + 1, 0);
    out8(COM1 + LINE_CONTROL, BITS_8N1);
    out8(COM1 + FIFO, 7);
}

static void put(char c)
{
    while (!(in8(COM1 + LINE_STATUS) & CAN_SEND))
        ;
    out8(COM1, (uint8_t)c);
}

static void put_text(const char *s)
{
    while (*s)
        put(*s++);
}

static void put_number(uint64_t n, unsigned base)
{
    char digits[24];
    unsigned i = sizeof digits;
    digits[--i] = 0;
    do {
        digits[--i] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    put_text(digits + i);
}

static void put_signed(int64_t n)
{
    if (n < 0)
        put('-');
    put_number(n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 10);
}

static void put_argument(char kind, bool wide, va_list *args)
{
    switch (kind) {
    case 's': put_text(va_arg(*args, const char *)); break;
    case 'c': put((char)va_arg(*args, int)); break;
    case 'd': put_signed(wide ? va_arg(*args, int64_t) : va_arg(*args, int)); break;
    case 'u': put_number(wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned), 10); break;
    case 'x': put_number(wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned), 16); break;
    default: put(kind); break;
    }
}

void print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (; *format; format++) {
        if (*format == '\n')
            put('\r');
        if (*format != '%') {
            put(*format);
            continue;
        }
        bool wide = *++format == 'l';
        put_argument(*(format += wide), wide, &args);
    }
    va_end(args);
}

/* The rest of the command line after `name`, which must be a whole word or end in '='. */
static const char *find(const char *cmdline, const char *name)
{
    for (const char *word = cmdline; *word; word++) {
        const char *a = word, *b = name;
        while (*b && *a == *b)
            a++, b++;
        if (!*b && (word == cmdline || word[-1] == ' ') && (b[-1] == '=' || *a == ' ' || !*a))
            return a;
    }
    return NULL;
}

bool cmdline_has(const char *cmdline, const char *word)
{
    return find(cmdline, word);
}

uint64_t cmdline_number(const char *cmdline, const char *name, uint64_t otherwise)
{
    const char *s = find(cmdline, name);
    uint64_t n = 0;
    if (!s)
        return otherwise;
    while (*s >= '0' && *s <= '9')
        n = n * 10 + (uint64_t)(*s++ - '0');
    return n;
}
