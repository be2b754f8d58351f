/* Formatted text into a bounded buffer: the subset of printf that the hypervisor uses. */
#ifndef HV_LIB_FMT_H
#define HV_LIB_FMT_H

#include <stdarg.h>
#include "hv/lib/types.h"

/* Conversions: %c %s %d %i %u %x %X %p %% with flags '-' and '0', a width (also '*'), a precision for %s
 * (also '*'), and the lengths l, ll, z. The result is always terminated (if size > 0); the return value is the
 * length the whole text would have had, as snprintf's. */
size_t fmt_vprint(char *buf, size_t size, const char *format, va_list args) PRINTF(3, 0);
size_t fmt_print(char *buf, size_t size, const char *format, ...) PRINTF(3, 4);

/* Parse an unsigned number: decimal, or hexadecimal with 0x. The whole text [s, s+len) must be the number;
 * returns false for an empty text, a stray character or overflow. */
bool fmt_parse_u64(const char *s, size_t len, uint64_t *out) MUST_CHECK;

#endif
