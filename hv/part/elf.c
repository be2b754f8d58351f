#include "hv/part/elf.h"

#include "hv/lib/str.h"

/* System V ABI, "Object Files": where each field of the two classes is. */
enum { EI_CLASS = 4, EI_DATA = 5, E_TYPE = 16, E_MACHINE = 18, E_ENTRY = 24 };
enum { DATA_LITTLE = 1, TYPE_EXEC = 2, TYPE_DYN = 3, MACHINE_386 = 3, MACHINE_X86_64 = 62, PT_LOAD = 1 };

struct field {
    uint16_t offset, width;
};

struct elf_fields {
    uint16_t header_size, segment_size, section_size;
    struct field phoff, shoff;
    uint16_t phentsize; /* followed by phnum, shentsize, shnum, shstrndx, 16 bits each */
    struct field p_offset, p_vaddr, p_paddr, p_filesz, p_memsz;
    struct field s_addr, s_offset, s_size;
};

static const struct elf_fields fields32 = {
    52, 32, 40, { 28, 4 }, { 32, 4 }, 42,
    { 4, 4 }, { 8, 4 }, { 12, 4 }, { 16, 4 }, { 20, 4 },
    { 12, 4 }, { 16, 4 }, { 20, 4 } };
static const struct elf_fields fields64 = {
    64, 56, 64, { 32, 8 }, { 40, 8 }, 54,
    { 8, 8 }, { 16, 8 }, { 24, 8 }, { 32, 8 }, { 40, 8 },
    { 16, 8 }, { 24, 8 }, { 32, 8 } };

#define SECTIONS_MAX 1024 /* finding a section's place looks at those before it */

struct segment {
    uint32_t type;
    uint64_t offset, vaddr, paddr, filesz, memsz;
};

static const struct elf_fields *fields_of(const struct elf *e)
{
    return e->is64 ? &fields64 : &fields32;
}

static uint64_t get(const struct load_file *f, uint64_t base, struct field field)
{
    return field.width == 8 ? load_u64(f, base + field.offset) : load_u32(f, base + field.offset);
}

bool elf_matches(const struct load_file *f, uint8_t class)
{
    return f->size > EI_CLASS && !memcmp(f->data, "\x7f" "ELF", 4) && f->data[EI_CLASS] == class;
}

static struct segment read_segment(const struct elf *e, unsigned i)
{
    const struct elf_fields *k = fields_of(e);
    uint64_t at = e->phoff + (uint64_t)i * e->phentsize;
    return (struct segment){ load_u32(e->file, at), get(e->file, at, k->p_offset), get(e->file, at, k->p_vaddr),
                             get(e->file, at, k->p_paddr), get(e->file, at, k->p_filesz), get(e->file, at, k->p_memsz) };
}

static enum load_status check_segment(struct load_job *job, struct elf *e, unsigned i)
{
    struct segment s = read_segment(e, i);
    if (s.type != PT_LOAD || !s.memsz)
        return LOAD_OK;
    if (s.filesz > s.memsz)
        return load_fail(job, LOAD_BAD_IMAGE, "corrupt ELF: segment %u has 0x%lx bytes in the file and 0x%lx in memory",
                         i, s.filesz, s.memsz);
    if (!range_fits(s.offset, s.filesz, e->file->size))
        return load_fail(job, LOAD_BAD_IMAGE, "truncated: segment %u is at offset 0x%lx, 0x%lx bytes; the file has "
                         "0x%lx bytes", i, s.offset, s.filesz, e->file->size);
    if (s.memsz > UINT64_MAX - s.paddr)
        return load_fail(job, LOAD_BAD_IMAGE, "corrupt ELF: segment %u at 0x%lx (0x%lx bytes) passes the end of the "
                         "address space", i, s.paddr, s.memsz);
    e->low = MIN(e->low, s.paddr);
    e->high = MAX(e->high, s.paddr + s.memsz);
    return LOAD_OK;
}

static enum load_status check_kind(struct load_job *job, const struct elf *e)
{
    const struct load_file *f = e->file;
    uint16_t machine = load_u16(f, E_MACHINE), type = load_u16(f, E_TYPE);
    uint16_t expected = e->is64 ? MACHINE_X86_64 : MACHINE_386;
    if (f->data[EI_DATA] != DATA_LITTLE || machine != expected)
        return load_fail(job, LOAD_UNSUPPORTED, "an ELF file for another processor: machine %u at offset 0x%x, expected "
                         "%u, little-endian", machine, E_MACHINE, expected);
    if (type != TYPE_EXEC && type != TYPE_DYN)
        return load_fail(job, LOAD_BAD_IMAGE, "an ELF file that is not executable: type %u at offset 0x%x, expected %u; "
                         "is it an object file that was not linked?", type, E_TYPE, TYPE_EXEC);
    return LOAD_OK;
}

