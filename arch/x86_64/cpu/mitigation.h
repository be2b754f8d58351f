/* What the hypervisor does about this CPU's speculation (speculation.h decides): found and, where it is code, put in place while
 * that can still be written. What is done when guests change hands is guest_state.h's, around an exit a backend's. */
#ifndef ARCH_X86_64_CPU_MITIGATION_H
#define ARCH_X86_64_CPU_MITIGATION_H

#include "arch/x86_64/cpu/speculation.h"

/* Once, on the boot CPU, with its IDT and before the hypervisor's text is mapped read-only. `without`: the user asks to do
 * without it; NULL: without none. */
void mitigation_init(bool (*without)(const char *feature));

/* On each CPU, before it runs guests. */
void mitigation_cpu_enable(void);

const struct speculation_policy *mitigation_policy(void);

/* The same as .spec_ctrl, for assembly. */
extern uint64_t mitigation_spec_ctrl;

#endif
