/* Only in the hypervisor that `make coverage` boots: what its counters have counted goes to port E9h, which emulators record.
 * A line is "~INDEX COUNT" in hexadecimal, and adds to what earlier ones said of this counter; "~end" makes the lines before it
 * count. Nothing in the tree calls this: the linker puts __wrap_X in the place of X (Makefile). */
#include <stdarg.h>
#include <stdatomic.h>
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/tsc.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"

#define PORT_E9  0xe9
#define EVERY_NS UINT64_C(500000000)

extern _Atomic uint64_t counters[] __asm__("__start___llvm_prf_cnts"), counters_end[] __asm__("__stop___llvm_prf_cnts");

void __real_log_emergency(const char *format, ...);
void __wrap_log_emergency(const char *format, ...);
void __real_early_say(const char *line);
void __wrap_early_say(const char *line);
uint64_t __real_watchdog_look(void);
uint64_t __wrap_watchdog_look(void);

static void say(const char *text)
{
    while (*text)
        outb(PORT_E9, (uint8_t)*text++);
}

/* fmt_print() would take a hundredth of the machine's time. */
static void say_hex(char before, uint64_t value)
{
    unsigned bits = (63 - (unsigned)__builtin_clzll(value | 1)) & ~3u;
    outb(PORT_E9, (uint8_t)before);
    for (; bits < 64; bits -= 4) /* below zero it wraps */
        outb(PORT_E9, (uint8_t)"0123456789abcdef"[value >> bits & 15]);
}

/* From the last to the first: a block's counter comes before those of the blocks inside it, and other CPUs go on counting. So
 * an inner block is never said to have run more often than the one around it. */
static void dump(void)
{
    static atomic_flag busy = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&busy))
        return; /* another CPU does it, or a panic interrupted it: the next call will */
    for (size_t i = (size_t)(counters_end - counters); i-- > 0; ) {
        uint64_t count = counters[i] ? atomic_exchange(&counters[i], 0) : 0;
        if (!count)
            continue;
        say_hex('~', i);
        say_hex(' ', count);
        say("\n");
    }
    say("~end\n");
    atomic_flag_clear(&busy);
}

/* Each CPU's loop: a test may end the emulator at any time. */
uint64_t __wrap_watchdog_look(void)
{
    static _Atomic uint64_t last;
    uint64_t now = tsc_to_ns(rdtsc()), before = last;
    if (now - before >= EVERY_NS && atomic_compare_exchange_strong(&last, &before, now))
        dump();
    return __real_watchdog_look();
}

/* Panics, and the last words before the power goes off. */
void __wrap_log_emergency(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    fmt_vprint(text, sizeof text, format, args);
    va_end(args);
    __real_log_emergency("%s", text);
    dump();
}

/* A machine that cannot be used. */
void __wrap_early_say(const char *line)
{
    __real_early_say(line);
    dump();
}
