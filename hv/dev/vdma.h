/* What is left of the two 8237A DMA controllers on a machine without DMA devices: address, count and page registers that
 * can be written and read back, and no transfer, ever (ports 0-Fh, 80h-8Fh, C0h-DFh). Port 80h is also where
 * firmware and kernels write progress codes and waste a microsecond; so is EDh. Facts from Intel's "8237A" data sheet. */
#ifndef HV_DEV_VDMA_H
#define HV_DEV_VDMA_H

#include "hv/dev/dev.h"

#define VDMA_PORT_RANGES 4

struct vdma_controller {
    uint16_t base[8];               /* address and count of each channel, alternating */
    uint8_t command, mask;
    bool high_next;                 /* the byte pointer flip-flop */
};

struct vdma {
    struct vdma_controller controller[2];
    uint8_t page[16];               /* 80h-8Fh; [0] is the last progress code */
};

extern const struct dev_ops vdma_ops;
extern const struct dev_ports vdma_ports[VDMA_PORT_RANGES];

void vdma_init(struct vdma *dma);

#endif
