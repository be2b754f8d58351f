#include "drivers/acpi.h"
#include "hv/lib/log.h"

static void report_power(const struct acpi_fadt *f)
{
    if (!f->present)
        return;
    if (f->pm_timer.address)
        log_line("acpi: PM timer at 0x%lx (%u bits)", f->pm_timer.address, f->pm_timer_bits);
    if (f->s5_known && f->pm1a_control.address)
        log_line("acpi: soft-off by PM1a control 0x%lx, type %u", f->pm1a_control.address, f->s5_type_a);
    if (f->reset.address)
        log_line("acpi: reset by register 0x%lx, value 0x%x", f->reset.address, f->reset_value);
}

void acpi_report(const struct acpi_info *info)
{
    for (unsigned i = 0; i < info->problem_count; i++)
        log_line("acpi: table %s at 0x%lx: %s", info->problems[i].signature, info->problems[i].address,
                 info->problems[i].what);
    if (!info->present) {
        log_line("acpi: the firmware has no usable tables; CPUs, timers and power-off come from other sources");
        return;
    }
    log_line("acpi: revision %u by \"%s\": %u tables, %u CPUs, %u IOAPICs, %u interrupt overrides%s", info->revision,
             info->oem, info->table_count, info->cpu_count, info->ioapic_count, info->override_count,
             info->hpet_address ? ", HPET" : "");
    if (info->cpus_left_out)
        log_line("acpi: %u more CPUs are not used: at most %u are supported", info->cpus_left_out, ACPI_MAX_CPUS);
    report_power(&info->fadt);
}
