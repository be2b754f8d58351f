/* Starting the other CPUs: SDM vol 3, "MP Initialization Protocol Algorithm for MP Systems". */
#ifndef ARCH_X86_64_CPU_SMP_H
#define ARCH_X86_64_CPU_SMP_H

#include "arch/x86_64/cpu/pcpu.h"
#include "hv/lib/types.h"

struct smp_config {
    hpa_t page;                 /* one free page below 1 MiB, identity mapped and executable in `root`'s tables */
    void *page_pointer;         /* the same page, writable */
    uint64_t root;              /* CR3; below 4 GiB */
    void (*entry)(struct pcpu *p); /* runs on the new CPU on its stack, with GDT, IDT and local APIC; never returns */
};

enum smp_result {
    SMP_OK = 0,
    SMP_BAD_PAGE,     /* the trampoline page is not below 1 MiB, or is address 0 */
    SMP_BAD_ROOT,     /* the page tables' root is above 4 GiB, where 16-bit code cannot load it */
    SMP_NO_ANSWER,    /* the CPU did not start within a second; it was sent back to wait */
    SMP_WRONG_CPU,    /* it started, but lacks a feature the boot CPU has, or has another ID */
};
const char *smp_result_text(enum smp_result r);

/* Start the CPU of `p` (pcpu_add, stack_create done) and wait until it is PCPU_ONLINE. After the last one the page
 * may be unmapped and used again. */
enum smp_result smp_start(const struct smp_config *config, struct pcpu *p) MUST_CHECK;

#endif
