#include "hv/part/linux_params.h"

#include "hv/lib/str.h"

/* Linux documentation, "Zero Page" and "The Linux/x86 Boot Protocol": offsets into struct boot_params. */
enum {
    BP_SCREEN_INFO = 0x000, BP_RSDP = 0x070, BP_ALT_MEM_K = 0x1e0, BP_E820_ENTRIES = 0x1e8, BP_HEADER = 0x1f1,
    BP_BOOT_FLAG = 0x1fe, BP_MAGIC = 0x202, BP_VERSION = 0x206, BP_LOADER = 0x210, BP_CODE32_START = 0x214,
    BP_INITRD = 0x218, BP_INITRD_SIZE = 0x21c, BP_CMDLINE = 0x228, BP_E820 = 0x2d0,
};
#define BP_SIZE        4096
#define BP_HEADER_MAX  (0x290 - BP_HEADER)
#define LOADER_UNKNOWN 0xff /* "undefined": no number is assigned to us */

struct PACKED screen_info {
    uint8_t x, y;
    uint16_t ext_mem_k, video_page;
    uint8_t video_mode, columns, flags, unused2;
    uint16_t ega_bx, unused3;
    uint8_t lines, is_vga;
    uint16_t points;
};
HW_SIZE(struct screen_info, 18);

struct PACKED e820_entry {
    uint64_t base, size;
    uint32_t type;
};
HW_SIZE(struct e820_entry, 20);

/* One number into the zero page. */
static enum load_status put(struct load_job *job, uint64_t page, unsigned offset, uint64_t value, unsigned size)
{
    return load_write(job, page + offset, &value, size);
}

static enum load_status put_header(struct load_job *job, const struct linux_params *params, uint64_t page)
{
    if (params->header)
        return load_write(job, page + BP_HEADER, params->header, MIN(params->header_size, BP_HEADER_MAX));
    LOAD_TRY(put(job, page, BP_BOOT_FLAG, 0xaa55, 2));
    LOAD_TRY(load_write(job, page + BP_MAGIC, "HdrS", 4));
    return put(job, page, BP_VERSION, 0x020f, 2);
}

static enum load_status put_memory_map(struct load_job *job, uint64_t page)
{
    const struct layout *l = job->request->layout;
    uint64_t above_1m = (l->low_top - LAYOUT_HIGH_START) / 1024;
    struct e820_entry entries[LAYOUT_MAX_RANGES];
    for (unsigned i = 0; i < l->range_count; i++)
        entries[i] = (struct e820_entry){ l->ranges[i].base, l->ranges[i].size, l->ranges[i].type };
    LOAD_TRY(load_write(job, page + BP_E820, entries, l->range_count * sizeof entries[0]));
    LOAD_TRY(put(job, page, BP_E820_ENTRIES, l->range_count, 1));
    return put(job, page, BP_ALT_MEM_K, above_1m, 4);
}

/* VGA text mode 3: a kernel that draws to 0xb8000 is shown by the monitor. */
static enum load_status put_screen(struct load_job *job, uint64_t page)
{
    const struct load_request *r = job->request;
    uint64_t above_1m = (r->layout->low_top - LAYOUT_HIGH_START) / 1024;
    struct screen_info s = { .video_mode = 3, .columns = 80, .lines = 25, .is_vga = 1, .points = 16, .ega_bx = 3,
                             .ext_mem_k = (uint16_t)MIN(above_1m, 0xfc00) };
    return load_write(job, page + BP_SCREEN_INFO, &s, sizeof s);
}

static enum load_status put_cmdline(struct load_job *job, const struct linux_params *params, uint64_t page)
{
    const char *cmdline = job->request->cmdline ? job->request->cmdline : "";
    uint64_t len = strlen(cmdline), at;
    if (len > params->cmdline_max)
        return load_fail(job, LOAD_UNSUPPORTED, "the command line has %lu characters; this kernel takes %u at the most "
                         "(cmdline_size at offset 0x238)", len, params->cmdline_max);
    LOAD_TRY(load_place(job, len + 1, 16, LOAD_LOW_START, LOAD_4G, LOAD_LOWEST, "the command line", &at));
    LOAD_TRY(load_write(job, at, cmdline, len + 1));
    return put(job, page, BP_CMDLINE, at, 4);
}

/* As high as the kernel allows: low memory is what it needs most. */
static enum load_status put_initrd(struct load_job *job, const struct linux_params *params, uint64_t page)
{
    const struct load_file *initrd = &job->request->initrd;
    uint64_t end = MIN(params->initrd_max, LOAD_4G - 1) + 1, at;
    if (!initrd->data || !initrd->size)
        return LOAD_OK;
    LOAD_TRY(load_file_at(job, initrd, LAYOUT_HIGH_START, end, LOAD_HIGHEST, &at));
    LOAD_TRY(put(job, page, BP_INITRD, at, 4));
    return put(job, page, BP_INITRD_SIZE, initrd->size, 4);
}

enum load_status linux_params_build(struct load_job *job, const struct linux_params *params, uint64_t *gpa)
{
    if (job->request->module_count)
        return load_fail(job, LOAD_UNSUPPORTED, "\"module\" is for Multiboot kernels; this one takes an \"initrd\"");
    LOAD_TRY(load_place(job, BP_SIZE, PAGE_SIZE, LOAD_LOW_START, LOAD_4G, LOAD_LOWEST, "the zero page", gpa));
    LOAD_TRY(load_zero(job, *gpa, BP_SIZE));
    LOAD_TRY(put_header(job, params, *gpa));
    LOAD_TRY(put(job, *gpa, BP_LOADER, LOADER_UNKNOWN, 1));
    LOAD_TRY(put(job, *gpa, BP_CODE32_START, params->kernel_base, 4));
    LOAD_TRY(put(job, *gpa, BP_RSDP, job->request->rsdp_gpa, 8));
    LOAD_TRY(put_screen(job, *gpa));
    LOAD_TRY(put_memory_map(job, *gpa));
    LOAD_TRY(put_cmdline(job, params, *gpa));
    return put_initrd(job, params, *gpa);
}
