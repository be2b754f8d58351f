/* How a backend's run() is called: it keeps no register but the stack pointer, so that only what the caller still needs is
 * saved around a stay in the guest. For files compiled without frame pointers. */
#ifndef ARCH_VT_ENTER_H
#define ARCH_VT_ENTER_H

#include "arch/x86_64/vt/vt.h"

static inline uint32_t vt_enter(uint32_t (*const *run)(struct vt_vcpu *v, uint64_t ticks), struct vt_vcpu *v, uint64_t ticks)
{
    uint32_t kind;
    __asm__ volatile("call *%[run]"
                     : "=a"(kind), "+D"(v), "+S"(ticks)
                     : [run] "m"(*run)
                     : "rbx", "rcx", "rdx", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
    return kind;
}

#endif
