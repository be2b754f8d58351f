/* What Trapeze says of this guest's exits: docs/exits.md, "Hypercalls of the lab". */
#include "lab-pg/lab.h"
#include "lib/cpu.h"

enum { SET_POLICY = 0x54500002, CPUID_TRAPEZE = 0x40000100, EBX_TRAPEZE = 0x70617254 /* "Trap" */ };

bool exits_known;
uint8_t query_by_vmmcall;

static uint64_t hypercall(uint64_t number, uint64_t argument, struct exit_note *n)
{
    uint64_t result = number, b = argument, c = 0, d = 0, si = 0, di = 0;
    if (query_by_vmmcall) /* asked before: CPUID itself exits */
        asm volatile("vmmcall" : "+a"(result), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di) : : "memory");
    else
        asm volatile("vmcall" : "+a"(result), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di) : : "memory");
    *n = (struct exit_note){ di, si, c, d };
    return result;
}

bool exits_init(void)
{
    struct exit_note n;
    query_by_vmmcall = cpu_is_amd();
    bool ours = cpuid(1, 0).ecx >> 31 && cpuid(CPUID_TRAPEZE, 0).ebx == EBX_TRAPEZE;
    return exits_known = ours && hypercall(LAST_EXIT, 0, &n) == 0;
}

struct exit_note exits_last(void)
{
    struct exit_note n = { 0 };
    if (exits_known)
        hypercall(LAST_EXIT, 0, &n);
    return n;
}

void exits_set_controls(uint64_t controls)
{
    struct exit_note n;
    hypercall(SET_POLICY, controls, &n);
}
