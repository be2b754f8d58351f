/* From addresses to names, and from frame pointers to a call chain. */
#ifndef ARCH_X86_64_CPU_BACKTRACE_H
#define ARCH_X86_64_CPU_BACKTRACE_H

#include "hv/lib/types.h"

#define BACKTRACE_NAME_SIZE 96

/* "function+0x12"; "?" for an address outside of the image's code. Returns buf. */
const char *backtrace_name(char *buf, size_t size, uint64_t address);

/* Log `rip` and its callers, following the chain of saved RBPs, by log_emergency. Any RBP and RSP is safe. With an RSP
 * (else 0) also the caller of a function without a frame of its own, whose return address is on top of the stack. */
void backtrace_log(uint64_t rip, uint64_t rbp, uint64_t rsp);

#endif
