/* A line that carries data between other text: "@trace SEQUENCE BODY #CRC". Bytes go into a body as base64.
 * docs/trace.md is the contract with those who read it. */
#ifndef HV_TRACE_FRAME_H
#define HV_TRACE_FRAME_H

#include "hv/lib/types.h"

#define TRACE_FRAME_SIZE 240 /* of a whole line, with the terminator: longer ones would be cut by the monitor */

/* CRC-32 as Ethernet, gzip and zlib have it. */
uint32_t trace_crc32(const void *data, size_t len);

/* RFC 4648, "Base 64 Encoding", with padding; `out` has room for 4 * ((len + 2) / 3) + 1. Returns the length. */
size_t trace_base64(char *out, const void *data, size_t len);

/* A line without '\n'; a body that does not fit is cut, and the CRC is that of what is there. */
void trace_frame(char out[TRACE_FRAME_SIZE], unsigned sequence, const char *format, ...) PRINTF(3, 4);

#endif
