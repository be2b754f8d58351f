/* Multiboot2 boot information -> struct boot_info. Pure: pointer in, struct out; trusts no size in the input. */
#ifndef BOOT_MB2_MB2_CONVERT_H
#define BOOT_MB2_MB2_CONVERT_H

#include "boot/boot_info.h"

struct mb2_result {
    struct boot_info info;
    uint8_t rsdp[36]; /* the loader passes a copy of the RSDP, not its address: it is kept here */
};

/* What the information does not say. */
struct mb2_place {
    uint64_t image_base, image_size; /* of the hypervisor, physical */
    uint64_t result;                 /* physical address of the struct mb2_result */
    uint32_t boot_apic_id;
};

enum mb2_status {
    MB2_OK, MB2_BAD_SIZE, MB2_BAD_TAG, MB2_NO_MEMORY_MAP, MB2_MAP_FULL, MB2_TOO_MANY_MODULES, MB2_NO_LOG_AREA,
};

/* `mbi` is the structure, `limit` the bytes that may be read from there. On failure `out` is undefined.
 * MB2_NO_LOG_AREA alone is no failure: all else is filled in and log_size is 0. */
enum mb2_status mb2_convert(const void *mbi, size_t limit, const struct mb2_place *place,
                            struct mb2_result *out) MUST_CHECK;

/* A sentence for a status other than MB2_OK. */
const char *mb2_status_text(enum mb2_status status);

#endif
