/* QEMU's firmware-configuration device, as far as kernels' test suites that were written for QEMU ask it: how many CPUs,
 * how much memory. QEMU, docs/specs/fw_cfg: a 16-bit selector and a data port that yields the item byte by byte. */
#ifndef HV_DEV_VFWCFG_H
#define HV_DEV_VFWCFG_H

#include "hv/dev/dev.h"

#define VFWCFG_PORT 0x510

enum vfwcfg_item {
    VFWCFG_SIGNATURE = 0x00, /* "QEMU" */
    VFWCFG_ID        = 0x01, /* 1: no DMA */
    VFWCFG_RAM_SIZE  = 0x03, /* 64 bits */
    VFWCFG_CPUS      = 0x05, /* 16 bits */
    VFWCFG_MAX_CPUS  = 0x0f, /* 16 bits */
};

struct vfwcfg {
    uint64_t ram_size;
    uint16_t cpus;
    uint16_t selected; /* item */
    uint32_t next;     /* byte of it; those behind its end read 0, as do unknown items */
};

void vfwcfg_init(struct vfwcfg *f, uint64_t ram_size, uint16_t cpus);
extern const struct dev_ops vfwcfg_ops;
static inline struct dev_ports vfwcfg_ports(void) { return (struct dev_ports){ VFWCFG_PORT, 2, 0 }; }

#endif
