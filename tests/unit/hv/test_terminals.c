#include <string.h>
#include "hv/lib/log.h"
#include "hv/terminals.h"
#include "tests/unit/test.h"

/* A machine with or without a UART and a keyboard controller, as far as the drivers look. */
static struct {
    bool uart, keyboard;
    uint8_t reg[8], command;
    char sent[8192];
    size_t sent_len;
    const char *typed;   /* on the serial line */
    const char *pressed; /* scan codes */
} machine;

static uint8_t uart_in(unsigned r)
{
    switch (r) {
    case 0: return (uint8_t)(*machine.typed ? *machine.typed++ : 0);
    case 2: return 0xC1;
    case 5: return (uint8_t)(0x60 | !!*machine.typed);
    case 6: return machine.reg[4] == 0x1A ? 0x90 : 0;
    default: return machine.reg[r];
    }
}

static uint8_t keyboard_in(uint16_t port)
{
    bool reply = machine.command == 0x20;
    if (port == 0x64)
        return *machine.pressed || reply;
    machine.command = 0;
    return (uint8_t)(!reply && *machine.pressed ? *machine.pressed++ : 0);
}

static uint8_t in8(uint16_t port)
{
    if (machine.uart && port >= UART_COM1 && port <= UART_COM1 + 7)
        return uart_in(port - UART_COM1);
    if (machine.keyboard && (port == 0x60 || port == 0x64))
        return keyboard_in(port);
    return 0xFF;
}

static void out8(uint16_t port, uint8_t value)
{
    unsigned r = port - UART_COM1;
    if (port == 0x64)
        machine.command = value;
    else if (r == 0 && !(machine.reg[3] & 0x80) && machine.sent_len < sizeof machine.sent - 1)
        machine.sent[machine.sent_len++] = (char)value;
    else if (r < 8)
        machine.reg[r] = value;
}

static const struct port_io io = { in8, out8 };

static struct con con;
static struct terminals terminals;
static uint32_t pixels[640 * 160];
static char to_monitor[64];

static void monitor(void *ctx, uint8_t byte)
{
    (void)ctx;
    to_monitor[strlen(to_monitor)] = (char)byte;
}

static void start(bool uart, bool keyboard)
{
    memset(&machine, 0, sizeof machine);
    memset(to_monitor, 0, sizeof to_monitor);
    machine.uart = uart;
    machine.keyboard = keyboard;
    machine.typed = machine.pressed = "";
    con_init(&con, &(struct con_hooks){ .to_monitor = monitor });
    terminals_init(&terminals, &con, &io);
}

/* The log's sinks cannot be taken away again, so this is the only test in which the log itself speaks to the console. */
TEST(lines_from_before_the_console_appear_on_the_serial_line_and_on_the_screen)
{
    log_line("first of all");
    start(true, false);
    CHECK(!strncmp(machine.sent, "first of all\r\n", 14));
    CHECK(strstr(machine.sent, "console: serial line at port 3f8h (COM1)") != NULL);
    const struct boot_framebuffer info = { 0x80000000, 640, 160, 640 * 4, BOOT_PIXEL_BGRX };
    terminals_add_screen(&terminals, pixels, &info);
    CHECK(!memcmp(&terminals.screen.cells[0][0], &(struct fb_cell){ 'f', 7 }, 2));
    CHECK(strstr(machine.sent, "console: screen of 80 x 10 characters\r\n") != NULL);
    CHECK_EQ(con.terminals, 2);
}

TEST(a_machine_without_serial_line_and_keyboard_starts)
{
    start(false, false);
    CHECK_EQ(con.terminals, 0);
    CHECK(!terminals_poll_input(&terminals));
    terminals_enable_interrupts(&terminals);
    const struct boot_framebuffer info = { 0x80000000, 640, 160, 640 * 4, BOOT_PIXEL_RGBX };
    terminals_add_screen(&terminals, pixels, &info);
    CHECK_EQ(con.terminals, 1);
    (void)con_poll(&con, 1);
    con_panic(&con);
    con_log_sink(&con, "panic\n", 6);
    CHECK_EQ(terminals.screen.dirty_to, 0); /* drawn to the end */
}

TEST(a_screen_that_cannot_be_used_is_left_out)
{
    start(false, false);
    const struct boot_framebuffer bad = { 0x80000000, 640, 160, 640 * 3, BOOT_PIXEL_BGRX };
    terminals_add_screen(&terminals, pixels, &bad);
    const struct boot_framebuffer none = { 0 };
    terminals_add_screen(&terminals, NULL, &none);
    CHECK_EQ(con.terminals, 0);
}

TEST(both_the_serial_line_and_the_keyboard_type_to_the_console)
{
    start(true, true);
    con_show_monitor(&con);
    machine.typed = "li";
    machine.pressed = "\x1F\x9F\x14\x94";
    CHECK(terminals_poll_input(&terminals));
    CHECK(!terminals_poll_input(&terminals));
    (void)con_poll(&con, 1);
    CHECK(!strcmp(to_monitor, "list"));
}
