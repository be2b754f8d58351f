/* PCI configuration mechanism #1 (ports CF8h, CFCh-CFFh) with a host bridge at 0:0.0, and the reset control register
 * (CF9h). Facts from "PCI Local Bus Specification, Configuration Mechanism #1" and the 82371SB's data sheet.
 *
 * Only bus 0 exists. A function is a 256-byte configuration space with a mask of the bits that software may write; the
 * device that owns it is told after each write. */
#ifndef HV_DEV_VPCI_H
#define HV_DEV_VPCI_H

#include "hv/dev/dev.h"

#define VPCI_PORT_RANGES  1
#define VPCI_FUNCTIONS    256       /* device number << 3 | function number */
#define VPCI_CONFIG_BYTES 256
#define VPCI_DEVFN(device, function) ((unsigned)(device) << 3 | (unsigned)(function))

#define VPCI_RESET_PORT   0xcf9     /* for the FADT's reset register ... */
#define VPCI_RESET_VALUE  0x06      /* ... and its value */

struct vpci_function {
    uint8_t config[VPCI_CONFIG_BYTES];
    uint8_t writable[VPCI_CONFIG_BYTES];            /* 1: software may change this bit */
    uint8_t write_one_clears[VPCI_CONFIG_BYTES];    /* 1: writing 1 clears this bit */
    /* Called after a write of `size` bytes at `offset` took effect; may be NULL. */
    void (*written)(void *ctx, unsigned offset, unsigned size, vtime_t now);
    void *ctx;
};

struct vpci {
    uint32_t address;                               /* CF8h */
    uint8_t reset_control;                          /* CF9h */
    struct vpci_function *functions[VPCI_FUNCTIONS];
    struct vpci_function host_bridge;
    struct dev_request reset;
};

extern const struct dev_ops vpci_ops;
extern const struct dev_ports vpci_ports[VPCI_PORT_RANGES];

void vpci_init(struct vpci *pci, struct dev_request reset_request);
/* False if the place is taken or out of range. `function` stays the caller's. */
bool vpci_add(struct vpci *pci, unsigned devfn, struct vpci_function *function) MUST_CHECK;
/* A zeroed function with the identity registers filled in and the command register's enable bits writable. */
void vpci_function_init(struct vpci_function *function, uint16_t vendor, uint16_t device, uint32_t class_code,
                        uint8_t revision);
/* Little-endian access to one's own configuration space, for models; false if it does not fit. */
bool vpci_config_get(const struct vpci_function *function, unsigned offset, unsigned size, uint32_t *value) MUST_CHECK;
bool vpci_config_set(struct vpci_function *function, unsigned offset, unsigned size, uint32_t value) MUST_CHECK;

#endif
