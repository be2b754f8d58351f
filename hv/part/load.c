#include "hv/part/load.h"

#include "hv/lib/str.h"
#include "hv/part/load_job.h"

static const struct {
    bool (*matches)(const struct load_file *file);
    enum load_status (*load)(struct load_job *job);
} loaders[] = {
    { load_bzimage_matches, load_bzimage },
    { load_multiboot2_matches, load_multiboot2 },
    { load_multiboot1_matches, load_multiboot1 },
    { load_elf64_matches, load_elf64 },
};

static const char *const kind_names[LOAD_KIND_COUNT] = {
    [LOAD_KIND_FLAT16] = "flat 16-bit image",
    [LOAD_KIND_LINUX64] = "Linux bzImage, 64-bit entry",
    [LOAD_KIND_LINUX32] = "Linux bzImage, 32-bit entry",
    [LOAD_KIND_MULTIBOOT1] = "Multiboot 1 kernel",
    [LOAD_KIND_MULTIBOOT2] = "Multiboot 2 kernel",
    [LOAD_KIND_ELF64] = "64-bit ELF",
};

const char *load_kind_name(enum load_kind kind)
{
    return (unsigned)kind < LOAD_KIND_COUNT ? kind_names[kind] : "unknown";
}

static enum load_status unknown_kind(struct load_job *job)
{
    const struct load_file *f = &job->request->kernel;
    uint8_t b[8] = { 0 };
    memcpy(b, f->data, MIN(f->size, sizeof b));
    return load_fail(job, LOAD_BAD_IMAGE, "not a bzImage, Multiboot or 64-bit ELF image: its %lu bytes start with %02x "
                     "%02x %02x %02x %02x %02x %02x %02x; expected \"HdrS\" at offset 0x202, a Multiboot header in the "
                     "first 32 KiB, or 7f 45 4c 46 02", f->size, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]);
}

static enum load_status load_any(struct load_job *job)
{
    const struct load_file *kernel = &job->request->kernel;
    if (!kernel->data || !kernel->size)
        return load_fail(job, LOAD_BAD_IMAGE, "the file is empty or was not loaded");
    if (job->request->flat)
        return load_flat(job);
    for (unsigned i = 0; i < ARRAY_SIZE(loaders); i++)
        if (loaders[i].matches(kernel))
            return loaders[i].load(job);
    return unknown_kind(job);
}

enum load_status load_image(const struct load_request *request, const struct guest_memory_ops *memory,
                            struct load_result *result, char *error, size_t error_size)
{
    struct load_job job = { .request = request, .memory = memory, .result = result, .error = error,
                            .error_size = error_size };
    memset(result, 0, sizeof *result);
    if (error_size)
        error[0] = '\0';
    return load_any(&job);
}
