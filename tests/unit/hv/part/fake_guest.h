/* A guest's memory for tests: an array, written through the same callbacks as the real one, slots only. */
#ifndef TESTS_UNIT_HV_PART_FAKE_GUEST_H
#define TESTS_UNIT_HV_PART_FAKE_GUEST_H

#include "hv/part/guest_memory.h"
#include "hv/part/layout.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct fake_guest {
    struct layout layout;
    uint8_t *bytes; /* guest-physical 0 .. layout.memory; at most 3 GiB */
    struct guest_memory_ops ops;
};

static inline bool fake_in_slot(const struct fake_guest *g, uint64_t gpa, uint64_t len)
{
    for (unsigned i = 0; i < g->layout.slot_count; i++) {
        const struct layout_slot *s = &g->layout.slots[i];
        if (gpa >= s->gpa && range_fits(gpa - s->gpa, len, s->size))
            return true;
    }
    return false;
}

static inline bool fake_write(void *ctx, gpa_t gpa, const void *data, uint64_t len)
{
    struct fake_guest *g = ctx;
    if (!fake_in_slot(g, gpa.raw, len))
        return false;
    memcpy(g->bytes + gpa.raw, data, len);
    return true;
}

static inline bool fake_zero(void *ctx, gpa_t gpa, uint64_t len)
{
    struct fake_guest *g = ctx;
    if (!fake_in_slot(g, gpa.raw, len))
        return false;
    /* Large ranges get fresh pages instead of zeros, which the tests would spend most of their time on. */
    char *from = (char *)g->bytes + gpa.raw, *to = from + len;
    char *pages = (char *)ALIGN_UP((uintptr_t)from, PAGE_SIZE), *end = (char *)ALIGN_DOWN((uintptr_t)to, PAGE_SIZE);
    if (pages >= end || madvise(pages, (size_t)(end - pages), MADV_DONTNEED)) {
        memset(from, 0, len);
        return true;
    }
    memset(from, 0, (size_t)(pages - from));
    memset(end, 0, (size_t)(to - end));
    return true;
}

static inline bool fake_init(struct fake_guest *g, uint64_t memory)
{
    if (!layout_init(&g->layout, memory))
        return false;
    /* Not from the sanitizer's heap, which would write shadow for all of it; a page without access ends it. */
    g->bytes = mmap(NULL, memory + PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (g->bytes == MAP_FAILED || mprotect(g->bytes + memory, PAGE_SIZE, PROT_NONE))
        return false;
    g->ops = (struct guest_memory_ops){ fake_write, fake_zero, g };
    return true;
}

static inline void fake_free(struct fake_guest *g)
{
    munmap(g->bytes, g->layout.memory + PAGE_SIZE);
}

static inline uint64_t fake_get(const struct fake_guest *g, uint64_t gpa, unsigned size)
{
    uint64_t value = 0;
    if (!range_fits(gpa, size, g->layout.memory))
        return UINT64_C(0xdeaddeaddeaddead);
    memcpy(&value, g->bytes + gpa, size);
    return value;
}

#endif
