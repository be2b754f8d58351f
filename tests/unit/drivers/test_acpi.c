#include <stdlib.h>
#include <string.h>
#include "drivers/acpi.h"
#include "tests/unit/test.h"

/* A little physical memory at BASE; outside of it nothing is mapped. Each mapping is a fresh copy of exactly the size
 * asked for, so that the address sanitizer sees any read beyond it. */
#define BASE UINT64_C(0xe0000)
#define SIZE 0x4000u
enum { AT_RSDP = 0x0, AT_RSDT = 0x100, AT_XSDT = 0x200, AT_FADT = 0x400, AT_MADT = 0x800, AT_HPET = 0xc00,
       AT_MCFG = 0xd00, AT_DSDT = 0x1000 };

static uint8_t memory[SIZE];
static void *copies[4096];
static unsigned copy_count;

static const void *map(void *ctx, uint64_t address, uint64_t size)
{
    (void)ctx;
    if (address < BASE || !range_fits(address - BASE, size, SIZE) || copy_count == 4096)
        return NULL;
    void *p = malloc(size ? size : 1);
    memcpy(p, memory + (address - BASE), size);
    copies[copy_count++] = p;
    return p;
}

static void unmap_all(void)
{
    while (copy_count)
        free(copies[--copy_count]);
}

static const struct acpi_mem mem = { map, NULL };
static struct acpi_info info;

static void parse(void)
{
    acpi_parse(&mem, BASE + AT_RSDP, &info);
    unmap_all();
}

static void put(unsigned at, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        memory[at + i] = (uint8_t)(value >> 8 * i);
}

static void fix_sum(unsigned at, unsigned size, unsigned sum_at)
{
    memory[sum_at] = 0;
    uint8_t sum = 0;
    for (unsigned i = 0; i < size; i++)
        sum = (uint8_t)(sum + memory[at + i]);
    memory[sum_at] = (uint8_t)-sum;
}

static void table(unsigned at, const char *signature, unsigned size)
{
    memcpy(memory + at, signature, 4);
    put(at + 4, size, 4);
    fix_sum(at, size, at + 9);
}

static void seal_rsdp(void)
{
    fix_sum(AT_RSDP, 20, AT_RSDP + 8);
    fix_sum(AT_RSDP, 36, AT_RSDP + 32);
}

static void build_fadt(void)
{
    put(AT_FADT + 40, BASE + AT_DSDT, 4);
    put(AT_FADT + 46, 9, 2);
    put(AT_FADT + 48, 0xb2, 4);
    put(AT_FADT + 52, 0xf1, 1);
    put(AT_FADT + 64, 0x604, 4);
    put(AT_FADT + 76, 0x608, 4);
    put(AT_FADT + 89, 2, 1);
    put(AT_FADT + 91, 4, 1);
    put(AT_FADT + 108, 0x32, 1);
    put(AT_FADT + 112, 1u << 8 | 1u << 10, 4);
    put(AT_FADT + 116, 0x0801, 2);
    put(AT_FADT + 120, 0xcf9, 8);
    put(AT_FADT + 128, 0x0f, 1);
    table(AT_FADT, "FACP", 244);
}

static unsigned madt_size;
static void madt_entry(const uint8_t *bytes, unsigned size)
{
    memcpy(memory + AT_MADT + madt_size, bytes, size);
    madt_size += size;
    table(AT_MADT, "APIC", madt_size);
}

static void build_madt(void)
{
    madt_size = 44;
    put(AT_MADT + 36, 0xfee00000, 4);
    put(AT_MADT + 40, 1, 4);
    madt_entry((const uint8_t[]){ 0, 8, 0, 0, 1, 0, 0, 0 }, 8);
    madt_entry((const uint8_t[]){ 0, 8, 1, 2, 1, 0, 0, 0 }, 8);
    madt_entry((const uint8_t[]){ 0, 8, 2, 3, 0, 0, 0, 0 }, 8);
    madt_entry((const uint8_t[]){ 9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0 }, 16);
    madt_entry((const uint8_t[]){ 1, 12, 5, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0 }, 12);
    madt_entry((const uint8_t[]){ 2, 10, 0, 0, 2, 0, 0, 0, 0x0d, 0 }, 10);
}

