/* The two opt-in ports of kernels' test suites. */
#include "hv/dev/vdebug.h"

static uint64_t exit_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    return 0;
}

static void exit_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    const struct vdebug_exit *port = dev;
    if (port->ended)
        port->ended(port->ctx, (uint32_t)value);
}

static uint64_t console_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    return VDEBUG_CONSOLE_ANSWER;
}

static void console_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    const struct vdebug_console *port = dev;
    dev_output_put(&port->output, (uint8_t)value);
}

const struct dev_ops vdebug_exit_ops = { .name = "debug-exit", .max_width = 4, .read = exit_read, .write = exit_write };
const struct dev_ops vdebug_console_ops = {
    .name = "debug-console", .max_width = 1, .read = console_read, .write = console_write,
};
