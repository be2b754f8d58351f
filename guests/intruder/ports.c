/* Ports: the machine's devices, the emulator's, and those of nobody. */
#include "intruder/intruder.h"
#include "lib/cpu.h"

enum { PCI_ADDRESS = 0xcf8, PCI_DATA = 0xcfc, BOCHS_PM1_CONTROL = 0xb004, BOCHS_SHUTDOWN = 0x8900, SLP_EN = 1 << 13,
       QEMU_EXIT = 0x501 };
#define ALL_ONES32 UINT64_C(0xffffffff)
#define PCI_ENABLE UINT32_C(0x80000000)

static uint64_t others_in_ports(uint64_t start)
{
    uint64_t others = 0;
    for (uint64_t port = start; port < start + 256; port++)
        others += in8((uint16_t)port) != 0xff;
    return others;
}

static uint64_t read_port32(uint64_t port)
{
    return in32((uint16_t)port);
}

/* PCI devices other than the host bridge. */
static uint64_t pci_devices(uint64_t bus)
{
    uint64_t found = 0;
    for (uint32_t device = bus ? 0 : 1; device < 32; device++) {
        out32(PCI_ADDRESS, PCI_ENABLE | (uint32_t)bus << 16 | device << 11);
        found += in32(PCI_DATA) != ALL_ONES32;
    }
    return found;
}

static uint64_t switch_machine_off(uint64_t port)
{
    out32((uint16_t)port, SLP_EN);
    return 0;
}

static uint64_t say_shutdown(uint64_t port)
{
    for (const char *c = "Shutdown"; *c; c++)
        out8((uint16_t)port, (uint8_t)*c);
    return 0;
}

void intruder_ports(void)
{
    const char *nothing = "nothing there", *no_effect = "no effect";
    intruder_expect_value("read ports 5000h to 50ffh", others_in_ports, 0x5000, 0, "all ones everywhere");
    intruder_expect_value("read ports ff00h to ffffh", others_in_ports, 0xff00, 0, "all ones everywhere");
    intruder_expect_value("read 4 bytes at port ffffh", read_port32, 0xffff, ALL_ONES32, "all ones");
    intruder_expect_value("look for the machine's devices on PCI bus 0", pci_devices, 0, 0, nothing);
    intruder_expect_value("look for the machine's devices on PCI bus 1", pci_devices, 1, 0, nothing);
    intruder_expect_value("switch the machine off by its ACPI port b004h", switch_machine_off, BOCHS_PM1_CONTROL, 0, no_effect);
    intruder_expect_value("switch the emulator off by port 8900h", say_shutdown, BOCHS_SHUTDOWN, 0, no_effect);
    intruder_expect_value("switch the emulator off by port 501h", switch_machine_off, QEMU_EXIT, 0, no_effect);
}
