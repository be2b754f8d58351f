/* How a backend's run() is called: it keeps no register but the stack pointer, so that only what the caller still needs is
 * saved around a stay in the guest. For files compiled without frame pointers. */
#ifndef ARCH_VT_ENTER_H
#define ARCH_VT_ENTER_H

#include "arch/x86_64/vt/vt.h"

static inline uint32_t vt_enter(uint32_t (*const *run)(struct vt_vcpu *v, uint64_t ticks), struct vt_vcpu *v, uint64_t ticks)
{
    uintptr_t run_then_kind = (uintptr_t)*run;
    __asm__ volatile("call __x86_indirect_thunk_rax"
                     : "+a"(run_then_kind), "+D"(v), "+S"(ticks)
                     :
                     : "rbx", "rcx", "rdx", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
    return (uint32_t)run_then_kind;
}

#endif
