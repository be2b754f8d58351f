/* Stacks above unmapped guard pages, so that an overflow is a double fault with a name and not silent damage. */
#ifndef ARCH_X86_64_CPU_STACK_H
#define ARCH_X86_64_CPU_STACK_H

#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/mmu/host.h"

enum { STACK_PAGES = 8, STACK_IST_PAGES = 2 };

/* Allocate the CPU's stack and its IST stacks in the host map's stack window. They come into use by pcpu_load() or
 * pcpu_update_ist(), and by stack_switch(). */
enum pt_result stack_create(struct host_map *map, struct pcpu *p) MUST_CHECK;

/* The boot CPU's first IST stacks, in the image, until there is a map. */
void stack_use_static(struct pcpu *p);

/* Continue in fn(arg) on an empty stack; nothing of the old one is kept. fn must not return. */
NORETURN void stack_switch(void *top, void (*fn)(void *arg), void *arg);

/* True for an address in the stack window: only guard pages fault there. */
static inline bool stack_is_guard(uint64_t address)
{
    return address - HOST_STACK_BASE < HOST_STACK_SIZE;
}

#endif
