#include "hv/vm/apic_page.h"

bool apic_page_map(struct partition *p)
{
    if (!p->apic_access.raw || p->apic_access_mapped)
        return true;
    p->apic_access_mapped =
        pt_map(&p->nested, APIC_BASE_DEFAULT, p->apic_access, PAGE_SIZE, PT_READ | PT_WRITE | PT_WB) == PT_OK;
    return p->apic_access_mapped;
}

/* The tables stay: siblings' pCPUs run on them, and flush only at their next entry. */
static bool unmap(struct partition *p)
{
    spin_lock(&p->lock);
    bool was = p->apic_access_mapped;
    p->apic_access_mapped = was && pt_unmap_keep_tables(&p->nested, APIC_BASE_DEFAULT, PAGE_SIZE) != PT_OK;
    spin_unlock(&p->lock);
    return was;
}

void apic_page_follow(struct vcpu *v)
{
    struct partition *p = v->part;
    if (vlapic_mmio_base(&v->lapic) == APIC_BASE_DEFAULT || !unmap(p))
        return;
    for (unsigned i = 0; i < p->vcpu_count; i++)
        if (p->vcpus[i])
            vcpu_kick(p->vcpus[i], VCPU_REQ_FLUSH);
}
