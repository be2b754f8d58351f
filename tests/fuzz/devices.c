/* A whole PC's chips on the bus, wired as hv/vm/platform.c wires them, and any sequence of port and memory accesses, time,
 * keys, received bytes and interrupt cycles: each chip's state stays one that its data sheet knows, lines change only
 * when their level does, and no programming makes timers fall due faster than they may.
 * covers: hv/dev/vpic.c hv/dev/vpit.c hv/dev/vrtc.c hv/dev/vuart.c hv/dev/vkbc.c hv/dev/vpm.c hv/dev/vpci.c hv/dev/vdma.c hv/dev/vvga.c hv/dev/vfwcfg.c hv/dev/vioapic.c hv/dev/vdebug.c
 * max_len: 80 */
#include "hv/dev/bus.h"
#include "hv/dev/vdebug.h"
#include "hv/dev/vdma.h"
#include "hv/dev/vfwcfg.h"
#include "hv/dev/vioapic.h"
#include "hv/dev/vkbc.h"
#include "hv/dev/vpci.h"
#include "hv/dev/vpic.h"
#include "hv/dev/vpit.h"
#include "hv/dev/vpm.h"
#include "hv/dev/vrtc.h"
#include "hv/dev/vuart.h"
#include "hv/dev/vvga.h"
#include "tests/fuzz/fuzz.h"

#define LONGEST_STEP_BITS 22 /* ns, as a power of two: 4 ms */
#define GSIS 24u

static struct {
    struct bus bus;
    struct vpic pic;
    struct vioapic ioapic;
    struct vpit pit;
    struct vrtc rtc;
    struct vuart uart;
    struct vkbc kbc;
    struct vpci pci;
    struct vpm pm;
    struct vvga vga;
    struct vdma dma;
    struct vfwcfg fwcfg;
    struct vdebug_exit debug_exit;
    struct vdebug_console debug_console;
    bool intr, levels[GSIS];
    unsigned messages, outputs, requests;
    vtime_t now;
} pc;

/* ---- what the chips are wired to --------------------------------------------------------------------------------- */

static void on_intr(void *ctx, unsigned number, bool level)
{
    (void)ctx, (void)number;
    FUZZ_CHECK(level != pc.intr);
    pc.intr = level;
}

/* The timer's edges are pulses: low, then high, whatever the level was. */
static void on_gsi(void *ctx, unsigned number, bool level)
{
    (void)ctx;
    FUZZ_CHECK(number < GSIS && (number == 0 || level != pc.levels[number]));
    pc.levels[number] = level;
    if (number < VPIC_IRQS)
        vpic_set_irq(&pc.pic, number, level);
    vioapic_set_line(&pc.ioapic, number == 0 ? 2 : number, level);
}

static void on_message(void *ctx, const struct apic_message *m)
{
    (void)ctx;
    bool has_vector = m->mode == APIC_FIXED || m->mode == APIC_LOWEST_PRIORITY;
    FUZZ_CHECK(m->shorthand == APIC_TO_DEST && (!m->trigger || has_vector));
    FUZZ_CHECK(m->dest <= 0xff || m->dest == APIC_DEST_ALL);
    FUZZ_CHECK(++pc.messages < 100000);
}

static void on_request(void *ctx) { (void)ctx, pc.requests++; }
static void on_output(void *ctx, uint8_t byte) { (void)ctx, (void)byte, pc.outputs++; }
static void on_exit_status(void *ctx, uint32_t status) { (void)ctx, (void)status, pc.requests++; }

static struct irq_line gsi(unsigned number) { return (struct irq_line){ on_gsi, NULL, number }; }

static bool tick_is_held(void *ctx) { (void)ctx; return vpic_holds(&pc.pic, 0); }

static void init_chips(void)
{
    const struct dev_request request = { on_request, NULL };
    pc.intr = false;
    memset(pc.levels, 0, sizeof pc.levels);
    pc.messages = pc.outputs = pc.requests = 0;
    pc.now = 0;
    vpic_init(&pc.pic, (struct irq_line){ on_intr, NULL, 0 });
    vioapic_init(&pc.ioapic, 0, on_message, NULL);
    vpit_init(&pc.pit, gsi(0), (struct vpit_controllers){ tick_is_held, NULL });
    vrtc_init(&pc.rtc, gsi(VRTC_IRQ), 1700000000, 0);
    vrtc_set_memory(&pc.rtc, GiB(3), GiB(1));
    vkbc_init(&pc.kbc, gsi(1), gsi(12), request);
    vpci_init(&pc.pci, request);
    vpm_init(&pc.pm, gsi(VPM_SCI_IRQ), request, VPM_TIMER_32BIT);
    vvga_init(&pc.vga);
    vdma_init(&pc.dma);
    vuart_init(&pc.uart, gsi(4), (struct dev_output){ on_output, NULL });
    pc.debug_exit = (struct vdebug_exit){ on_exit_status, NULL };
    pc.debug_console = (struct vdebug_console){ { on_output, NULL } };
    vfwcfg_init(&pc.fwcfg, GiB(4), 2);
}

