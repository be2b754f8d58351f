/* AMD's nested tables. AMD APM vol 2, "Nested Paging": the host format, but every nested access counts as a user
 * access, so that U must be set; global has no meaning. */
#include "arch/x86_64/mmu/pt_entry.h"

static bool encode(pt_attributes_t attributes, uint64_t *flags)
{
    /* Accessed and dirty are left to the CPU: they tell what a guest has touched. */
    if (!pt_host_encode((attributes & ~(pt_attributes_t)PT_GLOBAL) | PT_USER, flags))
        return false;
    *flags &= ~(uint64_t)(PTE_A | PTE_D);
    return true;
}

static pt_attributes_t decode(uint64_t entry)
{
    return pt_host_decode(entry) & ~(pt_attributes_t)(PT_USER | PT_GLOBAL);
}

const struct pt_format pt_npt = {
    .name = "NPT",
    .levels = 4,
    .address_bits = 48,
    .present = PTE_P,
    .table = PTE_P | PTE_W | PTE_U,
    .large = PTE_PS,
    .encode = encode,
    .decode = decode,
};
