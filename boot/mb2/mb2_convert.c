#include "boot/mb2/mb2_convert.h"
#include "boot/last_log.h"
#include "boot/mb2/mb2_format.h"
#include "boot/memory_map.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

struct convert {
    struct mb2_result *out;
    const struct mb2_place *place;
    bool have_map;
};

typedef enum mb2_status (*tag_handler_t)(struct convert *c, const struct mb2_tag *tag);

/* The text that ends a tag, from `at`; an unterminated one is empty. */
static const char *tag_text(const struct mb2_tag *tag, size_t at)
{
    const char *text = (const char *)tag + at;
    if (tag->size <= at || strnlen(text, tag->size - at) == tag->size - at)
        return "";
    return text;
}

static enum mb2_status on_cmdline(struct convert *c, const struct mb2_tag *tag)
{
    (void)str_copy(c->out->info.cmdline, sizeof c->out->info.cmdline, tag_text(tag, sizeof *tag));
    return MB2_OK;
}

static enum mb2_status on_loader(struct convert *c, const struct mb2_tag *tag)
{
    fmt_print(c->out->info.loader, sizeof c->out->info.loader, "Multiboot2 (%.18s)", tag_text(tag, sizeof *tag));
    return MB2_OK;
}

/* GRUB passes what follows the file name: `module2 FILE NAME`. The last word is the name; of an absolute path, the
 * part after the last slash. */
static void copy_module_name(char name[BOOT_NAME_SIZE], const char *cmdline)
{
    const char *end = cmdline + strlen(cmdline);
    while (end > cmdline && end[-1] == ' ')
        end--;
    const char *start = end;
    while (start > cmdline && start[-1] != ' ')
        start--;
    if (*start == '/')
        for (start = end; start[-1] != '/'; start--)
            ;
    size_t len = MIN((size_t)(end - start), (size_t)BOOT_NAME_SIZE - 1);
    memcpy(name, start, len);
    name[len] = '\0';
}

static enum mb2_status on_module(struct convert *c, const struct mb2_tag *tag)
{
    const struct mb2_tag_module *m = (const void *)tag;
    struct boot_info *info = &c->out->info;
    if (tag->size < sizeof *m || m->end < m->start)
        return MB2_BAD_TAG;
    if (info->module_count == BOOT_MAX_MODULES)
        return MB2_TOO_MANY_MODULES;
    struct boot_module *out = &info->modules[info->module_count++];
    out->base = m->start;
    out->size = m->end - m->start;
    copy_module_name(out->name, tag_text(tag, sizeof *m));
    if (!out->name[0])
        fmt_print(out->name, sizeof out->name, "module%u", info->module_count - 1);
    return MB2_OK;
}

/* Free ranges first, then all others over them: firmware maps may overlap, and then the cautious type counts. */
static enum mb2_status paint_entries(struct convert *c, const struct mb2_tag_mmap *map, bool available)
{
    size_t at = sizeof *map;
    for (; range_fits(at, map->entry_size, map->tag.size); at += map->entry_size) {
        struct mb2_mmap_entry e;
        memcpy(&e, (const char *)map + at, sizeof e);
        if ((e.type == MB2_MEMORY_AVAILABLE) != available)
            continue;
        enum boot_memory_type type = available ? BOOT_MEMORY_FREE :
                                     e.type == MB2_MEMORY_ACPI ? BOOT_MEMORY_ACPI : BOOT_MEMORY_RESERVED;
        if (!memory_map_paint(&c->out->info, e.base, e.length, type))
            return MB2_MAP_FULL;
    }
    return MB2_OK;
}

static enum mb2_status on_mmap(struct convert *c, const struct mb2_tag *tag)
{
    const struct mb2_tag_mmap *map = (const void *)tag;
    if (tag->size < sizeof *map || map->entry_size < sizeof(struct mb2_mmap_entry))
        return MB2_BAD_TAG;
    enum mb2_status status = paint_entries(c, map, true);
    if (status == MB2_OK)
        status = paint_entries(c, map, false);
    c->have_map = true;
    return status;
}

static enum boot_pixel_format pixel_format(const struct mb2_tag_framebuffer *f)
{
    if (f->type != MB2_FRAMEBUFFER_RGB || f->bpp != 32 || f->green_position != 8)
        return BOOT_PIXEL_NONE;
    if (f->red_position == 16 && f->blue_position == 0)
        return BOOT_PIXEL_BGRX;
    return f->red_position == 0 && f->blue_position == 16 ? BOOT_PIXEL_RGBX : BOOT_PIXEL_NONE;
}

static enum mb2_status on_framebuffer(struct convert *c, const struct mb2_tag *tag)
{
    struct mb2_tag_framebuffer f = { 0 };
    memcpy(&f, tag, MIN((size_t)tag->size, sizeof f));
    enum boot_pixel_format format = pixel_format(&f);
    if (format != BOOT_PIXEL_NONE)
        c->out->info.framebuffer = (struct boot_framebuffer){ f.base, f.width, f.height, f.pitch, format };
    return MB2_OK;
}

