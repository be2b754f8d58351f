/* What a PC's firmware leaves in the first MiB beside ACPI: interrupt vectors that lead to an IRET, the BIOS data
 * area (where kernels look for the EBDA, COM ports and the video mode), a reset vector that resets, and a table of the
 * MultiProcessor Specification for kernels older than ACPI. There are no BIOS services behind the vectors. */
#ifndef HV_PART_BIOS_AREA_H
#define HV_PART_BIOS_AREA_H

#include "hv/part/guest_memory.h"

/* Call it before load_image(): vectors and BIOS data are below where an image may lie, and a kernel that wants that
 * memory gets it. `cpu_count` is 1 .. 16, with APIC ids 0, 1, 2, ... False if it is not, or a callback failed. */
bool bios_area_build(unsigned cpu_count, const struct guest_memory_ops *memory) MUST_CHECK;

#endif
