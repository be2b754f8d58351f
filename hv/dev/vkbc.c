/* The 8042's command set, the keyboard behind it, and the translation between scan code sets 2 and 1. */
#include "hv/dev/vkbc.h"

#include "hv/lib/str.h"

enum status {
    STATUS_OBF = 0x01, STATUS_SYSTEM = 0x04, STATUS_COMMAND = 0x08, STATUS_UNLOCKED = 0x10, STATUS_AUX = 0x20,
    STATUS_TIMEOUT = 0x40,
};
enum command_byte {
    CB_INT = 0x01, CB_INT_AUX = 0x02, CB_SYSTEM = 0x04, CB_DISABLE = 0x10, CB_DISABLE_AUX = 0x20, CB_TRANSLATE = 0x40,
};
enum output_port { OP_NOT_RESET = 0x01, OP_A20 = 0x02, OP_INT = 0x10, OP_INT_AUX = 0x20, OP_CLOCKS = 0xc0 };
enum port_a { PORT_A_RESET = 0x01, PORT_A_A20 = 0x02 };
enum offset { DATA, COMMAND, PORT_A };

enum controller_command {
    CC_READ_RAM = 0x20, CC_WRITE_RAM = 0x60, CC_DISABLE_AUX = 0xa7, CC_ENABLE_AUX = 0xa8, CC_TEST_AUX = 0xa9,
    CC_SELF_TEST = 0xaa, CC_TEST_KEYBOARD = 0xab, CC_DISABLE = 0xad, CC_ENABLE = 0xae, CC_READ_INPUT = 0xc0,
    CC_READ_OUTPUT = 0xd0, CC_WRITE_OUTPUT = 0xd1, CC_KEYBOARD_BUFFER = 0xd2, CC_AUX_BUFFER = 0xd3, CC_TO_AUX = 0xd4,
    CC_A20_OFF = 0xdd, CC_A20_ON = 0xdf, CC_READ_TEST = 0xe0, CC_PULSE = 0xf0,
};
enum keyboard_command {
    KC_LEDS = 0xed, KC_ECHO = 0xee, KC_SCAN_SET = 0xf0, KC_IDENTIFY = 0xf2, KC_RATE = 0xf3, KC_ENABLE = 0xf4,
    KC_DISABLE = 0xf5, KC_DEFAULTS = 0xf6, KC_KEY_TYPES = 0xf7, KC_RESEND = 0xfe, KC_RESET = 0xff,
};
enum answer {
    SELF_TEST_PASSED = 0x55, INTERFACE_FINE = 0x00, INPUT_PORT = 0xa0, KB_ACK = 0xfa, KB_RESEND = 0xfe, KB_SELF_TEST_PASSED = 0xaa,
};

#define RAM_MASK     0x1f
#define BREAK        0xf0       /* the prefix in set 2 */
#define BREAK_1      0x80       /* the bit in set 1 */
#define NO_AUX_REPLY 0xfe       /* with the time-out bit: nobody took the byte */

const struct dev_ports vkbc_ports[VKBC_PORT_RANGES] = { { 0x60, 1, DATA }, { 0x64, 1, COMMAND }, { 0x92, 1, PORT_A } };

/* "Scan Code Translation": what the controller makes of each byte from the keyboard; bytes beyond pass unchanged. */
static const uint8_t set_2_to_1[] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    0x80, 0x81, 0x82, 0x41, 0x54,
};

/* ---- the output buffer ----------------------------------------------------------------------------------------- */

static void queue_put(struct vkbc_queue *queue, uint8_t byte)
{
    if (queue->count == VKBC_QUEUE_BYTES)
        return;     /* only answers to a host that never reads come here: keys ask for room first */
    queue->bytes[(queue->first + queue->count) % VKBC_QUEUE_BYTES] = byte;
    queue->count++;
}

static uint8_t queue_take(struct vkbc_queue *queue)
{
    uint8_t byte = queue->bytes[queue->first];
    queue->first = (uint8_t)((queue->first + 1u) % VKBC_QUEUE_BYTES);
    queue->count--;
    return byte;
}

static void drive(const struct irq_line *line, bool *current, bool level)
{
    if (level == *current)
        return;
    *current = level;
    irq_line_set(line, level);
}

