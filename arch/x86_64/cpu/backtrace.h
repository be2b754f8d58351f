/* From addresses to names, and from frame pointers to a call chain. */
#ifndef ARCH_X86_64_CPU_BACKTRACE_H
#define ARCH_X86_64_CPU_BACKTRACE_H

#include "hv/lib/types.h"

#define BACKTRACE_NAME_SIZE 96

/* "function+0x12"; "?" for an address outside of the image's code. Returns buf. */
const char *backtrace_name(char *buf, size_t size, uint64_t address);

/* Log `rip` and its callers, following the chain of saved RBPs, by log_emergency. Any RBP is safe. */
void backtrace_log(uint64_t rip, uint64_t rbp);

#endif
