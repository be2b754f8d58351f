#include "hv/part/load_job.h"

#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

enum load_status load_fail(struct load_job *job, enum load_status status, const char *format, ...)
{
    va_list args;
    const char *name = job->request->kernel.name ? job->request->kernel.name : "kernel";
    size_t n = fmt_print(job->error, job->error_size, "%s: ", name);
    va_start(args, format);
    if (n < job->error_size)
        fmt_vprint(job->error + n, job->error_size - n, format, args);
    va_end(args);
    return status;
}

static const struct load_claim *overlapping(const struct load_job *job, uint64_t base, uint64_t size)
{
    for (unsigned i = 0; i < job->claim_count; i++) {
        const struct load_claim *c = &job->claims[i];
        if (base < c->base + c->size && c->base < base + size)
            return c;
    }
    return NULL;
}

enum load_status load_claim(struct load_job *job, uint64_t base, uint64_t size, const char *what)
{
    if (!layout_is_ram(job->request->layout, base, size))
        return load_fail(job, LOAD_NO_ROOM, "%s needs memory from 0x%lx on, 0x%lx bytes, and not all of that is RAM of "
                         "a partition with %lu KiB", what, base, size, job->request->layout->memory / 1024);
    const struct load_claim *other = overlapping(job, base, size);
    if (other)
        return load_fail(job, LOAD_BAD_IMAGE, "%s at 0x%lx (0x%lx bytes) overlaps %s at 0x%lx (0x%lx bytes)", what,
                         base, size, other->what, other->base, other->size);
    if (job->claim_count == LOAD_MAX_CLAIMS)
        return load_fail(job, LOAD_UNSUPPORTED, "it has too many parts; at most %d can be loaded", LOAD_MAX_CLAIMS);
    job->claims[job->claim_count++] = (struct load_claim){ base, size, what };
    return LOAD_OK;
}

/* Within one RAM range: step over what is in the way until it fits or the range ends. */
static bool lowest_in(const struct load_job *job, uint64_t low, uint64_t high, uint64_t size, uint64_t align,
                      uint64_t *base)
{
    uint64_t at = ALIGN_UP(low, align);
    while (at >= low && at <= high && size <= high - at) {
        const struct load_claim *c = overlapping(job, at, size);
        if (!c) {
            *base = at;
            return true;
        }
        at = ALIGN_UP(c->base + c->size, align);
    }
    return false;
}

static bool highest_in(const struct load_job *job, uint64_t low, uint64_t high, uint64_t size, uint64_t align,
                       uint64_t *base)
{
    while (high >= low && size <= high - low) {
        uint64_t at = ALIGN_DOWN(high - size, align);
        if (at < low)
            return false;
        const struct load_claim *c = overlapping(job, at, size);
        if (!c) {
            *base = at;
            return true;
        }
        high = c->base;
    }
    return false;
}

bool load_find_room(const struct load_job *job, uint64_t size, uint64_t align, uint64_t min, uint64_t max,
                    enum load_direction direction, uint64_t *base)
{
    const struct layout *l = job->request->layout;
    for (unsigned i = 0; i < l->range_count; i++) {
        unsigned n = direction == LOAD_LOWEST ? i : l->range_count - 1 - i;
        const struct layout_range *r = &l->ranges[n];
        uint64_t low = MAX(r->base, min), high = MIN(r->base + r->size, max);
        if (r->type != E820_RAM || low >= high)
            continue;
        if (direction == LOAD_LOWEST ? lowest_in(job, low, high, size, align, base)
                                     : highest_in(job, low, high, size, align, base))
            return true;
    }
    return false;
}

enum load_status load_place(struct load_job *job, uint64_t size, uint64_t align, uint64_t min, uint64_t max,
                            enum load_direction direction, const char *what, uint64_t *base)
{
    if (!load_find_room(job, size, align, min, max, direction, base))
        return load_fail(job, LOAD_NO_ROOM, "there is no room for %s (0x%lx bytes between 0x%lx and 0x%lx) in a "
                         "partition with %lu KiB; give it more memory", what, size, min, max,
                         job->request->layout->memory / 1024);
    return load_claim(job, *base, size, what);
}

static enum load_status memory_failed(struct load_job *job, uint64_t gpa, uint64_t size)
{
    return load_fail(job, LOAD_MEMORY, "writing 0x%lx bytes of guest memory at 0x%lx failed", size, gpa);
}

enum load_status load_write(struct load_job *job, uint64_t gpa, const void *data, uint64_t size)
{
    return guest_memory_write(job->memory, gpa, data, size) ? LOAD_OK : memory_failed(job, gpa, size);
}

enum load_status load_zero(struct load_job *job, uint64_t gpa, uint64_t size)
{
    return guest_memory_zero(job->memory, gpa, size) ? LOAD_OK : memory_failed(job, gpa, size);
}

enum load_status load_file_at(struct load_job *job, const struct load_file *file, uint64_t min, uint64_t max,
                              enum load_direction direction, uint64_t *base)
{
    LOAD_TRY(load_place(job, file->size, PAGE_SIZE, min, max, direction, file->name, base));
    return load_write(job, *base, file->data, file->size);
}

uint16_t load_u16(const struct load_file *file, uint64_t off)
{
    return (uint16_t)(file->data[off] | file->data[off + 1] << 8);
}

uint32_t load_u32(const struct load_file *file, uint64_t off)
{
    return load_u16(file, off) | (uint32_t)load_u16(file, off + 2) << 16;
}

uint64_t load_u64(const struct load_file *file, uint64_t off)
{
    return load_u32(file, off) | (uint64_t)load_u32(file, off + 4) << 32;
}
