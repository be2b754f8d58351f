#include "drivers/acpi.h"
#include "drivers/acpi_bytes.h"
#include "hv/lib/bits.h"
#include "hv/lib/str.h"

#define RSDP_SIZE_1 20u
#define RSDP_SIZE_2 36u
#define MAX_TABLE   MiB(4) /* the largest DSDTs known are below 1 MiB */
#define MAX_ENTRIES 256u   /* of a root table: one of 4 MiB may name half a million tables, each 4 MiB to add up */

void acpi_problem_add(struct acpi_info *info, const char *signature, uint64_t address, const char *what)
{
    if (info->problem_count == ACPI_MAX_PROBLEMS)
        return;
    struct acpi_problem *p = &info->problems[info->problem_count++];
    memcpy(p->signature, signature, 4);
    for (unsigned i = 0; i < 4; i++)
        if (p->signature[i] < ' ' || p->signature[i] > '~')
            p->signature[i] = '?';
    p->signature[4] = '\0';
    p->address = address;
    p->what = what;
}

/* Map a whole table, checked: header, length, checksum. An empty result is listed. */
static struct acpi_bytes table_map(const struct acpi_mem *mem, uint64_t address, struct acpi_info *info)
{
    const struct acpi_bytes none = { NULL, 0 };
    const uint8_t *header = address ? mem->map(mem->ctx, address, ACPI_HEADER_SIZE) : NULL;
    if (!header) {
        acpi_problem_add(info, "????", address, "the table's header is not in readable memory");
        return none;
    }
    uint32_t length = acpi_get32((struct acpi_bytes){ header, ACPI_HEADER_SIZE }, 4);
    if (length < ACPI_HEADER_SIZE || length > MAX_TABLE) {
        acpi_problem_add(info, (const char *)header, address, "the length is impossible");
        return none;
    }
    const uint8_t *whole = mem->map(mem->ctx, address, length);
    if (!whole) {
        acpi_problem_add(info, (const char *)header, address, "the table is not wholly in readable memory");
        return none;
    }
    if (byte_sum(whole, length) != 0) {
        acpi_problem_add(info, (const char *)header, address, "the checksum is wrong");
        return none;
    }
    return (struct acpi_bytes){ whole, length };
}

static void hpet_parse(struct acpi_bytes t, struct acpi_info *info)
{
    if (acpi_get8(t, 40) == ACPI_SPACE_MEMORY)
        info->hpet_address = acpi_get64(t, 44);
}

static void mcfg_parse(struct acpi_bytes t, struct acpi_info *info)
{
    for (size_t at = 44; range_fits(at, 16, t.size) && info->mcfg_count < ACPI_MAX_MCFG; at += 16)
        info->mcfg[info->mcfg_count++] = (struct acpi_mcfg){
            .base = acpi_get64(t, at),
            .segment = acpi_get16(t, at + 8),
            .first_bus = acpi_get8(t, at + 10),
            .last_bus = acpi_get8(t, at + 11),
        };
}

static const struct {
    char signature[5];
    void (*parse)(struct acpi_bytes table, struct acpi_info *info);
} parsers[] = {
    { "APIC", acpi_madt_parse },
    { "FACP", acpi_fadt_parse },
    { "HPET", hpet_parse },
    { "MCFG", mcfg_parse },
};

static void remember(struct acpi_bytes t, uint64_t address, struct acpi_info *info)
{
    if (info->table_count == ACPI_MAX_TABLES)
        return;
    struct acpi_table_seen *s = &info->tables[info->table_count++];
    memcpy(s->signature, t.at, 4);
    s->address = address;
    s->length = (uint32_t)t.size;
}

/* \_S5 is in the DSDT nearly always, else in an SSDT. */
static void s5_look_in(struct acpi_bytes t, struct acpi_info *info)
{
    struct acpi_fadt *f = &info->fadt;
    if (t.size > ACPI_HEADER_SIZE && !f->s5_known)
        f->s5_known = acpi_find_s5(t.at + ACPI_HEADER_SIZE, t.size - ACPI_HEADER_SIZE, &f->s5_type_a, &f->s5_type_b);
}

static void table_parse(const struct acpi_mem *mem, uint64_t address, struct acpi_info *info)
{
    struct acpi_bytes t = table_map(mem, address, info);
    if (!t.at)
        return;
    remember(t, address, info);
    for (unsigned i = 0; i < ARRAY_SIZE(parsers); i++)
        if (memcmp(t.at, parsers[i].signature, 4) == 0)
            parsers[i].parse(t, info);
    if (memcmp(t.at, "SSDT", 4) == 0)
        s5_look_in(t, info);
    if (memcmp(t.at, "FACP", 4) != 0)
        return;
    uint64_t dsdt = acpi_fadt_dsdt(t);
    if (dsdt)
        s5_look_in(table_map(mem, dsdt, info), info);
}

static void root_parse(const struct acpi_mem *mem, uint64_t address, unsigned width, struct acpi_info *info)
{
    struct acpi_bytes root = table_map(mem, address, info);
    if (!root.at)
        return;
    if (memcmp(root.at, width == 8 ? "XSDT" : "RSDT", 4) != 0) {
        acpi_problem_add(info, (const char *)root.at, address, "the root table has another signature");
        return;
    }
    info->present = true;
    size_t end = MIN(root.size, ACPI_HEADER_SIZE + (size_t)MAX_ENTRIES * width);
    for (size_t at = ACPI_HEADER_SIZE; range_fits(at, width, end); at += width)
        if (acpi_get(root, at, width) != 0) /* OVMF without tables leaves an empty slot */
            table_parse(mem, acpi_get(root, at, width), info);
    if (end < root.size)
        acpi_problem_add(info, (const char *)root.at, address, "it names more tables than any firmware has: the rest is left out");
}

void acpi_parse(const struct acpi_mem *mem, uint64_t rsdp, struct acpi_info *info)
{
    memset(info, 0, sizeof *info);
    if (rsdp == 0)
        return;
    const uint8_t *p = mem->map(mem->ctx, rsdp, RSDP_SIZE_1);
    if (!p || memcmp(p, "RSD PTR ", 8) != 0 || byte_sum(p, RSDP_SIZE_1) != 0) {
        acpi_problem_add(info, "RSDP", rsdp, p ? "signature or checksum is wrong" : "it is not in readable memory");
        return;
    }
    struct acpi_bytes b = { p, RSDP_SIZE_1 };
    info->revision = acpi_get8(b, 15);
    memcpy(info->oem, p + 9, 6);
    const uint8_t *p2 = info->revision >= 2 ? mem->map(mem->ctx, rsdp, RSDP_SIZE_2) : NULL;
    if (p2 && byte_sum(p2, RSDP_SIZE_2) == 0)
        root_parse(mem, acpi_get64((struct acpi_bytes){ p2, RSDP_SIZE_2 }, 24), 8, info);
    else if (info->revision >= 2)
        acpi_problem_add(info, "RSDP", rsdp, "the extended part is unreadable or its checksum wrong: the RSDT is used");
    if (!info->present && acpi_get32(b, 16) != 0)
        root_parse(mem, acpi_get32(b, 16), 4, info);
}
