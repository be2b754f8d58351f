#include "hv/mem/page_tables.h"

static bool alloc_table(void *ctx, hpa_t *page)
{
    return page_alloc(ctx, PAGE_ORDER_4K, PAGE_OWNER_TABLES, page) == PAGE_OK;
}

static void free_table(void *ctx, hpa_t page)
{
    (void)page_free(ctx, page);
}

static void *table_pointer(void *ctx, hpa_t page)
{
    return page_pointer(ctx, page);
}

void page_tables_init(struct pt_mem *mem, struct page_allocator *pages)
{
    *mem = (struct pt_mem){ alloc_table, free_table, table_pointer, pages };
}
