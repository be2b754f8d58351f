#include "hv/selftest_cpu.h"
#include "arch/x86_64/cpu/cpu.h"
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/fixup.h"
#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/panic.h"
#include "arch/x86_64/cpu/tsc.h"
#include "arch/x86_64/isa/msr.h"
#include "drivers/power.h"
#include "hv/bringup.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"

enum { TIMER_VECTOR = 0x40, HELLO_VECTOR = 0x41, STORM_VECTOR = 0x42, PANIC_VECTOR = 0x43 };
#define WAKES 20u
#define STORM 3000u
#define STOP_LOOKS 100000000u

static _Atomic unsigned hellos;
static unsigned timer_fired, hello_irqs;
static unsigned nmi_seen;
static _Atomic bool storm_over;
static volatile unsigned storm_depth, storm_nested, storm_wrong;

static void nmi_storm(void *ctx, unsigned vector);
static void panic_here(void *ctx, unsigned vector);

static void check(bool ok, const char *what)
{
    log_line("selftest: %s: %s", ok ? "ok" : "FAILED", what);
}

static void on_timer(void *ctx, unsigned vector)
{
    ++*(unsigned *)ctx;
}

static void on_nmi(void *ctx, const struct trap_frame *frame)
{
    ++*(unsigned *)ctx;
}

/* Every other CPU: says hello, then wakes the boot CPU by an interrupt and by an NMI whenever it was woken by one. */
static NORETURN void ap_main(struct pcpu *p)
{
    static unsigned wakes[PCPU_MAX];
    log_line("selftest: hello from CPU %u, APIC ID %u, RSP %016lx", p->index, lapic_id(), read_rsp());
    irq_set_handler(HELLO_VECTOR, on_timer, &wakes[p->index]);
    irq_set_handler(STORM_VECTOR, nmi_storm, NULL);
    irq_set_handler(PANIC_VECTOR, panic_here, NULL);
    atomic_fetch_add(&hellos, 1);
    for (;;) {
        cpu_idle_arm();
        unsigned before = wakes[p->index];
        cpu_idle();
        if (wakes[p->index] != before) {
            lapic_send(pcpu_at(0)->apic_id, HELLO_VECTOR);
            lapic_send_nmi(pcpu_at(0)->apic_id);
        }
    }
}

static void test_idle(void)
{
    irq_set_handler(TIMER_VECTOR, on_timer, &timer_fired);
    lapic_timer_setup(TIMER_VECTOR);
    uint64_t late_max = 0, early = 0;
    for (unsigned i = 0; i < WAKES; i++) {
        uint64_t deadline = rdtsc() + ns_to_tsc(2000000);
        lapic_timer_arm(deadline);
        while (timer_fired == i) {
            cpu_idle_arm();
            cpu_idle();
        }
        uint64_t now = rdtsc();
        early += now < deadline;
        late_max = now > deadline && now - deadline > late_max ? now - deadline : late_max;
    }
    log_line("selftest: %u timer wakes, %lu early, at most %lu ticks (%lu ns) late", timer_fired, early,
             late_max, tsc_to_ns(late_max));
    check(timer_fired == WAKES, "the local APIC timer wakes an idle CPU");
}

static void test_messages(void)
{
    irq_set_handler(HELLO_VECTOR, on_timer, &hello_irqs);
    nmi_set_handler(on_nmi, &nmi_seen);
    for (unsigned i = 1; i < pcpu_count(); i++) {
        if (atomic_load(&pcpu_at(i)->state) != PCPU_ONLINE)
            continue;
        unsigned irqs = hello_irqs, nmis = nmi_seen;
        tsc_delay_us(2000);
        lapic_send(pcpu_at(i)->apic_id, HELLO_VECTOR);
        uint64_t end = rdtsc() + ns_to_tsc(100000000);
        while ((hello_irqs == irqs || nmi_seen == nmis) && rdtsc() < end) {
            irq_poll();
            cpu_pause();
        }
        log_line("selftest: CPU %u answered with %u interrupt, %u NMI", i, hello_irqs - irqs, nmi_seen - nmis);
        check(hello_irqs != irqs && nmi_seen != nmis, "interrupt and NMI between CPUs");
    }
    lapic_send_self(HELLO_VECTOR);
    unsigned irqs = hello_irqs;
    irq_poll();
    check(hello_irqs == irqs + 1, "an interrupt to itself");
}

static void test_fixup(void)
{
    uint64_t value = 0;
    check(rdmsr_safe(IA32_APIC_BASE, &value) && value != 0, "rdmsr_safe reads what is there");
    check(!cpu_features.vmx || !wrmsr_safe(IA32_PAT, UINT64_MAX), "wrmsr_safe survives a #GP"); /* QEMU's TCG takes all */
    check(!cpu_features.xsave || !xsetbv_safe(0, 0), "xsetbv_safe survives a #GP");
    check(!load64_safe((const void *)16, &value), "load64_safe survives a #PF; nothing is mapped at 0");
    check(!load64_safe((const void *)UINT64_C(0x8000000000000000), &value), "load64_safe survives a non-canonical address");
}

static void test_time(void)
{
    uint64_t start = rdtsc();
    tsc_delay_us(5000);
    uint64_t ns = tsc_to_ns(rdtsc() - start);
    check(ns >= 4999000 && ns < 50000000, "5 ms take about 5 ms");
    check(tsc_to_ns(ns_to_tsc(UINT64_C(1000000000))) > UINT64_C(1000000000) - 1000, "nanoseconds survive the way to ticks and back");
}

static void run_all(void)
{
    check(atomic_load(&hellos) + 1 == pcpu_count(), "every CPU said hello");
    test_time();
    test_fixup();
    test_idle();
    test_messages();
    log_line("selftest: all done");
}

