/* The Intel 8254 programmable interval timer, three channels, with port 61h (ports 40h-43h, 61h). Facts from Intel's
 * "8254 Programmable Interval Timer" data sheet.
 *
 * Nothing ticks: counts and outputs are computed from `now`. Channel 0 drives IRQ 0. Policy for it:
 * - each rising edge of OUT is delivered as an edge (line low, then high) by expire();
 * - a guest that counts periodic ticks gets the overdue ones, too, one by one: the next as soon as the interrupt controllers
 *   hold the last one no more. At most a second's worth waits, and none outlives a new mode or count: what is given up is
 *   counted in `coalesced`, so that lost ticks can be shown, never guessed. In the other modes overdue edges become one;
 * - the low phases of the periodic modes and of the strobes are not events of their own: the line stays high until the
 *   next edge (OUT as read by the guest is exact, though);
 * - periodic edges that would come faster than one in VPIT_MIN_INTERVAL_NS become one, so that a guest cannot drown the
 *   machine in timer events. */
#ifndef HV_DEV_VPIT_H
#define HV_DEV_VPIT_H

#include "hv/dev/dev.h"

#define VPIT_HZ              1193182
#define VPIT_CHANNELS        3
#define VPIT_PORT_RANGES     2
#define VPIT_MIN_INTERVAL_NS 20000

struct vpit_channel {
    uint8_t mode;               /* 0-5 */
    uint8_t access;             /* 1 low byte, 2 high byte, 3 low then high */
    bool bcd;
    bool gate;
    bool written;               /* the count register holds a count */
    bool loaded;                /* the counter does, too (modes 1 and 5 load it when triggered) */
    bool counting;
    bool reload_due;            /* the count register holds a count that is not loaded yet */
    uint32_t reload;            /* the count register, 1-65536 */
    uint32_t count;             /* the period counted now */
    int64_t start;              /* the tick at which `count` was loaded; may lie ahead by one */
    int64_t reload_at;          /* the tick at which `reload` takes over by itself (modes 2 and 3) */
    int64_t frozen;             /* ticks since `start` at which the gate stopped it */
    int64_t seen;               /* edges of OUT up to this tick are accounted for */
    bool write_high, read_high; /* the second byte of a pair is next */
    uint8_t low_byte;
    bool count_latched, status_latched;
    uint16_t latched_count;
    uint8_t latched_status;
};

/* Asked before a periodic tick: does the last one still wait in an interrupt controller, where the two would be one? */
struct vpit_controllers {
    bool (*hold_it)(void *ctx);
    void *ctx;
};

struct vpit {
    struct vpit_channel channel[VPIT_CHANNELS];
    uint8_t port61;             /* the writable bits */
    struct irq_line irq;
    struct vpit_controllers controllers;
    bool irq_level;
    uint64_t owed;              /* edges not delivered yet */
    vtime_t not_before;         /* the next periodic edge is not delivered before this */
    vtime_t ask_at;             /* ... nor before this, when the controllers are to be asked again */
    vtime_t deadline;           /* what expire() last answered ... */
    vtime_t quiet_until;        /* ... and the moment before which nothing at all changes by itself; 0: not known */
    uint64_t edges, coalesced;
};

extern const struct dev_ops vpit_ops;
extern const struct dev_ports vpit_ports[VPIT_PORT_RANGES];

/* At reset no channel counts: the data sheet leaves the state undefined until a control word. */
void vpit_init(struct vpit *pit, struct irq_line irq0, struct vpit_controllers controllers);
/* Whether the speaker's input is enabled and channel 2 runs: what one would hear, in Hz (0: silence). */
uint32_t vpit_speaker_hz(const struct vpit *pit);

#endif
