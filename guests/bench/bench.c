/* bench: what an exit costs, seen from inside. README.md explains the method; scripts/bench runs it.
 * Every line of output is `bench: <key> <median>`. */
#include "bench/bench.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"
#include "lib/print.h"

enum { RUNS = 201, COLD_PAGES = RUNS, PAGE = 4096 };

static uint32_t median(uint32_t *v, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        uint32_t x = v[i];
        unsigned j = i;
        for (; j && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
    return v[n / 2];
}

void bench_report(const char *key, uint32_t *values, unsigned count, int32_t less)
{
    print("bench: %s %d\n", key, (int32_t)median(values, count) - less);
}

/* ---- instructions that exit --------------------------------------------------------------------------------------- */

/* Two functions of the same shape: one with the instruction, one with a NOP in its place. Their difference is what the
 * hypervisor spends, and nothing of the guest's own. */
#define TIMED(suffix, load, op)                                                                        \
    static uint32_t time_##suffix(void)                                                                \
    {                                                                                                  \
        uint32_t ticks;                                                                                \
        asm volatile("rdtsc; mov %%eax, %%r8d;" load op "rdtsc; sub %%r8d, %%eax" : "=&a"(ticks) :     \
                     : "rbx", "rcx", "rdx", "r8", "r9", "memory", "cc");                               \
        return ticks;                                                                                  \
    }
#define KIND(key, load, op) TIMED(key, load, op ";") TIMED(key##_empty, load, "nop;")
#define KINDS(X)                                                                                       \
    X(cpuid, "mov $1, %%eax; xor %%ecx, %%ecx;", "cpuid")                                              \
    X(cpuid_leaf_0, "xor %%eax, %%eax; xor %%ecx, %%ecx;", "cpuid")                                    \
    X(rdmsr, "mov $0x1a0, %%ecx;", "rdmsr")                                                            \
    X(wrmsr, "mov $0x8b, %%ecx; xor %%eax, %%eax; xor %%edx, %%edx;", "wrmsr")                         \
    X(in_pic, "nop;", "in $0x21, %%al")                                                                \
    X(out_pic, "mov $0xff, %%al;", "out %%al, $0x21")                                                  \
    X(in_pit, "nop;", "in $0x40, %%al")                                                                \
    X(in_port_b, "nop;", "in $0x61, %%al")                                                             \
    X(in_uart, "mov $0x3fd, %%edx;", "in %%dx, %%al")                                                  \
    X(in_unclaimed, "mov $0x5555, %%edx;", "in %%dx, %%al")                                            \
    X(out_unclaimed, "mov $0x5555, %%edx;", "out %%al, %%dx")                                          \
    X(out_port_80, "nop;", "out %%al, $0x80")                                                          \
    X(lapic_mmio, "mov $0xfee00390, %%r9d;", "mov (%%r9), %%eax")                                      \
    X(lapic_mmio_id, "mov $0xfee00020, %%r9d;", "mov (%%r9), %%eax")                                   \
    X(ioapic_read, "mov $0xfec00010, %%r9d;", "mov (%%r9), %%eax")                                     \
    X(ioapic_select, "mov $0xfec00000, %%r9d; mov $1, %%eax;", "mov %%eax, (%%r9)")                    \
    X(cr0_write, "mov %%cr0, %%r9; btc $30, %%r9;", "mov %%r9, %%cr0")                                 \
    X(cr0_write_ts, "mov %%cr0, %%r9; btc $3, %%r9;", "mov %%r9, %%cr0")                               \
    X(cr4_write, "mov %%cr4, %%r9; btc $6, %%r9;", "mov %%r9, %%cr4")                                  \
    X(cr4_write_pge, "mov %%cr4, %%r9; btc $7, %%r9;", "mov %%r9, %%cr4")                              \
    X(wbinvd, "nop;", "wbinvd")                                                                        \
    X(pause, "nop;", "pause")                                                                          \
    X(rdtsc, "nop;", "rdtsc")
KINDS(KIND)
KIND(hypercall_intel, "mov $0x1000, %%eax;", "vmcall")
KIND(hypercall_amd, "mov $0x1000, %%eax;", "vmmcall")
#define XSETBV_KINDS(X) X(xsetbv, "xor %%ecx, %%ecx; xgetbv;", "xsetbv")
XSETBV_KINDS(KIND)
#define X2APIC_KINDS(X)                                                                                \
    X(x2apic_read, "mov $0x839, %%ecx;", "rdmsr")                                                      \
    X(x2apic_read_id, "mov $0x802, %%ecx;", "rdmsr")                                                   \
    X(x2apic_write_icr, "mov $0x830, %%ecx; mov $0x4d, %%eax; xor %%edx, %%edx;", "wrmsr") /* to APIC 0, IF = 0 */ \
    X(tsc_deadline, "mov $0x6e0, %%ecx; rdtsc; inc %%edx;", "wrmsr")
X2APIC_KINDS(KIND)

/* What exits only by the partition's exit controls: configs/bench-exits.cfg switches all of them on. */
#define CONTROL_KINDS(X)                                                                               \
    X(exit_sgdt, "lea -64(%%rsp), %%r9;", "sgdt (%%r9)")                                                    \
    X(exit_lidt, "lea -64(%%rsp), %%r9; sidt (%%r9);", "lidt (%%r9)")                                      \
    X(exit_str, "nop;", "str %%eax")                                                                   \
    X(exit_rdtsc, "nop;", "rdtsc")                                                                     \
    X(exit_cr0_ts, "mov %%cr0, %%r9; btc $3, %%r9;", "mov %%r9, %%cr0")                                \
    X(exit_cr3_load, "mov %%cr3, %%r9;", "mov %%r9, %%cr3")                                            \
    X(exit_cr3_store, "nop;", "mov %%cr3, %%r9")                                                       \
    X(exit_cr4_pge, "mov %%cr4, %%r9; btc $7, %%r9;", "mov %%r9, %%cr4")                               \
    X(exit_cr4_store, "nop;", "mov %%cr4, %%r9")                                                       \
    X(exit_cr8_load, "xor %%r9d, %%r9d;", "mov %%r9, %%cr8")                                           \
    X(exit_cr8_store, "nop;", "mov %%cr8, %%r9")                                                       \
    X(exit_dr_load, "xor %%r9d, %%r9d;", "mov %%r9, %%dr0")                                            \
    X(exit_dr_store, "nop;", "mov %%dr0, %%r9")                                                        \
    X(exit_invlpg, "nop;", "invlpg (%%rsp)")                                                           \
    X(exit_pause, "nop;", "pause")                                                                     \
    X(exit_rdmsr, "mov $0xc0000102, %%ecx;", "rdmsr")                                                  \
    X(exit_wrmsr, "mov $0xc0000102, %%ecx; rdmsr;", "wrmsr")
#define RANDOM_KINDS(X) X(exit_rdrand, "nop;", "rdrand %%rax")
CONTROL_KINDS(KIND)
RANDOM_KINDS(KIND)

struct kind {
    const char *key;
    uint32_t (*with)(void), (*without)(void);
};
#define ROW(key, load, op) { #key, time_##key, time_##key##_empty },
static const struct kind plain[] = { KINDS(ROW) };
static const struct kind hypercall_intel[] = { { "hypercall", time_hypercall_intel, time_hypercall_intel_empty } };
static const struct kind hypercall_amd[] = { { "hypercall", time_hypercall_amd, time_hypercall_amd_empty } };
static const struct kind xsetbv_kinds[] = { XSETBV_KINDS(ROW) };
static const struct kind x2apic_kinds[] = { X2APIC_KINDS(ROW) };
static const struct kind control_kinds[] = { CONTROL_KINDS(ROW) };
static const struct kind random_kinds[] = { RANDOM_KINDS(ROW) };

static void measure(const struct kind *kinds, unsigned count)
{
    static uint32_t with[RUNS], without[RUNS];
    for (unsigned k = 0; k < count; k++) {
        for (unsigned i = 0; i < RUNS; i++) {
            without[i] = kinds[k].without();
            with[i] = kinds[k].with();
        }
        bench_report(kinds[k].key, with, RUNS, (int32_t)median(without, RUNS));
    }
}
#define MEASURE(kinds) measure(kinds, sizeof kinds / sizeof kinds[0])

/* Memory that nobody has used yet; `step` apart, so that with 2 MiB nested pages each is a new one. */
static void measure_touch(const char *key, uint64_t start, uint64_t step, unsigned count)
{
    static uint32_t first[RUNS], second[RUNS];
    for (unsigned i = 0; i < count; i++) {
        volatile uint8_t *at = (volatile uint8_t *)(start + i * step);
        uint64_t t0 = rdtsc();
        *at = 1;
        uint64_t t1 = rdtsc();
        *at = 2;
        uint64_t t2 = rdtsc();
        first[i] = (uint32_t)(t1 - t0);
        second[i] = (uint32_t)(t2 - t1);
    }
    bench_report(key, first, count, (int32_t)median(second, count));
}

/* ---- interrupts ---------------------------------------------------------------------------------------------------- */

volatile uint32_t bench_flag, bench_eoi_ticks;
volatile uint64_t bench_entry_tsc;

static void measure_ipi(void)
{
    static uint32_t with[RUNS], without[RUNS], eoi[RUNS], no_eoi[RUNS];
    interrupt_set_raw(BENCH_IPI, bench_ipi_handler);
    interrupt_set_raw(BENCH_INT, bench_int_handler);
    interrupt_set_raw(BENCH_EOI, bench_eoi_handler);
    interrupt_set_raw(BENCH_NO_EOI, bench_no_eoi_handler);
    interrupts_on();
    for (unsigned i = 0; i < RUNS; i++) {
        with[i] = bench_self_ipi();
        without[i] = bench_self_int();
        bench_flag = 0;
        wrmsr(X2APIC_MSR + LAPIC_SELF_IPI / 16, BENCH_EOI);
        while (!bench_flag)
            ;
        eoi[i] = bench_eoi_ticks;
        asm volatile("int %0" : : "i"(BENCH_NO_EOI) : "memory");
        no_eoi[i] = bench_eoi_ticks;
    }
    interrupts_off();
    bench_report("self_ipi", with, RUNS, (int32_t)median(without, RUNS));
    bench_report("eoi", eoi, RUNS, (int32_t)median(no_eoi, RUNS));
}

/* How late the handler's first instruction is. */
static void measure_timer(const char *key, bool halt)
{
    enum { AHEAD = 30000 };
    static uint32_t late[RUNS];
    interrupt_set_raw(BENCH_TIMER, bench_timer_handler);
    wrmsr(X2APIC_MSR + LAPIC_LVT_TIMER / 16, LVT_TSC_DEADLINE | BENCH_TIMER);
    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t deadline = rdtsc() + AHEAD + i * 7;
        wrmsr(IA32_TSC_DEADLINE, deadline);
        if (halt)
            bench_wait_halted();
        else
            bench_wait_spinning();
        late[i] = (uint32_t)(bench_entry_tsc - deadline);
    }
    bench_report(key, late, RUNS, 0);
}

