/* Any file as a Linux bzImage: see loader.h for what has to hold.
 * covers: hv/part/load_bzimage.c hv/part/linux_params.c hv/part/load_cpu.c
 * max_len: 1152 */
#include "tests/fuzz/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    loader_run(data, size);
    return 0;
}
