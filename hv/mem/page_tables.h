/* Pages for page tables: the page allocator as a struct pt_mem. */
#ifndef HV_MEM_PAGE_TABLES_H
#define HV_MEM_PAGE_TABLES_H

#include "arch/x86_64/mmu/pt.h"
#include "hv/mem/page.h"

/* Pages are counted for PAGE_OWNER_TABLES. The allocator must outlive `mem`. */
void page_tables_init(struct pt_mem *mem, struct page_allocator *pages);

#endif