static void build_machine(void)
{
    static const uint8_t dsdt[] = { 0x5b, 0x80, 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x0a, 0x07, 0x00, 0x00 };
    memset(memory, 0, sizeof memory);
    memcpy(memory + AT_RSDP, "RSD PTR ", 8);
    memcpy(memory + AT_RSDP + 9, "TESTER", 6);
    put(AT_RSDP + 15, 2, 1);
    put(AT_RSDP + 16, BASE + AT_RSDT, 4);
    put(AT_RSDP + 20, 36, 4);
    put(AT_RSDP + 24, BASE + AT_XSDT, 8);
    seal_rsdp();
    build_fadt();
    build_madt();
    put(AT_HPET + 44, 0xfed00000, 8);
    table(AT_HPET, "HPET", 56);
    put(AT_MCFG + 44, 0xb0000000, 8);
    put(AT_MCFG + 55, 0xff, 1);
    table(AT_MCFG, "MCFG", 60);
    memcpy(memory + AT_DSDT + 36, dsdt, sizeof dsdt);
    table(AT_DSDT, "DSDT", 36 + sizeof dsdt);
    static const unsigned all[] = { AT_FADT, AT_MADT, AT_HPET, AT_MCFG };
    for (unsigned i = 0; i < 4; i++)
        put(AT_XSDT + 36 + 8 * i, BASE + all[i], 8);
    table(AT_XSDT, "XSDT", 36 + 32);
    put(AT_RSDT + 36, BASE + AT_MADT, 4);
    table(AT_RSDT, "RSDT", 40);
}

TEST(a_good_machine_is_read_whole)
{
    build_machine();
    parse();
    CHECK(info.present);
    CHECK_EQ(info.problem_count, 0);
    CHECK_EQ(info.cpu_count, 3);
    CHECK_EQ(info.cpus[1].apic_id, 2);
    CHECK_EQ(info.cpus[2].apic_id, 0x12c);
    CHECK_EQ(info.ioapic_count, 1);
    CHECK_EQ(info.ioapics[0].address, 0xfec00000);
    CHECK_EQ(info.overrides[0].gsi, 2);
    CHECK_EQ(info.overrides[0].flags, 0x0d);
    CHECK_EQ(info.lapic_address, 0xfee00000);
    CHECK(info.pic_present);
    CHECK_EQ(info.hpet_address, 0xfed00000);
    CHECK_EQ(info.mcfg_count, 1);
    CHECK_EQ(info.mcfg[0].last_bus, 0xff);
    CHECK(strcmp(info.oem, "TESTER") == 0);
}

TEST(the_fadt_tells_timer_soft_off_and_reset)
{
    build_machine();
    parse();
    CHECK_EQ(info.fadt.pm_timer.address, 0x608);
    CHECK_EQ(info.fadt.pm_timer_bits, 32);
    CHECK_EQ(info.fadt.pm1a_control.address, 0x604);
    CHECK_EQ(info.fadt.reset.address, 0xcf9);
    CHECK_EQ(info.fadt.reset.space, ACPI_SPACE_IO);
    CHECK_EQ(info.fadt.reset_value, 0x0f);
    CHECK_EQ(info.fadt.century, 0x32);
    CHECK(info.fadt.s5_known);
    CHECK_EQ(info.fadt.s5_type_a, 5);
    CHECK_EQ(info.fadt.s5_type_b, 7);
}