enum load_status elf_open(struct load_job *job, struct elf *e)
{
    const struct load_file *f = &job->request->kernel;
    *e = (struct elf){ .file = f, .is64 = elf_matches(f, 2), .low = UINT64_MAX };
    const struct elf_fields *k = fields_of(e);
    if (f->size < k->header_size)
        return load_fail(job, LOAD_BAD_IMAGE, "truncated: an ELF header has %u bytes, the file has %lu", k->header_size,
                         f->size);
    LOAD_TRY(check_kind(job, e));
    e->entry = get(f, 0, (struct field){ E_ENTRY, k->phoff.width });
    e->phoff = get(f, 0, k->phoff);
    e->shoff = get(f, 0, k->shoff);
    e->phentsize = load_u16(f, k->phentsize);
    e->phnum = load_u16(f, k->phentsize + 2u);
    e->shentsize = load_u16(f, k->phentsize + 4u);
    e->shnum = load_u16(f, k->phentsize + 6u);
    e->shstrndx = load_u16(f, k->phentsize + 8u);
    if (!e->phnum || e->phentsize < k->segment_size || !range_fits(e->phoff, (uint64_t)e->phnum * e->phentsize, f->size))
        return load_fail(job, LOAD_BAD_IMAGE, "truncated or corrupt ELF: %u program headers of %u bytes at offset 0x%lx; "
                         "expected at least one of %u bytes, within the file's 0x%lx", e->phnum, e->phentsize,
                         e->phoff, k->segment_size, f->size);
    if (e->shentsize != k->section_size || e->shnum > SECTIONS_MAX
        || !range_fits(e->shoff, (uint64_t)e->shnum * e->shentsize, f->size))
        e->shnum = 0; /* section headers are a courtesy to debuggers: loading does without */
    for (unsigned i = 0; i < e->phnum; i++)
        LOAD_TRY(check_segment(job, e, i));
    if (e->low >= e->high)
        return load_fail(job, LOAD_BAD_IMAGE, "an ELF file in which nothing is to be loaded");
    return LOAD_OK;
}

enum load_status elf_load(struct load_job *job, const struct elf *e, uint64_t delta, uint64_t *entry)
{
    bool found = false;
    *entry = e->entry + delta;
    for (unsigned i = 0; i < e->phnum; i++) {
        struct segment s = read_segment(e, i);
        if (s.type != PT_LOAD || !s.memsz)
            continue;
        uint64_t at = s.paddr + delta;
        LOAD_TRY(load_claim(job, at, s.memsz, "a segment"));
        LOAD_TRY(load_write(job, at, e->file->data + s.offset, s.filesz));
        LOAD_TRY(load_zero(job, at + s.filesz, s.memsz - s.filesz));
        if (!found && e->entry >= s.vaddr && e->entry - s.vaddr < s.memsz) {
            *entry = e->entry - s.vaddr + at;
            found = true;
        } else if (!found && e->entry >= s.paddr && e->entry - s.paddr < s.memsz) {
            found = true; /* it is a physical address already */
        }
    }
    if (!found)
        return load_fail(job, LOAD_BAD_IMAGE, "corrupt ELF: the entry point 0x%lx is in no segment", e->entry);
    return LOAD_OK;
}

enum { SH_TYPE = 4, SHT_NULL = 0, SHT_NOBITS = 8, EXTRA_ALIGN = 16 };

/* Bytes of section i that have to be loaded beside the segments; 0: none. */
static uint64_t extra_size(const struct elf *e, unsigned i, uint64_t *offset)
{
    const struct elf_fields *k = fields_of(e);
    uint64_t at = e->shoff + (uint64_t)i * e->shentsize, size = get(e->file, at, k->s_size);
    uint32_t type = load_u32(e->file, at + SH_TYPE);
    *offset = get(e->file, at, k->s_offset);
    if (type == SHT_NULL || type == SHT_NOBITS || get(e->file, at, k->s_addr))
        return 0;
    return range_fits(*offset, size, e->file->size) ? size : 0;
}

/* Where section i's copy begins, relative to the first one's. */
static uint64_t extra_offset(const struct elf *e, unsigned end)
{
    uint64_t total = 0, offset;
    for (unsigned i = 0; i < end; i++)
        total += ALIGN_UP(extra_size(e, i, &offset), EXTRA_ALIGN);
    return total;
}

enum load_status elf_place_sections(struct load_job *job, const struct elf *e, uint64_t min,
                                    struct elf_sections *sections)
{
    uint64_t total = extra_offset(e, e->shnum), at = 0;
    sections->base = 0;
    /* Each section lies within the file; many that share its bytes are no reason to fill memory. */
    if (!total || total > 2 * e->file->size
        || !load_find_room(job, total, PAGE_SIZE, min, LOAD_4G, LOAD_LOWEST, &sections->base)) {
        sections->base = 0;
        return LOAD_OK;
    }
    LOAD_TRY(load_claim(job, sections->base, total, "the ELF sections"));
    for (unsigned i = 0; i < e->shnum; i++) {
        uint64_t offset, size = extra_size(e, i, &offset);
        LOAD_TRY(load_write(job, sections->base + at, e->file->data + offset, size));
        at += ALIGN_UP(size, EXTRA_ALIGN);
    }
    return LOAD_OK;
}

void elf_read_section(const struct elf *e, const struct elf_sections *sections, unsigned i,
                      uint8_t header[ELF_SECTION_MAX])
{
    const struct elf_fields *k = fields_of(e);
    uint64_t offset;
    memcpy(header, e->file->data + e->shoff + (uint64_t)i * e->shentsize, e->shentsize);
    if (sections->base && extra_size(e, i, &offset)) {
        uint64_t address = sections->base + extra_offset(e, i);
        memcpy(header + k->s_addr.offset, &address, k->s_addr.width);
    }
}
