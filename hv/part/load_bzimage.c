/* Linux bzImage, as in the kernel's documentation, "The Linux/x86 Boot Protocol". */
#include "hv/lib/str.h"
#include "hv/part/linux_params.h"
#include "hv/part/load_job.h"

/* Offsets into the file; the version says from which one on a field is there. */
enum {
    H_SETUP_SECTS = 0x1f1, H_SYSSIZE = 0x1f4, H_BOOT_FLAG = 0x1fe, H_JUMP = 0x201, H_MAGIC = 0x202, H_VERSION = 0x206,
    H_LOADFLAGS = 0x211, H_CODE32_START = 0x214, H_INITRD_MAX = 0x22c, H_ALIGNMENT = 0x230, H_RELOCATABLE = 0x234,
    H_MIN_ALIGNMENT = 0x235, H_XLOADFLAGS = 0x236, H_CMDLINE_SIZE = 0x238, H_PAYLOAD_OFFSET = 0x248,
    H_PAYLOAD_LENGTH = 0x24c, H_PREF_ADDRESS = 0x258, H_INIT_SIZE = 0x260, H_END = 0x264,
};
#define LOADED_HIGH     0x01
#define XLF_KERNEL_64   0x01
#define ENTRY64_OFFSET  0x200
#define SECTOR          512
#define OLDEST_VERSION  0x0202 /* the first with cmd_line_ptr */
#define INITRD_MAX_OLD  UINT64_C(0x37ffffff)
#define CMDLINE_MAX_OLD 255

/* The header's numbers, each with the meaning it has in older versions where the field is missing. */
struct header {
    uint16_t version;
    uint64_t header_end;  /* in the file */
    uint64_t setup_size;  /* bytes of real-mode code, at the file's start */
    uint64_t kernel_size; /* bytes of protected-mode code, the rest */
    uint64_t room;        /* bytes it needs at its load address until it has read its memory map */
    uint64_t preferred, alignment, min_alignment;
    uint64_t initrd_max;
    uint32_t cmdline_max;
    bool relocatable, entry64;
};

bool load_bzimage_matches(const struct load_file *f)
{
    return f->size >= H_VERSION && !memcmp(f->data + H_MAGIC, "HdrS", 4);
}

static enum load_status check_size(struct load_job *job, const struct header *h)
{
    const struct load_file *f = &job->request->kernel;
    uint64_t syssize = h->version >= 0x0204 ? UINT64_C(16) * load_u32(f, H_SYSSIZE) : 0;
    if (f->size <= h->setup_size)
        return load_fail(job, LOAD_BAD_IMAGE, "truncated: the header at offset 0x%x announces 0x%lx bytes of setup code, "
                         "the file has 0x%lx bytes", H_SETUP_SECTS, h->setup_size, f->size);
    if (syssize > h->kernel_size + 15) /* it is rounded up to 16 bytes, the file need not be */
        return load_fail(job, LOAD_BAD_IMAGE, "truncated: the header at offset 0x%x announces 0x%lx bytes of kernel, "
                         "the file has 0x%lx behind offset 0x%lx", H_SYSSIZE, syssize, h->kernel_size, h->setup_size);
    if (h->version >= 0x0208
        && !range_fits(load_u32(f, H_PAYLOAD_OFFSET), load_u32(f, H_PAYLOAD_LENGTH), h->kernel_size))
        return load_fail(job, LOAD_BAD_IMAGE, "truncated or corrupt: the payload at offset 0x%x (0x%x bytes) is not within "
                         "the 0x%lx bytes of kernel", load_u32(f, H_PAYLOAD_OFFSET), load_u32(f, H_PAYLOAD_LENGTH),
                         h->kernel_size);
    return LOAD_OK;
}

static void read_placement(const struct load_file *f, struct header *h)
{
    h->preferred = LAYOUT_HIGH_START;
    h->alignment = h->min_alignment = PAGE_SIZE;
    h->room = h->kernel_size;
    if (h->version >= 0x0205) {
        h->relocatable = f->data[H_RELOCATABLE];
        h->alignment = h->min_alignment = load_u32(f, H_ALIGNMENT);
    }
    if (h->version >= 0x020a) {
        h->min_alignment = UINT64_C(1) << (f->data[H_MIN_ALIGNMENT] & 31);
        h->preferred = load_u64(f, H_PREF_ADDRESS);
        h->room = MAX(h->room, load_u32(f, H_INIT_SIZE));
    }
}

