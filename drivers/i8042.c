#include "drivers/i8042.h"

/* IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller". */
#define PORT_DATA    0x60
#define PORT_STATUS  0x64
#define PORT_COMMAND 0x64

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_INPUT_FULL  0x02
#define STATUS_FROM_MOUSE  0x20
#define STATUS_NOBODY      0xFF /* a port that nothing answers */

#define COMMAND_READ_CONFIGURATION  0x20
#define COMMAND_WRITE_CONFIGURATION 0x60
#define COMMAND_ENABLE_KEYBOARD     0xAE
#define CONFIGURATION_KEYBOARD_IRQ  0x01
#define CONFIGURATION_MOUSE_IRQ     0x02
#define CONFIGURATION_KEYBOARD_OFF  0x10
#define CONFIGURATION_TRANSLATE     0x40
#define KEYBOARD_ENABLE_SCANNING    0xF4

#define MAX_SPIN  20000u
#define MAX_STALE 64u /* bytes a controller might still hold */

static bool wait_status(const struct i8042 *k, uint8_t mask, uint8_t value)
{
    for (unsigned spin = 0; spin < MAX_SPIN; spin++)
        if ((k->io->in8(PORT_STATUS) & mask) == value)
            return true;
    return false;
}

static bool send(const struct i8042 *k, uint16_t port, uint8_t value)
{
    if (!wait_status(k, STATUS_INPUT_FULL, 0))
        return false;
    k->io->out8(port, value);
    return true;
}

static bool read_configuration(const struct i8042 *k, uint8_t *value)
{
    if (!send(k, PORT_COMMAND, COMMAND_READ_CONFIGURATION))
        return false;
    if (!wait_status(k, STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL))
        return false;
    *value = k->io->in8(PORT_DATA);
    return true;
}

static void drop_stale_bytes(const struct i8042 *k)
{
    for (unsigned i = 0; i < MAX_STALE && (k->io->in8(PORT_STATUS) & STATUS_OUTPUT_FULL); i++)
        (void)k->io->in8(PORT_DATA);
}

/* The mouse stays silent: nobody reads it. */
static bool configure(const struct i8042 *k, bool irq)
{
    uint8_t value;
    if (!read_configuration(k, &value))
        return false;
    value &= (uint8_t)~(CONFIGURATION_KEYBOARD_IRQ | CONFIGURATION_MOUSE_IRQ | CONFIGURATION_KEYBOARD_OFF);
    value |= CONFIGURATION_TRANSLATE | (irq ? CONFIGURATION_KEYBOARD_IRQ : 0);
    return send(k, PORT_COMMAND, COMMAND_WRITE_CONFIGURATION) && send(k, PORT_DATA, value);
}

/* The controller's self-test is left out on purpose: firmware that makes a USB keyboard look like this one
 * sometimes does not survive it. */
bool i8042_init(struct i8042 *k, const struct port_io *io)
{
    *k = (struct i8042){ .io = io };
    if (io->in8(PORT_STATUS) == STATUS_NOBODY)
        return false;
    drop_stale_bytes(k);
    if (!configure(k, false) || !send(k, PORT_COMMAND, COMMAND_ENABLE_KEYBOARD) ||
        !send(k, PORT_DATA, KEYBOARD_ENABLE_SCANNING))
        return false;
    /* The keyboard's answer (FAh, or nothing if none is plugged in) is dropped by scancode_feed. */
    k->present = true;
    return true;
}

void i8042_set_irq(struct i8042 *k, bool on)
{
    if (k->present)
        (void)configure(k, on); /* a controller that stopped answering is polled in vain, and nothing else */
}

bool i8042_poll(struct i8042 *k, char out[SCANCODE_MAX_BYTES], size_t *count)
{
    *count = 0;
    if (!k->present)
        return false;
    uint8_t status = k->io->in8(PORT_STATUS);
    if (!(status & STATUS_OUTPUT_FULL) || status == STATUS_NOBODY)
        return false;
    uint8_t code = k->io->in8(PORT_DATA);
    if (!(status & STATUS_FROM_MOUSE))
        *count = scancode_feed(&k->keys, code, out);
    return true;
}
