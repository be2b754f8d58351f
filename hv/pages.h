/* How the machine's pages are shared out at the moment, to be compared. */
#ifndef HV_PAGES_H
#define HV_PAGES_H

#include "hv/mem/page.h"

struct pages {
    uint64_t free, used[PAGE_OWNERS]; /* bytes */
};

struct pages pages_count(void);

/* And the allocator's lists add up. */
bool pages_same(const struct pages *a, const struct pages *b);

#endif
