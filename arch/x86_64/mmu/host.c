#include "arch/x86_64/mmu/host.h"

#define RW     (PT_READ | PT_WRITE | PT_GLOBAL)
#define READ   (PT_READ | PT_GLOBAL)
#define TEXT   (PT_READ | PT_EXEC | PT_GLOBAL)

/* RAM, and in it what the image window maps without write permission. */
static enum pt_result map_direct(struct host_map *m, const struct host_image *image, const struct host_range *ram)
{
    if (!range_fits(ram->base.raw, ram->size, HOST_DIRECT_SIZE))
        return PT_OUT_OF_RANGE;
    enum pt_result result = pt_map(&m->pt, HOST_DIRECT_BASE + ram->base.raw, ram->base, ram->size, RW);
    uint64_t start = MAX(ram->base.raw, image->base.raw);
    uint64_t end = MIN(ram->base.raw + ram->size, image->base.raw + image->rodata_end);
    if (result != PT_OK || start >= end)
        return result;
    return pt_protect(&m->pt, HOST_DIRECT_BASE + start, end - start, READ);
}

static enum pt_result map_image_part(struct host_map *m, const struct host_image *image, uint64_t start, uint64_t end,
                                     pt_attributes_t attributes)
{
    if (start > end)
        return PT_OUT_OF_RANGE;
    if (start == end)
        return PT_OK;
    return pt_map(&m->pt, HOST_IMAGE_BASE + start, HPA(image->base.raw + start), end - start, attributes);
}

static enum pt_result map_image(struct host_map *m, const struct host_image *image)
{
    enum pt_result result = map_image_part(m, image, image->text_start, image->text_end, TEXT);
    if (result == PT_OK)
        result = map_image_part(m, image, image->text_end, image->rodata_end, READ);
    if (result == PT_OK)
        result = map_image_part(m, image, image->rodata_end, image->data_end, RW);
    return result;
}

enum pt_result host_map_init(struct host_map *m, const struct pt_mem *mem, unsigned max_page_level,
                             const struct host_image *image, const struct host_range *ram, size_t ram_count)
{
    *m = (struct host_map){ .io_used = 0 };
    enum pt_result result = pt_init(&m->pt, &pt_host, mem, max_page_level);
    if (result != PT_OK)
        return result;
    result = map_image(m, image);
    for (size_t i = 0; i < ram_count && result == PT_OK; i++)
        result = map_direct(m, image, &ram[i]);
    if (result != PT_OK)
        host_map_destroy(m);
    return result;
}

void host_map_destroy(struct host_map *m)
{
    pt_destroy(&m->pt);
}

enum pt_result host_map_io(struct host_map *m, hpa_t hpa, uint64_t size, pt_attributes_t cache, void **pointer)
{
    if (size == 0 || !range_fits(hpa.raw, size, UINT64_C(1) << 52))
        return PT_OUT_OF_RANGE;
    if (cache & ~(pt_attributes_t)PT_CACHE)
        return PT_BAD_ATTRIBUTES;
    uint64_t first = ALIGN_DOWN(hpa.raw, PAGE_SIZE);
    uint64_t length = ALIGN_UP(hpa.raw + size, PAGE_SIZE) - first;
    /* As far from a 2 MiB boundary as in physical memory, so that a framebuffer gets large pages. */
    uint64_t offset = ALIGN_UP(m->io_used, PAGE_SIZE);
    if (length >= MiB(2))
        offset = ALIGN_UP(offset, MiB(2)) + first % MiB(2);
    if (!range_fits(offset, length, HOST_IO_SIZE - PAGE_SIZE))
        return PT_OUT_OF_RANGE;
    enum pt_result result = pt_map(&m->pt, HOST_IO_BASE + offset, HPA(first), length, RW | cache);
    if (result != PT_OK)
        return result;
    m->io_used = offset + length + PAGE_SIZE; /* one page stays unmapped in between */
    *pointer = (void *)(uintptr_t)(HOST_IO_BASE + offset + (hpa.raw - first));
    return PT_OK;
}

static enum pt_result add_stack_page(struct host_map *m, uint64_t at)
{
    const struct pt_mem *mem = m->pt.mem;
    hpa_t page;
    if (!mem->alloc_page(mem->ctx, &page))
        return PT_NO_MEMORY;
    enum pt_result result = pt_map(&m->pt, at, page, PAGE_SIZE, RW);
    if (result != PT_OK)
        mem->free_page(mem->ctx, page);
    return result;
}

/* Pages that this file mapped one by one: neither step can fail. */
static void remove_stack_page(struct host_map *m, uint64_t at)
{
    struct pt_mapping mapping;
    if (pt_lookup(&m->pt, at, &mapping) == PT_OK && pt_unmap(&m->pt, at, PAGE_SIZE) == PT_OK)
        m->pt.mem->free_page(m->pt.mem->ctx, mapping.hpa);
}

enum pt_result host_map_stack(struct host_map *m, unsigned pages, void **top)
{
    uint64_t size = pages * PAGE_SIZE;
    if (pages == 0 || !range_fits(m->stack_used, size + 2 * PAGE_SIZE, HOST_STACK_SIZE))
        return PT_OUT_OF_RANGE;
    uint64_t bottom = HOST_STACK_BASE + m->stack_used + PAGE_SIZE;
    for (uint64_t at = bottom; at < bottom + size; at += PAGE_SIZE) {
        enum pt_result result = add_stack_page(m, at);
        if (result != PT_OK) {
            while (at > bottom)
                remove_stack_page(m, at -= PAGE_SIZE);
            return result;
        }
    }
    m->stack_used += size + PAGE_SIZE;
    *top = (void *)(uintptr_t)(bottom + size);
    return PT_OK;
}

enum pt_result host_map_identity(struct host_map *m, hpa_t page)
{
    return pt_map(&m->pt, page.raw, page, PAGE_SIZE, PT_READ | PT_EXEC);
}

enum pt_result host_unmap_identity(struct host_map *m, hpa_t page)
{
    return pt_unmap(&m->pt, page.raw, PAGE_SIZE);
}
