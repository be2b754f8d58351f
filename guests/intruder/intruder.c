/* intruder: tries what a hostile guest would, and reports how each attempt is refused. At the end it kills itself by a
 * triple fault; with the word `stay` on its command line it halts instead. */
#include "intruder/intruder.h"
#include "lib/cpu.h"
#include "lib/interrupt.h"
#include "lib/print.h"

static unsigned attempts, refused;

void intruder_report(const char *what, bool was_refused, const char *how, uint64_t number)
{
    attempts++;
    refused += was_refused;
    print("intruder: %s: %s: ", what, was_refused ? "refused" : "NOT REFUSED");
    print(how, number);
    print("\n");
}

/* What an attempt should end with. */
static const char *const exception_names[] = { [EXC_UD] = "#UD", [EXC_GP] = "#GP", [EXC_PF] = "#PF" };

void intruder_expect_fault(const char *what, uint64_t (*attempt)(uint64_t), uint64_t argument, int vector)
{
    uint64_t result = 0;
    int got = interrupt_try(attempt, argument, &result);
    if (got == vector)
        intruder_report(what, true, exception_names[vector], 0);
    else if (got == NO_FAULT)
        intruder_report(what, false, "no exception, result 0x%lx", result);
    else
        intruder_report(what, false, "another exception: vector %lu", (uint64_t)got);
}

void intruder_expect_value(const char *what, uint64_t (*attempt)(uint64_t), uint64_t argument, uint64_t value, const char *how)
{
    uint64_t result = 0;
    int got = interrupt_try(attempt, argument, &result);
    if (got != NO_FAULT)
        intruder_report(what, false, "exception %lu, but the guest should not notice", (uint64_t)got);
    else
        intruder_report(what, result == value, result == value ? how : "0x%lx", result);
}

static void triple_fault(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };
    print("intruder: and now a triple fault: IDT without entries, INT3\n");
    asm volatile("lidt %0; int3" : : "m"(none));
}

void guest_main(const char *cmdline, uint32_t upper_kib);
void guest_main(const char *cmdline, uint32_t upper_kib)
{
    print_init();
    interrupt_init();
    pic_init(0x20, 0);
    intruder_memory((1 << 20) + (uint64_t)upper_kib * 1024);
    intruder_ports();
    intruder_registers();
    intruder_instructions();
    intruder_apic();
    print("intruder: %u attempts, %u refused\n", attempts, refused);
    if (!cmdline_has(cmdline, "stay"))
        triple_fault();
}
