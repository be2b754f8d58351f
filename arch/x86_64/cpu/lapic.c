#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/calibrate.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/msr.h"

/* SDM vol 3, "Local APIC Register Address Map". */
enum lapic_register {
    LAPIC_ID = 0x020, LAPIC_TPR = 0x080, LAPIC_EOI = 0x0b0, LAPIC_SIVR = 0x0f0, LAPIC_ESR = 0x280,
    LAPIC_LVT_CMCI = 0x2f0, LAPIC_ICR_LOW = 0x300, LAPIC_ICR_HIGH = 0x310, LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_THERMAL = 0x330, LAPIC_LVT_PMI = 0x340, LAPIC_LVT_LINT0 = 0x350, LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370, LAPIC_INIT_COUNT = 0x380, LAPIC_CUR_COUNT = 0x390, LAPIC_DIV_CONF = 0x3e0,
    LAPIC_VERSION = 0x030, LAPIC_IRR = 0x200, /* eight of 32 vectors */
};

#define ICR_FIXED      (0u << 8)
#define ICR_NMI        (4u << 8)
#define ICR_INIT       (5u << 8)
#define ICR_STARTUP    (6u << 8)
#define ICR_PENDING    (1u << 12)
#define ICR_ASSERT     (1u << 14)
#define ICR_SELF       (1u << 18)
#define LVT_MASKED     (1u << 16)
#define LVT_DEADLINE   (2u << 17)
#define SIVR_ENABLE    (1u << 8)
#define DIV_BY_1       0xbu
#define ICR_WAIT_SPINS 1000000u
#define PIC1_DATA      0x21
#define PIC2_DATA      0xa1

static enum lapic_mode mode;
static volatile char *registers; /* xAPIC only */
static enum lapic_timer timer_mode;
static uint64_t timer_per_tsc;   /* 32.32 */

static uint32_t reg_read(enum lapic_register r)
{
    if (mode == LAPIC_X2APIC)
        return (uint32_t)rdmsr(IA32_X2APIC_FIRST + (uint32_t)r / 16);
    return mmio_read32(registers + r);
}

static void reg_write(enum lapic_register r, uint32_t value)
{
    if (mode == LAPIC_X2APIC)
        wrmsr(IA32_X2APIC_FIRST + (uint32_t)r / 16, value);
    else
        mmio_write32(registers + r, value);
}

hpa_t lapic_mmio_address(void)
{
    return HPA(rdmsr(IA32_APIC_BASE) & APIC_BASE_ADDR);
}

bool lapic_wants_mmio(void)
{
    return (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_X2APIC) == 0 && (rdmsr(IA32_APIC_BASE) & APIC_BASE_EXTD) == 0;
}

uint32_t lapic_id_by_cpuid(void)
{
    if (cpuid(CPUID_VENDOR, 0).eax >= CPUID_TOPOLOGY && cpuid(CPUID_TOPOLOGY, 0).ebx != 0)
        return cpuid(CPUID_TOPOLOGY, 0).edx;
    return cpuid(CPUID_FEATURES, 0).ebx >> CPUID_1_EBX_APIC_ID_SHIFT;
}

void lapic_init(volatile void *mmio)
{
    registers = mmio;
    mode = lapic_wants_mmio() ? LAPIC_XAPIC : LAPIC_X2APIC;
    lapic_enable();
}

/* Entries that an APIC may lack: the highest one it has is in its version register. */
static void mask_optional_entries(void)
{
    unsigned max_lvt = reg_read(LAPIC_VERSION) >> 16 & 0xff;
    if (max_lvt >= 4)
        reg_write(LAPIC_LVT_PMI, LVT_MASKED);
    if (max_lvt >= 5)
        reg_write(LAPIC_LVT_THERMAL, LVT_MASKED);
    if (max_lvt >= 6)
        reg_write(LAPIC_LVT_CMCI, LVT_MASKED);
}

void lapic_enable(void)
{
    uint64_t base = rdmsr(IA32_APIC_BASE);
    uint64_t want = base | APIC_BASE_EN | (mode == LAPIC_X2APIC ? APIC_BASE_EXTD : 0);
    if (base != want)
        wrmsr(IA32_APIC_BASE, want);
    reg_write(LAPIC_SIVR, SIVR_ENABLE | LAPIC_SPURIOUS_VECTOR);
    reg_write(LAPIC_TPR, 0);
    reg_write(LAPIC_LVT_TIMER, LVT_MASKED);
    reg_write(LAPIC_LVT_LINT0, LVT_MASKED); /* the 8259's line; LINT1 (NMI) stays as the firmware set it */
    reg_write(LAPIC_LVT_ERROR, LVT_MASKED);
    mask_optional_entries();
    reg_write(LAPIC_ESR, 0);
}

