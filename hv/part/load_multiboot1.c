/* Multiboot 1, as in the "Multiboot Specification version 0.6.96". */
#include "hv/lib/str.h"
#include "hv/part/load_job.h"
#include "hv/part/multiboot.h"

#define HEADER_MAGIC  0x1badb002u
#define LOADER_MAGIC  0x2badb002u
#define HEADER_LIMIT  8192
#define HEADER_SIZE   12 /* magic, flags, checksum */
#define KLUDGE_SIZE   32 /* with the address fields */

enum header_flags {
    HEADER_PAGE_ALIGN = 1u << 0, HEADER_MEMORY = 1u << 1, HEADER_VIDEO = 1u << 2, HEADER_ADDRESSES = 1u << 16,
    HEADER_KNOWN = HEADER_PAGE_ALIGN | HEADER_MEMORY | HEADER_VIDEO, HEADER_REQUIRED = 0xffff,
};

enum info_flags {
    INFO_MEMORY = 1u << 0, INFO_CMDLINE = 1u << 2, INFO_MODULES = 1u << 3, INFO_ELF = 1u << 5, INFO_MMAP = 1u << 6,
    INFO_LOADER_NAME = 1u << 9, INFO_FRAMEBUFFER = 1u << 12,
};
#define FRAMEBUFFER_EGA_TEXT 2

struct PACKED info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t elf_num, elf_size, elf_addr, elf_shndx;
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name, apm_table;
    uint32_t vbe_control_info, vbe_mode_info;
    uint16_t vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
    uint64_t framebuffer_addr;
    uint32_t framebuffer_pitch, framebuffer_width, framebuffer_height;
    uint8_t framebuffer_bpp, framebuffer_type, color_info[6];
};
HW_OFFSET(struct info, mmap_length, 44);
HW_OFFSET(struct info, framebuffer_addr, 88);
HW_SIZE(struct info, 116);

struct PACKED module { uint32_t start, end, string, reserved; };
struct PACKED mmap_entry { uint32_t size; uint64_t base, length; uint32_t type; };
HW_SIZE(struct mmap_entry, 24);

/* The information block is one stretch of guest memory; `at` moves through it. */
struct block {
    struct load_job *job;
    uint64_t base, at;
};

