/* The few facts the hypervisor needs from the firmware's ACPI tables: CPUs, interrupt controllers, timers, PCI
 * configuration windows, how to switch off and reset. ACPI specification, "ACPI Software Programming Model".
 * Pure: memory is reached through a callback, every length is checked before it is believed, every checksum is
 * verified; a table that fails is left out and listed in `problems`. The AML is not interpreted (only \_S5). */
#ifndef DRIVERS_ACPI_H
#define DRIVERS_ACPI_H

#include "hv/lib/types.h"

enum {
    ACPI_MAX_CPUS = 64, ACPI_MAX_IOAPICS = 16, ACPI_MAX_OVERRIDES = 24, ACPI_MAX_MCFG = 8, ACPI_MAX_PROBLEMS = 16,
    ACPI_MAX_TABLES = 64,
};

/* Make [address, address+size) readable; NULL if it cannot be memory with tables. The pointer stays valid. */
struct acpi_mem {
    const void *(*map)(void *ctx, uint64_t address, uint64_t size);
    void *ctx;
};

enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1, ACPI_SPACE_PCI = 2 };

/* "Generic Address Structure"; address 0: there is none. */
struct acpi_register {
    uint8_t space; /* enum acpi_space, or others that we do not use */
    uint8_t bits;
    uint64_t address;
};

struct acpi_cpu { uint32_t apic_id, uid; bool enabled; };
struct acpi_ioapic { uint8_t id; uint32_t address, gsi_base; };
struct acpi_override { uint8_t isa_irq; uint32_t gsi; uint16_t flags; /* as in the MADT: polarity, trigger */ };
struct acpi_mcfg { uint64_t base; uint16_t segment; uint8_t first_bus, last_bus; };

struct acpi_fadt {
    bool present;
    bool hw_reduced;
    uint16_t sci_irq;
    uint32_t smi_command;        /* a port, 0: none */
    uint8_t acpi_enable;         /* to be written there */
    struct acpi_register pm1a_control, pm1b_control, pm_timer, reset;
    uint8_t reset_value;
    unsigned pm_timer_bits;      /* 24 or 32 */
    uint8_t century;             /* index in the RTC's memory, 0: none */
    uint16_t boot_flags;         /* IAPC_BOOT_ARCH */
    bool s5_known;
    uint8_t s5_type_a, s5_type_b; /* SLP_TYP */
};

struct acpi_problem {
    char signature[5];
    uint64_t address;
    const char *what;
};

struct acpi_table_seen {
    char signature[5];
    uint64_t address;
    uint32_t length;
};

struct acpi_info {
    bool present;                /* an RSDP and a root table were good */
    uint8_t revision;            /* of the RSDP: 0 is ACPI 1.0 */
    char oem[7];
    uint64_t lapic_address;      /* from the MADT, 0 if there is none */
    bool pic_present;            /* PCAT_COMPAT */
    unsigned cpu_count, ioapic_count, override_count, mcfg_count, problem_count, table_count;
    unsigned cpus_left_out;      /* beyond ACPI_MAX_CPUS */
    struct acpi_cpu cpus[ACPI_MAX_CPUS];
    struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
    struct acpi_override overrides[ACPI_MAX_OVERRIDES];
    struct acpi_mcfg mcfg[ACPI_MAX_MCFG];
    struct acpi_fadt fadt;
    uint64_t hpet_address;       /* 0: none */
    struct acpi_problem problems[ACPI_MAX_PROBLEMS];
    struct acpi_table_seen tables[ACPI_MAX_TABLES];
};

/* Fill *info from the RSDP at `rsdp` (0: the firmware has none; then all is empty). Never fails: what is bad is
 * missing from the result and listed. */
void acpi_parse(const struct acpi_mem *mem, uint64_t rsdp, struct acpi_info *info);

/* Say in the boot log what was found and what was wrong. */
void acpi_report(const struct acpi_info *info);

/* For tests: find \_S5 in AML; false if it is not there or not in the usual form. */
bool acpi_find_s5(const uint8_t *aml, size_t size, uint8_t *type_a, uint8_t *type_b) MUST_CHECK;

#endif
