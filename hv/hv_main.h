/* The hypervisor's C entry, where both doors end. */
#ifndef HV_HV_MAIN_H
#define HV_HV_MAIN_H

#include "boot/boot_info.h"

/* On the boot stack, interrupts off, with the early page tables; `info` is in the direct map. */
NORETURN void hv_main(const struct boot_info *info);

#endif
