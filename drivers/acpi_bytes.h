/* Reading a table's little-endian fields at any alignment; what lies behind its end reads as 0. Shared by acpi*.c. */
#ifndef DRIVERS_ACPI_BYTES_H
#define DRIVERS_ACPI_BYTES_H

#include "drivers/acpi.h"

struct acpi_bytes {
    const uint8_t *at;
    size_t size;
};

static inline uint64_t acpi_get(struct acpi_bytes b, size_t offset, unsigned width)
{
    uint64_t value = 0;
    if (!range_fits(offset, width, b.size))
        return 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)b.at[offset + i] << 8 * i;
    return value;
}

static inline uint8_t acpi_get8(struct acpi_bytes b, size_t o) { return (uint8_t)acpi_get(b, o, 1); }
static inline uint16_t acpi_get16(struct acpi_bytes b, size_t o) { return (uint16_t)acpi_get(b, o, 2); }
static inline uint32_t acpi_get32(struct acpi_bytes b, size_t o) { return (uint32_t)acpi_get(b, o, 4); }
static inline uint64_t acpi_get64(struct acpi_bytes b, size_t o) { return acpi_get(b, o, 8); }

enum { ACPI_HEADER_SIZE = 36 };

/* acpi_madt.c and acpi_fadt.c: take what is known from a table whose checksum is right. */
void acpi_madt_parse(struct acpi_bytes table, struct acpi_info *info);
void acpi_fadt_parse(struct acpi_bytes table, struct acpi_info *info);

/* The DSDT's address; 0 if the FADT names none. */
uint64_t acpi_fadt_dsdt(struct acpi_bytes table);

/* acpi.c */
void acpi_problem_add(struct acpi_info *info, const char *signature, uint64_t address, const char *what);

#endif
