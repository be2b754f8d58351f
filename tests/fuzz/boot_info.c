/* Any bytes as a Multiboot 2 loader's information: what is made of them passes boot_info_check(), which in turn refuses
 * every damaged copy that breaks what the hypervisor relies on.
 * covers: boot/mb2/mb2_convert.c boot/memory_map.c boot/boot_info.c
 * max_len: 512 */
#include "boot/mb2/mb2_convert.h"
#include "boot/memory_map.h"
#include "tests/fuzz/fuzz.h"

#define DAMAGE_BYTES 11 /* the last bytes of the input */

static const struct mb2_place place = { MiB(2), MiB(1) + KiB(12), MiB(2) + KiB(64), 3 };

/* Said again in another way than boot_info.c does: page by page what is free is nothing else. */
static void check_map(const struct boot_info *info)
{
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *m = &info->memory[i];
        FUZZ_CHECK(m->size && (m->base | m->size) % PAGE_SIZE == 0 && m->base + m->size - 1 >= m->base);
        FUZZ_CHECK(!i || m[-1].base + m[-1].size <= m->base);
        FUZZ_CHECK(m->type >= BOOT_MEMORY_FREE && m->type <= BOOT_MEMORY_MODULE);
    }
    FUZZ_CHECK(!memory_map_is(info, info->image_base, PAGE_SIZE, BOOT_MEMORY_FREE));
    FUZZ_CHECK(!memory_map_is(info, info->image_base + info->image_size - 1, 1, BOOT_MEMORY_FREE));
    FUZZ_CHECK(!info->log_size || !memory_map_is(info, info->log_base, 1, BOOT_MEMORY_FREE));
    for (uint32_t i = 0; i < info->module_count; i++)
        FUZZ_CHECK(!info->modules[i].size || !memory_map_is(info, info->modules[i].base, 1, BOOT_MEMORY_FREE));
}

/* Overwrite one number; whatever boot_info_check() still accepts has to be usable. */
static void damage(struct boot_info *info, struct fuzz_input *in)
{
    uint16_t at = fuzz_u16(in);
    uint8_t bytes[8], width = (uint8_t)(1u << (fuzz_u8(in) & 3));
    for (unsigned i = 0; i < width; i++)
        bytes[i] = fuzz_u8(in);
    if (range_fits(at, width, sizeof *info))
        memcpy((char *)info + at, bytes, width);
    if (boot_info_check(info))
        return;
    FUZZ_CHECK(info->memory_count <= BOOT_MAX_MEMORY && info->cpu_count <= BOOT_MAX_CPUS);
    FUZZ_CHECK(info->module_count <= BOOT_MAX_MODULES && info->size == sizeof *info);
    FUZZ_CHECK(memchr(info->cmdline, 0, sizeof info->cmdline) && memchr(info->loader, 0, sizeof info->loader));
    check_map(info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mb2_result result;
    if (size < DAMAGE_BYTES)
        return 0;
    size_t length = size - DAMAGE_BYTES;
    uint8_t *copy = malloc(length + !length); /* of just this size, for ASan */
    FUZZ_CHECK(copy);
    memcpy(copy, data, length);
    enum mb2_status status = mb2_convert(copy, length, &place, &result);
    free(copy);
    FUZZ_CHECK(mb2_status_text(status));
    if (status != MB2_OK && status != MB2_NO_LOG_AREA)
        return 0;
    FUZZ_CHECK(!boot_info_check(&result.info));
    check_map(&result.info);
    FUZZ_CHECK(!memory_map_is(&result.info, 0, 1, BOOT_MEMORY_FREE));
    damage(&result.info, &(struct fuzz_input){ data + length, DAMAGE_BYTES });
    return 0;
}
