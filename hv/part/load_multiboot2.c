/* Multiboot 2: reading the header's tags and loading the kernel; multiboot2_info.c builds the information.
 * As in the "Multiboot2 Specification version 2.0". */
#include "hv/lib/str.h"
#include "hv/part/load_job.h"
#include "hv/part/multiboot2.h"

#define HEADER_MAGIC 0xe85250d6u
#define LOADER_MAGIC 0x36d76289u
#define HEADER_LIMIT 32768
#define HEADER_SIZE  16 /* magic, architecture, header_length, checksum */
#define TAG_SIZE     8  /* type, flags, size */
#define TAG_OPTIONAL 1

enum header_tag {
    TAG_END = 0, TAG_INFO_REQUEST = 1, TAG_ADDRESS = 2, TAG_ENTRY = 3, TAG_CONSOLE = 4, TAG_FRAMEBUFFER = 5,
    TAG_MODULE_ALIGN = 6, TAG_EFI_BOOT_SERVICES = 7, TAG_ENTRY_EFI32 = 8, TAG_ENTRY_EFI64 = 9, TAG_RELOCATABLE = 10,
};
enum { CONSOLE_REQUIRED = 1, CONSOLE_EGA_TEXT = 2 };
enum { PREFER_HIGHEST = 2 };

/* What the header's tags ask for. */
struct wishes {
    uint64_t header;
    bool has_address, has_entry, relocatable;
    struct multiboot_addresses address;
    uint32_t entry;
    uint32_t min, max, align, preference; /* of the relocatable tag */
    bool no_text;                         /* the kernel cannot draw in text mode */
};

struct tag {
    uint64_t at; /* offset in the file */
    uint32_t size;
    uint16_t type, flags;
};

bool load_multiboot2_matches(const struct load_file *f)
{
    uint64_t offset;
    return multiboot_find(f, HEADER_MAGIC, 8, HEADER_LIMIT, HEADER_SIZE / 4, &offset);
}

static enum load_status take_info_request(struct load_job *job, struct wishes *w, const struct tag *t)
{
    for (uint32_t i = TAG_SIZE; i + 4 <= t->size; i += 4) {
        uint32_t wanted = load_u32(&job->request->kernel, t->at + i);
        if (wanted > MULTIBOOT2_LAST_KNOWN && !(t->flags & TAG_OPTIONAL))
            return load_fail(job, LOAD_UNSUPPORTED, "its Multiboot2 header requires information of type %u (offset 0x%lx); "
                             "known are 0 to %u", wanted, t->at + i, MULTIBOOT2_LAST_KNOWN);
    }
    return LOAD_OK;
}

static enum load_status take_address(struct load_job *job, struct wishes *w, const struct tag *t)
{
    const struct load_file *f = &job->request->kernel;
    w->has_address = true;
    w->address = (struct multiboot_addresses){ w->header, load_u32(f, t->at + 8), load_u32(f, t->at + 12),
                                               load_u32(f, t->at + 16), load_u32(f, t->at + 20), 0 };
    return LOAD_OK;
}

static enum load_status take_entry(struct load_job *job, struct wishes *w, const struct tag *t)
{
    w->has_entry = true;
    w->entry = load_u32(&job->request->kernel, t->at + 8);
    return LOAD_OK;
}

static enum load_status take_console(struct load_job *job, struct wishes *w, const struct tag *t)
{
    uint32_t flags = load_u32(&job->request->kernel, t->at + 8);
    w->no_text = !(flags & CONSOLE_EGA_TEXT);
    if (w->no_text && (flags & CONSOLE_REQUIRED) && !(t->flags & TAG_OPTIONAL))
        return load_fail(job, LOAD_UNSUPPORTED, "its Multiboot2 header requires a graphics console (flags 0x%x at offset "
                         "0x%lx), and a partition has text mode only", flags, t->at + 8);
    return LOAD_OK;
}

static enum load_status take_relocatable(struct load_job *job, struct wishes *w, const struct tag *t)
{
    const struct load_file *f = &job->request->kernel;
    w->relocatable = true;
    w->min = load_u32(f, t->at + 8);
    w->max = load_u32(f, t->at + 12);
    w->align = load_u32(f, t->at + 16);
    w->preference = load_u32(f, t->at + 20);
    if (!w->align)
        w->align = 1;
    if (w->align & (w->align - 1))
        return load_fail(job, LOAD_BAD_IMAGE, "corrupt Multiboot2 header: alignment 0x%x at offset 0x%lx is not a power of "
                         "two", w->align, t->at + 16);
    return LOAD_OK;
}

/* Nothing to do. The framebuffer tag only recommends a mode; modules are page-aligned anyway; the EFI tags say what
 * the kernel could do, were it started by EFI. */
static enum load_status take_nothing(struct load_job *job, struct wishes *w, const struct tag *t)
{
    return LOAD_OK;
}

static const struct {
    uint32_t min_size;
    enum load_status (*take)(struct load_job *job, struct wishes *w, const struct tag *t);
} tags[] = {
    [TAG_INFO_REQUEST] = { TAG_SIZE, take_info_request },
    [TAG_ADDRESS] = { 24, take_address },
    [TAG_ENTRY] = { 12, take_entry },
    [TAG_CONSOLE] = { 12, take_console },
    [TAG_FRAMEBUFFER] = { TAG_SIZE, take_nothing },
    [TAG_MODULE_ALIGN] = { TAG_SIZE, take_nothing },
    [TAG_EFI_BOOT_SERVICES] = { TAG_SIZE, take_nothing },
    [TAG_ENTRY_EFI32] = { TAG_SIZE, take_nothing },
    [TAG_ENTRY_EFI64] = { TAG_SIZE, take_nothing },
    [TAG_RELOCATABLE] = { 24, take_relocatable },
};

