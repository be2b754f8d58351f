#include "hv/part/multiboot.h"

#include "hv/lib/str.h"

bool multiboot_find(const struct load_file *f, uint32_t magic, unsigned align, unsigned limit, unsigned words,
                    uint64_t *offset)
{
    uint64_t end = MIN(f->size, limit);
    for (uint64_t at = 0; range_fits(at, words * 4u, end); at += align) {
        uint32_t sum = 0;
        if (load_u32(f, at) != magic)
            continue;
        for (unsigned i = 0; i < words; i++)
            sum += load_u32(f, at + i * 4u);
        *offset = at;
        if (!sum)
            return true;
    }
    return false;
}

static enum load_status bad_addresses(struct load_job *job, const struct multiboot_addresses *a, const char *rule)
{
    return load_fail(job, LOAD_BAD_IMAGE, "corrupt Multiboot header at offset 0x%lx: header 0x%x, load 0x%x to 0x%x, bss "
                     "to 0x%x: %s", a->header_offset, a->header, a->load, a->load_end, a->bss_end, rule);
}

enum load_status multiboot_load_addresses(struct load_job *job, const struct multiboot_addresses *a,
                                          struct multiboot *mb)
{
    const struct load_file *f = &job->request->kernel;
    if (a->header < a->load || a->header - a->load > a->header_offset)
        return bad_addresses(job, a, "the load address is before the file's start, or behind the header");
    uint64_t offset = a->header_offset - (a->header - a->load);
    uint64_t size = a->load_end ? (uint64_t)a->load_end - a->load : f->size - offset;
    uint64_t total = a->bss_end ? (uint64_t)a->bss_end - a->load : size;
    if ((a->load_end && a->load_end <= a->load) || (a->bss_end && a->bss_end < a->load) || total < size)
        return bad_addresses(job, a, "expected load < load end <= bss end");
    if (!range_fits(offset, size, f->size))
        return load_fail(job, LOAD_BAD_IMAGE, "truncated: the Multiboot header at offset 0x%lx loads 0x%lx bytes from "
                         "offset 0x%lx on; the file has 0x%lx bytes", a->header_offset, size, offset, f->size);
    if (a->entry < a->load || a->entry - a->load >= total)
        return load_fail(job, LOAD_BAD_IMAGE, "corrupt Multiboot header at offset 0x%lx: the entry 0x%x is not within the "
                         "image, 0x%x to 0x%lx", a->header_offset, a->entry, a->load, a->load + total);
    LOAD_TRY(load_claim(job, a->load, total, "the kernel"));
    LOAD_TRY(load_write(job, a->load, f->data + offset, size));
    LOAD_TRY(load_zero(job, a->load + size, total - size));
    mb->low = a->load;
    mb->high = a->load + total;
    mb->entry = a->entry;
    return LOAD_OK;
}

enum load_status multiboot_load_elf(struct load_job *job, uint64_t delta, struct multiboot *mb)
{
    mb->low = mb->elf.low + delta;
    mb->high = mb->elf.high + delta;
    if (mb->high > LOAD_4G || mb->low >= mb->high)
        return load_fail(job, LOAD_UNSUPPORTED, "its segments lie at physical addresses 0x%lx to 0x%lx; expected below "
                         "4 GiB (are physical addresses, \"AT\" in the linker script, set?)", mb->elf.low,
                         mb->elf.high);
    LOAD_TRY(elf_load(job, &mb->elf, delta, &mb->entry));
    mb->is_elf = true;
    return LOAD_OK;
}

static enum load_status place_module(struct load_job *job, struct multiboot *mb, const struct load_file *file)
{
    struct multiboot_module *m = &mb->modules[mb->module_count];
    uint64_t min = MAX(mb->high, LAYOUT_HIGH_START);
    m->file = file;
    m->base = 0;
    if (!load_find_room(job, file->size, PAGE_SIZE, min, LOAD_4G, LOAD_LOWEST, &m->base))
        min = LAYOUT_HIGH_START; /* below the image, then */
    mb->module_count++;
    return load_file_at(job, file, min, LOAD_4G, LOAD_LOWEST, &m->base);
}

enum load_status multiboot_place_modules(struct load_job *job, struct multiboot *mb)
{
    const struct load_request *r = job->request;
    if (r->module_count > LOAD_MAX_MODULES)
        return load_fail(job, LOAD_UNSUPPORTED, "%u modules; at most %d are possible", r->module_count, LOAD_MAX_MODULES);
    if (r->initrd.data)
        LOAD_TRY(place_module(job, mb, &r->initrd));
    for (unsigned i = 0; i < r->module_count; i++)
        LOAD_TRY(place_module(job, mb, &r->modules[i]));
    if (mb->is_elf)
        return elf_place_sections(job, &mb->elf, MAX(mb->high, LAYOUT_HIGH_START), &mb->sections);
    return LOAD_OK;
}

uint32_t multiboot_mem_lower(void)
{
    return (uint32_t)(LAYOUT_LOW_RAM_END / 1024);
}

uint32_t multiboot_mem_upper(const struct layout *layout)
{
    return (uint32_t)((layout->low_top - LAYOUT_HIGH_START) / 1024);
}

enum load_status multiboot_finish(struct load_job *job, const struct multiboot *mb, enum load_kind kind,
                                  uint32_t magic, uint64_t info)
{
    struct load_result *r = job->result;
    r->kind = kind;
    r->image_base = mb->low;
    r->image_size = mb->high - mb->low;
    r->cpu.rax = magic;
    r->cpu.rbx = info;
    return load_cpu_protected32(job, mb->entry);
}
