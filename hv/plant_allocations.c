/* A partition is made again and again while the first, the second, ... allocation fails, until all have: each time all
 * pages must be as before. */
#include "hv/bringup.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/pages.h"
#include "hv/part/partition.h"
#include "hv/plant.h"
#include "hv/vm/dispatch.h"

#define MODEL     "pulse" /* whose configuration it has */
#define TRIES_MAX 1000u

struct tries {
    unsigned allocations, not_made, made; /* made: with other pages than those that could not be had */
    bool reached;                         /* the allocation that was to fail came */
};

static void try_one(struct tries *t, unsigned index, const struct partition_config *config)
{
    (void)page_fail_nth(&machine.pages, t->allocations + 1);
    bool made = partition_create(&machine.pages, NULL, index, config, 0) == PARTITION_OK;
    t->reached = page_fail_nth(&machine.pages, 0) == 0;
    if (made)
        partition_destroy(partitions[index]);
    t->allocations += t->reached;
    t->made += made && t->reached;
    t->not_made += !made;
}

static const struct partition_config *model(void)
{
    for (unsigned i = 0; i < partition_count; i++)
        if (partitions[i] && !strcmp(partitions[i]->name, MODEL))
            return partitions[i]->config;
    return NULL;
}

void plant_allocations(void)
{
    const struct partition_config *config = model();
    if (!config || partition_count == VM_MAX_PARTITIONS) {
        log_line("plant: there is no partition " MODEL ", or no room for another");
        return;
    }
    dispatch_unload();
    const struct pages before = pages_count();
    struct tries t = { .reached = true };
    bool same = true;
    while (same && t.reached && t.allocations < TRIES_MAX) {
        try_one(&t, partition_count, config);
        const struct pages now = pages_count();
        same = pages_same(&now, &before);
    }
    log_line("plant: each of %u allocations failed once: the partition was not made %u times, made of other pages %u times; pages "
             "%s", t.allocations, t.not_made, t.made, same && !t.reached ? "as before" : "LOST");
}
