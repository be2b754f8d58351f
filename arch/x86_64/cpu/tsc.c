#include "arch/x86_64/cpu/tsc.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/isa/cpuid.h"
#include "hv/lib/log.h"

#define NS_PER_SECOND  UINT64_C(1000000000)
#define WINDOW_NS      UINT64_C(20000000) /* the shortest-lived reference, PIT channel 2, wraps after 55 ms */
#define AGREE_PER_MILLE 10u

struct tsc_scale tsc_scale;

static uint64_t khz(uint64_t hz)
{
    return (hz + 500) / 1000;
}

static uint64_t tsc_read(void *ctx)
{
    return rdtsc_ordered();
}

static void scale_set(uint64_t hz)
{
    tsc_scale.hz = hz;
    tsc_scale.ns_per_tick = calibrate_mul_div(NS_PER_SECOND, UINT64_C(1) << 32, hz);
    tsc_scale.ticks_per_ns = calibrate_mul_div(hz, UINT64_C(1) << 32, NS_PER_SECOND);
}

static bool measure(const struct clock_ref *ref, uint64_t *hz)
{
    enum calibrate_result r = calibrate_counter(ref, tsc_read, NULL, WINDOW_NS, hz);
    if (r == CALIBRATE_OK)
        return true;
    log_line("tsc: %s ignored: %s", ref->name,
             r == CALIBRATE_REF_DEAD ? "it does not count" : "the TSC stood still or went backwards meanwhile");
    return false;
}

/* A second opinion costs 20 ms and tells a broken timer from a broken TSC. */
static void cross_check(const struct clock_ref *refs, unsigned count, unsigned used, uint64_t hz)
{
    uint64_t other;
    for (unsigned i = used + 1; i < count; i++)
        if (measure(&refs[i], &other)) {
            log_line("tsc: %s says %lu kHz, which %s", refs[i].name, khz(other),
                     calibrate_agrees(other, hz, AGREE_PER_MILLE) ? "agrees" : "DISAGREES: it is ignored");
            return;
        }
}

/* SDM vol 3, "Determining the Processor Base Frequency". Emulators copy the leaf of a chip they do not run as fast as. */
static uint64_t prefer_cpuid(uint64_t measured)
{
    if (cpuid(CPUID_VENDOR, 0).eax < CPUID_TSC)
        return measured;
    struct cpuid_regs r = cpuid(CPUID_TSC, 0);
    uint64_t claimed = calibrate_cpuid_15h(r.eax, r.ebx, r.ecx);
    if (claimed == 0)
        return measured;
    bool agrees = calibrate_agrees(claimed, measured, AGREE_PER_MILLE);
    log_line("tsc: CPUID leaf 15h says %lu kHz: %s", khz(claimed),
             agrees ? "used, the timer agrees within 1 %" : "ignored, the timer disagrees by more than 1 %");
    return agrees ? claimed : measured;
}

bool tsc_calibrate(const struct clock_ref *refs, unsigned count)
{
    uint64_t hz = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!measure(&refs[i], &hz) || hz < 1000)
            continue;
        log_line("tsc: %lu kHz, measured with %s", khz(hz), refs[i].name);
        cross_check(refs, count, i, hz);
        scale_set(prefer_cpuid(hz));
        if (cpuid(CPUID_EXT_MAX, 0).eax < CPUID_POWER_EXT ||
            (cpuid(CPUID_POWER_EXT, 0).edx & CPUID_80000007_EDX_INVARIANT_TSC) == 0)
            log_line("tsc: the CPU does not promise a constant rate (no invariant TSC): time may drift when it changes speed");
        return true;
    }
    log_line("tsc: none of %u reference clocks counts: time cannot be measured", count);
    return false;
}

uint64_t tsc_calibrate_lapic(void)
{
    const struct clock_ref tsc = { "TSC", tsc_scale.hz, 64, tsc_read, NULL };
    uint64_t hz = 0;
    lapic_counter_start();
    if (calibrate_counter(&tsc, lapic_counter_read, NULL, WINDOW_NS, &hz) != CALIBRATE_OK) {
        log_line("lapic: its timer does not count");
        return 0;
    }
    lapic_set_frequency(hz, tsc_scale.hz);
    return hz;
}

void tsc_delay_us(uint64_t us)
{
    uint64_t start = rdtsc(), ticks = ns_to_tsc(us * 1000);
    while (rdtsc() - start < ticks)
        cpu_pause();
}
