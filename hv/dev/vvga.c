/* VGA registers as latches, with the few behaviours that text-mode software waits for. */
#include "hv/dev/vvga.h"

#include "hv/lib/str.h"

#define PORT_BASE 0x3b0
#define PALETTE_BYTES (256 * 3)

/* Ports in colour addressing, relative to PORT_BASE; the monochrome twins are 20h lower. */
enum port {
    CRTC_INDEX = 0x24, CRTC_DATA = 0x25, STATUS_1 = 0x2a, ATTRIBUTE = 0x10, ATTRIBUTE_READ = 0x11, MISC_WRITE = 0x12,
    ENABLE = 0x13, SEQUENCER_INDEX = 0x14, SEQUENCER_DATA = 0x15, PEL_MASK = 0x16, PALETTE_READ = 0x17, PALETTE_WRITE = 0x18,
    PALETTE_DATA = 0x19, FEATURE_READ = 0x1a, MISC_READ = 0x1c, GRAPHICS_INDEX = 0x1e, GRAPHICS_DATA = 0x1f,
};
enum { MONO_BELOW = 0x10, MONO_TO_COLOUR = 0x20, MISC_COLOUR = 0x01, RETRACE = 0x09, CURSOR_OFF = 0x20 };
enum crtc {
    CRTC_OVERFLOW = 0x07, CRTC_CURSOR_START = 0x0a, CRTC_START = 0x0c, CRTC_CURSOR = 0x0e, CRTC_RETRACE_END = 0x11,
    CRTC_PROTECT = 0x80, OVERFLOW_LINE_COMPARE = 0x10,
};

const struct dev_ports vvga_ports[VVGA_PORT_RANGES] = { { 0x3b4, 8, 4 }, { 0x3c0, 32, 0x10 } };

/* "Mode 3", as a video BIOS programs it. */
static const uint8_t mode_3_crtc[] = {
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f,
    0x96, 0xb9, 0xa3, 0xff,
};
static const uint8_t mode_3_sequencer[] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
static const uint8_t mode_3_graphics[] = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff };
static const uint8_t mode_3_attribute[] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00,
};

/* CRTC and status 1 answer at the colour or at the monochrome addresses, as the miscellaneous output register says.
 * Returns the port in colour addressing; false: nobody is there now. */
