/* Reading and writing guest memory. */
#include "hv/mem/gmem_find.h"
#include "hv/lib/str.h"

/* Checks the range before a byte is touched, so that an access happens wholly or not at all. */
static enum gmem_result check_access(struct gmem *g, uint64_t gpa, uint64_t size, bool write)
{
    while (size) {
        const struct gmem_extent *e = gmem_find(g, gpa);
        if (!e)
            return GMEM_OUTSIDE;
        if (write && e->read_only)
            return GMEM_READ_ONLY;
        uint64_t part = MIN(size, e->size - (gpa - e->gpa));
        gpa += part;
        size -= part;
    }
    return GMEM_OK;
}

bool gmem_is_ram(struct gmem *g, uint64_t gpa, uint64_t size)
{
    return check_access(g, gpa, size, false) == GMEM_OK;
}

/* The part of a checked range that lies in the extent of its first byte. */
static uint8_t *next_part(struct gmem *g, uint64_t gpa, uint64_t size, uint64_t *part)
{
    const struct gmem_extent *e = gmem_find(g, gpa);
    *part = MIN(size, e->size - (gpa - e->gpa));
    return e->host + (gpa - e->gpa);
}

enum gmem_result gmem_read(struct gmem *g, gpa_t gpa, void *buffer, size_t size)
{
    enum gmem_result result = check_access(g, gpa.raw, size, false);
    uint8_t *to = buffer;
    for (uint64_t part; result == GMEM_OK && size; size -= part, gpa.raw += part, to += part) {
        const uint8_t *from = next_part(g, gpa.raw, size, &part);
        memcpy(to, from, part);
    }
    return result;
}

static enum gmem_result write_checked(struct gmem *g, gpa_t gpa, const void *buffer, size_t size, bool as_guest)
{
    enum gmem_result result = check_access(g, gpa.raw, size, as_guest);
    const uint8_t *from = buffer;
    for (uint64_t part; result == GMEM_OK && size; size -= part, gpa.raw += part, from += part) {
        uint8_t *to = next_part(g, gpa.raw, size, &part);
        memcpy(to, from, part);
    }
    return result;
}

enum gmem_result gmem_write(struct gmem *g, gpa_t gpa, const void *buffer, size_t size)
{
    return write_checked(g, gpa, buffer, size, true);
}

enum gmem_result gmem_load(struct gmem *g, gpa_t gpa, const void *buffer, size_t size)
{
    return write_checked(g, gpa, buffer, size, false);
}

enum gmem_result gmem_load_fill(struct gmem *g, gpa_t gpa, uint8_t byte, uint64_t size)
{
    enum gmem_result result = check_access(g, gpa.raw, size, false);
    for (uint64_t part; result == GMEM_OK && size; size -= part, gpa.raw += part) {
        uint8_t *to = next_part(g, gpa.raw, size, &part);
        memset(to, byte, part);
    }
    return result;
}

/* A volatile access of a type that may lie anywhere is one x86 load or store, as the guest's own would be: atomic if
 * aligned. Only a value that crosses extents is put together from bytes. */
#define ACCESS(bits)                                                                                  \
    typedef volatile uint##bits##_t __attribute__((aligned(1), may_alias)) any##bits;                 \
    enum gmem_result gmem_read_u##bits(struct gmem *g, gpa_t gpa, uint##bits##_t *value)              \
    {                                                                                                 \
        const struct gmem_extent *e;                                                                  \
        const uint8_t *at = gmem_direct(g, gpa.raw, sizeof(*value), &e);                              \
        if (UNLIKELY(!at))                                                                            \
            return gmem_read(g, gpa, value, sizeof(*value));                                          \
        *value = *(const any##bits *)(const void *)at;                                                \
        return GMEM_OK;                                                                               \
    }                                                                                                 \
    enum gmem_result gmem_write_u##bits(struct gmem *g, gpa_t gpa, uint##bits##_t value)              \
    {                                                                                                 \
        const struct gmem_extent *e;                                                                  \
        uint8_t *at = gmem_direct(g, gpa.raw, sizeof(value), &e);                                     \
        if (UNLIKELY(!at || e->read_only))                                                            \
            return gmem_write(g, gpa, &value, sizeof(value));                                         \
        *(any##bits *)(void *)at = value;                                                             \
        return GMEM_OK;                                                                               \
    }

ACCESS(8)
ACCESS(16)
ACCESS(32)
ACCESS(64)

void *gmem_translate(struct gmem *g, gpa_t gpa, uint64_t size)
{
    const struct gmem_extent *e;
    uint8_t *at = gmem_direct(g, gpa.raw, size, &e);
    return at && !e->read_only ? at : NULL;
}

static bool walk_window(void *ctx, gpa_t at, struct guest_window *window)
{
    const struct gmem_extent *e = gmem_find(ctx, at.raw);
    if (!e)
        return false;
    *window = (struct guest_window){ e->gpa, e->size, e->host };
    return true;
}

/* An aligned value never crosses extents: they start and end at pages. */
static bool walk_cmpxchg(void *ctx, gpa_t at, unsigned width, uint64_t expected, uint64_t desired, bool *swapped)
{
    const struct gmem_extent *e;
    void *p = at.raw % width == 0 ? gmem_direct(ctx, at.raw, width, &e) : NULL;
    uint32_t expected32 = (uint32_t)expected;
    if (!p || e->read_only)
        return false;
    if (width == sizeof(uint32_t))
        *swapped = __atomic_compare_exchange_n((uint32_t *)p, &expected32, (uint32_t)desired, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    else
        *swapped = __atomic_compare_exchange_n((uint64_t *)p, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    return true;
}

const struct guest_walk_mem gmem_walk = { walk_window, walk_cmpxchg };
