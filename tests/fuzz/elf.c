/* Any file as a 64-bit ELF kernel of a partition (see loader.h), and as the hypervisor's own ELF file for the UEFI loader.
 * covers: hv/part/load_elf.c hv/part/load.c hv/part/load_flat.c hv/part/load_job.c boot/uefi/elf_image.c
 * max_len: 512 */
#include "boot/uefi/elf_image.h"
#include "tests/fuzz/loader.h"

#define LARGEST_PLACED KiB(64)

static void hypervisor_image(const uint8_t *data, size_t size)
{
    struct elf_image image;
    if (elf_image_parse(data, size, &image))
        return;
    FUZZ_CHECK(image.size && image.size <= GiB(1) && image.entry < image.size && image.virtual_base % MiB(2) == 0);
    if (image.size > LARGEST_PLACED)
        return;
    void *memory = malloc(image.size); /* of just this size, for ASan */
    FUZZ_CHECK(memory);
    elf_image_place(&image, memory);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    loader_run(data, size);
    if (size > 3)
        hypervisor_image(data + 3, size - 3);
    return 0;
}
