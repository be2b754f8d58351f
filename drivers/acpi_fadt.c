/* ACPI specification, "Fixed ACPI Description Table (FADT)" and "\_Sx (System States)". */
#include "drivers/acpi_bytes.h"
#include "hv/lib/str.h"

enum fadt_offset {
    FADT_DSDT = 40, FADT_SCI_INT = 46, FADT_SMI_CMD = 48, FADT_ACPI_ENABLE = 52, FADT_PM1A_CNT = 64,
    FADT_PM1B_CNT = 68, FADT_PM_TMR = 76, FADT_PM1_CNT_LEN = 89, FADT_PM_TMR_LEN = 91, FADT_CENTURY = 108,
    FADT_BOOT_ARCH = 109, FADT_FLAGS = 112, FADT_RESET_REG = 116, FADT_RESET_VALUE = 128, FADT_X_DSDT = 140,
    FADT_X_PM1A_CNT = 172, FADT_X_PM1B_CNT = 184, FADT_X_PM_TMR = 208,
};
#define FLAG_TMR_VAL_EXT  (1u << 8)
#define FLAG_RESET_REG    (1u << 10)
#define FLAG_HW_REDUCED   (1u << 20)

/* AML: ACPI specification, "ACPI Machine Language (AML) Specification". */
enum aml { AML_ZERO = 0x00, AML_ONE = 0x01, AML_NAME = 0x08, AML_BYTE = 0x0a, AML_WORD = 0x0b, AML_DWORD = 0x0c,
           AML_PACKAGE = 0x12, AML_ROOT = '\\' };

static struct acpi_register gas(struct acpi_bytes t, size_t at)
{
    return (struct acpi_register){ acpi_get8(t, at), acpi_get8(t, at + 1), acpi_get64(t, at + 4) };
}

/* The extended field where it is there (and names a space we can use), else the old one, a port. */
static struct acpi_register choose(struct acpi_bytes t, size_t extended, size_t old, uint8_t bits)
{
    struct acpi_register r = gas(t, extended);
    if (r.address != 0 && r.space <= ACPI_SPACE_IO)
        return r;
    return (struct acpi_register){ ACPI_SPACE_IO, bits, acpi_get32(t, old) };
}

uint64_t acpi_fadt_dsdt(struct acpi_bytes t)
{
    uint64_t extended = acpi_get64(t, FADT_X_DSDT);
    return extended ? extended : acpi_get32(t, FADT_DSDT);
}

void acpi_fadt_parse(struct acpi_bytes t, struct acpi_info *info)
{
    struct acpi_fadt *f = &info->fadt;
    uint32_t flags = acpi_get32(t, FADT_FLAGS);
    f->present = true;
    f->hw_reduced = flags & FLAG_HW_REDUCED;
    f->sci_irq = acpi_get16(t, FADT_SCI_INT);
    f->smi_command = acpi_get32(t, FADT_SMI_CMD);
    f->acpi_enable = acpi_get8(t, FADT_ACPI_ENABLE);
    f->century = acpi_get8(t, FADT_CENTURY);
    f->boot_flags = acpi_get16(t, FADT_BOOT_ARCH);
    if (!f->hw_reduced) {
        f->pm1a_control = choose(t, FADT_X_PM1A_CNT, FADT_PM1A_CNT, 16);
        f->pm1b_control = choose(t, FADT_X_PM1B_CNT, FADT_PM1B_CNT, 16);
        if (acpi_get8(t, FADT_PM_TMR_LEN) == 4)
            f->pm_timer = choose(t, FADT_X_PM_TMR, FADT_PM_TMR, 32);
    }
    f->pm_timer_bits = flags & FLAG_TMR_VAL_EXT ? 32 : 24;
    if (flags & FLAG_RESET_REG) {
        f->reset = gas(t, FADT_RESET_REG);
        f->reset_value = acpi_get8(t, FADT_RESET_VALUE);
    }
}

/* One integer of a package; false for anything but a small constant. */
static bool aml_integer(struct acpi_bytes aml, size_t *at, uint8_t *value)
{
    uint8_t op = acpi_get8(aml, *at);
    unsigned width = op == AML_BYTE ? 1 : op == AML_WORD ? 2 : op == AML_DWORD ? 4 : 0;
    if (width == 0 && op != AML_ZERO && op != AML_ONE)
        return false;
    if (!range_fits(*at, 1 + width, aml.size))
        return false;
    *value = width ? acpi_get8(aml, *at + 1) : op;
    *at += 1 + width;
    return true;
}

/* At a package: opcode, PkgLength (its top two bits say how many bytes follow), element count, elements. */
static bool aml_s5_package(struct acpi_bytes aml, size_t at, uint8_t *a, uint8_t *b)
{
    if (acpi_get8(aml, at) != AML_PACKAGE)
        return false;
    at += 2 + (size_t)(acpi_get8(aml, at + 1) >> 6);
    uint8_t count = acpi_get8(aml, at++);
    if (count < 1 || !aml_integer(aml, &at, a))
        return false;
    *b = *a;
    return count < 2 || aml_integer(aml, &at, b);
}

bool acpi_find_s5(const uint8_t *code, size_t size, uint8_t *type_a, uint8_t *type_b)
{
    struct acpi_bytes aml = { code, size };
    for (size_t i = 1; range_fits(i, 4, size); i++) {
        if (memcmp(code + i, "_S5_", 4) != 0)
            continue;
        bool named = code[i - 1] == AML_NAME || (i >= 2 && code[i - 1] == AML_ROOT && code[i - 2] == AML_NAME);
        uint8_t a, b;
        if (named && aml_s5_package(aml, i + 4, &a, &b) && a < 8 && b < 8) {
            *type_a = a;
            *type_b = b;
            return true;
        }
    }
    return false;
}
