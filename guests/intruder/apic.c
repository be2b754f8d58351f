/* The local APIC: storms, signals to CPUs that are not its own, and accesses no driver would make. */
#include "intruder/intruder.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"

enum { STORM = 10000, STORM_VECTOR = 0x61, ICR_SELF = 1 << 18, ICR_ALL_OTHERS = 3 << 18, ICR_INIT = 5 << 8, ICR_SIPI = 6 << 8,
       ICR_NMI = 4 << 8, ICR_ASSERT = 1 << 14, VECTOR_NMI = 2, APIC_BASE_ENABLE = 1 << 11, OTHER_CPU = 1 };

static volatile uint64_t seen;

static void count(struct frame *f)
{
    (void)f;
    seen++;
    mmio_write(LAPIC + LAPIC_EOI, 0);
}

static void count_nmi(struct frame *f)
{
    (void)f;
    seen++;
}

static uint64_t storm(uint64_t times)
{
    seen = 0;
    interrupts_on();
    for (uint64_t i = 0; i < times; i++)
        mmio_write(LAPIC + LAPIC_ICR_LOW, ICR_SELF | STORM_VECTOR);
    for (unsigned i = 0; i < 1000 && seen < times; i++)
        asm volatile("pause");
    interrupts_off();
    return seen;
}

static uint64_t nmi_to_itself(uint64_t unused)
{
    (void)unused;
    seen = 0;
    mmio_write(LAPIC + LAPIC_ICR_LOW, ICR_SELF | ICR_NMI | ICR_ASSERT);
    for (unsigned i = 0; i < 1000 && !seen; i++)
        asm volatile("pause");
    return seen;
}

static uint64_t signal_others(uint64_t command)
{
    mmio_write(LAPIC + LAPIC_ICR_HIGH, OTHER_CPU << 24);
    mmio_write(LAPIC + LAPIC_ICR_LOW, (uint32_t)command | ICR_ASSERT);
    return 0;
}

/* What these read is undefined; that the guest goes on is the point. */
static uint64_t odd_reads(uint64_t unused)
{
    (void)unused;
    (void)mmio_read(LAPIC + 0x21);
    (void)mmio_read(LAPIC + 0xffe); /* over the end of the page */
    (void)mmio_read(LAPIC - 2);     /* from another page into it */
    (void)mmio_read(IOAPIC + 0x11);
    (void)*(volatile uint8_t *)(uint64_t)(LAPIC + 0x33);
    (void)*(volatile uint64_t *)(uint64_t)(LAPIC + 0x30);
    return 0;
}

static uint64_t odd_writes(uint64_t unused)
{
    (void)unused;
    *(volatile uint32_t *)(uint64_t)(LAPIC + 0xffe) = 0;
    *(volatile uint16_t *)(uint64_t)(LAPIC + 0x401) = 0xffff;
    *(volatile uint64_t *)(uint64_t)(LAPIC + 0xff8) = UINT64_MAX;
    *(volatile uint8_t *)(uint64_t)(IOAPIC + 0x13) = 0xff;
    return 0;
}

/* A local APIC that is switched off does not answer: what is read is no register's value. */
static uint64_t version_while_off(uint64_t unused)
{
    uint64_t base = rdmsr(IA32_APIC_BASE);
    uint32_t version = mmio_read(LAPIC + LAPIC_VERSION);
    (void)unused;
    wrmsr(IA32_APIC_BASE, base & ~(uint64_t)APIC_BASE_ENABLE);
    bool answers = mmio_read(LAPIC + LAPIC_VERSION) == version;
    wrmsr(IA32_APIC_BASE, base);
    return answers;
}

void intruder_apic(void)
{
    const char *nobody = "reaches nobody";
    mmio_write(LAPIC + LAPIC_SVR, LAPIC_ENABLE | SPURIOUS_VECTOR);
    interrupt_set(STORM_VECTOR, count);
    interrupt_set(VECTOR_NMI, count_nmi);
    intruder_expect_value("self-IPI, ten thousand times", storm, STORM, STORM, "%lu delivered, to itself only");
    intruder_expect_value("NMI to itself", nmi_to_itself, 0, 1, "%lu delivered, to itself only");
    intruder_expect_value("INIT to CPU 1 of the machine", signal_others, ICR_INIT, 0, nobody);
    intruder_expect_value("start-up signal to CPU 1 of the machine", signal_others, ICR_SIPI | 8, 0, nobody);
    intruder_expect_value("NMI to CPU 1 of the machine", signal_others, ICR_NMI, 0, nobody);
    intruder_expect_value("INIT to all other CPUs", signal_others, ICR_ALL_OTHERS | ICR_INIT, 0, nobody);
    intruder_expect_value("NMI to all other CPUs", signal_others, ICR_ALL_OTHERS | ICR_NMI, 0, nobody);
    intruder_expect_value("unaligned and page-crossing reads of devices", odd_reads, 0, 0, "survived");
    intruder_expect_value("unaligned and page-crossing writes of devices", odd_writes, 0, 0, "survived");
    intruder_expect_value("read the local APIC after it was switched off", version_while_off, 0, 0,
                          "no answer");
}
