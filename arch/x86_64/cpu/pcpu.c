#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/cpu/idt.h"
#include "arch/x86_64/isa/msr.h"

static struct pcpu pcpus[PCPU_MAX];
static unsigned taken;

#define HOST_CODE_DESCRIPTOR \
    (DESC_P | DESC_S | DESC_L | (uint64_t)SEG_CODE_XR_ACCESSED << DESC_TYPE_SHIFT)
#define HOST_DATA_DESCRIPTOR \
    (DESC_P | DESC_S | DESC_DB | DESC_G | UINT64_C(0x000f00000000ffff) | (uint64_t)SEG_DATA_RW_ACCESSED << DESC_TYPE_SHIFT)

struct pcpu *pcpu_at(unsigned index)
{
    return &pcpus[index];
}

unsigned pcpu_count(void)
{
    return taken;
}

struct pcpu *pcpu_add(uint32_t apic_id)
{
    if (taken == PCPU_MAX)
        return NULL;
    struct pcpu *p = &pcpus[taken];
    p->self = p;
    p->index = taken++;
    p->apic_id = apic_id;
    return p;
}

void pcpu_drop_last(void)
{
    atomic_store_explicit(&pcpus[--taken].state, PCPU_ABSENT, memory_order_release);
}

static void gdt_fill(struct pcpu *p)
{
    uint64_t base = (uint64_t)(uintptr_t)&p->tss;
    uint64_t limit = sizeof p->tss - 1;
    p->gdt[HOST_SEL_NULL / 8] = 0;
    p->gdt[HOST_SEL_CODE / 8] = HOST_CODE_DESCRIPTOR;
    p->gdt[HOST_SEL_DATA / 8] = HOST_DATA_DESCRIPTOR;
    p->gdt[HOST_SEL_TSS / 8] = limit | (base & 0xffffff) << 16 | DESC_P |
                               (uint64_t)SYS_TSS_AVAILABLE << DESC_TYPE_SHIFT | (base >> 24 & 0xff) << 56;
    p->gdt[HOST_SEL_TSS / 8 + 1] = base >> 32;
}

void pcpu_update_ist(struct pcpu *p)
{
    for (unsigned i = 0; i < HOST_IST_COUNT; i++)
        p->tss.ist[i] = (uint64_t)(uintptr_t)p->ist_top[i];
}

void pcpu_load(struct pcpu *p)
{
    gdt_fill(p);
    p->tss.io_map_base = sizeof p->tss; /* no bitmap */
    pcpu_update_ist(p);
    const struct descriptor_table gdt = { sizeof p->gdt - 1, (uint64_t)(uintptr_t)p->gdt };
    lgdt(&gdt);
    load_cs(HOST_SEL_CODE);
    load_data_segments(HOST_SEL_DATA);
    wrmsr(IA32_GS_BASE, (uint64_t)(uintptr_t)p); /* after the selector, whose load zeroes it */
    lldt(HOST_SEL_NULL);
    ltr(HOST_SEL_TSS);
    idt_load();
}
