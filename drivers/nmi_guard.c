#include "drivers/nmi_guard.h"
#include "arch/x86_64/cpu/calibrate.h"
#include "arch/x86_64/cpu/insn.h"
#include "drivers/pit.h"

/* 8254: control word "channel 0, low then high byte, mode 2 (rate generator), binary". */
enum { PIT_CHANNEL0 = 0x40, PIT_COMMAND = 0x43, COMMAND_RATE_0 = 0x34 };

/* 82093AA: "I/O APIC Registers". */
enum { IOREGSEL = 0x00, IOWIN = 0x10, IOREDTBL = 0x10 };
#define DELIVER_NMI    (4u << 8) /* physical destination, edge; the vector does not count */
#define MASKED         (1u << 16)
#define TO_ALL         0xffu

static void ioapic_write(volatile char *ioapic, unsigned reg, uint32_t value)
{
    mmio_write32(ioapic + IOREGSEL, reg);
    mmio_write32(ioapic + IOWIN, value);
}

void nmi_guard_route(volatile void *ioapic, unsigned pin, uint8_t apic_id)
{
    ioapic_write(ioapic, IOREDTBL + 2 * pin + 1, (uint32_t)apic_id << 24);
    ioapic_write(ioapic, IOREDTBL + 2 * pin, DELIVER_NMI);
}

void nmi_guard_unroute(volatile void *ioapic, unsigned pin)
{
    ioapic_write(ioapic, IOREDTBL + 2 * pin, MASKED);
}

void nmi_guard_start(volatile void *ioapic, unsigned pin)
{
    unsigned count = (unsigned)(PIT_HZ / NMI_GUARD_HZ);
    nmi_guard_route(ioapic, pin, TO_ALL);
    outb(PIT_COMMAND, COMMAND_RATE_0);
    outb(PIT_CHANNEL0, (uint8_t)count);
    outb(PIT_CHANNEL0, (uint8_t)(count >> 8));
}
