/* Page tables that point anywhere: the first 512 GiB stay as they are, so that the guest itself can go on; all others are
 * chance. */
#include "hostile/hostile.h"
#include "lib/cpu.h"

enum { PRESENT = 1, WRITE = 2, USER = 4, BIG = 1 << 7, TOUCHES = 12 };
#define WINDOW UINT64_C(0x8000000000) /* entry 1 of the PML4 */

static uint64_t any_entry(unsigned level)
{
    uint64_t flags = PRESENT | (chance_one_in(4) ? 0 : WRITE) | (chance_one_in(3) ? USER : 0) | (chance_below(16) << 3 & ~(uint64_t)BIG);
    if (chance_one_in(60))
        return chance();
    if (level == 0 || (level < 3 && chance_one_in(2)))
        return (chance_address() & ~UINT64_C(0xfff) & (level == 0 ? ~UINT64_C(0) : ~UINT64_C(0) << (12 + 9 * level))) | flags | (level ? BIG : 0);
    return (uint64_t)tables[1 + chance_below(12)] | flags;
}

static void build(void)
{
    uint64_t *good = (uint64_t *)world_cr3();
    tables[0][0] = good[0];
    for (unsigned i = 1; i < 512; i++)
        tables[0][i] = chance_one_in(40) ? chance_value() : any_entry(3);
    for (unsigned t = 1; t <= 12; t++)
        for (unsigned i = 0; i < 512; i++)
            tables[t][i] = chance_one_in(16) ? 0 : any_entry((t - 1) % 3);
}

static void touch_window(void)
{
    build();
    write_cr3((uint64_t)tables[0]);
    for (unsigned i = 0; i < TOUCHES; i++) {
        uint64_t at = WINDOW + (chance() & UINT64_C(0x3fffffffff));
        at = chance_one_in(4) ? (at | 0xfff) - chance_below(8) : at;
        if (chance_one_in(2))
            (void)*(volatile uint64_t *)at;
        else
            *(volatile uint32_t *)at = (uint32_t)chance();
    }
}

/* WINDOW's first two pages. */
static void map_window(uint64_t first, uint64_t second)
{
    for (unsigned i = 0; i < 512; i++)
        tables[0][i] = i ? 0 : ((uint64_t *)world_cr3())[0];
    tables[0][1] = (uint64_t)tables[1] | PRESENT | WRITE;
    tables[1][0] = (uint64_t)tables[2] | PRESENT | WRITE;
    tables[2][0] = (uint64_t)tables[3] | PRESENT | WRITE;
    tables[3][0] = first;
    tables[3][1] = second;
    write_cr3((uint64_t)tables[0]);
}

static uint64_t a_device(void)
{
    static const uint64_t devices[] = { LAPIC, IOAPIC, 0xa0000, 0xe0000, 0xfed00000, 0x900000, 0xfffff000 };
    return devices[chance_below(sizeof devices / sizeof devices[0])] | PRESENT | WRITE;
}

/* One page of RAM beside one of a device, so that an access, or seldom an instruction, crosses from one to the other. */
static void crossing(void)
{
    uint64_t device = a_device(), ram = (uint64_t)scratch[3] | PRESENT | WRITE;
    bool device_first = chance_one_in(2);
    map_window(device_first ? device : ram, device_first ? ram : chance_one_in(8) ? 0 : device);
    if (!device_first && chance_one_in(12)) {
        static const uint64_t registers[16];
        unsigned before = 1 + (unsigned)chance_below(8);
        chance_fill(scratch[3] + PAGE - before, before);
        world_enter((const void *)(WINDOW + PAGE - before), registers, 2);
    }
    for (unsigned i = 0; i < TOUCHES; i++) {
        uint64_t at = WINDOW + PAGE - chance_below(9);
        switch (chance_below(6)) {
        case 0: (void)*(volatile uint64_t *)at; break;
        case 1: *(volatile uint64_t *)at = chance(); break;
        case 2: asm volatile("lock addl $1, (%0)" : : "r"(at) : "memory", "cc"); break;
        case 3: asm volatile("rep movsb" : : "S"(at), "D"(scratch[4]), "c"(16) : "memory"); break;
        case 4: asm volatile("rep insb" : : "d"(0x80), "D"(at), "c"(16) : "memory"); break;
        default: asm volatile("rep stosq" : : "D"(at), "a"(chance()), "c"(4) : "memory"); break;
        }
    }
}

/* WINDOW's page table is its own first page: a string from a device changes the entries that it is written through. */
static void over_themselves(void)
{
    map_window((uint64_t)tables[3] | PRESENT | WRITE, a_device());
    for (unsigned i = 0; i < TOUCHES; i++) {
        uint64_t to = WINDOW + chance_below(64), from = chance_address(), entry = any_entry(0), count = 1 + chance_below(PAGE / 8);
        switch (chance_below(4)) {
        case 0: asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory"); break;
        case 1: asm volatile("rep insl" : "+D"(to), "+c"(count) : "d"(from) : "memory"); break;
        case 2: asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(entry) : "memory"); break;
        default: asm volatile("xchg %0, (%1)" : "+r"(entry) : "r"(to) : "memory"); break;
        }
    }
}

/* A table of its own, spoilt: after that only luck helps. */
static void spoil(void)
{
    uint64_t *pml4 = (uint64_t *)world_cr3(), *pdpt = (uint64_t *)(pml4[0] & ~UINT64_C(0xfff)), old;
    unsigned i = 2 + (unsigned)chance_below(3);
    old = pdpt[i];
    pdpt[i] = any_entry(2);
    write_cr3(world_cr3());
    (void)*(volatile uint32_t *)((uint64_t)i << 30 | (chance() & 0x3ffffff8));
    pdpt[i] = old;
}

const struct action table_actions[] = {
    { "wild page tables", touch_window, 8 }, { "page crossing", crossing, 8 }, { "tables over themselves", over_themselves, 4 },
    { "spoilt tables", spoil, 1 }, { 0 },
};