static bool normalize(const struct vvga *vga, uint64_t offset, unsigned *port)
{
    bool colour = vga->misc & MISC_COLOUR, mono_address = offset < MONO_BELOW;
    *port = (unsigned)offset + (mono_address ? MONO_TO_COLOUR : 0);
    bool moves = *port == CRTC_INDEX || *port == CRTC_DATA || *port == STATUS_1;
    return moves ? colour != mono_address : !mono_address;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static uint8_t read_status_1(struct vvga *vga)
{
    vga->attribute_data_next = false;
    vga->retrace = !vga->retrace;
    return vga->retrace ? RETRACE : 0;
}

static uint8_t read_palette(struct vvga *vga)
{
    uint8_t value = vga->palette[vga->palette_read];
    vga->palette_read = (uint16_t)((vga->palette_read + 1u) % PALETTE_BYTES);
    return value;
}

static uint64_t vvga_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vvga *vga = dev;
    unsigned port;
    if (!normalize(vga, offset, &port))
        return 0xff;
    switch (port) {
    case CRTC_INDEX: return vga->crtc_index;
    case CRTC_DATA: return vga->crtc[vga->crtc_index % VVGA_CRTC_REGS];
    case STATUS_1: return read_status_1(vga);
    case ATTRIBUTE: return vga->attribute_index;
    case ATTRIBUTE_READ: return vga->attribute[vga->attribute_index % VVGA_OTHER_REGS];
    case MISC_WRITE: return 0;              /* input status 0: no interrupt, no monitor sensed */
    case ENABLE: return 1;
    case SEQUENCER_INDEX: return vga->sequencer_index;
    case SEQUENCER_DATA: return vga->sequencer[vga->sequencer_index % VVGA_OTHER_REGS];
    case PEL_MASK: return vga->pel_mask;
    case PALETTE_READ: return vga->palette_reading ? 3 : 0;
    case PALETTE_WRITE: return (vga->palette_write / 3) & 0xff;
    case PALETTE_DATA: return read_palette(vga);
    case FEATURE_READ: return vga->feature;
    case MISC_READ: return vga->misc;
    case GRAPHICS_INDEX: return vga->graphics_index;
    case GRAPHICS_DATA: return vga->graphics[vga->graphics_index % VVGA_OTHER_REGS];
    default: return 0xff;
    }
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

/* "Vertical Retrace End", bit 7: registers 0-7 are protected, but for the line-compare bit in 7. */
static void write_crtc(struct vvga *vga, uint8_t value)
{
    unsigned index = vga->crtc_index % VVGA_CRTC_REGS;
    uint8_t writable = 0xff;
    if (vga->crtc[CRTC_RETRACE_END] & CRTC_PROTECT && index <= CRTC_OVERFLOW)
        writable = index == CRTC_OVERFLOW ? OVERFLOW_LINE_COMPARE : 0;
    vga->crtc[index] = (uint8_t)((vga->crtc[index] & ~writable) | (value & writable));
}

static void write_attribute(struct vvga *vga, uint8_t value)
{
    if (vga->attribute_data_next)
        vga->attribute[vga->attribute_index % VVGA_OTHER_REGS] = value;
    else
        vga->attribute_index = value & 0x3f;
    vga->attribute_data_next = !vga->attribute_data_next;
}

static void write_palette(struct vvga *vga, uint8_t value)
{
    vga->palette[vga->palette_write] = value & 0x3f;
    vga->palette_write = (uint16_t)((vga->palette_write + 1u) % PALETTE_BYTES);
}

static void set_palette_index(struct vvga *vga, bool reading, uint8_t index)
{
    vga->palette_reading = reading;
    *(reading ? &vga->palette_read : &vga->palette_write) = (uint16_t)(index * 3u);
}

static void vvga_write(void *dev, uint64_t offset, unsigned size, uint64_t wide, vtime_t now)
{
    struct vvga *vga = dev;
    unsigned port;
    uint8_t value = (uint8_t)wide;
    if (!normalize(vga, offset, &port))
        return;
    switch (port) {
    case CRTC_INDEX: vga->crtc_index = value; break;
    case CRTC_DATA: write_crtc(vga, value); break;
    case STATUS_1: vga->feature = value; break;
    case ATTRIBUTE: write_attribute(vga, value); break;
    case MISC_WRITE: vga->misc = value; break;
    case SEQUENCER_INDEX: vga->sequencer_index = value; break;
    case SEQUENCER_DATA: vga->sequencer[vga->sequencer_index % VVGA_OTHER_REGS] = value; break;
    case PEL_MASK: vga->pel_mask = value; break;
    case PALETTE_READ: set_palette_index(vga, true, value); break;
    case PALETTE_WRITE: set_palette_index(vga, false, value); break;
    case PALETTE_DATA: write_palette(vga, value); break;
    case GRAPHICS_INDEX: vga->graphics_index = value; break;
    case GRAPHICS_DATA: vga->graphics[vga->graphics_index % VVGA_OTHER_REGS] = value; break;
    default: break;
    }
}

/* ---- set up and view ------------------------------------------------------------------------------------------- */

static void vvga_reset(void *dev, vtime_t now)
{
    struct vvga *vga = dev;
    *vga = (struct vvga){ .misc = 0x67, .pel_mask = 0xff, .attribute_index = 0x20 };
    memcpy(vga->crtc, mode_3_crtc, sizeof mode_3_crtc);
    memcpy(vga->sequencer, mode_3_sequencer, sizeof mode_3_sequencer);
    memcpy(vga->graphics, mode_3_graphics, sizeof mode_3_graphics);
    memcpy(vga->attribute, mode_3_attribute, sizeof mode_3_attribute);
}

void vvga_init(struct vvga *vga)
{
    vvga_reset(vga, 0);
}

static uint16_t crtc_pair(const struct vvga *vga, unsigned high)
{
    return (uint16_t)(vga->crtc[high] << 8 | vga->crtc[high + 1]);
}

struct vvga_text vvga_text(const struct vvga *vga)
{
    return (struct vvga_text){
        .start = crtc_pair(vga, CRTC_START),
        .cursor = crtc_pair(vga, CRTC_CURSOR),
        .cursor_on = !(vga->crtc[CRTC_CURSOR_START] & CURSOR_OFF),
    };
}

const struct dev_ops vvga_ops = { .name = "vga", .max_width = 1, .read = vvga_read, .write = vvga_write, .reset = vvga_reset };
