#include "arch/x86_64/cpu/smp.h"
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/tsc.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"

#define INIT_WAIT_US     10000u
#define STARTUP_WAIT_US  200u
#define ONLINE_WAIT_US   1000000u
#define POLL_US          20u

/* The block at the end of trampoline.asm. */
struct PACKED trampoline_params {
    uint64_t root, efer, stack, pcpu, entry;
    uint32_t far_offset, far_selector;
    uint16_t gdt_limit;
    uint32_t gdt_base;
    uint16_t reserved;
    uint64_t long_mode_offset, descriptors_offset;
};
HW_OFFSET(struct trampoline_params, far_offset, 40);
HW_OFFSET(struct trampoline_params, gdt_limit, 48);
HW_OFFSET(struct trampoline_params, long_mode_offset, 56);

extern const char trampoline_start[], trampoline_params[], trampoline_end[];

static uint64_t boot_tsc_adjust;
static void (*ap_entry)(struct pcpu *p); /* of the CPU that starts: one at a time */

static const char *const texts[] = {
    [SMP_OK] = "started",
    [SMP_BAD_PAGE] = "there is no usable page below 1 MiB to start it from",
    [SMP_BAD_ROOT] = "the page tables' root is above 4 GiB",
    [SMP_NO_ANSWER] = "it did not answer INIT and STARTUP within a second",
    [SMP_WRONG_CPU] = "it is not like the boot CPU, or has another APIC ID than listed",
};

const char *smp_result_text(enum smp_result r)
{
    return texts[r];
}

/* What the page tables and the code rely on; a weaker CPU among stronger ones happens with odd firmware. */
static bool cpu_is_fit(struct pcpu *p)
{
    struct cpu_features mine, *boot = &cpu_features;
    cpu_features_read(&mine);
    return lapic_id_by_cpuid() == p->apic_id && (mine.nx || !boot->nx) && (mine.pages_1g || !boot->pages_1g) &&
           (mine.x2apic || lapic_mode() != LAPIC_X2APIC) && mine.tsc_deadline == boot->tsc_deadline &&
           mine.vmx == boot->vmx && mine.svm == boot->svm && (mine.xsave || !boot->xsave);
}

/* Firmware that wrote a CPU's TSC leaves the difference here; the same value everywhere brings them together. */
static void tsc_adopt(void)
{
    if (cpu_features.tsc_adjust && rdmsr(IA32_TSC_ADJUST) != boot_tsc_adjust)
        wrmsr(IA32_TSC_ADJUST, boot_tsc_adjust);
}

/* A started CPU's TSC must lie between the boot CPU's before and after the start. */
static void tsc_compare(const struct pcpu *p, uint64_t before, uint64_t after)
{
    if (p->tsc_online < before || p->tsc_online > after)
        log_line("cpu %u: its TSC is %lu us %s the boot CPU's: times of different CPUs do not compare", p->index,
                 tsc_to_ns(p->tsc_online < before ? before - p->tsc_online : p->tsc_online - after) / 1000,
                 p->tsc_online < before ? "behind" : "ahead of");
}

/* First C on the new CPU, on its own stack. */
static NORETURN void ap_main(struct pcpu *p)
{
    cpu_control_setup(&cpu_features);
    pcpu_load(p);
    if (!cpu_is_fit(p)) {
        atomic_store_explicit(&p->state, PCPU_FAILED, memory_order_release);
        for (;;)
            hlt();
    }
    lapic_enable();
    tsc_adopt();
    p->tsc_online = rdtsc_ordered();
    void (*entry)(struct pcpu *) = ap_entry;
    atomic_store_explicit(&p->state, PCPU_ONLINE, memory_order_release); /* pairs with wait_for() */
    entry(p);
    __builtin_unreachable();
}

static void trampoline_write(const struct smp_config *c, const struct pcpu *p)
{
    uint32_t page = (uint32_t)c->page.raw;
    memcpy(c->page_pointer, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    struct trampoline_params *t = (void *)((char *)c->page_pointer + (trampoline_params - trampoline_start));
    t->root = c->root;
    t->efer = EFER_LME | (cpu_features.nx ? EFER_NXE : 0);
    t->stack = (uint64_t)(uintptr_t)p->stack_top;
    t->pcpu = (uint64_t)(uintptr_t)p;
    t->entry = (uint64_t)(uintptr_t)ap_main;
    t->far_offset = page + (uint32_t)t->long_mode_offset;
    t->gdt_base = page + (uint32_t)t->descriptors_offset;
}

/* True if the CPU left PCPU_STARTING in time. */
static bool wait_for(struct pcpu *p, uint64_t us)
{
    for (uint64_t waited = 0; waited < us; waited += POLL_US) {
        if (atomic_load_explicit(&p->state, memory_order_acquire) != PCPU_STARTING)
            return true;
        tsc_delay_us(POLL_US);
    }
    return false;
}

static bool knock(const struct smp_config *c, struct pcpu *p)
{
    uint8_t page = (uint8_t)(c->page.raw >> PAGE_SHIFT);
    lapic_send_init(p->apic_id);
    tsc_delay_us(INIT_WAIT_US);
    lapic_send_startup(p->apic_id, page);
    if (wait_for(p, STARTUP_WAIT_US))
        return true;
    lapic_send_startup(p->apic_id, page);
    return wait_for(p, ONLINE_WAIT_US);
}

enum smp_result smp_start(const struct smp_config *c, struct pcpu *p)
{
    if (c->page.raw == 0 || c->page.raw >= MiB(1) || c->page.raw % PAGE_SIZE != 0)
        return SMP_BAD_PAGE;
    if (c->root > UINT32_MAX)
        return SMP_BAD_ROOT;
    ap_entry = c->entry;
    trampoline_write(c, p);
    atomic_store_explicit(&p->state, PCPU_STARTING, memory_order_release);
    boot_tsc_adjust = cpu_features.tsc_adjust ? rdmsr(IA32_TSC_ADJUST) : 0;
    uint64_t before = rdtsc_ordered();
    bool answered = knock(c, p);
    if (answered && atomic_load_explicit(&p->state, memory_order_acquire) == PCPU_ONLINE) {
        tsc_compare(p, before, rdtsc_ordered());
        return SMP_OK;
    }
    /* Back to waiting: it must not come later, into a page used for other things, nor keep the stack it is on. */
    lapic_send_init(p->apic_id);
    tsc_delay_us(INIT_WAIT_US);
    atomic_store_explicit(&p->state, PCPU_FAILED, memory_order_release);
    return answered ? SMP_WRONG_CPU : SMP_NO_ANSWER;
}