static enum mb2_status on_efi64(struct convert *c, const struct mb2_tag *tag)
{
    const struct mb2_tag_efi64 *efi = (const void *)tag;
    if (tag->size < sizeof *efi)
        return MB2_BAD_TAG;
    c->out->info.efi_system_table = efi->system_table;
    return MB2_OK;
}

static enum mb2_status on_acpi(struct convert *c, const struct mb2_tag *tag)
{
    size_t size = MIN(tag->size - sizeof *tag, sizeof c->out->rsdp);
    bool have_newer = c->out->rsdp[15] >= 2 && tag->type == MB2_TAG_ACPI_OLD;
    if (size < 20 || have_newer) /* 20: the ACPI 1.0 structure; byte 15: its revision */
        return MB2_OK;
    memcpy(c->out->rsdp, (const char *)tag + sizeof *tag, size);
    c->out->info.acpi_rsdp = c->place->result + offsetof(struct mb2_result, rsdp);
    return MB2_OK;
}

static const tag_handler_t handlers[] = {
    [MB2_TAG_CMDLINE] = on_cmdline, [MB2_TAG_LOADER] = on_loader, [MB2_TAG_MODULE] = on_module,
    [MB2_TAG_MMAP] = on_mmap, [MB2_TAG_FRAMEBUFFER] = on_framebuffer, [MB2_TAG_EFI64] = on_efi64,
    [MB2_TAG_ACPI_OLD] = on_acpi, [MB2_TAG_ACPI_NEW] = on_acpi,
};

static enum mb2_status walk_tags(struct convert *c, const char *mbi, size_t total)
{
    size_t at = sizeof(struct mb2_header);
    while (range_fits(at, sizeof(struct mb2_tag), total)) {
        const struct mb2_tag *tag = (const void *)(mbi + at);
        if (tag->size < sizeof *tag || !range_fits(at, tag->size, total))
            return MB2_BAD_TAG;
        if (tag->type == MB2_TAG_END)
            return MB2_OK;
        if (tag->type < ARRAY_SIZE(handlers) && handlers[tag->type]) {
            enum mb2_status status = handlers[tag->type](c, tag);
            if (status != MB2_OK)
                return status;
        }
        at += ALIGN_UP(tag->size, 8);
    }
    return MB2_BAD_TAG; /* no end tag */
}

/* What must not be given away is painted over the firmware's map. */
static enum mb2_status carve(struct boot_info *info)
{
    bool ok = memory_map_paint(info, 0, PAGE_SIZE, BOOT_MEMORY_RESERVED); /* null pointers; the BIOS's vectors */
    for (uint32_t i = 0; i < info->module_count; i++)
        ok &= memory_map_paint(info, info->modules[i].base, info->modules[i].size, BOOT_MEMORY_MODULE);
    ok &= memory_map_paint(info, info->image_base, info->image_size, BOOT_MEMORY_IMAGE);
    return ok ? MB2_OK : MB2_MAP_FULL;
}

static enum mb2_status reserve_log(struct boot_info *info)
{
    for (size_t i = 0; i < last_log_place_count; i++) {
        if (!memory_map_is(info, last_log_places[i], LAST_LOG_AREA, BOOT_MEMORY_FREE))
            continue;
        if (!memory_map_paint(info, last_log_places[i], LAST_LOG_AREA, BOOT_MEMORY_IMAGE))
            return MB2_MAP_FULL;
        info->log_base = last_log_places[i];
        info->log_size = LAST_LOG_AREA;
        return MB2_OK;
    }
    return MB2_NO_LOG_AREA;
}

enum mb2_status mb2_convert(const void *mbi, size_t limit, const struct mb2_place *place, struct mb2_result *out)
{
    const struct mb2_header *header = mbi;
    memset(out, 0, sizeof *out);
    struct boot_info *info = &out->info;
    *info = (struct boot_info){ .magic = BOOT_INFO_MAGIC, .version = BOOT_INFO_VERSION, .size = sizeof *info,
                                .image_base = place->image_base, .image_size = place->image_size,
                                .boot_apic_id = place->boot_apic_id, .loader = "Multiboot2" };
    if (limit < sizeof *header || header->total_size < sizeof *header || header->total_size > limit)
        return MB2_BAD_SIZE;
    struct convert c = { out, place, false };
    enum mb2_status status = walk_tags(&c, mbi, header->total_size);
    if (status == MB2_OK && !c.have_map)
        status = MB2_NO_MEMORY_MAP;
    if (status == MB2_OK)
        status = carve(info);
    return status == MB2_OK ? reserve_log(info) : status;
}

const char *mb2_status_text(enum mb2_status status)
{
    static const char *const texts[] = {
        [MB2_OK] = "fine",
        [MB2_BAD_SIZE] = "the boot information has an impossible size",
        [MB2_BAD_TAG] = "the boot information has a malformed tag",
        [MB2_NO_MEMORY_MAP] = "the loader passed no memory map",
        [MB2_MAP_FULL] = "the memory map has more ranges than struct boot_info holds",
        [MB2_TOO_MANY_MODULES] = "there are more modules than struct boot_info holds (32)",
        [MB2_NO_LOG_AREA] = "no fixed place for the log is free: it will not survive a reset",
    };
    return texts[status];
}
