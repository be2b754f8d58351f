/* Configuration cycles to a table of functions, and the reset control register among the same ports. */
#include "hv/dev/vpci.h"

#include "hv/lib/str.h"

enum address { ADDRESS_ENABLE = 0x80000000u, ADDRESS_WRITABLE = 0x80fffffcu };
enum reset_control { RC_RESET_CPU = 0x04, RC_KEPT = 0x0e };
enum config { CFG_VENDOR = 0x00, CFG_DEVICE = 0x02, CFG_COMMAND = 0x04, CFG_REVISION = 0x08, CFG_CLASS = 0x09 };
enum offset { ADDRESS = 0, RESET_CONTROL = 1, DATA = 4 };

#define COMMAND_WRITABLE 0x0547     /* I/O, memory, master, parity, SERR#, interrupt disable */

const struct dev_ports vpci_ports[VPCI_PORT_RANGES] = { { 0xcf8, 8, 0 } };

/* ---- a function's configuration space -------------------------------------------------------------------------- */

bool vpci_config_get(const struct vpci_function *function, unsigned offset, unsigned size, uint32_t *value)
{
    if (size > 4 || !range_fits(offset, size, VPCI_CONFIG_BYTES))
        return false;
    *value = 0;
    for (unsigned i = 0; i < size; i++)
        *value |= (uint32_t)function->config[offset + i] << (8 * i);
    return true;
}

bool vpci_config_set(struct vpci_function *function, unsigned offset, unsigned size, uint32_t value)
{
    if (size > 4 || !range_fits(offset, size, VPCI_CONFIG_BYTES))
        return false;
    for (unsigned i = 0; i < size; i++)
        function->config[offset + i] = (uint8_t)(value >> (8 * i));
    return true;
}

static void write_byte(struct vpci_function *function, unsigned offset, uint8_t value)
{
    uint8_t writable = function->writable[offset], clears = function->write_one_clears[offset];
    uint8_t kept = function->config[offset] & (uint8_t)~(writable | (clears & value));
    function->config[offset] = kept | (value & writable);
}

static void put_config(struct vpci_function *function, unsigned offset, unsigned bytes, uint32_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        function->config[offset + i] = (uint8_t)(value >> (8 * i));
}

void vpci_function_init(struct vpci_function *function, uint16_t vendor, uint16_t device, uint32_t class_code,
                        uint8_t revision)
{
    memset(function, 0, sizeof *function);
    put_config(function, CFG_VENDOR, 2, vendor);
    put_config(function, CFG_DEVICE, 2, device);
    put_config(function, CFG_REVISION, 1, revision);
    put_config(function, CFG_CLASS, 3, class_code);
    function->writable[CFG_COMMAND] = COMMAND_WRITABLE & 0xff;
    function->writable[CFG_COMMAND + 1] = COMMAND_WRITABLE >> 8;
}

bool vpci_add(struct vpci *pci, unsigned devfn, struct vpci_function *function)
{
    if (devfn >= VPCI_FUNCTIONS || pci->functions[devfn])
        return false;
    pci->functions[devfn] = function;
    return true;
}

/* ---- ports ----------------------------------------------------------------------------------------------------- */

/* The function that the address register selects; none: the cycle ends in a master abort. */
static struct vpci_function *selected(const struct vpci *pci)
{
    bool bus_0 = pci->address & ADDRESS_ENABLE && !(pci->address >> 16 & 0xff);
    return bus_0 ? pci->functions[pci->address >> 8 & 0xff] : NULL;
}

static bool is_data(uint64_t offset, unsigned size) { return offset >= DATA && offset - DATA + size <= 4; }

static uint64_t vpci_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vpci *pci = dev;
    if (offset == ADDRESS && size == 4)     /* only a double word reaches it; all else is an ordinary I/O cycle */
        return pci->address;
    if (offset == RESET_CONTROL && size == 1)
        return pci->reset_control;
    const struct vpci_function *function = selected(pci);
    uint32_t value;
    unsigned reg = (pci->address & 0xfc) + (unsigned)(offset & 3);
    if (!is_data(offset, size) || !function || !vpci_config_get(function, reg, size, &value))
        return UINT64_MAX;
    return value;
}

/* The processor is reset when the bit goes from 0 to 1. */
static void write_reset_control(struct vpci *pci, uint8_t value)
{
    bool rose = value & RC_RESET_CPU && !(pci->reset_control & RC_RESET_CPU);
    pci->reset_control = value & RC_KEPT;
    if (rose)
        dev_request_send(&pci->reset);
}

static void write_data(struct vpci *pci, unsigned reg, unsigned size, uint64_t value, vtime_t now)
{
    struct vpci_function *function = selected(pci);
    if (!function)
        return;
    for (unsigned i = 0; i < size; i++)
        write_byte(function, reg + i, (uint8_t)(value >> (8 * i)));
    if (function->written)
        function->written(function->ctx, reg, size, now);
}

static void vpci_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vpci *pci = dev;
    if (offset == ADDRESS && size == 4)
        pci->address = value & ADDRESS_WRITABLE;
    else if (offset == RESET_CONTROL && size == 1)
        write_reset_control(pci, (uint8_t)value);
    else if (is_data(offset, size))
        write_data(pci, (pci->address & 0xfc) + (unsigned)(offset & 3), size, value, now);
}

/* The host bridge of a 440FX, as far as software looks: identity, and the memory-attribute registers as latches. */
static void host_bridge_init(struct vpci_function *bridge)
{
    vpci_function_init(bridge, 0x8086, 0x1237, 0x060000, 0x02);
    bridge->config[CFG_COMMAND] = 0x06;         /* memory and master, wired on */
    bridge->writable[CFG_COMMAND] = 0x40;
    bridge->writable[CFG_COMMAND + 1] = 0x01;
    memset(&bridge->writable[0x59], 0xff, 7);   /* PAM0-PAM6 */
    bridge->writable[0x72] = 0x78;              /* SMRAM */
    bridge->config[0x72] = 0x02;
}

/* Functions of others are reset by their owners. */
static void vpci_reset(void *dev, vtime_t now)
{
    struct vpci *pci = dev;
    pci->address = 0;
    pci->reset_control = 0;
    host_bridge_init(&pci->host_bridge);
}

void vpci_init(struct vpci *pci, struct dev_request reset_request)
{
    memset(pci, 0, sizeof *pci);
    pci->reset = reset_request;
    pci->functions[VPCI_DEVFN(0, 0)] = &pci->host_bridge;
    vpci_reset(pci, 0);
}

const struct dev_ops vpci_ops = { .name = "pci", .max_width = 4, .read = vpci_read, .write = vpci_write, .reset = vpci_reset };
