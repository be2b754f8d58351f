/* Any memory as the firmware's ACPI tables. Each mapping is a copy of just the size asked for, so that ASan sees a read
 * beyond it; in half of the inputs checksums are made right on the way, or hardly a table would get past them.
 * covers: drivers/acpi.c drivers/acpi_madt.c drivers/acpi_fadt.c
 * max_len: 640 */
#include "drivers/acpi.h"
#include "tests/fuzz/fuzz.h"

#define BASE UINT64_C(0xe0000)

static struct {
    const uint8_t *bytes;
    size_t size;
    bool mend;
    unsigned count;
    void *copies[1024];
} memory;

static const void *map(void *ctx, uint64_t address, uint64_t size)
{
    (void)ctx;
    FUZZ_CHECK(size >= 20 && size <= MiB(4));
    if (address < BASE || !range_fits(address - BASE, size, memory.size) || memory.count == ARRAY_SIZE(memory.copies))
        return NULL;
    uint8_t *copy = malloc(size), sum = 0;
    FUZZ_CHECK(copy);
    memcpy(copy, memory.bytes + (address - BASE), size);
    for (uint64_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + copy[i]);
    unsigned at = address != BASE ? 9 : size == 20 ? 8 : 32;
    if (memory.mend)
        copy[at] = (uint8_t)(copy[at] - sum);
    return memory.copies[memory.count++] = copy;
}

static void check(const struct acpi_info *info)
{
    FUZZ_CHECK(info->cpu_count <= ACPI_MAX_CPUS && info->ioapic_count <= ACPI_MAX_IOAPICS);
    FUZZ_CHECK(info->override_count <= ACPI_MAX_OVERRIDES && info->mcfg_count <= ACPI_MAX_MCFG);
    FUZZ_CHECK(info->problem_count <= ACPI_MAX_PROBLEMS && info->table_count <= ACPI_MAX_TABLES);
    for (unsigned i = 0; i < info->problem_count; i++)
        FUZZ_CHECK(info->problems[i].what && strlen(info->problems[i].signature) == 4);
    FUZZ_CHECK(!info->fadt.present || info->fadt.pm_timer_bits == 24 || info->fadt.pm_timer_bits == 32);
    FUZZ_CHECK(!info->fadt.s5_known || (info->fadt.s5_type_a <= 7 && info->fadt.s5_type_b <= 7));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct acpi_info info;
    const struct acpi_mem mem = { map, NULL };
    struct fuzz_input in = { data, size };
    memory.mend = fuzz_u8(&in) & 1;
    memory.bytes = in.at;
    memory.size = in.left;
    acpi_parse(&mem, BASE, &info);
    check(&info);
    while (memory.count)
        free(memory.copies[--memory.count]);
    return 0;
}
