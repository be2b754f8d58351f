/* Switching the machine off and resetting it: what the firmware describes first, then what the known machines do. */
#ifndef DRIVERS_POWER_H
#define DRIVERS_POWER_H

#include "drivers/acpi.h"

/* Facts to use; acpi may be NULL or empty. debug_exit_port: QEMU's isa-debug-exit, 0 unless the command line names it. */
struct power_config {
    const struct acpi_fadt *fadt;
    volatile void *reset_mmio; /* the reset register mapped, if it is in memory; else NULL */
    uint16_t debug_exit_port;
};
void power_init(const struct power_config *config);

/* Both log each step by log_emergency (they also end a panic), and halt if nothing worked. */
NORETURN void power_off(void);
NORETURN void power_reset(void);

#endif
