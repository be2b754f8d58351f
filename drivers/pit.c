#include "drivers/pit.h"
#include "arch/x86_64/cpu/insn.h"

enum pit_port { PIT_CHANNEL2 = 0x42, PIT_COMMAND = 0x43, PIT_GATE = 0x61 };
#define COMMAND_RATE   0xb4u /* channel 2, low then high byte, mode 2 (rate generator), binary */
#define COMMAND_LATCH  0x80u /* channel 2 */
#define GATE_ON        0x01u
#define SPEAKER_ON     0x02u

static uint64_t pit_read(void *ctx)
{
    outb(PIT_COMMAND, COMMAND_LATCH);
    unsigned low = inb(PIT_CHANNEL2);
    unsigned high = inb(PIT_CHANNEL2);
    return 0x10000u - (high << 8 | low); /* it counts down from 65536, which reads as 0 */
}

void pit_clock(struct clock_ref *clock)
{
    outb(PIT_GATE, (uint8_t)((inb(PIT_GATE) & ~SPEAKER_ON) | GATE_ON));
    outb(PIT_COMMAND, COMMAND_RATE);
    outb(PIT_CHANNEL2, 0);
    outb(PIT_CHANNEL2, 0);
    *clock = (struct clock_ref){ "PIT channel 2", PIT_HZ, 16, pit_read, NULL };
}

void pit_stop(void)
{
    outb(PIT_GATE, (uint8_t)(inb(PIT_GATE) & ~(SPEAKER_ON | GATE_ON)));
}