bool load_multiboot1_matches(const struct load_file *f)
{
    uint64_t offset;
    return multiboot_find(f, HEADER_MAGIC, 4, HEADER_LIMIT, HEADER_SIZE / 4, &offset);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static uint64_t block_size(const struct load_job *job, const struct multiboot *mb)
{
    const struct load_request *r = job->request;
    uint64_t size = sizeof(struct info) + sizeof MULTIBOOT_LOADER_NAME + LAYOUT_MAX_RANGES * sizeof(struct mmap_entry);
    size += strlen(or_empty(r->kernel.name)) + 1 + strlen(or_empty(r->cmdline)) + 1;
    for (unsigned i = 0; i < mb->module_count; i++)
        size += sizeof(struct module) + strlen(or_empty(mb->modules[i].file->name)) + 1
                + strlen(or_empty(mb->modules[i].file->args)) + 1;
    if (mb->is_elf)
        size += (uint64_t)mb->elf.shnum * mb->elf.shentsize;
    return size + 64; /* for aligning its parts */
}

static enum load_status append(struct block *b, const void *data, uint64_t size)
{
    LOAD_TRY(load_write(b->job, b->at, data, size));
    b->at += size;
    return LOAD_OK;
}

/* "FILE ARGUMENTS", as boot loaders pass command lines. */
static enum load_status append_string(struct block *b, const char *first, const char *rest)
{
    LOAD_TRY(append(b, first, strlen(first)));
    if (rest && rest[0]) {
        LOAD_TRY(append(b, " ", 1));
        LOAD_TRY(append(b, rest, strlen(rest)));
    }
    return append(b, "", 1);
}

static enum load_status append_mmap(struct block *b, struct info *info)
{
    const struct layout *l = b->job->request->layout;
    info->mmap_addr = (uint32_t)b->at;
    info->mmap_length = l->range_count * (uint32_t)sizeof(struct mmap_entry);
    for (unsigned i = 0; i < l->range_count; i++) {
        const struct layout_range *r = &l->ranges[i];
        struct mmap_entry e = { sizeof e - sizeof e.size, r->base, r->size, r->type };
        LOAD_TRY(append(b, &e, sizeof e));
    }
    return LOAD_OK;
}

static enum load_status append_modules(struct block *b, const struct multiboot *mb, struct info *info)
{
    uint64_t table = b->at;
    info->mods_addr = (uint32_t)table;
    info->mods_count = mb->module_count;
    b->at += mb->module_count * sizeof(struct module);
    for (unsigned i = 0; i < mb->module_count; i++) {
        const struct multiboot_module *m = &mb->modules[i];
        struct module entry = { (uint32_t)m->base, (uint32_t)(m->base + m->file->size), (uint32_t)b->at, 0 };
        LOAD_TRY(append_string(b, or_empty(m->file->name), m->file->args));
        LOAD_TRY(load_write(b->job, table + i * sizeof entry, &entry, sizeof entry));
    }
    return LOAD_OK;
}

static enum load_status append_sections(struct block *b, const struct multiboot *mb, struct info *info)
{
    if (!mb->is_elf || !mb->elf.shnum)
        return LOAD_OK;
    b->at = ALIGN_UP(b->at, 8);
    info->flags |= INFO_ELF;
    info->elf_num = mb->elf.shnum;
    info->elf_size = mb->elf.shentsize;
    info->elf_addr = (uint32_t)b->at;
    info->elf_shndx = mb->elf.shstrndx;
    for (unsigned i = 0; i < mb->elf.shnum; i++) {
        uint8_t header[ELF_SECTION_MAX];
        elf_read_section(&mb->elf, &mb->sections, i, header);
        LOAD_TRY(append(b, header, mb->elf.shentsize));
    }
    return LOAD_OK;
}

static enum load_status build_info(struct load_job *job, const struct multiboot *mb, uint64_t *address)
{
    const struct load_request *r = job->request;
    struct info info = {
        .flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME | INFO_FRAMEBUFFER,
        .mem_lower = multiboot_mem_lower(), .mem_upper = multiboot_mem_upper(r->layout),
        .framebuffer_addr = LAYOUT_VGA_TEXT, .framebuffer_pitch = 160, .framebuffer_width = 80,
        .framebuffer_height = 25, .framebuffer_bpp = 16, .framebuffer_type = FRAMEBUFFER_EGA_TEXT };
    struct block b = { .job = job };
    uint64_t size = block_size(job, mb);
    LOAD_TRY(load_place(job, size, 16, LOAD_LOW_START, LOAD_4G, LOAD_LOWEST, "the Multiboot information", &b.base));
    b.at = ALIGN_UP(b.base + sizeof info, 8);
    LOAD_TRY(append_mmap(&b, &info));
    LOAD_TRY(append_modules(&b, mb, &info));
    info.cmdline = (uint32_t)b.at;
    LOAD_TRY(append_string(&b, or_empty(r->kernel.name), r->cmdline));
    info.boot_loader_name = (uint32_t)b.at;
    LOAD_TRY(append_string(&b, MULTIBOOT_LOADER_NAME, NULL));
    LOAD_TRY(append_sections(&b, mb, &info));
    *address = b.base;
    return load_write(job, b.base, &info, sizeof info);
}

static enum load_status load_kernel(struct load_job *job, struct multiboot *mb)
{
    const struct load_file *f = &job->request->kernel;
    uint64_t at = 0;
    (void)multiboot_find(f, HEADER_MAGIC, 4, HEADER_LIMIT, HEADER_SIZE / 4, &at);
    uint32_t flags = load_u32(f, at + 4);
    if (flags & HEADER_REQUIRED & ~(uint32_t)HEADER_KNOWN)
        return load_fail(job, LOAD_UNSUPPORTED, "its Multiboot header requires features 0x%x (flags at offset 0x%lx); "
                         "known are 0x%x", flags & HEADER_REQUIRED, at + 4, HEADER_KNOWN);
    if (flags & HEADER_ADDRESSES) {
        if (!range_fits(at, KLUDGE_SIZE, f->size))
            return load_fail(job, LOAD_BAD_IMAGE, "truncated: the Multiboot header at offset 0x%lx has %d bytes, the file "
                             "ends at 0x%lx", at, KLUDGE_SIZE, f->size);
        struct multiboot_addresses a = { at, load_u32(f, at + 12), load_u32(f, at + 16), load_u32(f, at + 20),
                                         load_u32(f, at + 24), load_u32(f, at + 28) };
        return multiboot_load_addresses(job, &a, mb);
    }
    if (!elf_matches(f, 1) && !elf_matches(f, 2))
        return load_fail(job, LOAD_BAD_IMAGE, "a Multiboot header at offset 0x%lx without addresses (flag 16), in a file "
                         "that is no ELF file either", at);
    LOAD_TRY(elf_open(job, &mb->elf));
    return multiboot_load_elf(job, 0, mb);
}

enum load_status load_multiboot1(struct load_job *job)
{
    struct multiboot mb;
    uint64_t info;
    memset(&mb, 0, sizeof mb);
    LOAD_TRY(load_kernel(job, &mb));
    LOAD_TRY(multiboot_place_modules(job, &mb));
    LOAD_TRY(build_info(job, &mb, &info));
    return multiboot_finish(job, &mb, LOAD_KIND_MULTIBOOT1, LOADER_MAGIC, info);
}