static void attach(const struct dev_ops *ops, void *dev, const struct dev_ports *ports, unsigned count)
{
    FUZZ_CHECK(bus_attach(&pc.bus, ops, dev, ports, count) == BUS_OK);
}

static void attach_chips(void)
{
    const struct dev_ports com1 = vuart_ports(0x3f8), fwcfg = vfwcfg_ports(), end = vdebug_exit_ports(0xf4);
    const struct dev_ports console = vdebug_console_ports(0xe9);
    struct bus_device *handle;
    bus_init(&pc.bus);
    attach(&vpic_ops, &pc.pic, vpic_ports, VPIC_PORT_RANGES);
    attach(&vpit_ops, &pc.pit, vpit_ports, VPIT_PORT_RANGES);
    attach(&vrtc_ops, &pc.rtc, vrtc_ports, VRTC_PORT_RANGES);
    attach(&vkbc_ops, &pc.kbc, vkbc_ports, VKBC_PORT_RANGES);
    attach(&vpci_ops, &pc.pci, vpci_ports, VPCI_PORT_RANGES);
    attach(&vpm_ops, &pc.pm, vpm_ports, VPM_PORT_RANGES);
    attach(&vvga_ops, &pc.vga, vvga_ports, VVGA_PORT_RANGES);
    attach(&vdma_ops, &pc.dma, vdma_ports, VDMA_PORT_RANGES);
    attach(&vuart_ops, &pc.uart, &com1, 1);
    attach(&vfwcfg_ops, &pc.fwcfg, &fwcfg, 1);
    attach(&vdebug_exit_ops, &pc.debug_exit, &end, 1);
    attach(&vdebug_console_ops, &pc.debug_console, &console, 1);
    FUZZ_CHECK(bus_add_device(&pc.bus, &vioapic_ops, &pc.ioapic, &handle) == BUS_OK);
    FUZZ_CHECK(bus_add_mmio(&pc.bus, handle, VIOAPIC_BASE, VIOAPIC_SIZE, 0) == BUS_OK);
}

/* ---- what has to hold, chip by chip ------------------------------------------------------------------------------ */

static void check_pic(void)
{
    FUZZ_CHECK(pc.pic.intr_level == pc.intr);
    for (unsigned i = 0; i < 2; i++) {
        const struct vpic_chip *c = &pc.pic.chip[i];
        FUZZ_CHECK(!(c->vector & 7) && c->lowest < 8 && c->icw_next <= 4 && c->icw_next != 1);
        FUZZ_CHECK(!(c->level & (i ? 0x21 : 0x07)));         /* IRQ 0, 1, 2, 8, 13 are edges */
        FUZZ_CHECK(!(c->level & c->lines & ~c->irr));        /* an asserted level is a request */
        FUZZ_CHECK(!(c->irr & ~c->lines));                   /* a request that went away is none */
    }
}

static void check_pit(void)
{
    for (unsigned i = 0; i < VPIT_CHANNELS; i++) {
        const struct vpit_channel *c = &pc.pit.channel[i];
        FUZZ_CHECK(c->mode <= 5 && c->access <= 3 && c->count <= 65536 && c->reload <= 65536);
        FUZZ_CHECK(!c->loaded || (c->count >= 1 && c->reload >= 1));
        FUZZ_CHECK(!c->counting || c->loaded);
    }
    FUZZ_CHECK(!(pc.pit.port61 & ~0xf) && pc.pit.owed < 1000000);
    FUZZ_CHECK(vpit_speaker_hz(&pc.pit) <= VPIT_HZ);
}

