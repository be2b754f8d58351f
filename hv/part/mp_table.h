/* The "MultiProcessor Specification 1.4" configuration table: processors, ISA bus, IOAPIC and interrupt wiring, for
 * kernels that know no ACPI. It says the same as the MADT. */
#ifndef HV_PART_MP_TABLE_H
#define HV_PART_MP_TABLE_H

#include "hv/part/guest_memory.h"

#define MP_TABLE_MAX_CPUS 16

/* False if cpu_count is not 1 .. MP_TABLE_MAX_CPUS, or a callback failed. */
bool mp_table_build(unsigned cpu_count, const struct guest_memory_ops *memory) MUST_CHECK;

#endif