static void poke(volatile uintptr_t address) { *(volatile char *)address = 0; }
/* NMIs in a storm, onto code that faults, sleeps and calls: every one must come and go without a trace. */
static void nmi_storm(void *ctx, unsigned vector)
{
    for (unsigned i = 0; i < STORM; i++) {
        lapic_send_nmi(pcpu_at(0)->apic_id);
        for (volatile unsigned wait = i % 97; wait > 0; wait--)
            ;
    }
    atomic_store(&storm_over, true);
}

/* An exception inside the NMI handler ends the blocking of NMIs: the next one nests. */
static void on_storm_nmi(void *ctx, const struct trap_frame *frame)
{
    uint64_t value;
    ++*(unsigned *)ctx;
    storm_nested += storm_depth++ != 0;
    if (load64_safe((const void *)16, &value))
        storm_wrong++;
    storm_depth--;
}

static void run_nmi(void)
{
    unsigned seen = 0, faults = 0;
    nmi_set_handler(on_storm_nmi, &seen);
    lapic_send(pcpu_at(1)->apic_id, STORM_VECTOR);
    while (!atomic_load(&storm_over)) {
        uint64_t value = 1234;
        faults += !load64_safe((const void *)16, &value) && value == 1234;
    }
    log_line("selftest: %u NMIs seen, %u nested, during %u faults", seen, storm_nested, faults);
    check(seen > 0 && faults > 0 && storm_wrong == 0 && storm_depth == 0, "a storm of NMIs over faulting code");
    unsigned before = seen;
    nmi_unblock();
    lapic_send_nmi(pcpu_this()->apic_id);
    tsc_delay_us(100);
    check(seen == before + 1, "nmi_unblock returns, and an NMI to itself arrives");
    log_line("selftest: all done");
}

static void panic_here(void *ctx, unsigned vector)
{
    panic("on another CPU, by vector %u", vector);
}

/* Last words of a CPU in panic. Counted, not timed: where CPUs are threads of a host the other one may be long in coming. */
static void tell_whether_boot_cpu_stopped(void)
{
    const struct pcpu *boot = pcpu_at(0);
    for (unsigned looks = 0; looks < STOP_LOOKS && atomic_load(&boot->state) != PCPU_STOPPED; looks++)
        cpu_pause();
    log_emergency("selftest: %s: the boot CPU stops when another panics", atomic_load(&boot->state) == PCPU_STOPPED ? "ok" : "FAILED");
    power_off();
}

static NORETURN void run_panic_other(void)
{
    panic_set_end(tell_whether_boot_cpu_stopped);
    lapic_send(pcpu_at(1)->apic_id, PANIC_VECTOR);
    for (;;)
        cpu_pause();
}

static void run_null(void) { poke(8); }
static void run_panic(void) { panic("asked for by the command line, number %d", 42); }
static void run_text(void) { poke((uintptr_t)run_null); }
static void run_nx(void)
{
    static char data[16] = { (char)0xc3 };
    ((void (*)(void))(uintptr_t)data)();
}

/* Not a tail call: every level needs its stack. */
static __attribute__((noinline)) unsigned deep(volatile unsigned *n)
{
    volatile unsigned here = *n + 1;
    return here == 0 ? 0 : deep(&here) + here;
}
static void run_overflow(void)
{
    volatile unsigned zero = 0;
    deep(&zero);
}
static void run_reset(void) { power_reset(); }

/* What a debug build has to notice, on one CPU and long before two could meet in it. */
static void run_lock_order(void)
{
    static spinlock_t inner = SPINLOCK_INIT(LOCK_RUN_QUEUE), outer = SPINLOCK_INIT(LOCK_PARTITION);
    spin_lock(&outer);
    spin_lock(&inner);
    spin_unlock(&inner);
    spin_unlock(&outer);
    log_line("selftest: two locks in the right order");
    spin_lock(&inner);
    spin_lock(&outer);
    spin_unlock(&outer);
    spin_unlock(&inner);
    log_line("selftest: two locks in the wrong order, and nobody noticed (is this no debug build?)");
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    { "cpu", run_all }, { "panic", run_panic }, { "null", run_null }, { "text", run_text },
    { "nmi", run_nmi }, { "panic-other", run_panic_other }, { "nx", run_nx }, { "overflow", run_overflow }, { "reset", run_reset },
    { "lock-order", run_lock_order },
};

static void on_own_stack(void *arg)
{
    void (*const *run)(void) = arg;
    unsigned running = bringup_other_cpus(ap_main);
    log_line("selftest: %u CPUs run", running);
    cpu_report_all();
    for (unsigned ms = 0; ms < 1000 && atomic_load(&hellos) + 1 < running; ms++)
        tsc_delay_us(1000);
    panic_set_end(power_off);
    (*run)();
    power_off();
}

void selftest_cpu(const struct boot_info *info)
{
    static void (*chosen)(void);
    static const char key[] = "selftest=";
    for (const char *s = info->cmdline; *s; s++)
        for (unsigned i = 0; i < ARRAY_SIZE(tests); i++) {
            size_t n = strlen(tests[i].name);
            if (strncmp(s, key, sizeof key - 1) == 0 && strncmp(s + sizeof key - 1, tests[i].name, n) == 0 &&
                (s[sizeof key - 1 + n] == ' ' || s[sizeof key - 1 + n] == '\0'))
                chosen = tests[i].run;
        }
    if (!chosen)
        return;
    bringup_boot_cpu(info, NULL);
    bringup_use_own_stack(on_own_stack, &chosen);
}
