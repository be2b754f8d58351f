#include "drivers/hpet.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/tsc.h"

enum hpet_register {
    HPET_CAPABILITIES = 0x00, HPET_CONFIGURATION = 0x10, HPET_COUNTER = 0xf0, HPET_TIMER0 = 0x100, HPET_COMPARATOR0 = 0x108,
};
#define CAP_PERIOD_SHIFT  32 /* femtoseconds */
#define CAP_LEGACY_ROUTE  (1u << 15)
#define CONFIG_ENABLE     1u
#define CONFIG_LEGACY     2u
#define TIMER_ENABLE      (1u << 2) /* by edges, which want no acknowledgement */
#define TIMER_PERIODIC    (1u << 3)
#define TIMER_CAN_PERIOD  (1u << 4)
#define TIMER_SET_VALUE   (1u << 6)
#define TIMER_32_BITS     (1u << 8)
#define MAX_PERIOD_FS     100000000u
#define FIRST_TICK_FS     UINT64_C(1000000000000)
#define FS_PER_SECOND     UINT64_C(1000000000000000)

static uint64_t hpet_read(void *ctx)
{
    /* The low half alone: a 64-bit read is not atomic on every chipset. */
    return mmio_read32((volatile char *)ctx + HPET_COUNTER);
}

bool hpet_clock(volatile void *registers, struct clock_ref *clock)
{
    volatile char *r = registers;
    uint64_t period = mmio_read32(r + HPET_CAPABILITIES + CAP_PERIOD_SHIFT / 8);
    if (period == 0 || period > MAX_PERIOD_FS)
        return false;
    uint32_t config = mmio_read32(r + HPET_CONFIGURATION);
    if (!(config & CONFIG_ENABLE))
        mmio_write32(r + HPET_CONFIGURATION, config | CONFIG_ENABLE);
    *clock = (struct clock_ref){ "the HPET", FS_PER_SECOND / period, 32, hpet_read, (void *)(uintptr_t)registers };
    return true;
}

/* "Periodic Mode": after SET_VALUE the first write is when, the second how often. */
bool hpet_tick(volatile void *registers, uint64_t period_ns)
{
    volatile char *r = registers;
    uint64_t period_fs = mmio_read32(r + HPET_CAPABILITIES + CAP_PERIOD_SHIFT / 8);
    if (period_fs == 0 || !(mmio_read32(r + HPET_CAPABILITIES) & CAP_LEGACY_ROUTE) || !(mmio_read32(r + HPET_TIMER0) & TIMER_CAN_PERIOD))
        return false;
    uint32_t ticks = (uint32_t)(period_ns * 1000000 / period_fs);
    mmio_write32(r + HPET_TIMER0, TIMER_ENABLE | TIMER_PERIODIC | TIMER_SET_VALUE | TIMER_32_BITS);
    mmio_write32(r + HPET_CONFIGURATION, mmio_read32(r + HPET_CONFIGURATION) | CONFIG_LEGACY | CONFIG_ENABLE);
    mmio_write32(r + HPET_COMPARATOR0, mmio_read32(r + HPET_COUNTER) + (uint32_t)(FIRST_TICK_FS / period_fs));
    tsc_delay_us(1); /* some AMD chipsets lose the second of two writes in a row */
    mmio_write32(r + HPET_COMPARATOR0, ticks);
    return true;
}
