/* The registers of a VGA, as latches: enough for a kernel in text mode to move its cursor and to find a VGA (ports
 * 3B4h-3BAh, 3C0h-3CFh, 3D4h-3DAh). Text memory is plain RAM, elsewhere; nothing is drawn here. Facts from IBM's "PS/2 and
 * PC Display Adapter Technical Reference, Video Graphics Array". */
#ifndef HV_DEV_VVGA_H
#define HV_DEV_VVGA_H

#include "hv/dev/dev.h"

#define VVGA_PORT_RANGES 2
#define VVGA_CRTC_REGS   32
#define VVGA_OTHER_REGS  32

struct vvga {
    uint8_t crtc_index, sequencer_index, graphics_index, attribute_index;
    bool attribute_data_next;           /* 3C0h: the next write is data */
    bool retrace;                       /* input status 1 alternates, so that nobody waits for ever */
    uint8_t misc, feature, pel_mask;
    uint8_t crtc[VVGA_CRTC_REGS], sequencer[VVGA_OTHER_REGS], graphics[VVGA_OTHER_REGS], attribute[VVGA_OTHER_REGS];
    uint8_t palette[256 * 3];
    uint16_t palette_write, palette_read;   /* position in palette[] */
    bool palette_reading;
};

/* What the monitor needs to show the text screen. Cells count from the start of text memory, two bytes each. */
struct vvga_text {
    uint16_t start;                     /* first cell shown */
    uint16_t cursor;                    /* the cursor's cell */
    bool cursor_on;
};

extern const struct dev_ops vvga_ops;
extern const struct dev_ports vvga_ports[VVGA_PORT_RANGES];

/* Starts in mode 3, 80 by 25 colour text, as a video BIOS leaves it. */
void vvga_init(struct vvga *vga);
struct vvga_text vvga_text(const struct vvga *vga);

#endif
