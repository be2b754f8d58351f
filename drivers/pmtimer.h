/* The ACPI power management timer: a 3.579545 MHz counter of 24 or 32 bits behind one port. */
#ifndef DRIVERS_PMTIMER_H
#define DRIVERS_PMTIMER_H

#include "arch/x86_64/cpu/calibrate.h"
#include "drivers/acpi.h"

#define PMTIMER_HZ UINT64_C(3579545)

/* False if the FADT names no such port. *fadt must outlive *clock. */
bool pmtimer_clock(const struct acpi_fadt *fadt, struct clock_ref *clock) MUST_CHECK;

#endif
