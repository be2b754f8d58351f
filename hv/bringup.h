/* From the boot stack to all CPUs running on the hypervisor's own page tables, stacks and clock. One call, in the only
 * order that works; everything found on the way stays in *machine for the composition root. */
#ifndef HV_BRINGUP_H
#define HV_BRINGUP_H

#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/mmu/host.h"
#include "boot/boot_info.h"
#include "drivers/acpi.h"
#include "hv/mem/page.h"

struct machine {
    const struct boot_info *info;
    struct page_allocator pages;
    struct pt_mem tables;       /* pages for page tables, from `pages` */
    struct host_map map;
    struct host_image image;
    struct acpi_info acpi;
    hpa_t trampoline;           /* a page below 1 MiB, 0: there is none */
    uint64_t lapic_timer_hz;
    bool map_active;            /* CR3 is ours: memory above 4 GiB is reachable */
};
extern struct machine machine;

/* Descriptor tables, pages, page tables, ACPI, local APIC, clock. On the boot stack; panics with a sentence if the
 * machine cannot be used. Log sinks should be there already. `without`: the user asks to do
 * without a feature; NULL: without none. */
void bringup_boot_cpu(const struct boot_info *info, bool (*without)(const char *feature));

/* Map for a device driver, uncached; panics if that fails. */
void *bringup_map_io(hpa_t hpa, uint64_t size, pt_attributes_t cache);

/* Start every other CPU in turn; each then runs ap_main on its own stack. Those that do not start are named in the
 * log. Returns how many CPUs run, this one included. */
unsigned bringup_other_cpus(void (*ap_main)(struct pcpu *p));

/* Leave the boot stack for a guarded one: continue in fn(arg). */
NORETURN void bringup_use_own_stack(void (*fn)(void *arg), void *arg);

#endif
