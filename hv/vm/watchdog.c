#include "hv/vm/watchdog.h"
#include "arch/x86_64/cpu/backtrace.h"
#include "arch/x86_64/cpu/idt.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/tsc.h"
#include "hv/lib/log.h"
#include "hv/vm/watch.h"

#define ANSWER_NS UINT64_C(50000000)

enum { ANSWER_NONE, ANSWER_WANTED, ANSWER_BUSY, ANSWER_GIVEN };

/* One per pCPU. */
static struct {
    _Atomic uint64_t mark;   /* watch.h; written by the pCPU itself */
    struct watch watch;      /* the watcher's */
    uint64_t stuck_since;    /* host TSC of the watcher */
    _Atomic uint32_t answer; /* partner: watchdog_nmi() */
    bool in_guest;           /* with ANSWER_GIVEN: so much, or: */
    struct backtrace where;
} __attribute__((aligned(64))) cpus[PCPU_MAX];

static uint64_t due[PCPU_MAX]; /* host TSC, each pCPU's own */
static _Atomic bool alarmed;   /* one alarm at a time */
static void (*sound)(bool on);

void watchdog_init(void (*alarm)(bool on))
{
    sound = alarm;
}

/* ---- the watched ------------------------------------------------------------------------------------------------- */

static void move(uint64_t by)
{
    _Atomic uint64_t *mark = &cpus[pcpu_this()->index].mark;
    atomic_store_explicit(mark, atomic_load_explicit(mark, memory_order_relaxed) + by, memory_order_relaxed);
}

void watchdog_beat(void) { move(WATCH_AWAKE); }
void watchdog_sleep(void) { move(WATCH_ASLEEP); }
void watchdog_wake(void) { move(WATCH_ASLEEP); }

void watchdog_leave(void)
{
    atomic_store(&cpus[pcpu_this()->index].mark, 0);
}

void watchdog_nmi(const struct trap_frame *frame)
{
    unsigned me = pcpu_this()->index;
    uint32_t wanted = ANSWER_WANTED;
    if (LIKELY(!atomic_compare_exchange_strong(&cpus[me].answer, &wanted, ANSWER_BUSY)))
        return;
    cpus[me].in_guest = frame == NULL;
    if (frame)
        backtrace_take(&cpus[me].where, frame->rip, frame->rbp, frame->rsp);
    atomic_store_explicit(&cpus[me].answer, ANSWER_GIVEN, memory_order_release);
}

/* ---- the watcher ------------------------------------------------------------------------------------------------- */

static bool ask(unsigned cpu)
{
    uint64_t until = rdtsc() + ns_to_tsc(ANSWER_NS);
    atomic_store(&cpus[cpu].answer, ANSWER_WANTED);
    lapic_send_nmi(pcpu_at(cpu)->apic_id);
    while (atomic_load_explicit(&cpus[cpu].answer, memory_order_acquire) != ANSWER_GIVEN) {
        if (rdtsc() >= until)
            return false;
        cpu_pause();
    }
    return true;
}

static void tell_stuck(unsigned cpu)
{
    bool answered = ask(cpu);
    log_emergency("watchdog: CPU %u has been in the hypervisor for over a second, says CPU %u", cpu, pcpu_this()->index);
    if (!answered)
        log_emergency("watchdog: CPU %u does not answer an NMI", cpu);
    else if (cpus[cpu].in_guest)
        log_emergency("watchdog: CPU %u was in a guest, whose turn nothing had ended", cpu);
    else
        backtrace_show(&cpus[cpu].where);
    log_emergency("watchdog: this is a bug in the hypervisor: please report the lines above");
}

/* False: another alarm is on; this one can wait for the next look. */
static bool tell(unsigned cpu, enum watch_news news, uint64_t now)
{
    if (atomic_exchange(&alarmed, true))
        return false;
    sound(true);
    if (news == WATCH_STUCK) {
        cpus[cpu].stuck_since = now;
        tell_stuck(cpu);
    } else {
        log_emergency("watchdog: CPU %u goes on, %llu ms after that", cpu,
                      (unsigned long long)(tsc_to_ns(now - cpus[cpu].stuck_since) / 1000000));
    }
    sound(false);
    atomic_store(&alarmed, false);
    return true;
}

static void look_at(unsigned cpu, uint64_t now)
{
    struct watch before = cpus[cpu].watch;
    enum watch_news news = watch_look(&cpus[cpu].watch, atomic_load_explicit(&cpus[cpu].mark, memory_order_relaxed));
    if (UNLIKELY(news != WATCH_NOTHING) && !tell(cpu, news, now))
        cpus[cpu].watch = before;
}

uint64_t watchdog_look(void)
{
    unsigned me = pcpu_this()->index, count = pcpu_count();
    uint64_t now = rdtsc();
    if (me > 1 || count < 2)
        return UINT64_MAX;
    if (now < due[me])
        return due[me];
    due[me] = now + ns_to_tsc(WATCHDOG_LOOK_NS);
    if (me == 1)
        look_at(0, now);
    for (unsigned cpu = 1; me == 0 && cpu < count; cpu++)
        look_at(cpu, now);
    return due[me];
}
