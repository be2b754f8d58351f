/* Code that nobody wrote: random bytes, random instructions on devices, code that changes itself, code over page ends and
 * in devices, in 64-bit and compatibility mode, as kernel and as user. */
#include "hostile/hostile.h"
#include "lib/cpu.h"

enum { FLAG_IF = 1 << 9, PIECE = 96, INT_BACK_0 = 0xcd, RET = 0xc3 };

/* Prefixes and opcodes that a hypervisor meets, each with what has to follow: the operands are random. */
static const struct { uint8_t bytes[4]; uint8_t count, random; } instructions[] = {
    { { 0xe4 }, 1, 1 }, { { 0xe6 }, 1, 1 }, { { 0xec }, 1, 0 }, { { 0xee }, 1, 0 }, { { 0xef }, 1, 0 }, { { 0xf3, 0x6c }, 2, 0 }, { { 0xf3, 0x6e }, 2, 0 },
    { { 0x0f, 0xa2 }, 2, 0 }, { { 0x0f, 0x32 }, 2, 0 }, { { 0x0f, 0x30 }, 2, 0 }, { { 0x0f, 0x20 }, 2, 1 }, { { 0x0f, 0x22 }, 2, 1 },
    { { 0x0f, 0x21 }, 2, 1 }, { { 0x0f, 0x23 }, 2, 1 }, { { 0x0f, 0x01 }, 2, 1 }, { { 0x0f, 0x00 }, 2, 1 }, { { 0x0f, 0xc7 }, 2, 1 },
    { { 0x0f, 0x08 }, 2, 0 }, { { 0x0f, 0x09 }, 2, 0 }, { { 0x0f, 0x31 }, 2, 0 }, { { 0x0f, 0x33 }, 2, 0 },
    { { 0xf0, 0x0f, 0xb1 }, 3, 1 }, { { 0xf0, 0x87 }, 2, 1 }, { { 0x88 }, 1, 1 }, { { 0x89 }, 1, 1 }, { { 0x8a }, 1, 1 }, { { 0x8b }, 1, 1 },
    { { 0xc6 }, 1, 2 }, { { 0xc7 }, 1, 5 }, { { 0x80 }, 1, 2 }, { { 0x81 }, 1, 5 }, { { 0x83 }, 1, 2 }, { { 0xff }, 1, 1 }, { { 0xf7 }, 1, 1 },
    { { 0x0f, 0xb6 }, 2, 1 }, { { 0x0f, 0xbe }, 2, 1 }, { { 0x0f, 0xba }, 2, 2 }, { { 0xd3 }, 1, 1 }, { { 0xf3, 0xa4 }, 2, 0 }, { { 0xf3, 0xab }, 2, 0 },
    { { 0xfa }, 1, 0 }, { { 0xfb }, 1, 0 }, { { 0xf4 }, 1, 0 }, { { 0x9d }, 1, 0 }, { { 0xcc }, 1, 0 }, { { 0xf1 }, 1, 0 }, { { 0xcd }, 1, 1 },
    { { 0x8e }, 1, 1 }, { { 0x0f, 0x01, 0xd9 }, 3, 0 }, { { 0x0f, 0x01, 0xc1 }, 3, 0 }, { { 0xf3, 0x90 }, 2, 0 }, { { 0x66, 0xef }, 2, 0 }, { { 0xcf }, 1, 0 },
    { { 0x0f, 0x78 }, 2, 1 }, { { 0x0f, 0x79 }, 2, 1 }, { { 0x66, 0x0f, 0x38, 0x80 }, 4, 1 }, { { 0x66, 0x0f, 0x38, 0x82 }, 4, 1 }, { { 0x0f, 0xae }, 2, 1 },
};

void code_random(uint8_t *to, unsigned bytes, bool wide)
{
    uint8_t *end = to + bytes;
    bool pure = chance_one_in(8) && !no_breakpoints;
    while (to < end - 16 && !pure) {
        unsigned i = (unsigned)chance_below(sizeof instructions / sizeof instructions[0]);
        if (no_breakpoints && instructions[i].bytes[0] == 0x0f && instructions[i].bytes[1] == 0x23)
            continue; /* MOV to DR */
        if (chance_one_in(3))
            *to++ = (uint8_t)(wide && chance_one_in(2) ? 0x48 : chance_one_in(2) ? 0x66 : chance_one_in(2) ? 0x67 : 0x64);
        for (unsigned k = 0; k < instructions[i].count; k++)
            *to++ = instructions[i].bytes[k];
        for (unsigned k = 0; k < instructions[i].random; k++)
            *to++ = k == 0 && chance_one_in(2) ? (uint8_t)(chance() & 0x3f) : (uint8_t)chance();
    }
    if (pure)
        for (; to < end - 16; to++)
            *to = (uint8_t)chance();
    for (; to < end; to += 2) {
        to[0] = INT_BACK_0;
        to[1] = VECTOR_BACK;
    }
}

