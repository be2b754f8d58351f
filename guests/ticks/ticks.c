/* ticks: two timers, counted against the TSC. A guest that is preempted must not lose time: its timers, TSC and clock
 * all tell the same. In odd seconds it spins, in even ones it sleeps in HLT, so that both ways to wake are seen. */
#include "lib/clock.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"
#include "lib/print.h"

enum { PIT_RATE = 100, LAPIC_RATE = 1000, SECONDS = 5, PIC_VECTOR = 0x20, LAPIC_VECTOR = 0x40,
       DEBUG_EXIT = 0xf4, SECONDS_PER_LINE_LATER = 10 };

static volatile uint64_t pit_ticks, lapic_ticks;
static uint64_t deadline, period; /* TSC; period 0: the LAPIC timer is periodic by itself */

static void on_pit(struct frame *f)
{
    (void)f;
    pit_ticks++;
    pic_eoi(0);
}

/* The next deadline follows from the last one, not from now: if this comes late, the next ones come at once, and the
 * count is right again. */
static void on_lapic(struct frame *f)
{
    (void)f;
    lapic_ticks++;
    mmio_write(LAPIC + LAPIC_EOI, 0);
    if (period)
        wrmsr(IA32_TSC_DEADLINE, deadline += period);
}

/* How many counts of the LAPIC timer, divided by 16, pass in one period. */
static uint32_t measure_lapic(uint64_t tsc_hz)
{
    uint64_t end = rdtsc() + tsc_hz / 50;
    mmio_write(LAPIC + LAPIC_TIMER_DIVIDE, 3);
    mmio_write(LAPIC + LAPIC_LVT_TIMER, LVT_MASKED | LAPIC_VECTOR);
    mmio_write(LAPIC + LAPIC_TIMER_INITIAL, UINT32_MAX);
    while (rdtsc() < end)
        ;
    return (UINT32_MAX - mmio_read(LAPIC + LAPIC_TIMER_CURRENT)) * 50 / LAPIC_RATE;
}

static const char *start_lapic(uint64_t tsc_hz)
{
    mmio_write(LAPIC + LAPIC_SVR, LAPIC_ENABLE | SPURIOUS_VECTOR);
    mmio_write(LAPIC + LAPIC_LVT_LINT0, LVT_EXTINT); /* the PICs' interrupts arrive there */
    if (cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE) {
        period = tsc_hz / LAPIC_RATE;
        mmio_write(LAPIC + LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | LAPIC_VECTOR);
        deadline = rdtsc() + period;
        wrmsr(IA32_TSC_DEADLINE, deadline);
        return "TSC deadlines";
    }
    uint32_t count = measure_lapic(tsc_hz);
    mmio_write(LAPIC + LAPIC_LVT_TIMER, LVT_PERIODIC | LAPIC_VECTOR);
    mmio_write(LAPIC + LAPIC_TIMER_INITIAL, count);
    return "periodic";
}

/* Parts per million by which kvm-clock and the TSC went apart since the start. */
static int64_t drift_ppm(uint64_t clock_ns, uint64_t tsc_ns)
{
    return clock_ns ? (int64_t)(clock_ns - tsc_ns) * 1000000 / (int64_t)tsc_ns : 0;
}

static uint64_t to_ns(uint64_t ticks, uint64_t hz)
{
    return ticks / hz * NS_PER_SEC + ticks % hz * NS_PER_SEC / hz;
}

static bool within_one_percent(uint64_t seen, uint64_t expected)
{
    uint64_t off = seen > expected ? seen - expected : expected - seen;
    return off * 100 <= expected;
}

static void verdict(const char *cmdline)
{
    bool right = within_one_percent(pit_ticks, PIT_RATE * SECONDS) && within_one_percent(lapic_ticks, LAPIC_RATE * SECONDS);
    print("ticks: rate is %s: PIT %lu of %d, LAPIC %lu of %d in %d s\n", right ? "right" : "WRONG", pit_ticks,
          PIT_RATE * SECONDS, lapic_ticks, LAPIC_RATE * SECONDS, SECONDS);
    if (cmdline_has(cmdline, "--test"))
        out32(DEBUG_EXIT, !right);
}

static void pass_time_until(uint64_t tsc, bool spin)
{
    while (rdtsc() < tsc)
        if (!spin)
            halt_until_interrupt();
}

void guest_main(const char *cmdline);
void guest_main(const char *cmdline)
{
    bool always_spin = cmdline_has(cmdline, "spin");
    print_init();
    interrupt_init();
    struct clock clock = clock_init();
    print("ticks: the TSC runs at %lu kHz, %s\n", clock.tsc_hz / 1000, clock.source);
    interrupt_set(PIC_VECTOR, on_pit);
    interrupt_set(LAPIC_VECTOR, on_lapic);
    pic_init(PIC_VECTOR, 1);
    const char *lapic_mode = start_lapic(clock.tsc_hz);
    pit_start(PIT_RATE); /* after that, which takes its time: ticks from before `start` would count, too */
    uint64_t start = rdtsc(), clock_start = kvm_clock_ns();
    interrupts_on();
    print("ticks: PIT at %d Hz by the PIC, LAPIC timer at %d Hz (%s)\n", PIT_RATE, LAPIC_RATE, lapic_mode);

    uint64_t pit_before = 0, lapic_before = 0;
    for (unsigned second = 1;; second++) {
        pass_time_until(start + second * clock.tsc_hz, always_spin || (second <= SECONDS && (second & 1)));
        uint64_t clock_ns = kvm_clock_ns(), tsc_ns = to_ns(rdtsc() - start, clock.tsc_hz);
        uint64_t pit_now = pit_ticks, lapic_now = lapic_ticks;
        if (second <= SECONDS || second % SECONDS_PER_LINE_LATER == 0)
            print("ticks: second %u: PIT %lu, LAPIC %lu, drift %ld ppm\n", second, pit_now - pit_before,
                  lapic_now - lapic_before, drift_ppm(clock_ns ? clock_ns - clock_start : 0, tsc_ns));
        if (second == SECONDS)
            verdict(cmdline);
        pit_before = pit_now;
        lapic_before = lapic_now;
    }
}
