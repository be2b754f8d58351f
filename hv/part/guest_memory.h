/* The one way in which this folder touches a guest's memory: two operations handed in by the caller.
 * Loaders and table builders so run on the host in tests, and cannot reach outside the partition. */
#ifndef HV_PART_GUEST_MEMORY_H
#define HV_PART_GUEST_MEMORY_H

#include "hv/lib/types.h"

struct guest_memory_ops {
    /* Both return false if any byte of [gpa, gpa + len) is not backed by the partition's own memory; nothing outside
     * it may have been touched then. Read-only slots (the ROM area) are writable through these. len may be 0. */
    bool (*write)(void *ctx, gpa_t gpa, const void *data, uint64_t len);
    bool (*zero)(void *ctx, gpa_t gpa, uint64_t len);
    void *ctx;
};

static inline bool guest_memory_write(const struct guest_memory_ops *memory, uint64_t gpa, const void *data,
                                      uint64_t len)
{
    return memory->write(memory->ctx, GPA(gpa), data, len);
}

static inline bool guest_memory_zero(const struct guest_memory_ops *memory, uint64_t gpa, uint64_t len)
{
    return memory->zero(memory->ctx, GPA(gpa), len);
}

#endif
