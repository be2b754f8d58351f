/* Interrupts of the local APIC, its timer's first: do they come, when they may, once, and in the right order? */
#include "exercise/exercise.h"
#include "lib/interrupt.h"

enum { TIMER = 0x50, LOW = 0x41, HIGH = 0x61, SELF = 1 << 18, BY_128 = 0xa, STORM = 100, SHOWN = 4, NO_SUCH_MSR = 0x4b };
enum { COUNTS = 20, LONG = 2000000, SHORT = 20000 }; /* timer counts; ticks of the TSC */

static volatile unsigned came, seen[SHOWN];
static volatile bool finish = true; /* does the handler write EOI? */

static void note(struct frame *f)
{
    if (came < SHOWN)
        seen[came] = (unsigned)f->vector;
    if (++came > STORM)
        WRONG("vector %u for the %uth time; expected it once for each request", (unsigned)f->vector, came);
    if (finish)
        mmio_write(LAPIC + LAPIC_EOI, 0);
}

static void begin(const char *name)
{
    check(name);
    came = 0;
}

static void arm(void)
{
    mmio_write(LAPIC + LAPIC_TIMER_INITIAL, COUNTS);
}

static void send_self(unsigned vector)
{
    mmio_write(LAPIC + LAPIC_ICR_LOW, SELF | vector);
}

static void expect_once(unsigned vector, const char *when)
{
    if (came != 1)
        WRONG("%u interrupts %s; expected 1", came, when);
    if (seen[0] != vector)
        WRONG("vector %u %s; expected %u", seen[0], when, vector);
}

static void init(void)
{
    pic_init(0x20, 0);
    for (unsigned v = 32; v < VECTORS; v++)
        interrupt_set(v, note);
    mmio_write(LAPIC + LAPIC_SVR, LAPIC_ENABLE | SPURIOUS_VECTOR);
    mmio_write(LAPIC + LAPIC_TIMER_DIVIDE, BY_128);
    mmio_write(LAPIC + LAPIC_LVT_TIMER, TIMER);
}

static void check_arrival(void)
{
    begin("timer-arrives");
    interrupts_on();
    arm();
    wait_ticks(LONG);
    interrupts_off();
    expect_once(TIMER, "after the timer expired");
}

/* No instruction after STI exits: only an interrupt-window exit can bring it in time. */
static void check_window(void)
{
    begin("timer-waits-for-sti");
    arm();
    wait_ticks(LONG);
    if (came)
        WRONG("the interrupt while RFLAGS.IF was 0; expected it after STI");
    interrupts_on();
    for (unsigned i = 0; i < SHORT; i++)
        asm volatile("pause");
    interrupts_off();
    expect_once(TIMER, "after STI");
}

static void check_halt(void)
{
    begin("timer-ends-hlt");
    arm();
    halt_until_interrupt();
    interrupts_off();
    expect_once(TIMER, "behind HLT");
}

static void check_order(void)
{
    begin("higher-vector-first");
    send_self(LOW);
    send_self(HIGH);
    interrupts_on();
    for (unsigned i = 0; i < SHORT; i++)
        asm volatile("pause");
    interrupts_off();
    if (came != 2 || seen[0] != HIGH || seen[1] != LOW)
        WRONG("%u interrupts, vectors %u, %u; expected 2: %u, %u", came, seen[0], seen[1], HIGH, LOW);
}

static void check_service(void)
{
    begin("in-service-blocks-lower");
    finish = false;
    send_self(HIGH);
    interrupts_on();
    wait_ticks(SHORT);
    finish = true;
    send_self(LOW);
    wait_ticks(SHORT);
    if (came != 1 || seen[0] != HIGH)
        WRONG("%u interrupts, the first of vector %u, before EOI; expected 1: %u", came, seen[0], HIGH);
    mmio_write(LAPIC + LAPIC_EOI, 0);
    wait_ticks(SHORT);
    interrupts_off();
    if (came != 2 || seen[1] != LOW)
        WRONG("%u interrupts after EOI; expected vector %u, too", came, LOW);
}

static uint64_t read_nothing(uint64_t msr)
{
    return rdmsr((uint32_t)msr);
}

static void check_exception(void)
{
    begin("exceptions-have-error-codes");
    int vector = interrupt_try(read_nothing, NO_SUCH_MSR, NULL);
    if (vector != EXC_GP || interrupt_error)
        WRONG("vector %d, error code 0x%lx from RDMSR of an MSR that does not exist; expected #GP (13) with 0", vector,
              interrupt_error);
}

void exercise_timer(const struct setting *s)
{
    (void)s;
    init();
    check_arrival();
    check_window();
    check_halt();
    check_order();
    check_service();
    check_exception();
}
