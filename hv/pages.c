#include "hv/pages.h"
#include "hv/bringup.h"
#include "hv/lib/str.h"

struct pages pages_count(void)
{
    struct pages p = { .free = page_free_bytes(&machine.pages) };
    for (unsigned owner = 0; owner < PAGE_OWNERS; owner++)
        p.used[owner] = page_used_bytes(&machine.pages, owner);
    return p;
}

bool pages_same(const struct pages *a, const struct pages *b)
{
    return !memcmp(a, b, sizeof *a) && page_check(&machine.pages);
}
