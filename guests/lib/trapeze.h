/* Trapeze's own hypercalls, for partitions with `lab = yes`: docs/exits.md. On another hypervisor, or without that key,
 * trapeze_last_exit() returns false. */
#ifndef GUESTS_LIB_TRAPEZE_H
#define GUESTS_LIB_TRAPEZE_H

#include "lib/cpu.h"

enum { TRAPEZE_LAST_EXIT = 0x54500001, TRAPEZE_SET_POLICY = 0x54500002, CPUID_TRAPEZE = 0x40000100 };

/* The last exit that an instruction of this CPU caused; hypercalls of this file do not count. */
struct trapeze_exit {
    uint64_t count;         /* of such exits so far: unchanged, the instruction between did not exit */
    uint64_t rip;           /* of the instruction */
    uint64_t qualification; /* VT-x: exit qualification; AMD-V: EXITINFO1 (#PF: the address) */
    uint32_t reason;        /* VT-x: basic exit reason; AMD-V: EXITCODE */
    uint32_t kind;          /* Trapeze's own number of it, which may change */
    uint32_t length;        /* of the instruction; 0: not known */
};

struct trapeze_registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi;
};

/* Works at any CPL; `amd` as cpu_is_amd() says, which itself may exit. */
static inline void trapeze_call(struct trapeze_registers *r, bool amd)
{
    if (amd)
        asm volatile("vmmcall" : "+a"(r->rax), "+b"(r->rbx), "+c"(r->rcx), "+d"(r->rdx), "+S"(r->rsi), "+D"(r->rdi) : : "memory");
    else
        asm volatile("vmcall" : "+a"(r->rax), "+b"(r->rbx), "+c"(r->rcx), "+d"(r->rdx), "+S"(r->rsi), "+D"(r->rdi) : : "memory");
}

static inline bool trapeze_is_below(void)
{
    struct cpuid r = cpuid(CPUID_TRAPEZE, 0);
    return r.ebx == 0x70617254 /* "Trap" */ && r.ecx == 0x54657a65 /* "ezeT" */;
}

static inline bool trapeze_last_exit(struct trapeze_exit *out, bool amd)
{
    struct trapeze_registers r = { .rax = TRAPEZE_LAST_EXIT };
    trapeze_call(&r, amd);
    *out = (struct trapeze_exit){ .count = r.rdi, .rip = r.rsi, .qualification = r.rdx, .reason = (uint32_t)r.rcx,
                                  .kind = (uint32_t)r.rbx, .length = (uint32_t)(r.rbx >> 32) };
    return r.rax == 0;
}

/* Which exit controls are on (a bit each: TRAPEZE_CONTROL_...), which can be switched, and which are always on. */
struct trapeze_policy {
    uint64_t on, switched, fixed;
};

/* What this partition exits on from now on: 0 for the minimum, all ones for the maximum. CPL 0 only. */
static inline bool trapeze_set_policy(uint64_t controls, struct trapeze_policy *out, bool amd)
{
    struct trapeze_registers r = { .rax = TRAPEZE_SET_POLICY, .rbx = controls };
    trapeze_call(&r, amd);
    *out = (struct trapeze_policy){ .on = r.rbx, .switched = r.rcx, .fixed = r.rdx };
    return r.rax == 0;
}

/* The numbers of the controls; from TRAPEZE_CONTROL_EXCEPTION on, exception vectors. */
enum {
    TRAPEZE_CONTROL_DESCRIPTOR_TABLES, TRAPEZE_CONTROL_RDTSC, TRAPEZE_CONTROL_RDPMC, TRAPEZE_CONTROL_CR0,
    TRAPEZE_CONTROL_CR0_READ, TRAPEZE_CONTROL_CR3, TRAPEZE_CONTROL_CR4, TRAPEZE_CONTROL_CR4_READ, TRAPEZE_CONTROL_CR8,
    TRAPEZE_CONTROL_MOV_DR, TRAPEZE_CONTROL_INVLPG, TRAPEZE_CONTROL_WBINVD, TRAPEZE_CONTROL_PAUSE, TRAPEZE_CONTROL_HLT,
    TRAPEZE_CONTROL_MWAIT, TRAPEZE_CONTROL_RDRAND, TRAPEZE_CONTROL_RDSEED, TRAPEZE_CONTROL_IO, TRAPEZE_CONTROL_MSR,
    TRAPEZE_CONTROL_XSAVES, TRAPEZE_CONTROL_PUSHF, TRAPEZE_CONTROL_POPF, TRAPEZE_CONTROL_IRET, TRAPEZE_CONTROL_INT,
    TRAPEZE_CONTROL_EXCEPTION = 32,
};

#endif
