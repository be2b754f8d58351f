/* Two opt-in ports for kernels' own test suites: debug-exit (the value written ends the partition and is its status; as
 * QEMU's isa-debug-exit) and debug-console (each byte written is shown; reading it answers E9h, as Bochs does). */
#ifndef HV_DEV_VDEBUG_H
#define HV_DEV_VDEBUG_H

#include "hv/dev/dev.h"

#define VDEBUG_EXIT_PORTS     4     /* so that a 32-bit status arrives whole */
#define VDEBUG_CONSOLE_ANSWER 0xe9

struct vdebug_exit {
    /* Called in the middle of the access: note the status, stop the partition afterwards. */
    void (*ended)(void *ctx, uint32_t status);
    void *ctx;
};

struct vdebug_console {
    struct dev_output output;
};

extern const struct dev_ops vdebug_exit_ops, vdebug_console_ops;
static inline struct dev_ports vdebug_exit_ports(uint16_t base) { return (struct dev_ports){ base, VDEBUG_EXIT_PORTS, 0 }; }
static inline struct dev_ports vdebug_console_ports(uint16_t base) { return (struct dev_ports){ base, 1, 0 }; }

#endif
