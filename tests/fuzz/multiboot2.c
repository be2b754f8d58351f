/* Any file as a Multiboot 2 kernel: see loader.h for what has to hold.
 * covers: hv/part/load_multiboot2.c hv/part/multiboot2_info.c hv/part/multiboot.c hv/part/elf.c
 * max_len: 768 */
#include "tests/fuzz/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    loader_run(data, size);
    return 0;
}
