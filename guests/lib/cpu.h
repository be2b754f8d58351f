/* One-instruction wrappers, and the few numbers of a PC that several guests need. */
#ifndef GUESTS_LIB_CPU_H
#define GUESTS_LIB_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

/* AMD or its licensee: their hypercall is VMMCALL, and Intel's VMCALL is undefined; and the other way round. */
static inline bool cpu_is_amd(void)
{
    uint32_t ebx = cpuid(0, 0).ebx;
    return ebx == 0x68747541 /* "Auth" */ || ebx == 0x6f677948 /* "Hygo" */;
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t xgetbv(uint32_t index)
{
    uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
    asm volatile("xsetbv" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void out8(uint16_t port, uint8_t value)
{
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void out32(uint16_t port, uint32_t value)
{
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

#define CR_ACCESS(name)                                                                    \
    static inline uint64_t read_##name(void)                                               \
    {                                                                                      \
        uint64_t value;                                                                    \
        asm volatile("mov %%" #name ", %0" : "=r"(value));                                 \
        return value;                                                                      \
    }                                                                                      \
    static inline void write_##name(uint64_t value)                                        \
    {                                                                                      \
        asm volatile("mov %0, %%" #name : : "r"(value) : "memory");                        \
    }
CR_ACCESS(cr0)
CR_ACCESS(cr2)
CR_ACCESS(cr3)
CR_ACCESS(cr4)
CR_ACCESS(cr8)
CR_ACCESS(dr0)
CR_ACCESS(dr1)
CR_ACCESS(dr2)
CR_ACCESS(dr3)
CR_ACCESS(dr6)
CR_ACCESS(dr7)

static inline uint32_t mmio_read(uint64_t address)
{
    return *(volatile uint32_t *)address;
}

static inline void mmio_write(uint64_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline void interrupts_on(void) { asm volatile("sti" : : : "memory"); }
static inline void interrupts_off(void) { asm volatile("cli" : : : "memory"); }
static inline void halt_until_interrupt(void) { asm volatile("sti; hlt" : : : "memory"); }

enum {
    CR0_CD = 1 << 30,
    CR4_MCE = 1 << 6, CR4_PGE = 1 << 7, CR4_VMXE = 1 << 13, CR4_OSXSAVE = 1 << 18, CR4_PKE = 1 << 22,

    CPUID_1_ECX_X2APIC = 1 << 21, CPUID_1_ECX_TSC_DEADLINE = 1 << 24, CPUID_1_ECX_XSAVE = 1 << 26, CPUID_1_ECX_RDRAND = 1 << 30,
    CPUID_HYPERVISOR = 0x40000000, CPUID_KVM_FEATURES = 0x40000001,
    CPUID_KVM_CLOCK = 1 << 3,

    IA32_APIC_BASE = 0x1b, APIC_BASE_X2APIC = 1 << 10,
    IA32_TSC_DEADLINE = 0x6e0,
    X2APIC_MSR = 0x800, /* plus the register's offset / 16 */
    KVM_SYSTEM_TIME = 0x4b564d01,

    LAPIC = 0xfee00000u, IOAPIC = 0xfec00000u,
    LAPIC_ID = 0x20, LAPIC_VERSION = 0x30, LAPIC_EOI = 0xb0, LAPIC_SVR = 0xf0, LAPIC_ICR_LOW = 0x300, LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320, LAPIC_LVT_LINT0 = 0x350, LAPIC_TIMER_INITIAL = 0x380, LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3e0, LAPIC_SELF_IPI = 0x3f0,
    LAPIC_ENABLE = 1 << 8, LVT_MASKED = 1 << 16, LVT_EXTINT = 7 << 8, LVT_PERIODIC = 1 << 17, LVT_TSC_DEADLINE = 1 << 18,
    SPURIOUS_VECTOR = 0xff,
};

#endif
