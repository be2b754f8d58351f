/* What a boot test asks for with "selftest=NAME" on the hypervisor's command line; see the table in the .c file. */
#ifndef HV_SELFTEST_CPU_H
#define HV_SELFTEST_CPU_H

#include "boot/boot_info.h"

/* If the command line asks for a test: bring the machine up, run it, power off. Else return at once. */
void selftest_cpu(const struct boot_info *info);

#endif