TEST(extended_fields_of_the_fadt_win)
{
    build_machine();
    put(AT_FADT + 208, 0x2001, 2);
    put(AT_FADT + 212, 0x1808, 8);
    table(AT_FADT, "FACP", 244);
    parse();
    CHECK_EQ(info.fadt.pm_timer.address, 0x1808);
}

TEST(a_short_acpi_1_fadt_has_no_reset_register)
{
    build_machine();
    table(AT_FADT, "FACP", 116);
    parse();
    CHECK_EQ(info.problem_count, 0);
    CHECK_EQ(info.fadt.reset.address, 0);
    CHECK_EQ(info.fadt.pm_timer.address, 0x608);
}

TEST(no_rsdp_is_no_problem)
{
    build_machine();
    acpi_parse(&mem, 0, &info);
    CHECK(!info.present);
    CHECK_EQ(info.problem_count, 0);
}

TEST(a_bad_rsdp_checksum_is_refused)
{
    build_machine();
    memory[AT_RSDP + 8]++;
    parse();
    CHECK(!info.present);
    CHECK_EQ(info.problem_count, 1);
}

TEST(an_rsdp_outside_of_memory_is_refused)
{
    acpi_parse(&mem, UINT64_MAX - 4, &info);
    CHECK(!info.present);
    CHECK_EQ(info.problem_count, 1);
}

TEST(a_bad_xsdt_falls_back_to_the_rsdt)
{
    build_machine();
    memory[AT_XSDT + 9]++;
    parse();
    CHECK(info.present);
    CHECK_EQ(info.problem_count, 1);
    CHECK_EQ(info.cpu_count, 3);
    CHECK(!info.fadt.present);
}

TEST(revision_0_uses_the_rsdt)
{
    build_machine();
    put(AT_RSDP + 15, 0, 1);
    seal_rsdp();
    parse();
    CHECK(info.present);
    CHECK_EQ(info.table_count, 1);
}

TEST(an_empty_slot_of_the_root_table_is_no_problem)
{
    build_machine();
    put(AT_XSDT + 36, 0, 8);
    table(AT_XSDT, "XSDT", 36 + 32);
    parse();
    CHECK_EQ(info.problem_count, 0);
    CHECK_EQ(info.cpu_count, 3);
}

TEST(a_root_table_with_too_many_entries_does_not_keep_the_boot_waiting)
{
    enum { AT_LONG = 0x2000, ENTRIES = 300 };
    build_machine();
    for (unsigned i = 0; i < ENTRIES; i++)
        put(AT_LONG + 36 + 8 * i, i < 256 ? BASE + AT_HPET : BASE + AT_MADT, 8);
    table(AT_LONG, "XSDT", 36 + 8 * ENTRIES);
    put(AT_RSDP + 24, BASE + AT_LONG, 8);
    seal_rsdp();
    parse();
    CHECK(info.present);
    CHECK_EQ(info.hpet_address, 0xfed00000);
    CHECK_EQ(info.table_count, ACPI_MAX_TABLES);
    CHECK_EQ(info.cpu_count, 0); /* named beyond the limit only */
    CHECK_EQ(info.problem_count, 1);
    CHECK(strstr(info.problems[0].what, "more tables"));
}

TEST(a_table_with_a_wrong_checksum_is_left_out_and_named)
{
    build_machine();
    memory[AT_MADT + 9]++;
    parse();
    CHECK_EQ(info.cpu_count, 0);
    CHECK_EQ(info.problem_count, 1);
    CHECK(strcmp(info.problems[0].signature, "APIC") == 0);
    CHECK_EQ(info.problems[0].address, BASE + AT_MADT);
    CHECK(info.fadt.present);
}

TEST(a_table_that_reaches_out_of_memory_is_left_out)
{
    build_machine();
    put(AT_HPET + 4, 0x3ffff, 4);
    parse();
    CHECK_EQ(info.hpet_address, 0);
    CHECK_EQ(info.problem_count, 1);
}

