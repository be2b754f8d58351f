#include "arch/x86_64/mmu/pt_path.h"

#include "arch/x86_64/mmu/pt_entry.h"

void pt_path_find(const struct pt *pt, uint64_t address, struct pt_path *out)
{
    const struct pt_format *f = pt->format;
    hpa_t table = pt->root;
    *out = (struct pt_path){ 0 };
    if (address >> f->address_bits)
        return;
    for (unsigned level = f->levels; level && out->count < PT_PATH_STEPS; level--) {
        const uint64_t *entries = pt->mem->pointer(pt->mem->ctx, table);
        uint64_t entry = __atomic_load_n(&entries[address / pt_level_size(level) % 512], __ATOMIC_RELAXED);
        out->step[out->count].level = level;
        out->step[out->count++].entry = entry;
        if (!(entry & f->present))
            return;
        out->mapped = level == PT_LEVEL_4K || (entry & f->large);
        if (out->mapped)
            return;
        table = HPA(entry & PTE_ADDRESS);
    }
}
