/* Making and unmaking a partition. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/mmu/host.h"
#include "hv/lib/bits.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/mem/page_tables.h"
#include "hv/part/partition.h"
#include "hv/vm/apic_page.h"

static bool add_memory(struct partition *p)
{
    if (gmem_create(&p->mem, p->mem.pages) != GMEM_OK)
        return false;
    for (unsigned i = 0; i < p->layout.slot_count; i++) {
        const struct layout_slot *s = &p->layout.slots[i];
        if (gmem_add_ram(&p->mem, GPA(s->gpa), s->size) != GMEM_OK)
            return false;
        if (s->kind == LAYOUT_SLOT_ROM && gmem_make_read_only(&p->mem, GPA(s->gpa), s->size) != GMEM_OK)
            return false;
    }
    return true;
}

static int map_extent(void *ctx, const struct gmem_extent *e)
{
    struct partition *p = ctx;
    pt_attributes_t attributes = PT_READ | PT_EXEC | PT_WB | (e->read_only ? 0u : (pt_attributes_t)PT_WRITE);
    return (int)pt_map(&p->nested, e->gpa, e->hpa, e->size, attributes);
}

/* The nested tables hold the partition's RAM and, where the CPU virtualizes accesses to it, the APIC-access page: never
 * a page of anyone else. */
static bool map_memory(struct partition *p)
{
    const struct vt_features *f = vt.features();
    unsigned level = f->nested_1g ? PT_LEVEL_1G : f->nested_2m ? PT_LEVEL_2M : PT_LEVEL_4K;
    page_tables_init(&p->nested_mem, p->mem.pages);
    if (pt_init(&p->nested, vt.nested_format, &p->nested_mem, level) != PT_OK)
        return false;
    if (gmem_for_each_extent(&p->mem, map_extent, p) != 0)
        return false;
    if (!f->apic_access_page)
        return true;
    if (page_alloc(p->mem.pages, 0, PAGE_OWNER_CPU, &p->apic_access) != PAGE_OK)
        return false;
    return apic_page_map(p);
}

void partition_destroy(struct partition *p)
{
    struct page_allocator *pages = p->mem.pages;
    for (unsigned i = 0; i < p->vcpu_count; i++)
        if (p->vcpus[i])
            vcpu_destroy(p->vcpus[i]);
    if (p->apic_access.raw)
        page_free(pages, p->apic_access);
    if (p->nested.root.raw)
        pt_destroy(&p->nested);
    gmem_destroy(&p->mem);
    partitions[p->index] = NULL;
    page_free(pages, ptr_to_hpa(p));
}

/* Where a vCPU starts: spread over the CPUs it may use. An idle CPU takes work from a busy one later. */
static uint32_t place_vcpu(const struct partition *p, unsigned index)
{
    uint64_t set = p->config->cpuset;
    unsigned skip = (p->index + index) % bit_count(set);
    for (; skip; skip--)
        set &= set - 1;
    return (uint32_t)__builtin_ctzll(set);
}

static bool add_vcpus(struct partition *p)
{
    const struct partition_config *c = p->config;
    /* The cap is the partition's; each vCPU gets its part of it. */
    uint32_t cap = (uint32_t)(c->cap / c->cpus);
    for (unsigned i = 0; i < p->vcpu_count; i++) {
        if (!vcpu_create(p, i))
            return false;
        struct sched_entity *e = &p->vcpus[i]->sched;
        if (sched_entity_init(e, (uint32_t)c->weight, c->cap ? MAX(cap, 1u) : 0, c->cpuset) != SCHED_OK)
            return false;
        e->cpu = place_vcpu(p, i);
    }
    return true;
}

enum partition_result partition_create(struct page_allocator *pages, const struct part_files *files, unsigned index,
                                       const struct partition_config *config, int64_t epoch)
{
    static uint64_t created;
    hpa_t self;
    if (page_alloc(pages, page_order(sizeof(struct partition)), PAGE_OWNER_HOST, &self) != PAGE_OK)
        return PARTITION_NO_MEMORY;
    struct partition *p = hpa_to_ptr(self);
    str_copy(p->name, sizeof p->name, config->name);
    p->index = index;
    p->serial = ++created;
    p->lock = (spinlock_t)SPINLOCK_INIT(LOCK_PARTITION);
    p->config = config;
    p->files = files;
    p->epoch = p->made_epoch = epoch;
    p->made_at = rdtsc();
    p->vcpu_count = (unsigned)config->cpus;
    p->mem.pages = pages;
    p->policy = config->exits;
    partitions[index] = p;
    if (!layout_init(&p->layout, config->memory) || !add_memory(p) || !map_memory(p) || !add_vcpus(p)) {
        log_line("%s: cannot be created: %lu MiB of memory and its tables are not free (%lu MiB are)", p->name,
                 config->memory >> 20, page_free_bytes(pages) >> 20);
        partition_destroy(p);
        return PARTITION_NO_MEMORY;
    }
    platform_init(p);
    return PARTITION_OK;
}