static void choose_registers(uint64_t r[16])
{
    for (unsigned i = 0; i < 16; i++)
        r[i] = chance_one_in(3) ? chance_value() : chance_one_in(2) ? chance_address() : (uint64_t)scratch[7] + chance_below(1024);
    if (chance_one_in(2))
        r[1] = chance_below(64); /* RCX: a count that ends */
    if (chance_one_in(2))
        r[2] = chance_below(0x1000);
    r[4] = chance_one_in(12) ? r[4] : 0; /* RSP: 0 keeps the caller's */
}

static void run_here(uint8_t *code)
{
    uint64_t r[16], flags = (chance_one_in(2) ? FLAG_IF : 0) | (chance_one_in(6) ? chance() & 0x47fd5 : 0) | 2;
    choose_registers(r);
    if (chance_one_in(3)) {
        r[4] = (uint64_t)scratch[SCRATCH_PAGES - 1];
        world_enter_user(code, r, flags, chance_one_in(2) ? USER_CODE64 : USER_CODE32);
    }
    world_enter(code, r, flags);
}

static void piece(void)
{
    code_random(scratch[0], PIECE, true);
    run_here(scratch[0]);
}

/* The last bytes of a page, or of RAM: what comes next is a device, a hole, or nothing at all. */
static void over_the_end(void)
{
    static const uint64_t ends[] = { 0x400000, 0xa0000, 0xc0000 };
    uint8_t *at = !chance_one_in(12) ? scratch[1] : (uint8_t *)ends[chance_below(3)];
    unsigned before = 1 + (unsigned)chance_below(12);
    for (unsigned i = 1; i <= before; i++)
        at[-(int)i] = (uint8_t)chance();
    run_here(at - before);
}

/* An access to a device whose instruction is changed between two executions, by itself or by the second CPU (watch.c). */
static void changes_itself(void)
{
    uint8_t *code = scratch[2];
    for (unsigned turn = 0; turn < 6; turn++) {
        static const uint8_t kinds[] = { 0x8b, 0x89, 0x8a, 0x03, 0x33, 0x85, 0x87 };
        code[0] = kinds[chance_below(sizeof kinds)];
        code[1] = (uint8_t)(chance_below(4) << 3 | 7); /* (%rdi) */
        code[2] = 0xc6; /* movb $random, code(%rsi): the next time another register */
        code[3] = 0x46;
        code[4] = 1;
        code[5] = (uint8_t)(chance_below(4) << 3 | 7);
        code[6] = RET;
        asm volatile("call *%0; call *%0" : : "r"(code), "D"(chance_one_in(2) ? LAPIC + 0x80 : chance_address()), "S"(code)
                     : "rax", "rbx", "rcx", "rdx", "r8", "memory", "cc");
    }
}

/* A string from a device or a port, onto the instruction that moves it. */
static void over_itself(void)
{
    static const uint8_t strings[] = { 0x6c, 0x6d, 0xa4, 0xa5, 0xaa, 0xab };
    uint64_t r[16];
    uint8_t *code = scratch[2] + chance_below(PIECE);
    choose_registers(r);
    code[0] = 0xf3;
    code[1] = strings[chance_below(sizeof strings)];
    for (unsigned i = 2; i < 16; i += 2) {
        code[i] = INT_BACK_0;
        code[i + 1] = VECTOR_BACK;
    }
    r[1] = 1 + chance_below(64);
    r[6] = chance_address();
    r[7] = (uint64_t)code - chance_below(16);
    world_enter(code, r, 2);
}

/* Fetching from a device stops the partition: seldom. From ROM and video memory it is code as any other. */
static void in_devices(void)
{
    static const uint64_t places[] = { 0xb8000, 0xb8000, 0xb8000, 0xe0000, 0xf0000 };
    uint64_t at = places[chance_below(5)] + chance_below(PIECE);
    if (chance_one_in(20))
        at = chance_address();
    if (at < 0xc0000 && at >= 0xb8000)
        code_random((uint8_t *)0xb8000, PIECE, true);
    run_here((uint8_t *)at);
}

const struct action code_actions[] = {
    { "random code", piece, 30 }, { "code over an end", over_the_end, 5 }, { "code that changes itself", changes_itself, 6 },
    { "strings over their own code", over_itself, 4 },
    { "code in devices", in_devices, 2 }, { 0 },
};
