#include "lib/clock.h"
#include "lib/cpu.h"

enum { PIT_CHANNEL_0 = 0x40, PIT_CHANNEL_2 = 0x42, PIT_MODE = 0x43, PORT_B = 0x61,
       MODE_0_CHANNEL_2 = 0xb0, MODE_2_CHANNEL_0 = 0x34, GATE_2 = 1, SPEAKER = 2, OUT_2 = 0x20 };

/* KVM's ABI: Linux, Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW. */
static volatile struct kvm_time {
    uint32_t version, pad;
    uint64_t tsc, ns;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, pad2[2];
} __attribute__((aligned(64))) kvm_time;
static bool have_kvm_clock;

static bool hypervisor_has_kvm_clock(void)
{
    struct cpuid r = cpuid(CPUID_HYPERVISOR, 0);
    return cpuid(1, 0).ecx >> 31 && r.ebx == 0x4b4d564b /* "KVMK" */ && r.eax >= CPUID_KVM_FEATURES &&
           (cpuid(CPUID_KVM_FEATURES, 0).eax & CPUID_KVM_CLOCK);
}

/* 50 ms of channel 2, one-shot. */
static uint64_t measure_with_pit(void)
{
    const uint16_t count = PIT_HZ / 20;
    out8(PORT_B, (uint8_t)((in8(PORT_B) & ~SPEAKER) | GATE_2));
    out8(PIT_MODE, MODE_0_CHANNEL_2);
    out8(PIT_CHANNEL_2, (uint8_t)count);
    uint64_t start = rdtsc();
    out8(PIT_CHANNEL_2, count >> 8);
    while (!(in8(PORT_B) & OUT_2))
        ;
    return (rdtsc() - start) * PIT_HZ / count;
}

static uint64_t ns_of(uint64_t ticks)
{
    int8_t shift = kvm_time.shift;
    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return (uint64_t)((unsigned __int128)ticks * kvm_time.mul >> 32);
}

struct clock clock_init(void)
{
    have_kvm_clock = hypervisor_has_kvm_clock();
    if (!have_kvm_clock)
        return (struct clock){ measure_with_pit(), "measured with the PIT" };
    wrmsr(KVM_SYSTEM_TIME, (uint64_t)&kvm_time | 1);
    uint64_t hz = (NS_PER_SEC << 32) / kvm_time.mul;
    return (struct clock){ kvm_time.shift < 0 ? hz << -kvm_time.shift : hz >> kvm_time.shift, "from kvm-clock" };
}

uint64_t kvm_clock_ns(void)
{
    uint64_t ns;
    uint32_t version;
    if (!have_kvm_clock)
        return 0;
    do {
        version = kvm_time.version;
        asm volatile("" : : : "memory");
        ns = kvm_time.ns + ns_of(rdtsc() - kvm_time.tsc);
        asm volatile("" : : : "memory");
    } while ((version & 1) || version != kvm_time.version);
    return ns;
}

uint64_t pit_start(unsigned hz)
{
    uint16_t count = (uint16_t)((PIT_HZ + hz / 2) / hz);
    out8(PIT_MODE, MODE_2_CHANNEL_0);
    out8(PIT_CHANNEL_0, (uint8_t)count);
    out8(PIT_CHANNEL_0, (uint8_t)(count >> 8));
    return PIT_HZ * 1000 / count;
}
