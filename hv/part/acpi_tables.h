/* Builds the ACPI tables and what else a BIOS leaves below 1 MiB, in a partition's ROM area and EBDA.
 * They sit there, not at the top of RAM, so that a guest of any size keeps all of its memory. */
#ifndef HV_PART_ACPI_TABLES_H
#define HV_PART_ACPI_TABLES_H

#include "hv/part/acpi_format.h"
#include "hv/part/guest_memory.h"


struct acpi_request {
    unsigned cpu_count;       /* vCPUs, 1 .. 64 */
    const uint32_t *apic_ids; /* one per vCPU; NULL: 0, 1, 2, ... */
};

struct acpi_result {
    uint64_t rsdp_gpa;
    struct acpi_rsdp rsdp; /* a copy, for struct load_request */
};

/* False if there are too many vCPUs for the room or a callback failed. */
bool acpi_tables_build(const struct acpi_request *request, const struct guest_memory_ops *memory,
                       struct acpi_result *result) MUST_CHECK;

#endif