enum lapic_mode lapic_mode(void)
{
    return mode;
}

uint32_t lapic_id(void)
{
    return mode == LAPIC_X2APIC ? reg_read(LAPIC_ID) : reg_read(LAPIC_ID) >> 24;
}

void lapic_eoi(void)
{
    reg_write(LAPIC_EOI, 0);
}

static void icr_wait(void)
{
    for (unsigned i = 0; i < ICR_WAIT_SPINS && (reg_read(LAPIC_ICR_LOW) & ICR_PENDING) != 0; i++)
        cpu_pause();
}

static void icr_send(uint32_t apic_id, uint32_t command)
{
    if (mode == LAPIC_X2APIC) {
        /* SDM vol 3, "MSR Access in x2APIC Mode": these WRMSRs do not wait for earlier stores. */
        mfence();
        lfence();
        wrmsr(IA32_X2APIC_ICR, (uint64_t)apic_id << 32 | command);
    } else if (mode == LAPIC_XAPIC) {
        icr_wait();
        reg_write(LAPIC_ICR_HIGH, apic_id << 24);
        reg_write(LAPIC_ICR_LOW, command);
    }
}

void lapic_send(uint32_t apic_id, uint8_t vector) { icr_send(apic_id, ICR_FIXED | ICR_ASSERT | vector); }

/* An NMI's handler sends, too, maybe between the two writes of another icr_send(): it finds the first as it left it. */
void lapic_send_nmi(uint32_t apic_id)
{
    uint32_t high = mode == LAPIC_XAPIC ? reg_read(LAPIC_ICR_HIGH) : 0;
    icr_send(apic_id, ICR_NMI | ICR_ASSERT);
    if (mode == LAPIC_XAPIC) {
        icr_wait();
        reg_write(LAPIC_ICR_HIGH, high);
    }
}

void lapic_send_init(uint32_t apic_id) { icr_send(apic_id, ICR_INIT | ICR_ASSERT); }
void lapic_send_startup(uint32_t apic_id, uint8_t page) { icr_send(apic_id, ICR_STARTUP | ICR_ASSERT | page); }
void lapic_send_self(uint8_t vector) { icr_send(0, ICR_SELF | ICR_FIXED | ICR_ASSERT | vector); }

bool lapic_is_requested(uint8_t vector)
{
    return reg_read(LAPIC_IRR + vector / 32 * 16u) >> vector % 32 & 1;
}

void lapic_look_again(void)
{
    reg_write(LAPIC_TPR, reg_read(LAPIC_TPR));
}

void lapic_set_frequency(uint64_t timer_hz, uint64_t tsc_hz)
{
    timer_per_tsc = calibrate_mul_div(timer_hz, UINT64_C(1) << 32, tsc_hz);
}

void lapic_timer_setup(uint8_t vector)
{
    bool deadline = (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_TSC_DEADLINE) != 0;
    timer_mode = deadline ? LAPIC_TIMER_TSC_DEADLINE : LAPIC_TIMER_ONE_SHOT;
    reg_write(LAPIC_DIV_CONF, DIV_BY_1);
    reg_write(LAPIC_INIT_COUNT, 0);
    reg_write(LAPIC_LVT_TIMER, vector | (deadline ? LVT_DEADLINE : 0));
    if (deadline)
        mfence(); /* SDM vol 3, "TSC-Deadline Mode": a memory-mapped LVT write may be later than a WRMSR */
}

/* Rounded up: a count too early, and the interrupt would only lead to the next. */
static uint32_t one_shot_count(uint64_t deadline)
{
    uint64_t now = rdtsc();
    if (deadline <= now)
        return 1;
    unsigned __int128 count = (((unsigned __int128)(deadline - now) * timer_per_tsc) >> 32) + 1;
    return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

void lapic_timer_arm(uint64_t deadline)
{
    if (LIKELY(timer_mode == LAPIC_TIMER_TSC_DEADLINE))
        wrmsr(IA32_TSC_DEADLINE, deadline ? deadline : 1); /* 0 would disarm */
    else
        reg_write(LAPIC_INIT_COUNT, one_shot_count(deadline));
}

void lapic_counter_start(void)
{
    reg_write(LAPIC_LVT_TIMER, LVT_MASKED);
    reg_write(LAPIC_DIV_CONF, DIV_BY_1);
    reg_write(LAPIC_INIT_COUNT, UINT32_MAX);
}

uint64_t lapic_counter_read(void *ctx)
{
    return UINT32_MAX - reg_read(LAPIC_CUR_COUNT);
}

void pic_mask_all(void)
{
    outb(PIC1_DATA, 0xff);
    outb(PIC2_DATA, 0xff);
}