static void check_rtc(void)
{
    bool flagged = pc.rtc.ram[0xc] & 0x80, caused = pc.rtc.ram[0xb] & pc.rtc.ram[0xc] & 0x70;
    FUZZ_CHECK(pc.rtc.index < VRTC_BANK_BYTES && pc.rtc.extended_index < VRTC_BANK_BYTES && pc.rtc.weekday_shift < 7);
    FUZZ_CHECK(pc.rtc.irq_level == pc.levels[VRTC_IRQ] && flagged == pc.rtc.irq_level && flagged == caused);
    FUZZ_CHECK(pc.rtc.ram[0xd] == 0x80 && !(pc.rtc.ram[0xa] & 0x80));
}

static void check_uart(void)
{
    const struct vuart *u = &pc.uart;
    FUZZ_CHECK(u->rx_count <= (u->fcr & 1 ? VUART_FIFO_BYTES : 1) && u->rx_first < VUART_FIFO_BYTES);
    FUZZ_CHECK((u->lsr & 1) == (u->rx_count > 0) && (u->lsr & 0x60) == 0x60 && !(u->ier & 0xf0));
    FUZZ_CHECK(u->irq_level == pc.levels[4] && (!u->irq_level || u->ier));
    FUZZ_CHECK(!u->timeout_pending || u->rx_count);
}

static void check_kbc(void)
{
    const struct vkbc *k = &pc.kbc;
    bool full = k->status & 1, aux = k->status & 0x20;
    FUZZ_CHECK(k->keyboard.count <= VKBC_QUEUE_BYTES && k->keyboard.first < VKBC_QUEUE_BYTES);
    FUZZ_CHECK((k->scan_set == 1 || k->scan_set == 2) && k->leds < 8 && !(k->status & 2));
    FUZZ_CHECK(k->irq1_level == pc.levels[1] && k->irq1_level == (full && !aux && (k->ram[0] & 1)));
    FUZZ_CHECK(k->irq12_level == pc.levels[12] && k->irq12_level == (full && aux && (k->ram[0] & 2)));
    FUZZ_CHECK((k->output_port & 1) && !(k->output_port & ~3));
}

static void check_others(void)
{
    FUZZ_CHECK(pc.pm.sci_level == pc.levels[VPM_SCI_IRQ] && pc.pm.sci_level == !!(pc.pm.status & pc.pm.enable));
    FUZZ_CHECK((pc.pm.control & VPM_SCI_EN) && !(pc.pm.control & (VPM_SLP_EN | VPM_GBL_RLS)));
    FUZZ_CHECK(pc.vga.palette_write < sizeof pc.vga.palette && pc.vga.palette_read < sizeof pc.vga.palette);
    FUZZ_CHECK(!memcmp(pc.pci.host_bridge.config, "\x86\x80\x37\x12", 4) && !(pc.pci.address & 0x7f000003));
    FUZZ_CHECK(pc.pci.functions[0] == &pc.pci.host_bridge && !(pc.pci.reset_control & 0xf1));
    FUZZ_CHECK(!(pc.dma.controller[0].mask & 0xf0) && !(pc.dma.controller[1].mask & 0xf0));
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) { /* remote IRR (14) is for level-triggered (15) pins */
        FUZZ_CHECK(!(pc.ioapic.entries[pin] & UINT64_C(0x00fffffffffe1000)));
        FUZZ_CHECK(!(pc.ioapic.entries[pin] & 0x4000) || (pc.ioapic.entries[pin] & 0x8000));
    }
}

/* ---- what a guest, the board and time do -------------------------------------------------------------------------- */

/* Ports that somebody answers, and one that nobody does. */
static const uint16_t ports[] = {
    0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x70, 0x71, 0x72, 0x73, 0x60, 0x64, 0x92, 0xcf8,
    0xcf9, 0xcfc, 0xcfd, 0xcfe, 0xcff, 0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x608, 0x620, 0x622, 0xb2, 0xb3, 0x3b4,
    0x3b5, 0x3ba, 0x3c0, 0x3c1, 0x3c2, 0x3c4, 0x3c5, 0x3c6, 0x3c7, 0x3c8, 0x3c9, 0x3ca, 0x3cc, 0x3ce, 0x3cf, 0x3d4, 0x3d5,
    0x3da, 0x00, 0x01, 0x08, 0x0a, 0x0c, 0x0d, 0x0e, 0x0f, 0x80, 0xc0, 0xd0, 0xd4, 0xd8, 0xde, 0xed, 0x3f8, 0x3f9, 0x3fa,
    0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x510, 0x511, 0xf4, 0xf5, 0xe9, 0x2f8,
};

