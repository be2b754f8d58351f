#include "hv/bringup.h"
#include "arch/x86_64/cpu/cpu.h"
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/image.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/cpu/panic.h"
#include "arch/x86_64/cpu/smp.h"
#include "arch/x86_64/cpu/stack.h"
#include "arch/x86_64/cpu/tsc.h"
#include "drivers/hpet.h"
#include "drivers/pit.h"
#include "drivers/pmtimer.h"
#include "drivers/power.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"

#define ABSENT_CPU 0xfeu /* the last xAPIC ID that is no broadcast */

struct machine machine;

_Static_assert((unsigned)BOOT_MAX_CPUS <= PCPU_MAX, "every listed CPU has a slot");

/* ---- pages and page tables ---- */

static void page_bug(const char *what, hpa_t page)
{
    panic("pages: %s at 0x%lx", what, page.raw);
}

static bool table_alloc(void *ctx, hpa_t *page)
{
    /* the early map reaches 4 GiB, and 16-bit code can load a root from there only */
    enum page_result r = machine.map_active
        ? page_alloc(&machine.pages, PAGE_ORDER_4K, PAGE_OWNER_TABLES, page)
        : page_alloc_below(&machine.pages, GiB(4), PAGE_OWNER_TABLES, page);
    return r == PAGE_OK;
}

static void table_free(void *ctx, hpa_t page)
{
    page_free(&machine.pages, page);
}

static void *table_pointer(void *ctx, hpa_t page)
{
    return hpa_to_ptr(page);
}

static void pages_start(const struct boot_info *info)
{
    static struct page_range free[BOOT_MAX_MEMORY];
    size_t count = 0;
    for (uint32_t i = 0; i < info->memory_count; i++)
        if (info->memory[i].type == BOOT_MEMORY_FREE)
            free[count++] = (struct page_range){ HPA(info->memory[i].base), info->memory[i].size };
    if (page_init(&machine.pages, HOST_DIRECT_BASE, page_bug, free, count) != PAGE_OK)
        panic("the memory map of the firmware cannot be used: no free range holds the page allocator's data");
    if (page_alloc_below(&machine.pages, MiB(1), PAGE_OWNER_CPU, &machine.trampoline) != PAGE_OK)
        machine.trampoline = HPA(0);
}

/* Firmware memory with tables is read through the direct map, too. */
static size_t direct_ranges(const struct boot_info *info, struct host_range *ranges)
{
    size_t count = 0;
    for (uint32_t i = 0; i < info->memory_count; i++)
        if (info->memory[i].type != BOOT_MEMORY_RESERVED)
            ranges[count++] = (struct host_range){ HPA(info->memory[i].base), info->memory[i].size };
    return count;
}

static void tables_start(const struct boot_info *info)
{
    static struct host_range ranges[BOOT_MAX_MEMORY];
    size_t count = direct_ranges(info, ranges);
    machine.tables = (struct pt_mem){ table_alloc, table_free, table_pointer, NULL };
    machine.image = (struct host_image){
        .base = HPA(info->image_base),
        .text_start = (uint64_t)(text_start - image_start),
        .text_end = (uint64_t)(rodata_start - image_start),
        .rodata_end = (uint64_t)(data_start - image_start),
        .data_end = (uint64_t)(image_end - image_start),
    };
    enum pt_result r = host_map_init(&machine.map, &machine.tables, cpu_features.pages_1g ? PT_LEVEL_1G : PT_LEVEL_2M,
                                     &machine.image, ranges, count);
    if (r != PT_OK)
        panic("the hypervisor's page tables cannot be built (error %d)", r);
    cpu_load_tables(host_map_root(&machine.map));
    machine.map_active = true;
}

void *bringup_map_io(hpa_t hpa, uint64_t size, pt_attributes_t cache)
{
    void *pointer;
    enum pt_result r = host_map_io(&machine.map, hpa, size, cache, &pointer);
    if (r != PT_OK)
        panic("device memory at 0x%lx cannot be mapped (error %d)", hpa.raw, r);
    return pointer;
}

/* ---- ACPI ---- */

static bool in_direct_map(uint64_t address, uint64_t size)
{
    const struct boot_info *info = machine.info;
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *m = &info->memory[i];
        if (m->type != BOOT_MEMORY_RESERVED && address >= m->base && range_fits(address - m->base, size, m->size))
            return true;
    }
    return false;
}

/* Tables outside of the direct map (the BIOS area, reserved memory) get a mapping of their own, which stays. */
static const void *acpi_map(void *ctx, uint64_t address, uint64_t size)
{
    if (address == 0 || !range_fits(address, size, UINT64_C(1) << cpu_features.physical_bits))
        return NULL;
    if (in_direct_map(address, size))
        return hpa_to_ptr(HPA(address));
    void *pointer;
    return host_map_io(&machine.map, HPA(address), size, PT_WB, &pointer) == PT_OK ? pointer : NULL;
}

