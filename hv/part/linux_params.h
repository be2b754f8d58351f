/* The "zero page" that a Linux kernel, or any 64-bit ELF, gets in RSI. Private to the loaders. */
#ifndef HV_PART_LINUX_PARAMS_H
#define HV_PART_LINUX_PARAMS_H

#include "hv/part/load_job.h"

struct linux_params {
    const uint8_t *header; /* the setup header as in the file, from offset 0x1f1 on; NULL: make one up */
    uint64_t header_size;  /* bytes */
    uint64_t kernel_base;
    uint64_t initrd_max;   /* the initrd's last byte may lie here at most */
    uint32_t cmdline_max;  /* characters, without the terminator */
};

/* Places initrd and command line, builds the zero page; its address goes to *gpa. */
enum load_status linux_params_build(struct load_job *job, const struct linux_params *params, uint64_t *gpa) MUST_CHECK;

#endif
