/* Any text as trapeze.cfg: what is called valid keeps every promise of partition_config.h, and each mistake is one message.
 * covers: hv/part/ini.c hv/part/config.c hv/part/config_check.c hv/part/config_keys.c hv/lib/suggest.c
 * max_len: 160 */
#include "hv/part/config.h"
#include "tests/fuzz/fuzz.h"

#define FREE_MEMORY MiB(512)
#define CPUS        4

static unsigned reports;

static void on_report(void *ctx, const char *message)
{
    (void)ctx;
    FUZZ_CHECK(strncmp(message, "trapeze.cfg", 11) == 0 && strlen(message) < 1024);
    reports++;
}

/* Files whose names begin with a letter below `n` are there. */
static bool on_find(void *ctx, const char *name, uint64_t *size)
{
    (void)ctx;
    FUZZ_CHECK(strlen(name) < PARTITION_FILE_SIZE);
    *size = (uint64_t)name[0] << 14;
    return name[0] < 'n';
}

static void on_file(void *ctx, const char *name)
{
    (void)ctx;
    FUZZ_CHECK(name[0] && strlen(name) < PARTITION_FILE_SIZE);
}

static bool ends(const char *text, size_t size) { return memchr(text, 0, size) != NULL; }

static void check_partition(const struct config *c, const struct partition_config *p)
{
    FUZZ_CHECK(ends(p->name, sizeof p->name) && ends(p->kernel, sizeof p->kernel) && ends(p->initrd, sizeof p->initrd));
    FUZZ_CHECK(ends(p->cmdline, sizeof p->cmdline) && ends(p->image, sizeof p->image));
    FUZZ_CHECK(p->module_count <= PARTITION_MAX_MODULES);
    for (unsigned i = 0; i < p->module_count; i++)
        FUZZ_CHECK(ends(p->modules[i].file, sizeof p->modules[i].file) && ends(p->modules[i].args, sizeof p->modules[i].args));
    if (!p->valid)
        return;
    FUZZ_CHECK(p->name[0] && !p->kernel[0] != !p->image[0]);
    for (const struct partition_config *q = c->partitions; q < p; q++)
        FUZZ_CHECK(strcmp(p->name, q->name) != 0);
    FUZZ_CHECK(p->memory && p->memory % PAGE_SIZE == 0 && p->memory <= FREE_MEMORY);
    FUZZ_CHECK(p->cpus >= 1 && p->cpus <= PARTITION_MAX_VCPUS);
    FUZZ_CHECK(p->cpuset && !(p->cpuset >> CPUS));
    FUZZ_CHECK(p->weight >= 1 && p->weight <= 10000);
    FUZZ_CHECK(!p->image[0] || p->address < 0xa0000);
    FUZZ_CHECK(p->debug_exit <= UINT16_MAX && p->debug_console <= UINT16_MAX);
    FUZZ_CHECK(p->console <= PARTITION_CONSOLE_COM1 && p->apic <= PARTITION_APIC_XAPIC);
    FUZZ_CHECK(p->on_crash <= PARTITION_RESTART && p->on_reboot <= PARTITION_RESTART);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    const struct config_limits limits = { "trapeze.cfg", FREE_MEMORY, CPUS, on_find, NULL };
    const struct config_errors errors = { on_report, NULL };
    uint64_t memory = 0;
    reports = 0;
    FUZZ_CHECK(config_parse((const char *)data, size, &limits, &config, &errors) == reports);
    FUZZ_CHECK(config.partition_count <= CONFIG_MAX_PARTITIONS && config.when_all_stopped <= CONFIG_STAY);
    for (unsigned i = 0; i < config.partition_count; i++) {
        check_partition(&config, &config.partitions[i]);
        memory += config.partitions[i].valid ? config.partitions[i].memory : 0;
    }
    FUZZ_CHECK(memory <= FREE_MEMORY);
    config_list_files((const char *)data, size, on_file, NULL);
    return 0;
}
