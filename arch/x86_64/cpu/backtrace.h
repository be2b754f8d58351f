/* From addresses to names, and from frame pointers to a call chain. */
#ifndef ARCH_X86_64_CPU_BACKTRACE_H
#define ARCH_X86_64_CPU_BACKTRACE_H

#include "hv/lib/types.h"

#define BACKTRACE_NAME_SIZE 96

/* "function+0x12"; "?" for an address outside of the image's code. Returns buf. */
const char *backtrace_name(char *buf, size_t size, uint64_t address);

#define BACKTRACE_FRAMES 24

struct backtrace {
    unsigned count;
    uint64_t address[BACKTRACE_FRAMES]; /* [0]: where it was; then return addresses */
    uint64_t frameless;                 /* on top of the stack, 0: nothing that could be a return address */
    uint64_t broken_at;                 /* where the chain of frame pointers leads off the stack, 0: nowhere */
};

/* Follow the chain of saved RBPs, without a word: for NMIs. Arguments as for backtrace_log(). */
void backtrace_take(struct backtrace *out, uint64_t rip, uint64_t rbp, uint64_t rsp);
void backtrace_show(const struct backtrace *b);

/* Log `rip` and its callers, following the chain of saved RBPs, by log_emergency. Any RBP and RSP is safe. With an RSP
 * (else 0) also the caller of a function without a frame of its own, whose return address is on top of the stack. */
void backtrace_log(uint64_t rip, uint64_t rbp, uint64_t rsp);

#endif
