#include "hv/terminals.h"
#include "hv/lib/log.h"

#define DRAW_CELLS 192 /* in one go: some 60,000 instructions */
#define MAX_BURST  64  /* bytes taken from one input at a time */

static size_t uart_terminal_put(void *uart, const char *bytes, size_t len)
{
    return uart_put_some(uart, bytes, len);
}

static void uart_terminal_put_now(void *uart, const char *bytes, size_t len)
{
    uart_put_all(uart, bytes, len);
}

static size_t screen_put(void *screen, const char *bytes, size_t len)
{
    fb_write(screen, bytes, len);
    return len;
}

static bool screen_draw(void *screen)
{
    return fb_flush(screen, DRAW_CELLS);
}

static void screen_put_now(void *screen, const char *bytes, size_t len)
{
    fb_write(screen, bytes, len);
    (void)fb_flush(screen, SIZE_MAX);
}

/* The log so far, line by line: log sinks get only what comes after they were added. */
static void replay_log(struct terminals *t, log_sink_t take, void *ctx)
{
    size_t len = log_tail(t->text, sizeof t->text, sizeof t->text);
    for (size_t at = 0, end; at < len; at = end) {
        for (end = at; end < len && t->text[end] != '\n'; end++)
            ;
        end = MIN(end + 1, len);
        take(ctx, t->text + at, end - at);
    }
}

static void screen_line(void *screen, const char *text, size_t len)
{
    fb_write(screen, text, len);
    fb_write(screen, "\r", 1);
}

static bool add_terminal(struct terminals *t, const struct con_terminal *terminal)
{
    if (con_add_terminal(t->con, terminal))
        return true;
    log_line("console: no room for one more terminal");
    return false;
}

void terminals_init(struct terminals *t, struct con *con, const struct port_io *io)
{
    t->con = con;
    t->screen.pixels = NULL;
    const struct con_terminal line = { .put = uart_terminal_put, .put_now = uart_terminal_put_now, .ctx = &t->uart };
    bool serial = uart_init(&t->uart, io, UART_COM1) && add_terminal(t, &line);
    replay_log(t, con_log_sink, con);
    log_add_sink(con_log_sink, con);
    if (serial)
        log_line("console: serial line at port %xh (COM1), 115200 baud 8n1, FIFO of %u bytes", UART_COM1,
                 t->uart.fifo_depth);
    else
        log_line("console: no serial line at port %xh (COM1)", UART_COM1);
    if (i8042_init(&t->keyboard, io))
        log_line("console: PS/2 keyboard");
    else
        log_line("console: no PS/2 keyboard controller");
}

void terminals_add_screen(struct terminals *t, void *memory, const struct boot_framebuffer *info)
{
    if (!info->base) {
        log_line("console: no framebuffer%s", t->uart.present ? "" : ", and no serial line: nobody can see this");
        return;
    }
    if (!fb_init(&t->screen, memory, info->width, info->height, info->pitch, (enum fb_order)info->format)) {
        log_line("console: framebuffer of %u x %u pixels, %u bytes a line, format %u: cannot be used", info->width,
                 info->height, info->pitch, info->format);
        return;
    }
    replay_log(t, screen_line, &t->screen);
    const struct con_terminal screen = {
        .put = screen_put, .draw = screen_draw, .put_now = screen_put_now, .ctx = &t->screen, .colours = true,
    };
    if (add_terminal(t, &screen))
        log_line("console: screen of %u x %u characters", t->screen.columns, t->screen.rows);
}

void terminals_enable_interrupts(struct terminals *t)
{
    uart_set_receive_irq(&t->uart, true);
    i8042_set_irq(&t->keyboard, true);
}

static bool poll_keyboard(struct terminals *t)
{
    char typed[SCANCODE_MAX_BYTES];
    size_t count;
    if (!i8042_poll(&t->keyboard, typed, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        con_input(t->con, (uint8_t)typed[i]);
    return true;
}

bool terminals_poll_input(struct terminals *t)
{
    uint8_t byte;
    bool some = false;
    for (unsigned i = 0; i < MAX_BURST && uart_get(&t->uart, &byte); i++) {
        con_input(t->con, byte);
        some = true;
    }
    for (unsigned i = 0; i < MAX_BURST && poll_keyboard(t); i++)
        some = true;
    return some;
}
