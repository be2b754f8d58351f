/* Any file as a Multiboot 1 kernel, in ELF or by addresses: see loader.h for what has to hold.
 * covers: hv/part/load_multiboot1.c hv/part/multiboot.c hv/part/elf.c
 * max_len: 768 */
#include "tests/fuzz/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    loader_run(data, size);
    return 0;
}
