#include "boot/mb2/early_console.h"
#include "arch/x86_64/cpu/insn.h"
#include "hv/lib/log.h"

#define COM1            0x3f8
#define LSR             5 /* line status register */
#define LSR_THRE        0x20 /* transmitter holding register empty */
#define POLLS_AT_MOST   100000 /* a board without COM1 must not hang here */

static void put(char c)
{
    for (int i = 0; i < POLLS_AT_MOST && !(inb(COM1 + LSR) & LSR_THRE); i++)
        ;
    outb(COM1, (uint8_t)c);
}

void early_say(const char *line)
{
    log_line("%s", line);
    for (const char *s = line; *s; s++)
        put(*s);
    put('\r');
    put('\n');
}

NORETURN void early_stop(const char *line)
{
    early_say(line);
    cli();
    for (;;)
        hlt();
}