static void update_irqs(struct vkbc *kbc)
{
    bool full = kbc->status & STATUS_OBF, aux = kbc->status & STATUS_AUX;
    drive(&kbc->irq1, &kbc->irq1_level, full && !aux && kbc->ram[0] & CB_INT);
    drive(&kbc->irq12, &kbc->irq12_level, full && aux && kbc->ram[0] & CB_INT_AUX);
}

static void fill_output(struct vkbc *kbc, uint8_t byte, uint8_t source_bits)
{
    kbc->output = byte;
    kbc->output_from_keyboard = false;
    kbc->status &= (uint8_t)~(STATUS_AUX | STATUS_TIMEOUT);
    kbc->status |= STATUS_OBF | source_bits;
}

/* The controller's own answer takes the buffer at once; a key that was in it comes back afterwards. */
static void answer(struct vkbc *kbc, uint8_t byte, uint8_t source_bits)
{
    if (kbc->status & STATUS_OBF && kbc->output_from_keyboard) {
        kbc->displaced = kbc->output;
        kbc->has_displaced = true;
    }
    fill_output(kbc, byte, source_bits);
}

/* The next byte from the keyboard as the host shall see it; false: none, or a prefix that waits for what follows. */
static bool next_keyboard_byte(struct vkbc *kbc, uint8_t *byte)
{
    while (kbc->keyboard.count) {
        *byte = queue_take(&kbc->keyboard);
        if (!(kbc->ram[0] & CB_TRANSLATE))
            return true;
        if (*byte == BREAK) {
            kbc->break_prefix = true;
            continue;
        }
        if (*byte < ARRAY_SIZE(set_2_to_1))
            *byte = set_2_to_1[*byte];
        if (kbc->break_prefix)
            *byte |= BREAK_1;
        kbc->break_prefix = false;
        return true;
    }
    return false;
}

static void refill(struct vkbc *kbc)
{
    uint8_t byte = kbc->displaced;
    if (kbc->status & STATUS_OBF || kbc->ram[0] & CB_DISABLE)
        return;
    if (!kbc->has_displaced && !next_keyboard_byte(kbc, &byte))
        return;
    kbc->has_displaced = false;
    fill_output(kbc, byte, 0);
    kbc->output_from_keyboard = true;
}

/* ---- the keyboard ---------------------------------------------------------------------------------------------- */

static void send(struct vkbc *kbc, uint8_t byte)
{
    kbc->keyboard_last = byte;
    queue_put(&kbc->keyboard, byte);
}

static void keyboard_defaults(struct vkbc *kbc, bool scanning)
{
    kbc->keyboard.count = 0;
    kbc->has_displaced = kbc->break_prefix = false;
    kbc->scan_set = 2;
    kbc->scanning = scanning;
}

static void keyboard_reset(struct vkbc *kbc)
{
    keyboard_defaults(kbc, true);
    kbc->leds = 0;
    send(kbc, KB_ACK);
    send(kbc, KB_SELF_TEST_PASSED);
}

/* "Select Alternate Scan Codes": 0 asks which; set 3 is not there. */
static void keyboard_scan_set(struct vkbc *kbc, uint8_t set)
{
    if (set > 2) {
        send(kbc, KB_RESEND);
        return;
    }
    send(kbc, KB_ACK);
    if (set)
        kbc->scan_set = set;
    else
        send(kbc, kbc->scan_set);
}

static void keyboard_parameter(struct vkbc *kbc, uint8_t command, uint8_t value)
{
    if (command == KC_SCAN_SET) {
        keyboard_scan_set(kbc, value);
        return;
    }
    if (command == KC_LEDS)
        kbc->leds = value & 7;
    send(kbc, KB_ACK);
}

static void keyboard_execute(struct vkbc *kbc, uint8_t command)
{
    switch (command) {
    case KC_LEDS:
    case KC_SCAN_SET:
    case KC_RATE:
        kbc->keyboard_command = command;
        break;
    case KC_ECHO:
        send(kbc, KC_ECHO);
        return;
    case KC_RESEND:
        queue_put(&kbc->keyboard, kbc->keyboard_last);
        return;
    case KC_RESET:
        keyboard_reset(kbc);
        return;
    case KC_ENABLE:
        kbc->keyboard.count = 0;
        kbc->scanning = true;
        break;
    case KC_DISABLE:
    case KC_DEFAULTS:
        keyboard_defaults(kbc, command == KC_DEFAULTS);
        break;
    default:
        if (command < KC_IDENTIFY) {
            send(kbc, KB_RESEND);       /* no such command */
            return;
        }
    }
    send(kbc, KB_ACK);      /* the commands for set 3's key types are accepted, too */
    if (command == KC_IDENTIFY) {
        send(kbc, 0xab);
        send(kbc, 0x83);
    }
}

