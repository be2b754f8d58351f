/* Intel's extended page tables. Intel SDM vol 3, "The Extended Page Table Mechanism (EPT)". */
#include "arch/x86_64/mmu/pt.h"

enum ept_bit {
    EPT_R          = 1u << 0,
    EPT_W          = 1u << 1,
    EPT_X          = 1u << 2,
    EPT_TYPE_SHIFT = 3,
    EPT_TYPE_MASK  = 7u << 3,
    EPT_IGNORE_PAT = 1u << 6,
    EPT_LARGE      = 1u << 7,
};

/* SDM vol 3, "Memory Types and EPT". */
enum ept_type { EPT_UC = 0, EPT_WC = 1, EPT_WT = 4, EPT_WB = 6 };

/* Bits of the EPT pointer: SDM vol 3, "Extended-Page-Table Pointer (EPTP)". */
enum eptp_bit {
    EPTP_WALK_4 = 3u << 3, /* page-walk length minus 1 */
    EPTP_AD     = 1u << 6,
};

static const struct { pt_attributes_t cache; enum ept_type type; } types[] = {
    { PT_WB, EPT_WB }, { PT_WT, EPT_WT }, { PT_UC, EPT_UC }, { PT_WC, EPT_WC },
};

static bool encode(pt_attributes_t attributes, uint64_t *flags)
{
    /* Write-only is a misconfiguration; execute-only needs a capability that we do not ask for. */
    if (!(attributes & PT_READ))
        return false;
    size_t i = 0;
    while (types[i].cache != (attributes & PT_CACHE))
        i++;
    *flags = EPT_R | (uint64_t)types[i].type << EPT_TYPE_SHIFT;
    /* RAM is write-back whatever the guest's PAT says, so that both sides of a shared page see one value; for device
     * memory the guest's type counts too (it may ask for WC). */
    if (types[i].type == EPT_WB)
        *flags |= EPT_IGNORE_PAT;
    if (attributes & PT_WRITE)
        *flags |= EPT_W;
    if (attributes & PT_EXEC)
        *flags |= EPT_X;
    return true;
}

static pt_attributes_t decode(uint64_t entry)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(types) - 1 && types[i].type != (entry & EPT_TYPE_MASK) >> EPT_TYPE_SHIFT)
        i++;
    pt_attributes_t attributes = types[i].cache | PT_READ;
    if (entry & EPT_W)
        attributes |= PT_WRITE;
    if (entry & EPT_X)
        attributes |= PT_EXEC;
    return attributes;
}

uint64_t pt_ept_pointer(hpa_t root, bool accessed_dirty)
{
    return root.raw | EPT_WB | EPTP_WALK_4 | (accessed_dirty ? EPTP_AD : 0);
}

const struct pt_format pt_ept = {
    .name = "EPT",
    .levels = 4,
    .address_bits = 48,
    .present = EPT_R | EPT_W | EPT_X,
    .table = EPT_R | EPT_W | EPT_X,
    .large = EPT_LARGE,
    .encode = encode,
    .decode = decode,
};