static enum load_status take_tag(struct load_job *job, struct wishes *w, const struct tag *t)
{
    bool known = t->type < ARRAY_SIZE(tags) && tags[t->type].take;
    if (known && t->size < tags[t->type].min_size)
        return load_fail(job, LOAD_BAD_IMAGE, "corrupt Multiboot2 header: the tag of type %u at offset 0x%lx has %u bytes, "
                         "expected %u", t->type, t->at, t->size, tags[t->type].min_size);
    if (known)
        return tags[t->type].take(job, w, t);
    if (t->flags & TAG_OPTIONAL)
        return LOAD_OK;
    return load_fail(job, LOAD_UNSUPPORTED, "its Multiboot2 header requires an unknown feature: tag of type %u at offset "
                     "0x%lx", t->type, t->at);
}

static enum load_status read_header(struct load_job *job, struct wishes *w)
{
    const struct load_file *f = &job->request->kernel;
    memset(w, 0, sizeof *w);
    (void)multiboot_find(f, HEADER_MAGIC, 8, HEADER_LIMIT, HEADER_SIZE / 4, &w->header);
    uint32_t architecture = load_u32(f, w->header + 4), length = load_u32(f, w->header + 8);
    if (architecture)
        return load_fail(job, LOAD_UNSUPPORTED, "a Multiboot2 kernel for another processor: architecture %u at offset "
                         "0x%lx, expected 0 (i386)", architecture, w->header + 4);
    if (length < HEADER_SIZE || !range_fits(w->header, length, MIN(f->size, HEADER_LIMIT)))
        return load_fail(job, LOAD_BAD_IMAGE, "truncated or corrupt: the Multiboot2 header at offset 0x%lx has a length of "
                         "0x%x bytes; expected its end in the file and in the first 32 KiB", w->header, length);
    uint64_t end = w->header + length;
    for (uint64_t at = w->header + HEADER_SIZE; range_fits(at, TAG_SIZE, end);) {
        struct tag t = { at, load_u32(f, at + 4), load_u16(f, at), load_u16(f, at + 2) };
        if (t.type == TAG_END)
            return LOAD_OK;
        if (t.size < TAG_SIZE || !range_fits(at, t.size, end))
            return load_fail(job, LOAD_BAD_IMAGE, "corrupt Multiboot2 header: the tag at offset 0x%lx has a size of 0x%x "
                             "bytes, and the header ends at 0x%lx", at, t.size, end);
        LOAD_TRY(take_tag(job, w, &t));
        at += ALIGN_UP(t.size, 8);
    }
    return load_fail(job, LOAD_BAD_IMAGE, "corrupt Multiboot2 header at offset 0x%lx: there is no end tag", w->header);
}

/* Its own address if that is allowed and free, else wherever the relocatable tag permits. */
static enum load_status choose_delta(struct load_job *job, const struct wishes *w, const struct elf *e, uint64_t *delta)
{
    uint64_t size = e->high - e->low, base, end = UINT64_C(1) + w->max;
    bool allowed = e->low >= w->min && e->high <= end && !(e->low & (w->align - 1));
    *delta = 0;
    if (!w->relocatable || (allowed && layout_is_ram(job->request->layout, e->low, size)))
        return LOAD_OK;
    if (!load_find_room(job, size, w->align, MAX(w->min, LAYOUT_HIGH_START), end,
                        w->preference == PREFER_HIGHEST ? LOAD_HIGHEST : LOAD_LOWEST, &base))
        return load_fail(job, LOAD_NO_ROOM, "there is no room for 0x%lx bytes between 0x%x and 0x%x, where its "
                         "Multiboot2 header allows it to be", size, w->min, w->max);
    *delta = base - e->low;
    return LOAD_OK;
}

static enum load_status load_kernel(struct load_job *job, struct wishes *w, struct multiboot *mb)
{
    const struct load_file *f = &job->request->kernel;
    uint64_t delta;
    if (w->has_address) {
        if (!w->has_entry)
            return load_fail(job, LOAD_BAD_IMAGE, "the Multiboot2 header at offset 0x%lx has an address tag, but no entry "
                             "tag", w->header);
        w->address.entry = w->entry;
        return multiboot_load_addresses(job, &w->address, mb);
    }
    if (!elf_matches(f, 1) && !elf_matches(f, 2))
        return load_fail(job, LOAD_BAD_IMAGE, "a Multiboot2 header at offset 0x%lx without an address tag, in a file that "
                         "is no ELF file either", w->header);
    LOAD_TRY(elf_open(job, &mb->elf));
    LOAD_TRY(choose_delta(job, w, &mb->elf, &delta));
    LOAD_TRY(multiboot_load_elf(job, delta, mb));
    if (w->has_entry)
        mb->entry = (uint32_t)(w->entry + delta);
    return LOAD_OK;
}

enum load_status load_multiboot2(struct load_job *job)
{
    struct multiboot mb;
    struct wishes w;
    uint64_t info;
    memset(&mb, 0, sizeof mb);
    LOAD_TRY(read_header(job, &w));
    LOAD_TRY(load_kernel(job, &w, &mb));
    LOAD_TRY(multiboot_place_modules(job, &mb));
    LOAD_TRY(multiboot2_build_info(job, &mb, w.no_text, w.relocatable, &info));
    return multiboot_finish(job, &mb, LOAD_KIND_MULTIBOOT2, LOADER_MAGIC, info);
}
