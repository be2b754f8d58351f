#include "hv/dev/vpm.h"
#include "hv/part/acpi_tables.h"
#include "tests/unit/hv/part/fake_guest.h"
#include "tests/unit/test.h"

static struct fake_guest guest;
static struct acpi_result acpi;

static bool build(unsigned cpus, const uint32_t *ids)
{
    struct acpi_request request = { cpus, ids };
    fake_free(&guest);
    return fake_init(&guest, MiB(1)) && acpi_tables_build(&request, &guest.ops, &acpi);
}

static uint8_t sum(uint64_t gpa, uint64_t size)
{
    uint8_t total = 0;
    for (uint64_t i = 0; i < size; i++)
        total = (uint8_t)(total + guest.bytes[gpa + i]);
    return total;
}

/* A table with this signature, found as a guest finds it: RSDP, then XSDT. 0: it is not there or not right. */
static uint64_t find_table(const char *signature)
{
    uint64_t xsdt = fake_get(&guest, acpi.rsdp_gpa + 24, 8), length = fake_get(&guest, xsdt + 4, 4);
    for (uint64_t at = xsdt + 36; at < xsdt + length; at += 8) {
        uint64_t table = fake_get(&guest, at, 8);
        if (!memcmp(guest.bytes + table, signature, 4) && !sum(table, fake_get(&guest, table + 4, 4)))
            return table;
    }
    return 0;
}

/* The nth MADT entry of a type. */
static uint64_t find_entry(uint8_t type, unsigned nth)
{
    uint64_t madt = find_table("APIC"), end = madt + fake_get(&guest, madt + 4, 4);
    for (uint64_t at = madt + 44; madt && at < end; at += guest.bytes[at + 1])
        if (guest.bytes[at] == type && !nth--)
            return at;
    return 0;
}

TEST(the_rsdp_is_found_by_searching_the_rom_area)
{
    CHECK(build(1, NULL));
    uint64_t at = 0xe0000;
    while (at < 0x100000 && memcmp(guest.bytes + at, "RSD PTR ", 8))
        at += 16;
    CHECK_EQ(at, acpi.rsdp_gpa);
    CHECK_EQ(sum(at, 20), 0);
    CHECK_EQ(sum(at, 36), 0);
    CHECK_EQ(fake_get(&guest, at + 15, 1), 2);
    CHECK(!memcmp(&acpi.rsdp, guest.bytes + at, 36));
}

TEST(rsdt_and_xsdt_name_the_same_tables)
{
    CHECK(build(2, NULL));
    uint64_t rsdt = acpi.rsdp.rsdt, xsdt = acpi.rsdp.xsdt;
    CHECK(!memcmp(guest.bytes + rsdt, "RSDT", 4) && !sum(rsdt, fake_get(&guest, rsdt + 4, 4)));
    CHECK(!memcmp(guest.bytes + xsdt, "XSDT", 4) && !sum(xsdt, fake_get(&guest, xsdt + 4, 4)));
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(fake_get(&guest, rsdt + 36 + i * 4, 4), fake_get(&guest, xsdt + 36 + i * 8, 8));
}

TEST(the_fadt_names_the_ports_of_the_device_models)
{
    CHECK(build(1, NULL));
    uint64_t fadt = find_table("FACP");
    CHECK(fadt);
    CHECK_EQ(fake_get(&guest, fadt + 8, 1), 6);
    CHECK_EQ(fake_get(&guest, fadt + 46, 2), 9);
    CHECK_EQ(fake_get(&guest, fadt + 56, 4), 0x600);
    CHECK_EQ(fake_get(&guest, fadt + 64, 4), 0x604);
    CHECK_EQ(fake_get(&guest, fadt + 76, 4), 0x608);
    CHECK_EQ(fake_get(&guest, fadt + 80, 4), 0x620);
    CHECK_EQ(fake_get(&guest, fadt + 108, 1), 0x32);
    CHECK_EQ(fake_get(&guest, fadt + 109, 2), 3);
    CHECK_EQ(fake_get(&guest, fadt + 112, 4) & FADT_RESET_REG_SUP, FADT_RESET_REG_SUP);
    CHECK_EQ(fake_get(&guest, fadt + 120, 8), 0xcf9);
    CHECK_EQ(fake_get(&guest, fadt + 128, 1), 6);
    CHECK_EQ(fake_get(&guest, fadt + 152, 8), 0x600);
    uint64_t facs = fake_get(&guest, fadt + 36, 4), dsdt = fake_get(&guest, fadt + 140, 8);
    CHECK(facs % 64 == 0 && !memcmp(guest.bytes + facs, "FACS", 4) && facs < 0xa0000);
    CHECK(!memcmp(guest.bytes + dsdt, "DSDT", 4) && !sum(dsdt, fake_get(&guest, dsdt + 4, 4)));
    CHECK_EQ(fake_get(&guest, fadt + 40, 4), dsdt);
}