/* A command in place of a parameter ends the command that waited for it. */
static void keyboard_write(struct vkbc *kbc, uint8_t value)
{
    uint8_t command = kbc->keyboard_command;
    kbc->keyboard_command = 0;
    if (command && value < KC_LEDS)
        keyboard_parameter(kbc, command, value);
    else
        keyboard_execute(kbc, value);
}

static uint8_t set_1_to_2(uint8_t code)
{
    for (unsigned i = ARRAY_SIZE(set_2_to_1); i-- > 0;)
        if (set_2_to_1[i] == code)
            return (uint8_t)i;
    return code;
}

bool vkbc_key(struct vkbc *kbc, const uint8_t *codes, unsigned count)
{
    if (!kbc->scanning || count > VKBC_QUEUE_BYTES / 2 || 2 * count > (unsigned)(VKBC_QUEUE_BYTES - kbc->keyboard.count))
        return false;
    for (unsigned i = 0; i < count; i++) {
        bool prefix = codes[i] == 0xe0 || codes[i] == 0xe1;
        if (prefix || kbc->scan_set == 1) {
            send(kbc, codes[i]);
            continue;
        }
        if (codes[i] & BREAK_1)
            send(kbc, BREAK);
        send(kbc, set_1_to_2(codes[i] & (uint8_t)~BREAK_1));
    }
    refill(kbc);
    update_irqs(kbc);
    return true;
}

/* ---- the controller -------------------------------------------------------------------------------------------- */

static void set_output_port(struct vkbc *kbc, uint8_t value)
{
    kbc->output_port = value & (OP_A20 | OP_NOT_RESET);
    if (value & OP_NOT_RESET)
        return;
    kbc->output_port |= OP_NOT_RESET;
    dev_request_send(&kbc->reset);
}

static uint8_t read_output_port(const struct vkbc *kbc)
{
    bool full = kbc->status & STATUS_OBF, aux = kbc->status & STATUS_AUX;
    return (uint8_t)(kbc->output_port | OP_CLOCKS | (full && !aux ? OP_INT : 0) | (full && aux ? OP_INT_AUX : 0));
}

static void set_command_byte(struct vkbc *kbc, uint8_t value)
{
    kbc->ram[0] = value;
    kbc->status = (uint8_t)((kbc->status & ~STATUS_SYSTEM) | (value & CB_SYSTEM ? STATUS_SYSTEM : 0));
}

/* Some controllers forget their command byte over this; kernels that do not write it again rely on the others. */
static void self_test(struct vkbc *kbc)
{
    set_command_byte(kbc, kbc->ram[0] | CB_SYSTEM);
    answer(kbc, SELF_TEST_PASSED, 0);
}

static void write_command(struct vkbc *kbc, uint8_t command)
{
    kbc->pending_command = 0;
    kbc->status |= STATUS_COMMAND;
    switch (command) {
    case CC_READ_RAM ... CC_READ_RAM + RAM_MASK:
        answer(kbc, kbc->ram[command & RAM_MASK], 0);
        break;
    case CC_WRITE_RAM ... CC_WRITE_RAM + RAM_MASK:
    case CC_WRITE_OUTPUT ... CC_TO_AUX:
        kbc->pending_command = command;
        break;
    case CC_DISABLE_AUX:
        kbc->ram[0] |= CB_DISABLE_AUX;
        break;
    case CC_ENABLE_AUX:
        kbc->ram[0] &= (uint8_t)~CB_DISABLE_AUX;
        break;
    case CC_TEST_AUX:
    case CC_TEST_KEYBOARD:
        answer(kbc, INTERFACE_FINE, 0);
        break;
    case CC_SELF_TEST:
        self_test(kbc);
        break;
    case CC_DISABLE:
        kbc->ram[0] |= CB_DISABLE;
        break;
    case CC_ENABLE:
        kbc->ram[0] &= (uint8_t)~CB_DISABLE;
        break;
    case CC_READ_INPUT:
        answer(kbc, INPUT_PORT, 0);
        break;
    case CC_READ_OUTPUT:
        answer(kbc, read_output_port(kbc), 0);
        break;
    case CC_A20_OFF:
        kbc->output_port &= (uint8_t)~OP_A20;
        break;
    case CC_A20_ON:
        kbc->output_port |= OP_A20;
        break;
    case CC_READ_TEST:
        answer(kbc, kbc->ram[0] & CB_DISABLE ? 0 : 1, 0);
        break;
    case CC_PULSE ... 0xff:
        if (!(command & OP_NOT_RESET))
            dev_request_send(&kbc->reset);
        break;
    default:                /* not a command: nothing answers */
        break;
    }
}

