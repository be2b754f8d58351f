/* Ports: every device of the PC, and those of nobody; single accesses, bursts, strings over edges. */
#include "hostile/hostile.h"
#include "lib/cpu.h"

enum { PM1_CONTROL = 0x604, BURST = 24, SWEEP = 256, FLAG_DF = 1 << 10 };

/* A port near a device's; or any. */
static uint16_t any_port(void)
{
    static const uint16_t devices[] = { 0x20, 0xa0, 0x4d0, 0x40, 0x43, 0x61, 0x70, 0x71, 0x60, 0x64, 0x3f8, 0x3fa, 0x3fc, 0xcf8, 0xcfc,
                                        0x600, 0x608, 0x620, 0xb2, 0x00, 0x08, 0x80, 0xc0, 0x3c0, 0x3d4, 0x3da, 0x3b4, 0x510, 0xed, 0xe9,
                                        0x2f8, 0x1f0, 0x170, 0x3f0, 0x278, 0xb004, 0x8900, 0xfffe };
    if (chance_one_in(5))
        return (uint16_t)chance();
    return (uint16_t)(devices[chance_below(sizeof devices / sizeof devices[0])] + (chance_one_in(2) ? chance_below(8) : 0));
}

/* Soft-off and resets would end too many lives: they come at the end of one (hostile.c), and by accident. */
static bool ends_life(uint16_t port, uint32_t value)
{
    return (port >= PM1_CONTROL - 3 && port <= PM1_CONTROL + 1) || (port >= 0xcf6 && port <= 0xcf9 && (value & 0x04040404)) ||
           (port == 0x64 && (value & 0xf0) == 0xf0) || (port >= 0x8f && port <= 0x92 && (value & 0x01010101));
}

static void access(uint16_t port, unsigned width, bool write, uint32_t value)
{
    if (write && ends_life(port, value) && !chance_one_in(64))
        return;
    if (write && width == 0)
        asm volatile("outb %b0, %1" : : "a"(value), "d"(port));
    else if (write && width == 1)
        asm volatile("outw %w0, %1" : : "a"(value), "d"(port));
    else if (write)
        asm volatile("outl %0, %1" : : "a"(value), "d"(port));
    else if (width == 0)
        asm volatile("inb %1, %b0" : "=a"(value) : "d"(port));
    else if (width == 1)
        asm volatile("inw %1, %w0" : "=a"(value) : "d"(port));
    else
        asm volatile("inl %1, %0" : "=a"(value) : "d"(port));
}

static void burst(void)
{
    uint16_t port = any_port();
    for (uint64_t n = 1 + chance_below(BURST); n; n--) {
        access(port, (unsigned)(chance_one_in(4) ? chance_below(3) : 0), chance_one_in(2), (uint32_t)chance_value());
        if (chance_one_in(3))
            port = any_port();
        if (chance_one_in(8))
            interrupts_on();
    }
}

/* Ports in a row, wherever: in some hundreds of these each port's turn comes. */
static void sweep(void)
{
    uint16_t port = (uint16_t)chance();
    for (unsigned n = 0; n < SWEEP; n++)
        access(port++, (unsigned)chance_below(3), chance_one_in(2), (uint32_t)chance_value());
}

static void strings(void)
{
    uint64_t count = chance_one_in(6) ? chance_value() : chance_below(600), address = chance_address();
    uint16_t port = any_port();
    if (ends_life(port, UINT32_MAX))
        port = 0x80;
    if (chance_one_in(4))
        asm volatile("std");
    switch (chance_below(6)) {
    case 0: asm volatile("rep insb" : "+c"(count), "+D"(address) : "d"(port) : "memory"); break;
    case 1: asm volatile("rep insw" : "+c"(count), "+D"(address) : "d"(port) : "memory"); break;
    case 2: asm volatile("rep insl" : "+c"(count), "+D"(address) : "d"(port) : "memory"); break;
    case 3: asm volatile("rep outsb" : "+c"(count), "+S"(address) : "d"(port) : "memory"); break;
    case 4: asm volatile("rep outsw" : "+c"(count), "+S"(address) : "d"(port) : "memory"); break;
    default: asm volatile("rep outsl" : "+c"(count), "+S"(address) : "d"(port) : "memory"); break;
    }
    asm volatile("cld");
}

static void pci(void)
{
    for (uint64_t n = 1 + chance_below(BURST); n; n--) {
        out32(0xcf8, ((uint32_t)chance() | (chance_one_in(4) ? 0 : 0x80000000u)) & (chance_one_in(2) ? 0x800000ffu : ~0u));
        access((uint16_t)(0xcfc + chance_below(6)), (unsigned)chance_below(3), chance_one_in(2), (uint32_t)chance_value());
    }
}

static void chip(uint16_t base, unsigned ports)
{
    for (uint64_t n = 1 + chance_below(40); n; n--)
        access((uint16_t)(base + chance_below(ports)), 0, !chance_one_in(3), (uint32_t)chance());
}

static void pic(void) { chip(chance_one_in(2) ? 0x20 : 0xa0, 2); }
static void pit(void) { chip(0x40, 4); }
static void rtc(void) { chip(0x70, 4); }
static void uart(void) { chip(0x3f9, 7); }
static void keyboard(void) { chip(chance_one_in(2) ? 0x60 : 0x64, 1); }
static void dma(void) { chip(chance_one_in(2) ? 0 : 0xc0, 32); }
static void vga(void) { chip(0x3c0, 32); }

const struct action port_actions[] = {
    { "ports", burst, 20 }, { "ports in a row", sweep, 6 }, { "string I/O", strings, 10 }, { "PCI", pci, 4 }, { "PIC", pic, 5 }, { "PIT", pit, 5 }, { "RTC", rtc, 4 },
    { "UART", uart, 2 }, { "i8042", keyboard, 4 }, { "DMA", dma, 2 }, { "VGA ports", vga, 2 }, { 0 },
};
