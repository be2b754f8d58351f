/* Memory that is not RAM, and the lines between: registers by every width and instruction, holes, page edges. */
#include "hostile/hostile.h"
#include "lib/cpu.h"

enum { BURST = 12 };

/* One instruction of many at an address. */
static void touch(uint64_t at, uint64_t value)
{
#define AT(text) asm volatile(text : : "r"(at), "r"(value), "a"(value) : "memory", "cc"); break
    switch (chance_below(32)) {
    case 0: AT("movb %b1, (%0)");
    case 1: AT("movw %w1, (%0)");
    case 2: AT("movl %k1, (%0)");
    case 3: AT("movq %1, (%0)");
    case 4: AT("movb (%0), %%al");
    case 5: AT("movw (%0), %%ax");
    case 6: AT("movl (%0), %%eax");
    case 7: AT("movq (%0), %%rax");
    case 8: AT("lock addl %k1, (%0)");
    case 9: AT("xchgl %%eax, (%0)");
    case 10: AT("lock orb $1, (%0)");
    case 11: AT("lock cmpxchgl %k1, (%0)");
    case 12: AT("testl $-1, (%0)");
    case 13: AT("notl (%0)");
    case 14: AT("lock btsl $3, (%0)");
    case 15: AT("movzbl (%0), %%eax");
    case 16: AT("movsbq (%0), %%rax");
    case 17: AT("incw (%0)");
    case 18: AT("cmpb %b1, (%0)");
    case 19: AT("lock cmpxchg8b (%0)");
    case 20: AT("lock cmpxchg16b (%0)");
    case 21: AT("lock xaddq %%rax, (%0)");
    case 22: AT("movl $0x12345678, (%0)");
    case 23: AT("subq $1, (%0)");
    case 24: AT("btl %k1, (%0)");
    case 25: AT("pushq (%0); popq (%0)");
    case 26: AT("rorw $3, (%0)");
    case 27: AT("movnti %1, (%0)");
    case 28: AT("prefetcht0 (%0)");
    case 29: AT("cmovneq (%0), %%rax");
    case 30: AT("invlpg (%0)");
    default: AT("shll $1, (%0)");
    }
#undef AT
}

static void anywhere(void)
{
    for (uint64_t n = 1 + chance_below(BURST); n; n--)
        touch(chance_address(), chance_value());
}

static void lapic(void)
{
    for (uint64_t n = 1 + chance_below(BURST); n; n--) {
        uint32_t offset = (uint32_t)(chance_one_in(6) ? chance_below(4096) : chance_below(64) * 16);
        bool init_to_itself = offset == LAPIC_ICR_LOW; /* interrupts.c sends those */
        if (chance_one_in(2))
            (void)mmio_read(LAPIC + (offset & 0xffc));
        else if (!init_to_itself)
            mmio_write(LAPIC + (offset & 0xffc), (uint32_t)chance_value());
    }
}

static void ioapic(void)
{
    for (uint64_t n = 1 + chance_below(BURST); n; n--) {
        mmio_write(IOAPIC, (uint32_t)(chance_one_in(6) ? chance() : chance_below(0x40)));
        if (chance_one_in(3))
            (void)mmio_read(IOAPIC + 0x10);
        else
            mmio_write(IOAPIC + (uint32_t)(chance_one_in(6) ? 0x40 : 0x10), (uint32_t)chance_value());
    }
}

static void strings(void)
{
    uint64_t count = chance_one_in(30) ? chance_value() : chance_below(300), from = chance_address(), to = chance_address(), value = chance();
    if (chance_one_in(4))
        asm volatile("std");
    switch (chance_below(5)) {
    case 0: asm volatile("rep movsb" : "+c"(count), "+S"(from), "+D"(to) : : "memory"); break;
    case 1: asm volatile("rep movsq" : "+c"(count), "+S"(from), "+D"(to) : : "memory"); break;
    case 2: asm volatile("rep stosl" : "+c"(count), "+D"(to) : "a"(value) : "memory"); break;
    case 3: asm volatile("repe cmpsb" : "+c"(count), "+S"(from), "+D"(to) : : "memory", "cc"); break;
    default: asm volatile("repne scasw" : "+c"(count), "+D"(to) : "a"(value) : "memory", "cc"); break;
    }
    asm volatile("cld");
}

static void line_4g(void)
{
    for (uint64_t n = 1 + chance_below(4); n; n--)
        touch((UINT64_C(1) << 32) - chance_below(16), chance_value());
}

/* The firmware's tables, which are ROM, and the video memory, which is RAM. */
static void low_memory(void)
{
    for (uint64_t n = 1 + chance_below(BURST); n; n--)
        touch(0xa0000 + chance_below(0x60000), chance_value());
}

const struct action mmio_actions[] = {
    { "memory anywhere", anywhere, 20 }, { "local APIC", lapic, 10 }, { "IOAPIC", ioapic, 8 }, { "strings", strings, 8 },
    { "the 4 GiB line", line_4g, 3 }, { "video memory, ROM", low_memory, 3 }, { 0 },
};
