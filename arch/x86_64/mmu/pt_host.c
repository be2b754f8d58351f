/* Host page tables: 4-level x86-64 with NX. */
#include "arch/x86_64/mmu/pt_entry.h"

/* PWT and PCD select entries 0 to 3 of PT_HOST_PAT. */
static const struct { uint64_t bits; pt_attributes_t cache; } cache_types[] = {
    { 0,                 PT_WB },
    { PTE_PWT,           PT_WT },
    { PTE_PCD,           PT_WC },
    { PTE_PCD | PTE_PWT, PT_UC },
};

static uint64_t cache_bits(pt_attributes_t cache)
{
    size_t i = 0;
    while (cache_types[i].cache != cache)
        i++;
    return cache_types[i].bits;
}

bool pt_host_encode(pt_attributes_t attributes, uint64_t *flags)
{
    if (!(attributes & PT_READ)) /* no bit takes reading away */
        return false;
    /* Accessed and dirty from the start: the CPU need not write the entry. */
    *flags = PTE_P | PTE_A | PTE_D | cache_bits(attributes & PT_CACHE);
    if (attributes & PT_WRITE)
        *flags |= PTE_W;
    if (attributes & PT_USER)
        *flags |= PTE_U;
    if (attributes & PT_GLOBAL)
        *flags |= PTE_G;
    if (!(attributes & PT_EXEC))
        *flags |= PTE_NX;
    return true;
}

pt_attributes_t pt_host_decode(uint64_t entry)
{
    pt_attributes_t attributes = PT_READ | cache_types[entry / PTE_PWT % ARRAY_SIZE(cache_types)].cache;
    if (entry & PTE_W)
        attributes |= PT_WRITE;
    if (entry & PTE_U)
        attributes |= PT_USER;
    if (entry & PTE_G)
        attributes |= PT_GLOBAL;
    if (!(entry & PTE_NX))
        attributes |= PT_EXEC;
    return attributes;
}

const struct pt_format pt_host = {
    .name = "host",
    .levels = 4,
    .address_bits = 48,
    .canonical = true,
    .present = PTE_P,
    .table = PTE_P | PTE_W | PTE_U | PTE_A, /* permissions are those of the page alone */
    .large = PTE_PS,
    .encode = pt_host_encode,
    .decode = pt_host_decode,
};
