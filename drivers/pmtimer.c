#include "drivers/pmtimer.h"
#include "arch/x86_64/cpu/insn.h"

static uint64_t pmtimer_read(void *ctx)
{
    const struct acpi_fadt *f = ctx;
    return inl((uint16_t)f->pm_timer.address);
}

bool pmtimer_clock(const struct acpi_fadt *fadt, struct clock_ref *clock)
{
    const struct acpi_register *r = &fadt->pm_timer;
    if (!fadt->present || r->address == 0 || r->address > UINT16_MAX || r->space != ACPI_SPACE_IO)
        return false;
    *clock = (struct clock_ref){ "the ACPI PM timer", PMTIMER_HZ, fadt->pm_timer_bits, pmtimer_read,
                                 (void *)(uintptr_t)fadt };
    return true;
}