static void apic_to_x2apic(void)
{
    wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) | APIC_BASE_X2APIC);
    wrmsr(X2APIC_MSR + LAPIC_SVR / 16, LAPIC_ENABLE | SPURIOUS_VECTOR);
}

static void measure_exits(uint64_t memory_end)
{
    mmio_write(LAPIC + LAPIC_SVR, LAPIC_ENABLE | SPURIOUS_VECTOR);
    MEASURE(plain);
    if (cpu_is_amd())
        MEASURE(hypercall_amd);
    else
        MEASURE(hypercall_intel);
    write_cr0(read_cr0() & ~(uint64_t)(CR0_CD | 8)); /* an odd number of toggles */
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) {
        write_cr4(read_cr4() | CR4_OSXSAVE);
        MEASURE(xsetbv_kinds);
    }
    measure_touch("first_touch", 4 << 20, PAGE, RUNS);
    measure_touch("first_touch_2m", 8 << 20, 2 << 20, (unsigned)((memory_end - (8 << 20)) >> 21));
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC)) {
        print("bench: no x2APIC\n");
        return;
    }
    apic_to_x2apic();
    interrupt_set(BENCH_SINK, bench_sink);
    wrmsr(X2APIC_MSR + LAPIC_LVT_TIMER / 16, LVT_TSC_DEADLINE | LVT_MASKED | BENCH_TIMER);
    MEASURE(x2apic_kinds);
    wrmsr(IA32_TSC_DEADLINE, 0);
    interrupts_on(); /* the IPI that was measured with interrupts off */
    interrupts_off();
    measure_ipi();
    measure_timer("timer_late_spin", false);
    measure_timer("timer_late_hlt", true);
}

static void measure_controls(void)
{
    MEASURE(control_kinds);
    if (cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND)
        MEASURE(random_kinds);
}

void bench_sink(struct frame *f)
{
    (void)f;
    wrmsr(X2APIC_MSR + LAPIC_EOI / 16, 0);
}

void guest_main(const char *cmdline, uint32_t upper_kib);
void guest_main(const char *cmdline, uint32_t upper_kib)
{
    print_init();
    interrupt_init();
    pic_init(0x20, 0);
    if (cmdline_has(cmdline, "watcher"))
        bench_watcher();
    else if (cmdline_has(cmdline, "sleeper"))
        bench_sleeper();
    else if (cmdline_has(cmdline, "controls"))
        measure_controls();
    else
        measure_exits((1 << 20) + (uint64_t)upper_kib * 1024);
    print("bench: done\n");
}
