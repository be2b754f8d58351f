#include "drivers/power.h"
#include "arch/x86_64/cpu/insn.h"
#include "hv/lib/log.h"

#define PM1_SCI_EN         1u
#define PM1_SLP_TYP_SHIFT  10
#define PM1_SLP_TYP        (7u << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_EN         (1u << 13)
#define WAIT_SPINS         200000u /* port reads, about a microsecond each on hardware */
#define PORT_DELAY         0x80
#define PORT_RESET         0xcf9
#define RESET_CPU          0x02u   /* hard */
#define RESET_NOW          0x06u
#define PCI_ADDRESS        0xcf8
#define PCI_DATA           0xcfc
#define PIIX4_PM           0x80000b00u /* bus 0, device 1, function 3 */
#define PIIX4_PM_ID        0x71138086u
#define PIIX4_PMREGMISC    0x80u
#define PMREGMISC_ENABLE   0x01u
#define I8042_COMMAND      0x64
#define I8042_INPUT_FULL   0x02u
#define I8042_PULSE_RESET  0xfeu

static struct power_config config;

void power_init(const struct power_config *c)
{
    config = *c;
}

static void wait(unsigned spins)
{
    for (unsigned i = 0; i < spins; i++)
        inb(PORT_DELAY);
}

static NORETURN void halt(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

static bool is_port(const struct acpi_register *r)
{
    return r->address != 0 && r->space == ACPI_SPACE_IO && r->address <= UINT16_MAX;
}

/* Legacy mode: the firmware still owns the power management registers. ACPI, "Enabling ACPI". */
static void acpi_take_over(const struct acpi_fadt *f, uint16_t pm1a)
{
    if ((inw(pm1a) & PM1_SCI_EN) || f->smi_command == 0 || f->smi_command > UINT16_MAX || f->acpi_enable == 0)
        return;
    log_emergency("power: enabling ACPI by port 0x%x", f->smi_command);
    outb((uint16_t)f->smi_command, f->acpi_enable);
    for (unsigned i = 0; i < WAIT_SPINS && !(inw(pm1a) & PM1_SCI_EN); i++)
        wait(1);
}

static void sleep_write(uint16_t port, uint8_t type)
{
    uint16_t value = (uint16_t)((inw(port) & ~(PM1_SLP_TYP | PM1_SLP_EN)) | (unsigned)type << PM1_SLP_TYP_SHIFT);
    outw(port, value);
    outw(port, (uint16_t)(value | PM1_SLP_EN));
}

static void off_acpi(void)
{
    const struct acpi_fadt *f = config.fadt;
    if (!f || !f->present || !f->s5_known || !is_port(&f->pm1a_control))
        return;
    uint16_t pm1a = (uint16_t)f->pm1a_control.address;
    acpi_take_over(f, pm1a);
    log_emergency("power: ACPI soft-off by port 0x%x", pm1a);
    sleep_write(pm1a, f->s5_type_a);
    if (is_port(&f->pm1b_control))
        sleep_write((uint16_t)f->pm1b_control.address, f->s5_type_b);
    wait(WAIT_SPINS);
}

static void off_debug_exit(void)
{
    if (!config.debug_exit_port)
        return;
    log_emergency("power: debug exit by port 0x%x", config.debug_exit_port);
    outl(config.debug_exit_port, 0);
}

/* Where emulators have the PM1a control register when no ACPI table could be read. */
static void off_emulators(void)
{
    static const struct { uint16_t port; const char *machine; } known[] = {
        { 0xb004, "Bochs" }, { 0x604, "QEMU" },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        log_emergency("power: soft-off as on %s, port 0x%x", known[i].machine, known[i].port);
        outw(known[i].port, PM1_SLP_EN);
        wait(1000);
    }
    log_emergency("power: \"Shutdown\" to port 0x8900 (Bochs)");
    for (const char *s = "Shutdown"; *s; s++)
        outb(0x8900, (uint8_t)*s);
}

NORETURN void power_off(void)
{
    cli();
    off_debug_exit();
    off_acpi();
    off_emulators();
    log_emergency("power: the machine does not switch itself off; you can do it now");
    halt();
}

static void reset_acpi(void)
{
    const struct acpi_fadt *f = config.fadt;
    if (!f || !f->present)
        return;
    if (is_port(&f->reset)) {
        log_emergency("power: reset by ACPI's register, port 0x%lx", f->reset.address);
        outb((uint16_t)f->reset.address, f->reset_value);
    } else if (f->reset.space == ACPI_SPACE_MEMORY && config.reset_mmio) {
        log_emergency("power: reset by ACPI's register in memory");
        *(volatile uint8_t *)config.reset_mmio = f->reset_value;
    } else {
        return;
    }
    wait(WAIT_SPINS);
}

/* Bochs quirk: a reset clears the base of the chipset's power management registers, but leaves them enabled. OVMF takes that
 * for set up, and waits for ever for a timer at port 8. Intel 82371AB (PIIX4), "PMREGMISC". */
static void piix4_disable_pm(void)
{
    outl(PCI_ADDRESS, PIIX4_PM);
    if (inl(PCI_DATA) != PIIX4_PM_ID)
        return;
    outl(PCI_ADDRESS, PIIX4_PM | PIIX4_PMREGMISC);
    outb(PCI_DATA, (uint8_t)(inb(PCI_DATA) & ~PMREGMISC_ENABLE));
}

static void reset_chipset(void)
{
    log_emergency("power: reset by port 0xcf9");
    outb(PORT_RESET, RESET_CPU);
    wait(50);
    outb(PORT_RESET, RESET_NOW);
    wait(WAIT_SPINS);
}

static void reset_i8042(void)
{
    log_emergency("power: reset by the keyboard controller");
    for (unsigned i = 0; i < WAIT_SPINS && (inb(I8042_COMMAND) & I8042_INPUT_FULL); i++)
        wait(1);
    outb(I8042_COMMAND, I8042_PULSE_RESET);
    wait(WAIT_SPINS);
}

static void reset_triple_fault(void)
{
    log_emergency("power: reset by triple fault");
    const struct descriptor_table none = { 0, 0 };
    lidt(&none);
    int3();
}

NORETURN void power_reset(void)
{
    static void (*const steps[])(void) = { piix4_disable_pm, reset_acpi, reset_chipset, reset_i8042, reset_triple_fault };
    cli();
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++)
        steps[i]();
    halt();
}
