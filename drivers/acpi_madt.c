/* ACPI specification, "Multiple APIC Description Table (MADT)". */
#include "drivers/acpi_bytes.h"
#include "hv/lib/str.h"

enum madt_type {
    MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_ADDRESS = 5, MADT_X2APIC = 9,
};
#define CPU_ENABLED 1u
#define PCAT_COMPAT 1u

static void cpu_add(struct acpi_info *info, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
    for (unsigned i = 0; i < info->cpu_count; i++)
        if (info->cpus[i].apic_id == apic_id) {
            info->cpus[i].enabled |= (flags & CPU_ENABLED) != 0;
            return; /* some firmware lists a CPU as LAPIC and as x2APIC */
        }
    if (!(flags & CPU_ENABLED))
        return; /* an empty socket */
    if (info->cpu_count == ACPI_MAX_CPUS) {
        info->cpus_left_out++;
        return;
    }
    info->cpus[info->cpu_count++] = (struct acpi_cpu){ apic_id, uid, true };
}

static void lapic(struct acpi_bytes e, struct acpi_info *info)
{
    if (acpi_get8(e, 3) != 0xff) /* the broadcast ID is no CPU's */
        cpu_add(info, acpi_get8(e, 3), acpi_get8(e, 2), acpi_get32(e, 4));
}

static void x2apic(struct acpi_bytes e, struct acpi_info *info)
{
    if (acpi_get32(e, 4) != UINT32_MAX)
        cpu_add(info, acpi_get32(e, 4), acpi_get32(e, 12), acpi_get32(e, 8));
}

static void ioapic(struct acpi_bytes e, struct acpi_info *info)
{
    if (info->ioapic_count < ACPI_MAX_IOAPICS)
        info->ioapics[info->ioapic_count++] =
            (struct acpi_ioapic){ .id = acpi_get8(e, 2), .address = acpi_get32(e, 4), .gsi_base = acpi_get32(e, 8) };
}

static void override(struct acpi_bytes e, struct acpi_info *info)
{
    if (info->override_count < ACPI_MAX_OVERRIDES)
        info->overrides[info->override_count++] =
            (struct acpi_override){ .isa_irq = acpi_get8(e, 3), .gsi = acpi_get32(e, 4), .flags = acpi_get16(e, 8) };
}

static void lapic_address(struct acpi_bytes e, struct acpi_info *info)
{
    info->lapic_address = acpi_get64(e, 4);
}

static const struct {
    uint8_t type, size;
    void (*parse)(struct acpi_bytes entry, struct acpi_info *info);
} entries[] = {
    { MADT_LAPIC, 8, lapic },
    { MADT_IOAPIC, 12, ioapic },
    { MADT_OVERRIDE, 10, override },
    { MADT_LAPIC_ADDRESS, 12, lapic_address },
    { MADT_X2APIC, 16, x2apic },
};

static void entry_parse(struct acpi_bytes e, struct acpi_info *info)
{
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        if (entries[i].type != acpi_get8(e, 0))
            continue;
        if (e.size < entries[i].size)
            acpi_problem_add(info, "APIC", 0, "an entry is shorter than its type");
        else
            entries[i].parse(e, info);
    }
}

void acpi_madt_parse(struct acpi_bytes t, struct acpi_info *info)
{
    info->lapic_address = acpi_get32(t, 36);
    info->pic_present = acpi_get32(t, 40) & PCAT_COMPAT;
    for (size_t at = 44; at < t.size;) {
        size_t size = acpi_get8(t, at + 1);
        if (size < 2 || !range_fits(at, size, t.size)) {
            acpi_problem_add(info, "APIC", 0, "an entry's length is impossible: the rest is left out");
            return;
        }
        entry_parse((struct acpi_bytes){ t.at + at, size }, info);
        at += size;
    }
}
