#include "hv/trace/frame.h"
#include <stdarg.h>
#include "hv/lib/fmt.h"

#define CRC_POLYNOMIAL 0xedb88320u /* bit-reversed: IEEE 802.3, "Frame Check Sequence" */
#define CRC_TEXT       11          /* " #01234567" and the terminator */

/* The checksum of half a byte, for each: a dump is made while guests run, so bit by bit would take too long. */
#define BIT(crc)  ((crc) >> 1 ^ ((crc) & 1 ? CRC_POLYNOMIAL : 0))
#define HALF(n)   BIT(BIT(BIT(BIT(n))))
static const uint32_t halves[16] = {
    HALF(0u), HALF(1u), HALF(2u), HALF(3u), HALF(4u), HALF(5u), HALF(6u), HALF(7u),
    HALF(8u), HALF(9u), HALF(10u), HALF(11u), HALF(12u), HALF(13u), HALF(14u), HALF(15u),
};

uint32_t trace_crc32(const void *data, size_t len)
{
    const uint8_t *byte = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= byte[i];
        crc = crc >> 4 ^ halves[crc & 15];
        crc = crc >> 4 ^ halves[crc & 15];
    }
    return ~crc;
}

size_t trace_base64(char *out, const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = data;
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = MIN(len - i, (size_t)3);
        uint32_t group = (uint32_t)in[i] << 16 | (have > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (have > 2 ? in[i + 2] : 0);
        for (unsigned k = 0; k < 4; k++)
            out[n++] = k <= have ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
    out[n] = '\0';
    return n;
}

void trace_frame(char out[TRACE_FRAME_SIZE], unsigned sequence, const char *format, ...)
{
    size_t room = TRACE_FRAME_SIZE - CRC_TEXT + 1;
    size_t len = fmt_print(out, room, "@trace %u ", sequence);
    va_list args;
    va_start(args, format);
    len += fmt_vprint(out + len, room - len, format, args);
    va_end(args);
    len = MIN(len, room - 1);
    fmt_print(out + len, TRACE_FRAME_SIZE - len, " #%08x", trace_crc32(out, len));
}
