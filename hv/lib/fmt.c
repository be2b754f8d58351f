#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

struct out {
    char *buf;
    size_t size, len;
};

struct spec {
    bool left, zero;
    size_t width, precision;
    int length; /* count of 'l'; 'z' counts as 1 */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void pad(struct out *o, char c, size_t have, size_t want)
{
    for (; have < want; have++)
        put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text, size_t len)
{
    if (!s->left)
        pad(o, ' ', len, s->width);
    for (size_t i = 0; i < len; i++)
        put(o, text[i]);
    if (s->left)
        pad(o, ' ', len, s->width);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, bool upper, bool minus)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24];
    size_t n = sizeof text;
    do
        text[--n] = digits[v % base];
    while (v /= base);
    size_t len = sizeof text - n + minus;
    if (!s->left && !s->zero)
        pad(o, ' ', len, s->width);
    if (minus)
        put(o, '-');
    if (!s->left && s->zero)
        pad(o, '0', len, s->width);
    for (; n < sizeof text; n++)
        put(o, text[n]);
    if (s->left)
        pad(o, ' ', len, s->width);
}

static const char *parse_count(const char *f, va_list *args, size_t *out)
{
    if (*f == '*') {
        *out = (size_t)va_arg(*args, int);
        return f + 1;
    }
    for (*out = 0; *f >= '0' && *f <= '9'; f++)
        *out = *out * 10 + (size_t)(*f - '0');
    return f;
}

static const char *parse_spec(const char *f, va_list *args, struct spec *s)
{
    *s = (struct spec){ .precision = SIZE_MAX };
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->zero = true;
        else
            break;
    }
    f = parse_count(f, args, &s->width);
    if (*f == '.')
        f = parse_count(f + 1, args, &s->precision);
    for (; *f == 'l' || *f == 'z'; f++)
        s->length++;
    return f;
}

static void convert(struct out *o, char c, struct spec *s, va_list *args)
{
    switch (c) {
    case 'c': {
        char ch = (char)va_arg(*args, int);
        put_text(o, s, &ch, 1);
        return;
    }
    case 's': {
        const char *text = va_arg(*args, const char *);
        text = text ? text : "(null)";
        put_text(o, s, text, strnlen(text, s->precision));
        return;
    }
    case 'd':
    case 'i': {
        int64_t v = s->length ? va_arg(*args, long) : va_arg(*args, int);
        put_number(o, s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, false, v < 0);
        return;
    }
    case 'u':
    case 'x':
    case 'X': {
        uint64_t v = s->length ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
        put_number(o, s, v, c == 'u' ? 10 : 16, c == 'X', false);
        return;
    }
    case 'p':
        put(o, '0');
        put(o, 'x');
        put_number(o, s, (uintptr_t)va_arg(*args, void *), 16, false, false);
        return;
    default: /* "%%", or a conversion that -Wformat has already refused */
        put(o, c);
    }
}

size_t fmt_vprint(char *buf, size_t size, const char *format, va_list args)
{
    struct out o = { buf, size, 0 };
    va_list ap;
    va_copy(ap, args);
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        struct spec s;
        f = parse_spec(f + 1, &ap, &s);
        if (!*f)
            break;
        convert(&o, *f, &s, &ap);
    }
    va_end(ap);
    if (size)
        buf[o.len < size ? o.len : size - 1] = '\0';
    return o.len;
}

size_t fmt_print(char *buf, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = fmt_vprint(buf, size, format, args);
    va_end(args);
    return n;
}

bool fmt_parse_u64(const char *s, size_t len, uint64_t *out)
{
    unsigned base = 10;
    uint64_t v = 0;
    if (len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
        len -= 2;
    }
    if (!len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                   : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                   : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 99;
        if (d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *out = v;
    return true;
}
