#include "hv/cycles.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/pages.h"
#include "hv/part/partition.h"
#include "hv/vm/dispatch.h"

#define PARTITION "cycle"
#define OPTION    "cycles="

static struct {
    unsigned wanted, done, index, clean; /* clean: lives that ended with status 0 */
    struct pages without;                /* what is free and used while the partition does not exist */
    bool differed;
} cycles;

void cycles_begin(const char *cmdline)
{
    const char *at = str_find(cmdline, OPTION);
    unsigned wanted = 0;
    if (!at)
        return;
    for (at += strlen(OPTION); *at >= '0' && *at <= '9' && wanted < 1000000; at++)
        wanted = wanted * 10 + (unsigned)(*at - '0');
    for (unsigned i = 0; i < partition_count; i++)
        if (partitions[i] && !strcmp(partitions[i]->name, PARTITION)) {
            cycles.index = i;
            cycles.wanted = wanted;
        }
    if (!cycles.wanted)
        log_line("cycles: no number, or no partition " PARTITION);
}

static bool is_over(const struct partition *p)
{
    uint32_t state = atomic_load(&p->state);
    return (state == PART_ENDED || state == PART_STOPPED) && !atomic_load(&p->active) && atomic_load(&p->wish) == WISH_NONE;
}

/* False: it cannot be made again, and is gone. */
static bool make_anew(struct partition *p)
{
    const struct partition_config *config = p->config;
    const struct part_files *files = p->files;
    int64_t epoch = vm_epoch_at(p, rdtsc());
    struct page_allocator *pages = p->mem.pages;
    dispatch_unload();
    partition_destroy(p);
    const struct pages now = pages_count();
    if (!cycles.done)
        cycles.without = now;
    cycles.differed = cycles.differed || !pages_same(&now, &cycles.without);
    return partition_create(pages, files, cycles.index, config, epoch) == PARTITION_OK;
}

static void report(const char *problem)
{
    log_line("cycles: %s: %u of %u lives, %u of them clean; %lu KiB free without the partition, each time %s",
             problem ? problem : "done", cycles.done, cycles.wanted, cycles.clean, cycles.without.free >> 10,
             cycles.differed ? "DIFFERENT" : "the same pages");
    cycles.wanted = 0;
}

void cycles_step(void)
{
    struct partition *p = partitions[cycles.index];
    if (!cycles.wanted || !p || !is_over(p))
        return;
    cycles.clean += p->has_status && p->exit_status == 0;
    if (!make_anew(p)) {
        report("FAILED: the partition cannot be made again");
        return;
    }
    if (++cycles.done == cycles.wanted)
        report(cycles.clean == cycles.done && !cycles.differed ? NULL : "FAILED");
    else if (partition_start(partitions[cycles.index]) != PARTITION_OK)
        report("FAILED: the partition does not start");
}
