#include "hv/vm/watchdog.h"
#include "arch/x86_64/cpu/backtrace.h"
#include "arch/x86_64/cpu/idt.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/tsc.h"
#include "hv/lib/log.h"
#include "hv/vm/watch.h"

#define ANSWER_NS   UINT64_C(50000000)
#define PLEASE_REPORT "watchdog: this is a bug in the hypervisor: please report the lines above"
#define OWN_LOOK_NS (WATCHDOG_LOOK_NS - UINT64_C(10000000)) /* the NMIs' timer is another clock */

enum { ANSWER_NONE, ANSWER_WANTED, ANSWER_BUSY, ANSWER_GIVEN };

/* One per pCPU. */
static struct {
    _Atomic uint64_t mark;   /* watch.h; written by the pCPU itself */
    _Atomic bool looked_at;  /* somebody has what follows: more than one may want to while who is stuck changes */
    struct watch watch;      /* the watcher's */
    uint64_t stuck_since;    /* host TSC of the watcher */
    _Atomic uint32_t answer; /* partner: watchdog_nmi() */
    bool in_guest;           /* with ANSWER_GIVEN: so much, or: */
    struct backtrace where;
} __attribute__((aligned(64))) cpus[PCPU_MAX];

static uint64_t due[PCPU_MAX]; /* host TSC, each pCPU's own */
static _Atomic bool alarmed;   /* one alarm at a time */
/* CPU 0's look at itself, all in its NMI handler but `told`. */
static struct {
    bool expected;
    uint64_t due;
    struct watch watch;
    _Atomic bool told; /* partner: watchdog_look() */
} own;
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

static void answer(unsigned me, const struct trap_frame *frame)
{
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

static void show_place(unsigned cpu)
{
    if (cpus[cpu].in_guest)
        log_emergency("watchdog: CPU %u was in a guest, whose turn nothing had ended", cpu);
    else
        backtrace_show(&cpus[cpu].where);
}

static void tell_stuck(unsigned cpu)
{
    bool answered = ask(cpu);
    log_emergency("watchdog: CPU %u has been in the hypervisor for over a second, says CPU %u", cpu, pcpu_this()->index);
    if (answered)
        show_place(cpu);
    else
        log_emergency("watchdog: CPU %u does not answer an NMI", cpu);
    log_emergency(PLEASE_REPORT);
}

static bool alarm_begin(void)
{
    if (atomic_exchange(&alarmed, true))
        return false;
    sound(true);
    return true;
}

static void alarm_end(void)
{
    sound(false);
    atomic_store(&alarmed, false);
}

static void tell_goes_on(unsigned cpu, uint64_t now)
{
    log_emergency("watchdog: CPU %u goes on, %lu ms after that", cpu, tsc_to_ns(now - cpus[cpu].stuck_since) / 1000000);
}

/* False: another alarm is on; this one can wait for the next look. */
static bool tell(unsigned cpu, enum watch_news news, uint64_t now)
{
    if (!alarm_begin())
        return false;
    if (news == WATCH_STUCK) {
        cpus[cpu].stuck_since = now;
        tell_stuck(cpu);
    } else {
        tell_goes_on(cpu, now);
    }
    alarm_end();
    return true;
}

/* False: it looks after others itself. */
static bool look_at(unsigned cpu, uint64_t now)
{
    if (atomic_exchange(&cpus[cpu].looked_at, true))
        return false;
    struct watch *w = &cpus[cpu].watch, before = *w;
    enum watch_news news = watch_look(w, atomic_load_explicit(&cpus[cpu].mark, memory_order_relaxed), WATCH_LOOKS);
    if (UNLIKELY(news != WATCH_NOTHING) && !tell(cpu, news, now))
        *w = before;
    bool watches = watch_watches(w);
    atomic_store(&cpus[cpu].looked_at, false);
    return !watches;
}

static void look_round(unsigned me, uint64_t now)
{
    unsigned count = pcpu_count();
    if (now < due[me])
        return;
    due[me] = now + ns_to_tsc(WATCHDOG_LOOK_NS);
    for (unsigned back = 1; back < count && look_at((me + count - back) % count, now); back++)
        ;
}

uint64_t watchdog_look(void)
{
    unsigned me = pcpu_this()->index;
    uint64_t now = rdtsc();
    if (UNLIKELY(me == 0 && atomic_load_explicit(&own.told, memory_order_relaxed)))
        atomic_store(&own.told, !tell(me, WATCH_GOES_ON, now));
    if (pcpu_count() < 2)
        return UINT64_MAX;
    look_round(me, now);
    return due[me];
}

/* ---- CPU 0 by NMI, if its loop does not come to look ---------------------------------------------------------------- */

void watchdog_expect_nmis(void)
{
    own.expected = true;
}

/* Nobody asked for this NMI: it takes its answer by itself. */
static bool tell_itself(unsigned me, uint64_t now, const struct trap_frame *frame)
{
    if (!alarm_begin())
        return false;
    cpus[me].stuck_since = now;
    atomic_store(&cpus[me].answer, ANSWER_WANTED);
    answer(me, frame);
    log_emergency("watchdog: CPU %u has been in the hypervisor for over a second, says an NMI", me);
    show_place(me);
    log_emergency(PLEASE_REPORT);
    alarm_end();
    return true;
}

static void look_at_itself(unsigned me, const struct trap_frame *frame)
{
    uint64_t now = rdtsc(), mark = atomic_load_explicit(&cpus[me].mark, memory_order_relaxed);
    if (now < own.due)
        return;
    own.due = now + ns_to_tsc(OWN_LOOK_NS);
    struct watch before = own.watch;
    enum watch_news news = watch_look(&own.watch, mark, WATCH_OWN_LOOKS);
    if (own.watch.looks)
        look_round(me, now); /* the others may be stuck, too */
    if (news != WATCH_STUCK || cpus[me].watch.stuck)
        return;
    if (tell_itself(me, now, frame))
        atomic_store(&own.told, true);
    else
        own.watch = before;
}

void watchdog_nmi(const struct trap_frame *frame)
{
    unsigned me = pcpu_this()->index;
    answer(me, frame);
    if (me == 0 && own.expected)
        look_at_itself(me, frame);
}
