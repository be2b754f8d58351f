#include "drivers/port_io.h"
#include "arch/x86_64/cpu/insn.h"

const struct port_io port_io_machine = { .in8 = inb, .out8 = outb };
