/* The PC around a partition's vCPUs: which chips there are, where, and how they are wired. */
#include "arch/x86_64/cpu/panic.h"
#include "hv/part/layout.h"
#include "hv/part/partition_config.h"
#include "hv/vm/output.h"
#include "hv/vm/vm.h"

#define COM1_PORT 0x3f8
#define COM1_IRQ  4
#define IOAPIC_ID 0

static void request_power_off(void *ctx)
{
    partition_end(ctx, WISH_STOP, "powered off by its guest");
}

static void request_reset(void *ctx)
{
    partition_reset(ctx, "its guest");
}

static void debug_exit(void *ctx, uint32_t status)
{
    partition_end_with_status(ctx, status);
}

static void serial_byte(void *ctx, uint8_t byte)
{
    vm_output(ctx, VM_OUTPUT_SERIAL, byte);
}

static void debug_byte(void *ctx, uint8_t byte)
{
    vm_output(ctx, VM_OUTPUT_DEBUG, byte);
}

/* The PIC's INTR pin, wired to vCPU 0's LINT0. */
static void pic_output(void *ctx, unsigned number, bool level)
{
    struct partition *p = ctx;
    if (level)
        vcpu_kick(p->vcpus[0], VCPU_REQ_EVENT);
}

/* IRQ 0 on its way: latched by the PIC and not yet given to vCPU 0, or asked for by the IOAPIC and not yet taken. */
static bool tick_is_held(void *ctx)
{
    const struct partition *p = ctx;
    if (vpic_holds(&p->pic, 0) && vlapic_accepts_extint(&p->vcpus[0]->lapic))
        return true;
    uint8_t vector = vioapic_edge_vector(&p->ioapic, IOAPIC_TIMER_PIN);
    for (unsigned i = 0; vector && i < p->vcpu_count; i++)
        if (vlapic_holds(&p->vcpus[i]->lapic, vector))
            return true;
    return false;
}

static struct irq_line gsi(struct partition *p, unsigned number)
{
    return (struct irq_line){ partition_set_gsi, p, number };
}

static void init_chips(struct partition *p)
{
    const struct dev_request off = { request_power_off, p }, reset = { request_reset, p };
    vpic_init(&p->pic, (struct irq_line){ pic_output, p, 0 });
    vioapic_init(&p->ioapic, IOAPIC_ID, partition_route, p);
    vpit_init(&p->pit, gsi(p, 0), (struct vpit_controllers){ tick_is_held, p });
    vrtc_init(&p->rtc, gsi(p, VRTC_IRQ), p->epoch, 0);
    vrtc_set_memory(&p->rtc, p->layout.low_top, p->layout.high_top ? p->layout.high_top - LAYOUT_ABOVE_4G : 0);
    vkbc_init(&p->kbc, gsi(p, 1), gsi(p, 12), reset);
    vpci_init(&p->pci, reset);
    vpm_init(&p->pm, gsi(p, VPM_SCI_IRQ), off, VPM_TIMER_32BIT);
    vvga_init(&p->vga);
    vdma_init(&p->dma);
    vuart_init(&p->uart, gsi(p, COM1_IRQ), (struct dev_output){ serial_byte, p });
    p->debug_exit = (struct vdebug_exit){ debug_exit, p };
    p->debug_console = (struct vdebug_console){ { debug_byte, p } };
    vfwcfg_init(&p->fwcfg, p->config->memory, (uint16_t)p->vcpu_count);
}

static void attach(struct partition *p, const struct dev_ops *ops, void *dev, const struct dev_ports *ports, unsigned count)
{
    enum bus_result r = bus_attach(&p->bus, ops, dev, ports, count);
    if (r != BUS_OK) /* the ranges are ours; the configuration has checked the ports that users choose */
        panic("%s: %s cannot be attached at port 0x%x: %s", p->name, ops->name, ports->base, bus_result_text(r));
}

static void attach_ioapic(struct partition *p)
{
    struct bus_device *handle;
    enum bus_result r = bus_add_device(&p->bus, &vioapic_ops, &p->ioapic, &handle);
    if (r == BUS_OK)
        r = bus_add_mmio(&p->bus, handle, VIOAPIC_BASE, VIOAPIC_SIZE, 0);
    if (r != BUS_OK)
        panic("%s: the IOAPIC cannot be attached: %s", p->name, bus_result_text(r));
}

static void attach_optional(struct partition *p)
{
    const struct partition_config *c = p->config;
    const struct dev_ports com1 = vuart_ports(COM1_PORT);
    const struct dev_ports exit_port = vdebug_exit_ports((uint16_t)c->debug_exit);
    const struct dev_ports console_port = vdebug_console_ports((uint16_t)c->debug_console);
    const struct dev_ports fwcfg = vfwcfg_ports();
    if (c->console == PARTITION_CONSOLE_COM1)
        attach(p, &vuart_ops, &p->uart, &com1, 1);
    if (c->debug_exit) { /* such suites were written for QEMU, and ask it for the number of CPUs */
        attach(p, &vdebug_exit_ops, &p->debug_exit, &exit_port, 1);
        attach(p, &vfwcfg_ops, &p->fwcfg, &fwcfg, 1);
    }
    if (c->debug_console)
        attach(p, &vdebug_console_ops, &p->debug_console, &console_port, 1);
}

void platform_init(struct partition *p)
{
    bus_init(&p->bus);
    init_chips(p);
    attach(p, &vpic_ops, &p->pic, vpic_ports, VPIC_PORT_RANGES);
    attach(p, &vpit_ops, &p->pit, vpit_ports, VPIT_PORT_RANGES);
    attach(p, &vrtc_ops, &p->rtc, vrtc_ports, VRTC_PORT_RANGES);
    attach(p, &vkbc_ops, &p->kbc, vkbc_ports, VKBC_PORT_RANGES);
    attach(p, &vpci_ops, &p->pci, vpci_ports, VPCI_PORT_RANGES);
    attach(p, &vpm_ops, &p->pm, vpm_ports, VPM_PORT_RANGES);
    attach(p, &vvga_ops, &p->vga, vvga_ports, VVGA_PORT_RANGES);
    attach(p, &vdma_ops, &p->dma, vdma_ports, VDMA_PORT_RANGES);
    attach_ioapic(p);
    attach_optional(p);
}

/* Power-on: the chips as new, virtual time at 0. */
void platform_reset(struct partition *p)
{
    init_chips(p);
    bus_reset(&p->bus, 0);
    p->device_deadline = bus_next_deadline(&p->bus);
    p->device_deadline_tsc = vm_vtime_to_tsc(p, p->device_deadline);
}