static void write_parameter(struct vkbc *kbc, uint8_t command, uint8_t value)
{
    switch (command) {
    case CC_WRITE_RAM:
        set_command_byte(kbc, value);
        break;
    case CC_WRITE_OUTPUT:
        set_output_port(kbc, value);
        break;
    case CC_KEYBOARD_BUFFER:
        answer(kbc, value, 0);
        break;
    case CC_AUX_BUFFER:
        answer(kbc, value, STATUS_AUX);
        break;
    case CC_TO_AUX:         /* nothing is plugged in: the byte is not taken */
        answer(kbc, NO_AUX_REPLY, STATUS_AUX | STATUS_TIMEOUT);
        break;
    default:
        kbc->ram[command & RAM_MASK] = value;
    }
}

/* A byte for the keyboard enables its interface again. */
static void write_data(struct vkbc *kbc, uint8_t value)
{
    uint8_t command = kbc->pending_command;
    kbc->pending_command = 0;
    kbc->status &= (uint8_t)~STATUS_COMMAND;
    if (command) {
        write_parameter(kbc, command, value);
        return;
    }
    kbc->ram[0] &= (uint8_t)~CB_DISABLE;
    keyboard_write(kbc, value);
}

static void write_port_a(struct vkbc *kbc, uint8_t value)
{
    kbc->output_port = (uint8_t)((kbc->output_port & ~OP_A20) | (value & PORT_A_A20 ? OP_A20 : 0));
    if (value & PORT_A_RESET)
        dev_request_send(&kbc->reset);
}

static uint8_t read_data(struct vkbc *kbc)
{
    kbc->status &= (uint8_t)~(STATUS_OBF | STATUS_AUX | STATUS_TIMEOUT);
    uint8_t byte = kbc->output;
    update_irqs(kbc);       /* the lines fall before the next byte raises them: a new edge */
    refill(kbc);
    update_irqs(kbc);
    return byte;
}

static uint64_t vkbc_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vkbc *kbc = dev;
    if (offset == DATA)
        return read_data(kbc);
    return offset == COMMAND ? kbc->status : kbc->output_port & OP_A20;
}

static void vkbc_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vkbc *kbc = dev;
    if (offset == DATA)
        write_data(kbc, (uint8_t)value);
    else if (offset == COMMAND)
        write_command(kbc, (uint8_t)value);
    else
        write_port_a(kbc, (uint8_t)value);
    refill(kbc);
    update_irqs(kbc);
}

/* As firmware leaves it: keyboard scanning and translated, its interrupt on, the mouse port off. */
static void vkbc_reset(void *dev, vtime_t now)
{
    struct vkbc *kbc = dev;
    *kbc = (struct vkbc){
        .status = STATUS_SYSTEM | STATUS_UNLOCKED,
        .ram = { CB_INT | CB_SYSTEM | CB_DISABLE_AUX | CB_TRANSLATE },
        .output_port = OP_NOT_RESET | OP_A20,
        .scan_set = 2,
        .scanning = true,
        .irq1 = kbc->irq1,
        .irq12 = kbc->irq12,
        .irq1_level = kbc->irq1_level,
        .irq12_level = kbc->irq12_level,
        .reset = kbc->reset,
    };
    update_irqs(kbc);
}

void vkbc_init(struct vkbc *kbc, struct irq_line irq1, struct irq_line irq12, struct dev_request reset_request)
{
    memset(kbc, 0, sizeof *kbc);
    vkbc_reset(kbc, 0);
    kbc->irq1 = irq1;
    kbc->irq12 = irq12;
    kbc->reset = reset_request;
}

const struct dev_ops vkbc_ops = { .name = "kbc", .max_width = 1, .read = vkbc_read, .write = vkbc_write, .reset = vkbc_reset };
