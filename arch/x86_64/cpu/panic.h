/* The end: our own bug, told with all that helps to find it, on every console.
 * Guests' and users' mistakes never come here (STYLE: three kinds of errors). */
#ifndef ARCH_X86_64_CPU_PANIC_H
#define ARCH_X86_64_CPU_PANIC_H

#include "arch/x86_64/cpu/idt.h"
#include "hv/lib/types.h"

/* Stops the other CPUs, logs the reason, the registers and a symbolised backtrace, calls the hook, ends. */
NORETURN void panic(const char *format, ...) PRINTF(1, 2);

/* An exception of the hypervisor itself. */
NORETURN void panic_exception(const struct trap_frame *frame);

/* hook: prints more (the trace ring's tail) through log_emergency; end: what to do at last, instead of halting
 * (tests: power off). Either may be NULL. */
void panic_set_hook(void (*hook)(void));
void panic_set_end(void (*end)(void));

/* For the NMI path: does not return if another CPU has panicked. */
void panic_stop_if_told(void);

#endif
