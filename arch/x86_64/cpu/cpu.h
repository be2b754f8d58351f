/* The order in which a CPU becomes the hypervisor's, and what the boot log says about it. */
#ifndef ARCH_X86_64_CPU_CPU_H
#define ARCH_X86_64_CPU_CPU_H

#include "arch/x86_64/cpu/pcpu.h"

/* The boot CPU, first thing of all: features, control registers, descriptor tables, pcpu 0 on static interrupt stacks.
 * From here on an exception ends in panic() and not in a reset. Logging works before and after. */
void cpu_init_boot(void);

/* "cpu 0: ..." lines: the CPU's name, its features, and for each that is absent what is used instead. */
void cpu_report(void);

/* One line per CPU: APIC ID, state, stack. */
void cpu_report_all(void);

#endif