TEST(a_table_shorter_than_its_header_is_left_out)
{
    build_machine();
    put(AT_HPET + 4, 35, 4);
    parse();
    CHECK_EQ(info.hpet_address, 0);
    CHECK_EQ(info.problem_count, 1);
}

TEST(a_madt_entry_of_length_0_ends_the_table)
{
    build_machine();
    memory[AT_MADT + 44 + 8 + 1] = 0;
    table(AT_MADT, "APIC", madt_size);
    parse();
    CHECK_EQ(info.cpu_count, 1);
    CHECK_EQ(info.problem_count, 1);
}

TEST(a_madt_entry_too_short_for_its_type_is_skipped)
{
    build_machine();
    build_madt();
    madt_entry((const uint8_t[]){ 9, 8, 0, 0, 0x99, 0, 0, 0 }, 8);
    parse();
    CHECK_EQ(info.cpu_count, 3);
    CHECK_EQ(info.problem_count, 1);
}

TEST(a_cpu_listed_twice_counts_once)
{
    build_machine();
    build_madt();
    madt_entry((const uint8_t[]){ 9, 16, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0 }, 16);
    parse();
    CHECK_EQ(info.cpu_count, 3);
}

TEST(more_cpus_than_supported_are_counted)
{
    build_machine();
    build_madt();
    for (unsigned i = 0; i < 64; i++)
        madt_entry((const uint8_t[]){ 0, 8, 0, (uint8_t)(16 + i), 1, 0, 0, 0 }, 8);
    parse();
    CHECK_EQ(info.cpu_count, ACPI_MAX_CPUS);
    CHECK_EQ(info.cpus_left_out, 3);
}

TEST(s5_is_found_with_root_prefix_and_long_package_length)
{
    static const uint8_t aml[] = { 0x08, '\\', '_', 'S', '5', '_', 0x12, 0x48, 0x00, 0x02, 0x0c, 6, 0, 0, 0, 0x01 };
    uint8_t a = 0xff, b = 0xff;
    CHECK(acpi_find_s5(aml, sizeof aml, &a, &b));
    CHECK_EQ(a, 6);
    CHECK_EQ(b, 1);
}

TEST(a_mere_mention_of_s5_is_not_its_definition)
{
    static const uint8_t aml[] = { 0x70, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x0a, 0x07 };
    uint8_t a, b;
    CHECK(!acpi_find_s5(aml, sizeof aml, &a, &b));
}

TEST(truncated_s5_is_refused_at_every_length)
{
    static const uint8_t aml[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x0a, 0x07 };
    uint8_t a, b;
    CHECK(acpi_find_s5(aml, sizeof aml, &a, &b));
    for (size_t n = 0; n < sizeof aml; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, aml, n);
        bool found = acpi_find_s5(copy, n, &a, &b);
        free(copy);
        CHECK(!found);
    }
}

/* Damage that keeps the checksums right, so that it gets past them. */
TEST(ten_thousand_damaged_machines_are_survived)
{
    static const unsigned tables[] = { AT_XSDT, AT_RSDT, AT_FADT, AT_MADT, AT_HPET, AT_MCFG, AT_DSDT };
    uint32_t random = 1;
    for (unsigned round = 0; round < 10000; round++) {
        build_machine();
        for (unsigned i = 0; i < 4; i++) {
            random = random * 1664525u + 1013904223u;
            unsigned at = tables[(random >> 8) % 7];
            unsigned size = memory[at + 4] | (unsigned)memory[at + 5] << 8;
            memory[(at + (random >> 16) % (size ? size : 1)) % SIZE] = (uint8_t)(random >> 24);
            size = memory[at + 4] | (unsigned)memory[at + 5] << 8;
            if (size >= 36 && at + size <= SIZE)
                fix_sum(at, size, at + 9);
        }
        parse();
        CHECK(info.cpu_count <= ACPI_MAX_CPUS && info.problem_count <= ACPI_MAX_PROBLEMS);
    }
}