static void acpi_start(const struct boot_info *info)
{
    const struct acpi_mem mem = { acpi_map, NULL };
    acpi_parse(&mem, info->acpi_rsdp, &machine.acpi);
    acpi_report(&machine.acpi);
    const struct acpi_register *reset = &machine.acpi.fadt.reset;
    bool in_memory = reset->address != 0 && reset->space == ACPI_SPACE_MEMORY;
    const struct power_config power = {
        .fadt = &machine.acpi.fadt,
        .reset_mmio = in_memory ? bringup_map_io(HPA(reset->address), 1, PT_UC) : NULL,
    };
    power_init(&power);
}

/* ---- time ---- */

static void clock_start(void)
{
    struct clock_ref refs[3];
    unsigned count = 0;
    if (pmtimer_clock(&machine.acpi.fadt, &refs[count]))
        count++;
    if (machine.acpi.hpet_address &&
        hpet_clock(bringup_map_io(HPA(machine.acpi.hpet_address), HPET_MMIO_SIZE, PT_UC), &refs[count]))
        count++;
    pit_clock(&refs[count++]);
    if (!tsc_calibrate(refs, count))
        panic("no timer of this machine counts, so nothing can be scheduled");
    pit_stop();
    machine.lapic_timer_hz = tsc_calibrate_lapic();
    log_line("lapic: timer at %lu kHz", machine.lapic_timer_hz / 1000);
}

/* ---- the order of locks, in debug builds ---- */

static struct lock_held *locks_held_here(void)
{
    static struct lock_held held[PCPU_MAX];
    return &held[pcpu_this()->index];
}

static void lock_order_broken(const char *wanted, const char *held)
{
    panic("lock order: %s is wanted while %s is held", wanted, held);
}

/* ---- the boot CPU ---- */

void bringup_boot_cpu(const struct boot_info *info, bool (*without)(const char *feature))
{
    machine.info = info;
    cpu_init_boot();
    mitigation_init(without);
    if (LOCK_ORDER_CHECKED)
        lock_order_start(locks_held_here, lock_order_broken);
    pages_start(info);
    tables_start(info);
    acpi_start(info);
    pic_mask_all();
    lapic_init(lapic_wants_mmio() ? bringup_map_io(lapic_mmio_address(), PAGE_SIZE, PT_UC) : NULL);
    pcpu_this()->apic_id = lapic_id();
    cpu_report();
    clock_start();
}

/* ---- the other CPUs ---- */

/* The firmware's own list comes first: it is there when ACPI is not, and it leaves out CPUs that failed. */
static unsigned cpu_list(uint32_t ids[BOOT_MAX_CPUS])
{
    const struct boot_info *info = machine.info;
    unsigned extra = str_find(info->cmdline, "plant=absent-cpu") ? 1 : 0, count = extra;
    ids[0] = ABSENT_CPU; /* for a test: firmware that lists one too many */
    for (uint32_t i = 0; i < info->cpu_count && count < BOOT_MAX_CPUS; i++)
        if (info->cpus[i].enabled)
            ids[count++] = info->cpus[i].apic_id;
    if (count > extra)
        return count;
    for (unsigned i = 0; i < machine.acpi.cpu_count && count < BOOT_MAX_CPUS; i++)
        ids[count++] = machine.acpi.cpus[i].apic_id;
    return count;
}

static bool start_one(uint32_t apic_id, const struct smp_config *config)
{
    struct pcpu *p = pcpu_add(apic_id);
    if (!p)
        return false;
    const char *failure = NULL;
    if (!p->stack_top && stack_create(&machine.map, p) != PT_OK) /* a slot given back has its stacks */
        failure = "no memory for its stacks";
    enum smp_result r = failure ? SMP_OK : smp_start(config, p);
    if (r != SMP_OK)
        failure = smp_result_text(r);
    if (failure) {
        log_line("cpu: the one with APIC ID %u is not used: %s", apic_id, failure);
        pcpu_drop_last();
    }
    return !failure;
}

unsigned bringup_other_cpus(void (*ap_main)(struct pcpu *p))
{
    uint32_t ids[BOOT_MAX_CPUS];
    unsigned listed = cpu_list(ids), running = 1;
    if (listed > 1 && (machine.trampoline.raw == 0 || host_map_identity(&machine.map, machine.trampoline) != PT_OK)) {
        log_line("cpu: only one CPU is used: there is no free page below 1 MiB to start the others from");
        return running;
    }
    const struct smp_config config = {
        machine.trampoline, hpa_to_ptr(machine.trampoline), host_map_root(&machine.map), ap_main,
    };
    for (unsigned i = 0; i < listed; i++)
        if (ids[i] != pcpu_at(0)->apic_id)
            running += start_one(ids[i], &config);
    if (listed > 1 && host_unmap_identity(&machine.map, machine.trampoline) != PT_OK)
        log_line("cpu: the start page could not be unmapped");
    return running;
}

NORETURN void bringup_use_own_stack(void (*fn)(void *arg), void *arg)
{
    if (stack_create(&machine.map, pcpu_this()) != PT_OK)
        panic("no memory for the boot CPU's stacks");
    pcpu_update_ist(pcpu_this());
    stack_switch(pcpu_this()->stack_top, fn, arg);
}
