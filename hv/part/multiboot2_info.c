/* The tags are emitted twice: first to learn how long they are, then to guest memory. */
#include "hv/lib/str.h"
#include "hv/part/multiboot2.h"

/* Multiboot2 Specification, "Boot information format". */
enum info_tag {
    INFO_END = 0, INFO_CMDLINE = 1, INFO_LOADER_NAME = 2, INFO_MODULE = 3, INFO_MEMORY = 4, INFO_MMAP = 6,
    INFO_FRAMEBUFFER = 8, INFO_ELF = 9, INFO_ACPI_OLD = 14, INFO_ACPI_NEW = 15, INFO_LOAD_BASE = 21,
};
#define TAG_HEADER  8
#define INFO_HEADER 8
#define TEXT_MODE   2

struct PACKED mmap_entry { uint64_t base, length; uint32_t type, reserved; };
HW_SIZE(struct mmap_entry, 24);
struct PACKED framebuffer {
    uint64_t address;
    uint32_t pitch, width, height;
    uint8_t bpp, type;
    uint16_t reserved;
};
HW_SIZE(struct framebuffer, 24);

struct emitter {
    struct load_job *job;
    uint64_t base; /* 0: only measuring */
    uint64_t size; /* bytes so far */
};

static enum load_status emit(struct emitter *e, const void *data, uint64_t size)
{
    uint64_t at = e->base + e->size;
    e->size += size;
    return e->base ? load_write(e->job, at, data, size) : LOAD_OK;
}

/* A tag's header; each starts on a multiple of 8, and the bytes between are zero. */
static enum load_status tag(struct emitter *e, enum info_tag type, uint64_t payload)
{
    const uint32_t header[2] = { type, (uint32_t)(TAG_HEADER + payload) };
    LOAD_TRY(emit(e, "\0\0\0\0\0\0\0", ALIGN_UP(e->size, 8) - e->size));
    return emit(e, header, sizeof header);
}

static enum load_status string_tag(struct emitter *e, enum info_tag type, const char *s)
{
    LOAD_TRY(tag(e, type, strlen(s) + 1));
    return emit(e, s, strlen(s) + 1);
}

static enum load_status modules(struct emitter *e, const struct multiboot *mb)
{
    for (unsigned i = 0; i < mb->module_count; i++) {
        const struct load_file *f = mb->modules[i].file;
        const char *args = f->args ? f->args : "";
        const uint32_t range[2] = { (uint32_t)mb->modules[i].base, (uint32_t)(mb->modules[i].base + f->size) };
        LOAD_TRY(tag(e, INFO_MODULE, sizeof range + strlen(args) + 1));
        LOAD_TRY(emit(e, range, sizeof range));
        LOAD_TRY(emit(e, args, strlen(args) + 1));
    }
    return LOAD_OK;
}

static enum load_status memory(struct emitter *e)
{
    const struct layout *l = e->job->request->layout;
    const uint32_t basic[2] = { multiboot_mem_lower(), multiboot_mem_upper(l) };
    const uint32_t format[2] = { sizeof(struct mmap_entry), 0 };
    LOAD_TRY(tag(e, INFO_MEMORY, sizeof basic));
    LOAD_TRY(emit(e, basic, sizeof basic));
    LOAD_TRY(tag(e, INFO_MMAP, sizeof format + l->range_count * sizeof(struct mmap_entry)));
    LOAD_TRY(emit(e, format, sizeof format));
    for (unsigned i = 0; i < l->range_count; i++) {
        const struct layout_range *r = &l->ranges[i];
        struct mmap_entry entry = { r->base, r->size, r->type, 0 };
        LOAD_TRY(emit(e, &entry, sizeof entry));
    }
    return LOAD_OK;
}

static enum load_status framebuffer(struct emitter *e)
{
    struct framebuffer f = { LAYOUT_VGA_TEXT, 160, 80, 25, 16, TEXT_MODE, 0 };
    LOAD_TRY(tag(e, INFO_FRAMEBUFFER, sizeof f));
    return emit(e, &f, sizeof f);
}

static enum load_status elf_sections(struct emitter *e, const struct multiboot *mb)
{
    const uint32_t format[3] = { mb->elf.shnum, mb->elf.shentsize, mb->elf.shstrndx };
    if (!mb->is_elf || !mb->elf.shnum)
        return LOAD_OK;
    LOAD_TRY(tag(e, INFO_ELF, sizeof format + (uint64_t)mb->elf.shnum * mb->elf.shentsize));
    LOAD_TRY(emit(e, format, sizeof format));
    if (!e->base) { /* finding each header's address is not needed to know how long they are */
        e->size += (uint64_t)mb->elf.shnum * mb->elf.shentsize;
        return LOAD_OK;
    }
    for (unsigned i = 0; i < mb->elf.shnum; i++) {
        uint8_t header[ELF_SECTION_MAX];
        elf_read_section(&mb->elf, &mb->sections, i, header);
        LOAD_TRY(emit(e, header, mb->elf.shentsize));
    }
    return LOAD_OK;
}

static enum load_status acpi(struct emitter *e)
{
    const struct acpi_rsdp *rsdp = e->job->request->rsdp;
    if (!rsdp || !e->job->request->rsdp_gpa)
        return LOAD_OK;
    LOAD_TRY(tag(e, INFO_ACPI_OLD, ACPI_RSDP_V1_SIZE));
    LOAD_TRY(emit(e, rsdp, ACPI_RSDP_V1_SIZE));
    LOAD_TRY(tag(e, INFO_ACPI_NEW, sizeof *rsdp));
    return emit(e, rsdp, sizeof *rsdp);
}

static enum load_status all_tags(struct emitter *e, const struct multiboot *mb, bool no_text, bool relocated)
{
    const char *cmdline = e->job->request->cmdline;
    const uint32_t base = (uint32_t)mb->low;
    LOAD_TRY(string_tag(e, INFO_CMDLINE, cmdline ? cmdline : ""));
    LOAD_TRY(string_tag(e, INFO_LOADER_NAME, MULTIBOOT_LOADER_NAME));
    LOAD_TRY(modules(e, mb));
    LOAD_TRY(memory(e));
    if (!no_text)
        LOAD_TRY(framebuffer(e));
    LOAD_TRY(elf_sections(e, mb));
    LOAD_TRY(acpi(e));
    if (relocated) {
        LOAD_TRY(tag(e, INFO_LOAD_BASE, sizeof base));
        LOAD_TRY(emit(e, &base, sizeof base));
    }
    return tag(e, INFO_END, 0);
}

enum load_status multiboot2_build_info(struct load_job *job, const struct multiboot *mb, bool no_text, bool relocated,
                                       uint64_t *address)
{
    struct emitter e = { job, 0, INFO_HEADER };
    LOAD_TRY(all_tags(&e, mb, no_text, relocated));
    LOAD_TRY(load_place(job, e.size, PAGE_SIZE, LOAD_LOW_START, LOAD_4G, LOAD_LOWEST, "the Multiboot2 information",
                        address));
    const uint32_t header[2] = { (uint32_t)e.size, 0 };
    LOAD_TRY(load_write(job, *address, header, sizeof header));
    e.base = *address;
    e.size = INFO_HEADER;
    return all_tags(&e, mb, no_text, relocated);
}
