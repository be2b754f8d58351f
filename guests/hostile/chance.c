#include "hostile/hostile.h"
#include "lib/cpu.h"

static uint64_t state;

void chance_seed(uint64_t seed)
{
    state = seed;
}

/* SplitMix64 (Steele, Lea, Flood, 2014). */
uint64_t chance(void)
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t chance_below(uint64_t n)
{
    return chance() % n;
}

bool chance_one_in(unsigned n)
{
    return chance() % n == 0;
}

uint64_t chance_value(void)
{
    static const uint64_t edges[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
                                      0xffffffff, UINT64_C(0x100000000), UINT64_C(0x7fffffffffff), UINT64_C(0x800000000000),
                                      UINT64_C(0xffff800000000000), UINT64_C(0x7fffffffffffffff), UINT64_C(0x8000000000000000),
                                      UINT64_MAX };
    switch (chance_below(6)) {
    case 0: return edges[chance_below(sizeof edges / sizeof edges[0])];
    case 1: return UINT64_C(1) << chance_below(64);
    case 2: return (UINT64_C(1) << chance_below(64)) - 1;
    case 3: return chance_below(256);
    case 4: return (uint32_t)chance();
    default: return chance();
    }
}

uint64_t chance_address(void)
{
    static const struct { uint64_t base, size; } places[] = {
        { LAPIC, 0x1000 }, { IOAPIC, 0x1000 }, { 0xa0000, 0x20000 }, { 0xb8000, 0x8000 }, { 0xc0000, 0x20000 }, { 0xe0000, 0x20000 },
        { 0xfed00000, 0x1000 }, { 0xfffff000, 0x2000 }, { 0xe0000000, 0x1000 }, { 0x400000, 0x200000 }, { 0xfffc0000, 0x40000 },
        { UINT64_C(0x100000000), 0x100000 }, { 0, 0x10000 }, { 0x9f000, 0x1000 }, { 0xfed40000, 0x1000 },
    };
    unsigned i = (unsigned)chance_below(sizeof places / sizeof places[0] + 3);
    if (i >= sizeof places / sizeof places[0])
        return (uint64_t)scratch + chance_below(sizeof scratch);
    switch (chance_below(4)) {
    case 0: return places[i].base + chance_below(16) - 8;                  /* over its lower edge */
    case 1: return places[i].base + places[i].size - 8 + chance_below(16); /* over its upper edge */
    case 2: return places[i].base + (chance_below(places[i].size) & ~UINT64_C(15));
    default: return places[i].base + chance_below(places[i].size);
    }
}

void chance_fill(void *to, unsigned bytes)
{
    uint8_t *at = to;
    while (bytes--)
        *at++ = (uint8_t)chance();
}
