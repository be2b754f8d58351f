/* Is all of the memory there, each page once, to read, write and execute, and nothing behind it? */
#include "exercise/exercise.h"

enum { PAGE = 4096, NOWHERE = 0xd0000000u };
#define MIB (UINT64_C(1) << 20)

static volatile uint64_t *word_at(uint64_t address)
{
    return (volatile uint64_t *)address;
}

static uint64_t pattern(uint64_t address)
{
    return (address + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Above the guest itself, which lies in the first 2 MiB. */
static void check_pages(uint64_t end)
{
    check("memory-is-all-there");
    for (uint64_t at = 2 * MIB; at < end; at += PAGE)
        *word_at(at) = pattern(at);
    for (uint64_t at = 2 * MIB; at < end; at += PAGE)
        if (*word_at(at) != pattern(at))
            WRONG("0x%lx at 0x%lx; expected 0x%lx, which was written there", *word_at(at), at, pattern(at));
}

static void check_code(uint64_t end)
{
    check("memory-can-be-executed");
    for (uint64_t at = 2 * MIB; at < end; at += MIB) {
        uint8_t *code = (uint8_t *)at;
        code[0] = 0xb8; /* MOV EAX, imm32; RET */
        *(uint32_t *)(code + 1) = (uint32_t)at;
        code[5] = 0xc3;
        uint32_t (*function)(void) = (uint32_t (*)(void))at;
        asm volatile("" : : : "memory");
        uint32_t got = function();
        if (got != (uint32_t)at)
            WRONG("0x%x from the function at 0x%lx; expected 0x%x", got, at, (uint32_t)at);
    }
}

static void check_nowhere(void)
{
    check("memory-ends");
    uint64_t value = *word_at(NOWHERE);
    if (value != UINT64_MAX)
        WRONG("0x%lx at 0x%x, where there is no memory; expected all ones", value, NOWHERE);
}

void exercise_memory(const struct setting *s)
{
    check_pages(s->memory);
    check_code(s->memory);
    check_nowhere();
}
