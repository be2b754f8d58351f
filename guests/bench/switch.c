/* The vCPU switch: two partitions on one CPU. The sleeper wakes by its timer, works for a known time and sleeps again;
 * the watcher never stops reading the TSC. The gap that the watcher sees is the sleeper's own time and two switches. */
#include "bench/bench.h"
#include "lib/cpu.h"
#include "lib/print.h"

enum { TURNS = 101, SLEEP = 200000, WORK = 4000, MIN_GAP = WORK, WARM_UP = 3 };

extern volatile uint64_t bench_entry_tsc;

/* Both have all extended state that they are offered in use, so that a switch has to move it. */
static void use_extended_state(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    struct cpuid r = cpuid(0xd, 0);
    xsetbv(0, (uint64_t)r.edx << 32 | r.eax);
    asm volatile("fninit; fld1; pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm15" : : :);
    if (r.eax & 4)
        asm volatile("vpcmpeqd %%xmm1, %%xmm1, %%xmm1; vinsertf128 $1, %%xmm1, %%ymm1, %%ymm1" : : :);
}

void bench_watcher(void)
{
    static uint32_t gaps[TURNS];
    unsigned n = 0, skipped = 0;
    use_extended_state();
    print("bench: watching\n");
    for (uint64_t last = rdtsc(); n < TURNS;) {
        uint64_t now = rdtsc();
        if (now - last >= MIN_GAP && skipped++ >= WARM_UP)
            gaps[n++] = (uint32_t)(now - last);
        last = now;
    }
    bench_report("switch_gap", gaps, TURNS, 0);
}

/* For ever: it cannot know when the watcher has seen enough. Its figures come when it has many. */
void bench_sleeper(void)
{
    static uint32_t runs[TURNS];
    use_extended_state();
    interrupt_set_raw(BENCH_TIMER, bench_timer_handler);
    wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) | APIC_BASE_X2APIC);
    wrmsr(X2APIC_MSR + LAPIC_SVR / 16, LAPIC_ENABLE | SPURIOUS_VECTOR);
    wrmsr(X2APIC_MSR + LAPIC_LVT_TIMER / 16, LVT_TSC_DEADLINE | BENCH_TIMER);
    for (unsigned n = 0;; n++) {
        wrmsr(IA32_TSC_DEADLINE, rdtsc() + SLEEP);
        uint64_t until = rdtsc() + WORK;
        while (rdtsc() < until)
            ;
        if (n && n <= TURNS)
            runs[n - 1] = (uint32_t)(rdtsc() - bench_entry_tsc);
        bench_wait_halted();
        if (n == 2 * TURNS) /* the watcher is through by then */
            bench_report("switch_run", runs, TURNS, 0);
    }
}
