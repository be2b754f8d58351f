/* The x86-64 page-table entry, as the host's, the guests' and AMD's nested tables share it.
 * Intel SDM vol 3, "4-Level Paging and 5-Level Paging"; AMD APM vol 2, "Nested Paging". */
#ifndef ARCH_X86_64_MMU_PT_ENTRY_H
#define ARCH_X86_64_MMU_PT_ENTRY_H

#include "arch/x86_64/mmu/pt.h"

enum pt_entry_bit {
    PTE_P   = 1u << 0,
    PTE_W   = 1u << 1,
    PTE_U   = 1u << 2,
    PTE_PWT = 1u << 3,
    PTE_PCD = 1u << 4,
    PTE_A   = 1u << 5,
    PTE_D   = 1u << 6,
    PTE_PS  = 1u << 7,
    PTE_G   = 1u << 8,
};
#define PTE_NX      (UINT64_C(1) << 63)
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)

/* struct pt_format's encode and decode for pt_host. */
bool pt_host_encode(pt_attributes_t attributes, uint64_t *flags);
pt_attributes_t pt_host_decode(uint64_t entry);

#endif
