#include "drivers/hpet.h"
#include "arch/x86_64/cpu/insn.h"

enum hpet_register { HPET_CAPABILITIES = 0x00, HPET_CONFIGURATION = 0x10, HPET_COUNTER = 0xf0 };
#define CAP_PERIOD_SHIFT  32 /* femtoseconds */
#define CONFIG_ENABLE     1u
#define MAX_PERIOD_FS     100000000u
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