static void port_access(uint8_t op, struct fuzz_input *in)
{
    uint8_t choice = fuzz_u8(in);
    uint16_t port = choice == 0xff ? fuzz_u16(in) : ports[choice % ARRAY_SIZE(ports)];
    unsigned size = op & 16 ? (op & 32 ? 4 : 2) : 1;
    uint32_t value = 0;
    if (op & 8) {
        (void)bus_io_write(&pc.bus, port, size, (uint32_t)fuzz_take(in, size), pc.now);
        return;
    }
    bool claimed = bus_io_read(&pc.bus, port, size, pc.now, &value);
    FUZZ_CHECK(size == 4 || !(value >> (8 * size)));
    FUZZ_CHECK(claimed || value == UINT32_MAX >> (32 - 8 * size));
}

/* A register of the IOAPIC through its window; now and then any offset, any size. */
static void memory_access(uint8_t op, struct fuzz_input *in)
{
    uint64_t value;
    if (op & 64) {
        uint64_t gpa = VIOAPIC_BASE - 4 + (fuzz_u16(in) & 0x1fff);
        if (op & 8)
            (void)bus_mmio_write(&pc.bus, gpa, 1u << (op >> 4 & 3), fuzz_u64(in), pc.now);
        else
            (void)bus_mmio_read(&pc.bus, gpa, 1u << (op >> 4 & 3), pc.now, &value);
        return;
    }
    FUZZ_CHECK(bus_mmio_write(&pc.bus, VIOAPIC_BASE, 4, fuzz_u8(in), pc.now));
    if (op & 8)
        FUZZ_CHECK(bus_mmio_write(&pc.bus, VIOAPIC_BASE + 0x10, 4, fuzz_u32(in), pc.now));
    else
        FUZZ_CHECK(bus_mmio_read(&pc.bus, VIOAPIC_BASE + 0x10, 4, pc.now, &value) && value <= UINT32_MAX);
}

/* Deadline by deadline, as the run loop does; how often is bounded by the fastest that each timer may be. */
static void pass_time(uint8_t op)
{
    vtime_t step = UINT64_C(1) << (op >> 3) % (LONGEST_STEP_BITS + 1), end = pc.now + step, before;
    unsigned calls = 0;
    for (before = pc.now; bus_next_deadline(&pc.bus) <= end; before = pc.now) {
        pc.now = MAX(pc.now, bus_next_deadline(&pc.bus));
        FUZZ_CHECK(pc.now >= before && bus_expire(&pc.bus, pc.now) > pc.now);
        FUZZ_CHECK(++calls <= 8 + step / 10000);
    }
    pc.now = end;
}

static void board_event(uint8_t op, struct fuzz_input *in)
{
    uint8_t byte = fuzz_u8(in), codes[3] = { byte, (uint8_t)~byte, 0xe0 };
    bool room = vuart_can_receive(&pc.uart);
    switch (op >> 3 & 7) {
    case 0:
        FUZZ_CHECK(vuart_receive(&pc.uart, byte, pc.now) == room);
        bus_refresh(&pc.bus, &pc.uart, pc.now);
        break;
    case 1: FUZZ_CHECK(!vkbc_key(&pc.kbc, codes, op >> 6) || pc.kbc.scanning); break;
    case 2: (void)vpic_ack(&pc.pic); break;
    case 3: vioapic_eoi(&pc.ioapic, byte); break;
    case 4: (void)vpm_press_power_button(&pc.pm); break;
    case 5: on_gsi(NULL, 16 + (byte & 7), !pc.levels[16 + (byte & 7)]); break;
    case 6: (void)vrtc_time(&pc.rtc, pc.now), (void)vvga_text(&pc.vga); break;
    default:
        if (byte == 0) /* a reset is rare, or nothing would ever be programmed */
            bus_reset(&pc.bus, pc.now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool attached;
    struct fuzz_input in = { data, size };
    if (!attached)
        attach_chips();
    attached = true;
    init_chips();
    bus_reset(&pc.bus, 0); /* as platform_reset() does: deadlines of the run before are forgotten */
    while (in.left) {
        uint8_t op = fuzz_u8(&in);
        switch (op & 7) {
        case 0: pass_time(op); break;
        case 1: memory_access(op, &in); break;
        case 2: board_event(op, &in); break;
        default: port_access(op, &in); break;
        }
        check_pic();
        check_pit();
        check_rtc();
        check_uart();
        check_kbc();
        check_others();
    }
    return 0;
}