static enum load_status read_header(struct load_job *job, struct header *h)
{
    const struct load_file *f = &job->request->kernel;
    if (f->size < H_END)
        return load_fail(job, LOAD_BAD_IMAGE, "truncated: a bzImage has a header up to offset 0x%x, this file has 0x%lx "
                         "bytes", H_END, f->size);
    if (load_u16(f, H_BOOT_FLAG) != 0xaa55)
        return load_fail(job, LOAD_BAD_IMAGE, "corrupt bzImage: 0x%04x at offset 0x%x, expected 0xaa55",
                         load_u16(f, H_BOOT_FLAG), H_BOOT_FLAG);
    memset(h, 0, sizeof *h);
    h->version = load_u16(f, H_VERSION);
    if (h->version < OLDEST_VERSION || !(f->data[H_LOADFLAGS] & LOADED_HIGH))
        return load_fail(job, LOAD_UNSUPPORTED, "boot protocol %x.%02x at offset 0x%x, load flags 0x%02x; expected a "
                         "bzImage of protocol 2.02 or newer", h->version >> 8, h->version & 0xff, H_VERSION,
                         f->data[H_LOADFLAGS]);
    h->header_end = MIN(UINT64_C(0x202) + f->data[H_JUMP], f->size);
    h->setup_size = (f->data[H_SETUP_SECTS] ? f->data[H_SETUP_SECTS] + 1u : 5u) * SECTOR;
    h->kernel_size = f->size > h->setup_size ? f->size - h->setup_size : 0;
    h->initrd_max = h->version >= 0x0203 ? load_u32(f, H_INITRD_MAX) : INITRD_MAX_OLD;
    h->cmdline_max = h->version >= 0x0206 ? load_u32(f, H_CMDLINE_SIZE) : CMDLINE_MAX_OLD;
    h->entry64 = h->version >= 0x020c && (load_u16(f, H_XLOADFLAGS) & XLF_KERNEL_64);
    read_placement(f, h);
    return check_size(job, h);
}

static bool is_power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

/* At its preferred address if that is free; else, if it can be moved, as low as possible above it or above 1 MiB. */
static enum load_status place_kernel(struct load_job *job, const struct header *h, uint64_t *base)
{
    if (h->relocatable && !is_power_of_two(h->alignment))
        return load_fail(job, LOAD_BAD_IMAGE, "corrupt bzImage: alignment 0x%lx at offset 0x%x is not a power of two",
                         h->alignment, H_ALIGNMENT);
    *base = h->preferred;
    if (!h->relocatable && !range_fits(h->preferred, h->room, LOAD_4G))
        return load_fail(job, LOAD_BAD_IMAGE, "corrupt bzImage: load address 0x%lx at offset 0x%x is above 4 GiB",
                         h->preferred, H_PREF_ADDRESS);
    if (!h->relocatable || (h->preferred < LOAD_4G && layout_is_ram(job->request->layout, h->preferred, h->room)))
        return load_claim(job, h->preferred, h->room, "the kernel");
    if (load_find_room(job, h->room, h->alignment, LAYOUT_HIGH_START, LOAD_4G, LOAD_LOWEST, base))
        return load_claim(job, *base, h->room, "the kernel");
    return load_place(job, h->room, MIN(h->min_alignment, h->alignment), LAYOUT_HIGH_START, LOAD_4G, LOAD_LOWEST,
                      "the kernel", base);
}

enum load_status load_bzimage(struct load_job *job)
{
    const struct load_file *f = &job->request->kernel;
    struct load_result *result = job->result;
    struct header h;
    uint64_t base;
    LOAD_TRY(read_header(job, &h));
    LOAD_TRY(place_kernel(job, &h, &base));
    LOAD_TRY(load_write(job, base, f->data + h.setup_size, h.kernel_size));
    struct linux_params params = { f->data + H_SETUP_SECTS, h.header_end - H_SETUP_SECTS, base, h.initrd_max,
                                   h.cmdline_max };
    LOAD_TRY(linux_params_build(job, &params, &result->cpu.rsi));
    result->kind = h.entry64 ? LOAD_KIND_LINUX64 : LOAD_KIND_LINUX32;
    result->image_base = base;
    result->image_size = h.room;
    return h.entry64 ? load_cpu_long64(job, base + ENTRY64_OFFSET) : load_cpu_protected32(job, base);
}