TEST(the_madt_lists_every_vcpu_and_the_ioapic)
{
    CHECK(build(3, NULL));
    for (unsigned i = 0; i < 3; i++) {
        uint64_t e = find_entry(MADT_LAPIC, i);
        CHECK(e);
        CHECK_EQ(fake_get(&guest, e + 3, 1), i);
        CHECK_EQ(fake_get(&guest, e + 4, 4), 1);
    }
    CHECK(!find_entry(MADT_LAPIC, 3));
    CHECK_EQ(fake_get(&guest, find_entry(MADT_IOAPIC, 0) + 4, 4), 0xfec00000);
    CHECK_EQ(fake_get(&guest, find_entry(MADT_OVERRIDE, 0) + 4, 4), 2);
    CHECK_EQ(fake_get(&guest, find_entry(MADT_OVERRIDE, 1) + 3, 1), VPM_SCI_IRQ);
    CHECK_EQ(fake_get(&guest, find_entry(MADT_OVERRIDE, 1) + 8, 2), 0xd);
    CHECK_EQ(fake_get(&guest, find_entry(MADT_LAPIC_NMI, 0) + 5, 1), 1);
}

TEST(a_vcpu_with_a_large_apic_id_gets_an_x2apic_entry)
{
    CHECK(build(2, (const uint32_t[]){ 7, 255 }));
    CHECK_EQ(fake_get(&guest, find_entry(MADT_LAPIC, 0) + 3, 1), 7);
    CHECK(!find_entry(MADT_LAPIC, 1));
    CHECK_EQ(fake_get(&guest, find_entry(MADT_X2APIC, 0) + 4, 4), 255);
}

TEST(sixty_four_vcpus_fit_and_more_are_refused)
{
    CHECK(build(64, NULL) && find_entry(MADT_LAPIC, 63));
    CHECK(!build(65, NULL) && !build(0, NULL));
}

static bool refuse(void *ctx, gpa_t gpa, const void *data, uint64_t len)
{
    (void)ctx;
    (void)gpa;
    (void)data;
    (void)len;
    return false;
}

TEST(a_failing_write_is_reported)
{
    struct acpi_request request = { 1, NULL };
    struct guest_memory_ops ops = { refuse, fake_zero, &guest };
    CHECK(!acpi_tables_build(&request, &ops, &acpi));
}

/* iasl, where it is installed, must disassemble each table without a complaint. */
TEST(iasl_disassembles_every_table)
{
    static const char *const names[] = { "FACP", "APIC", "DSDT" };
    CHECK(build(2, NULL));
    CHECK_EQ(system("rm -rf build/acpi && mkdir -p build/acpi"), 0);
    for (unsigned i = 0; i < 3; i++) {
        char path[64], command[384];
        uint64_t table = i < 2 ? find_table(names[i]) : fake_get(&guest, find_table("FACP") + 40, 4);
        snprintf(path, sizeof path, "build/acpi/%s.dat", names[i]);
        FILE *f = fopen(path, "wb");
        CHECK(f);
        fwrite(guest.bytes + table, 1, fake_get(&guest, table + 4, 4), f);
        fclose(f);
        snprintf(command, sizeof command, "iasl -d %s >%s.log 2>&1 && ! grep -qiE 'error|warning|invalid|bad' %s.log",
                 path, path, path);
        CHECK_EQ(system(command), 0);
    }
}
