/* The contract of boot_info.h, checked before anything in it is believed: loader and hypervisor are two files, and may
 * come from two builds. */
#include "boot/boot_info.h"
#include "hv/lib/str.h"

static const char *check_counts(const struct boot_info *info)
{
    if (info->memory_count > BOOT_MAX_MEMORY || info->cpu_count > BOOT_MAX_CPUS || info->module_count > BOOT_MAX_MODULES)
        return "it counts more memory ranges, CPUs or modules than it has room for";
    if (strnlen(info->loader, sizeof info->loader) == sizeof info->loader ||
        strnlen(info->cmdline, sizeof info->cmdline) == sizeof info->cmdline)
        return "the loader's name or the command line does not end";
    return NULL;
}

static const char *check_memory(const struct boot_info *info)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *m = &info->memory[i];
        if (m->base % PAGE_SIZE || m->size % PAGE_SIZE || !m->size || m->size > UINT64_MAX - m->base)
            return "a memory range is empty, wraps, or is not made of pages";
        if (m->base < end)
            return "memory ranges overlap, or are not sorted";
        if (m->type < BOOT_MEMORY_FREE || m->type > BOOT_MEMORY_MODULE)
            return "a memory range has an unknown type";
        end = m->base + m->size;
    }
    return NULL;
}

/* Is none of it given away as free memory? */
static bool is_kept(const struct boot_info *info, uint64_t base, uint64_t size)
{
    for (uint32_t i = 0; i < info->memory_count && size; i++) {
        const struct boot_memory *m = &info->memory[i];
        if (m->type == BOOT_MEMORY_FREE && m->base < base + size && base < m->base + m->size)
            return false;
    }
    return true;
}

static const char *check_kept(const struct boot_info *info)
{
    if (!info->image_size || info->image_size > UINT64_MAX - info->image_base ||
        !is_kept(info, info->image_base, info->image_size))
        return "the hypervisor's own image is given away as free memory";
    if (info->log_size && (info->log_size > UINT64_MAX - info->log_base || !is_kept(info, info->log_base, info->log_size)))
        return "the log's memory is given away as free memory";
    for (uint32_t i = 0; i < info->module_count; i++) {
        const struct boot_module *m = &info->modules[i];
        if (strnlen(m->name, sizeof m->name) == sizeof m->name)
            return "a module's name does not end";
        if (m->size > UINT64_MAX - m->base || !is_kept(info, m->base, m->size))
            return "a module's memory is given away as free memory";
    }
    return NULL;
}

const char *boot_info_check(const struct boot_info *info)
{
    if (info->magic != BOOT_INFO_MAGIC)
        return "it does not begin with the magic number";
    if (info->version != BOOT_INFO_VERSION || info->size != sizeof *info)
        return "it is of another version: loader and hypervisor are not of the same build";
    const char *problem = check_counts(info);
    if (!problem)
        problem = check_memory(info);
    return problem ? problem : check_kept(info);
}
