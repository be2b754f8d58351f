#include "arch/x86_64/cpu/stack.h"

#define STATIC_IST_SIZE 4096

static _Alignas(16) char static_ist[HOST_IST_COUNT][STATIC_IST_SIZE];

void stack_use_static(struct pcpu *p)
{
    for (unsigned i = 0; i < HOST_IST_COUNT; i++)
        p->ist_top[i] = static_ist[i] + STATIC_IST_SIZE;
}

enum pt_result stack_create(struct host_map *map, struct pcpu *p)
{
    void *tops[HOST_IST_COUNT];
    for (unsigned i = 0; i < HOST_IST_COUNT; i++) {
        enum pt_result r = host_map_stack(map, STACK_IST_PAGES, &tops[i]);
        if (r != PT_OK)
            return r;
    }
    enum pt_result r = host_map_stack(map, STACK_PAGES, &p->stack_top);
    if (r != PT_OK)
        return r;
    for (unsigned i = 0; i < HOST_IST_COUNT; i++)
        p->ist_top[i] = tops[i];
    return PT_OK;
}
