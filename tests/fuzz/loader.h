/* What the fuzz harnesses of the image loaders share: any file is refused with a sentence, or loaded into the
 * partition's own RAM and started there. The first three bytes of the input choose the partition and the request, the
 * rest is the file (and, in part, the initrd and a module). */
#ifndef TESTS_FUZZ_LOADER_H
#define TESTS_FUZZ_LOADER_H

#include "hv/part/load_job.h"
#include "tests/fuzz/fuzz.h"

static struct layout loader_layout;
static unsigned loader_calls, loader_fail_at;

/* One call of each input may fail, as memory that cannot be had would. */
static bool loader_range(gpa_t gpa, uint64_t len)
{
    FUZZ_CHECK(!len || layout_is_ram(&loader_layout, gpa.raw, len));
    return ++loader_calls != loader_fail_at;
}

static bool loader_write(void *ctx, gpa_t gpa, const void *data, uint64_t len)
{
    (void)ctx;
    bool fits = loader_range(gpa, len);
    for (uint64_t i = 0; fits && i < len; i++) /* so that ASan sees a source too short */
        (void)((const volatile uint8_t *)data)[i];
    return fits;
}

static bool loader_zero(void *ctx, gpa_t gpa, uint64_t len)
{
    (void)ctx;
    return loader_range(gpa, len);
}

static void loader_check(const struct load_result *r)
{
    const struct load_cpu *cpu = &r->cpu;
    FUZZ_CHECK(r->kind < LOAD_KIND_COUNT && load_kind_name(r->kind));
    if (r->image_size) /* there may be a hole between an image's segments */
        FUZZ_CHECK(layout_is_ram(&loader_layout, r->image_base, 1) &&
                   layout_is_ram(&loader_layout, r->image_base + r->image_size - 1, 1));
    if (cpu->mode == LOAD_MODE_REAL16) {
        FUZZ_CHECK(cpu->rip <= UINT16_MAX);
        return;
    }
    FUZZ_CHECK(layout_is_ram(&loader_layout, cpu->gdt_base, cpu->gdt_limit + 1u));
    FUZZ_CHECK(cpu->gdt_limit >= 0x1f && cpu->cs == 0x10 && cpu->data == 0x18);
    FUZZ_CHECK(layout_is_ram(&loader_layout, cpu->rsp - 16, 16));
    FUZZ_CHECK(cpu->mode == LOAD_MODE_LONG64 || cpu->rip <= UINT32_MAX);
    if (cpu->mode == LOAD_MODE_LONG64)
        FUZZ_CHECK(cpu->cr3 % PAGE_SIZE == 0 && layout_is_ram(&loader_layout, cpu->cr3, PAGE_SIZE));
}

static void loader_run(const uint8_t *data, size_t size)
{
    static const uint64_t sizes[8] = { MiB(1), MiB(2), MiB(4), MiB(16), MiB(64), GiB(1), GiB(3), GiB(5) };
    static const struct acpi_rsdp rsdp;
    const struct guest_memory_ops memory = { loader_write, loader_zero, NULL };
    struct fuzz_input in = { data, size };
    uint8_t choices = fuzz_u8(&in), piece = fuzz_u8(&in);
    struct load_result result;
    char error[128] = "";
    loader_calls = 0;
    uint8_t rare = fuzz_u8(&in); /* the call that fails, or the place of a flat image */
    loader_fail_at = rare & 127;
    FUZZ_CHECK(layout_init(&loader_layout, sizes[choices & 7]));
    const struct load_file part = { "part", in.at, MIN((size_t)piece, in.left), choices & 8 ? "its arguments" : NULL };
    const struct load_request request = {
        .kernel = { piece == 255 ? NULL : "kernel", in.at, in.left, NULL }, .initrd = choices & 16 ? part : (struct load_file){ 0 },
        .modules = &part, .module_count = choices >> 5 & 1, .cmdline = choices & 64 ? "console=ttyS0" : NULL,
        .flat = rare & 128, .flat_address = (rare & 127u) << 13, .layout = &loader_layout, .rsdp_gpa = choices & 128 ? LAYOUT_ROM : 0, .rsdp = choices & 128 ? &rsdp : NULL,
    };
    size_t error_size = piece == 255 ? 4 : sizeof error;
    enum load_status status = load_image(&request, &memory, &result, error, error_size);
    FUZZ_CHECK(memchr(error, 0, error_size));
    if (status == LOAD_OK)
        loader_check(&result);
    else
        FUZZ_CHECK(error[0]);
}

#endif
