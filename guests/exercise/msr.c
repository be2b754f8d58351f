/* IA32_TSC_ADJUST: a number of its own, and the distance by which software has moved the TSC. */
#include "exercise/exercise.h"
#include "lib/interrupt.h"

enum { IA32_TSC = 0x10, IA32_TSC_ADJUST = 0x3b, NO_SUCH_MSR = 0x4b };
#define FAR   (UINT64_C(1) << 40)
#define SLACK (UINT64_C(1) << 32) /* ticks that may pass between two instructions on a busy machine: more than a minute */

static uint64_t try_read(uint64_t msr) { return rdmsr((uint32_t)msr); }
static uint64_t try_write(uint64_t value) { wrmsr(IA32_TSC_ADJUST, value); return 0; }

static void write_adjust(uint64_t value)
{
    int fault = interrupt_try(try_write, value, NULL);
    if (fault != NO_FAULT)
        WRONG("exception %d from WRMSR of 0x%lx to IA32_TSC_ADJUST; expected none", fault, value);
}

static bool is_near(uint64_t value, uint64_t wanted)
{
    return value - wanted < SLACK;
}

static void check_reading(void)
{
    uint64_t value = 0;
    check("msr-can-be-read");
    int fault = interrupt_try(try_read, IA32_TSC_ADJUST, &value);
    if (fault != NO_FAULT)
        WRONG("exception %d (13 is #GP) from RDMSR of IA32_TSC_ADJUST; expected a value", fault);
    check("msr-is-0-at-reset");
    if (value)
        WRONG("0x%lx; expected 0", value);
}

static void check_writing(void)
{
    check("msr-keeps-what-is-written");
    uint64_t before = rdtsc();
    write_adjust(FAR);
    uint64_t after = rdtsc();
    if (rdmsr(IA32_TSC_ADJUST) != FAR)
        WRONG("0x%lx; expected 0x%lx, which was written", rdmsr(IA32_TSC_ADJUST), FAR);
    check("msr-moves-the-tsc");
    if (!is_near(after, before + FAR))
        WRONG("the TSC go from 0x%lx to 0x%lx; expected a step of 0x%lx", before, after, FAR);
    check("msr-is-a-distance-not-a-step");
    before = rdtsc();
    write_adjust(FAR);
    after = rdtsc();
    if (!is_near(after, before))
        WRONG("the TSC go from 0x%lx to 0x%lx when the same value was written again; expected no step", before, after);
    check("msr-goes-back");
    write_adjust(0);
    after = rdtsc();
    if (!is_near(after, before - FAR))
        WRONG("the TSC go from 0x%lx to 0x%lx when 0 was written; expected a step of 0x%lx back", before, after, FAR);
}

static void check_tsc(void)
{
    check("msr-follows-writes-of-the-tsc");
    wrmsr(IA32_TSC, rdtsc() + FAR);
    uint64_t adjust = rdmsr(IA32_TSC_ADJUST);
    if (adjust - FAR + SLACK > 2 * SLACK)
        WRONG("IA32_TSC_ADJUST 0x%lx after the TSC was written 0x%lx ahead; expected about as much", adjust, FAR);
    write_adjust(0);
}

static void check_others(void)
{
    check("other-msrs-still-fault");
    int fault = interrupt_try(try_read, NO_SUCH_MSR, NULL);
    if (fault != EXC_GP)
        WRONG("no #GP from RDMSR of 0x%x, which does not exist; expected one", NO_SUCH_MSR);
}

void exercise_msr(const struct setting *s)
{
    (void)s;
    check_reading();
    check_writing();
    check_tsc();
    check_others();
}
