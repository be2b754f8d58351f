#include "arch/x86_64/cpu/cpu.h"
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/idt.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/stack.h"
#include "arch/x86_64/cpu/tsc.h"
#include "hv/lib/log.h"

void cpu_init_boot(void)
{
    cpu_features_read(&cpu_features);
    cpu_control_setup(&cpu_features);
    idt_init();
    struct pcpu *p = pcpu_add(lapic_id_by_cpuid());
    stack_use_static(p);
    pcpu_load(p);
    atomic_store_explicit(&p->state, PCPU_ONLINE, memory_order_release);
}

/* What an absent feature is replaced by; the hypervisor runs without each of them. */
static void report_fallbacks(const struct cpu_features *f)
{
    const struct { bool has; const char *absent; } rows[] = {
        { f->x2apic, "no x2APIC: the local APIC is reached through memory" },
        { f->tsc_deadline, "no TSC-deadline timer: the local APIC timer is used in one-shot mode" },
        { f->smep, "no SMEP" },
        { f->smap, "no SMAP" },
        { f->umip, "no UMIP" },
        { f->pages_1g, "no 1 GiB pages: 2 MiB pages are the largest" },
        { f->xsave, "no XSAVE: guests have x87 and SSE only" },
        { f->pcid, "no PCID" },
        { f->rdtscp, "no RDTSCP" },
        { f->pat, "no PAT: screen memory is uncached" },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        if (!rows[i].has)
            log_line("cpu: %s", rows[i].absent);
}

void cpu_report(void)
{
    const struct cpu_features *f = &cpu_features;
    const char *brand = f->brand;
    while (*brand == ' ')
        brand++;
    log_line("cpu: %s \"%s\", %u-bit physical, %u-bit linear addresses%s", f->vendor, brand, f->physical_bits,
             f->linear_bits, f->hypervisor ? ", itself in a virtual machine" : "");
    log_line("cpu: %s, local APIC by %s, timer in %s mode", f->vmx ? "VT-x" : f->svm ? "AMD-V" : "no virtualization",
             lapic_mode() == LAPIC_X2APIC ? "x2APIC MSRs" : "memory (xAPIC)",
             f->tsc_deadline ? "TSC-deadline" : "one-shot");
    report_fallbacks(f);
}

void cpu_report_all(void)
{
    static const char *const states[] = {
        [PCPU_ABSENT] = "absent", [PCPU_STARTING] = "starting", [PCPU_ONLINE] = "online",
        [PCPU_FAILED] = "not in use", [PCPU_STOPPED] = "stopped",
    };
    for (unsigned i = 0; i < pcpu_count(); i++) {
        struct pcpu *p = pcpu_at(i);
        log_line("cpu %u: APIC ID %u, %s, stack below %016lx", p->index, p->apic_id,
                 states[atomic_load_explicit(&p->state, memory_order_acquire)], (uintptr_t)p->stack_top);
    }
}
