/* The 8254: counters as functions of time, the register interface, and port 61h. */
#include "hv/dev/vpit.h"

#include "hv/dev/ticks.h"
#include "hv/lib/str.h"

enum access { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };
enum control_word { CW_BCD = 0x01, CW_MODE_SHIFT = 1, CW_ACCESS_SHIFT = 4, CW_CHANNEL_SHIFT = 6, CW_READ_BACK = 3 };
enum read_back { RB_NO_STATUS = 0x10, RB_NO_COUNT = 0x20 };
enum status { STATUS_NULL_COUNT = 0x40, STATUS_OUT = 0x80 };
enum port61 {
    P61_GATE2 = 0x01, P61_SPEAKER = 0x02, P61_WRITABLE = 0x0f, P61_REFRESH = 0x10, P61_OUT2 = 0x20,
};
enum offset { CONTROL = 3, PORT61 = 4 };

/* Firmware programs channel 1 to request a memory refresh every 18 ticks; port 61h shows it by alternating. */
#define REFRESH_TICKS 18
#define TICK_NEVER    INT64_MAX

const struct dev_ports vpit_ports[VPIT_PORT_RANGES] = { { 0x40, 4, 0 }, { 0x61, 1, PORT61 } };

static int64_t tick_at(vtime_t now) { return (int64_t)ticks_from_ns(now, VPIT_HZ); }

/* ---- one channel as a function of the tick --------------------------------------------------------------------- */

static bool periodic(const struct vpit_channel *c) { return c->mode == 2 || c->mode == 3; }
static bool triggered(const struct vpit_channel *c) { return c->mode == 1 || c->mode == 5; }
static uint32_t modulus(const struct vpit_channel *c) { return c->bcd ? 10000 : 65536; }

/* Mode 3 is high for the longer half of an odd period. */
static uint32_t high_half(uint32_t count) { return (count + 1) / 2; }

/* Clocks counted since the count was loaded; negative: it is loaded with the next clock. */
static int64_t elapsed(const struct vpit_channel *c, int64_t tick)
{
    return c->counting ? tick - c->start : c->frozen;
}

static bool out_level(const struct vpit_channel *c, int64_t tick)
{
    if (!c->loaded)
        return c->mode != 0;
    int64_t e = elapsed(c, tick);
    switch (c->mode) {
    case 0:
        return e >= c->count;
    case 1:
        return e < 0 || e >= c->count;
    case 2:
        return !c->counting || e < 0 || e % c->count != c->count - 1 || c->count == 1;
    case 3:
        return !c->counting || e < 0 || e % c->count < high_half(c->count);
    default:
        return e != c->count;
    }
}

/* Mode 3 counts down by two, twice per period; an odd count starts one lower. */
static uint32_t square_wave_count(const struct vpit_channel *c, uint32_t e)
{
    uint32_t half = high_half(c->count);
    return (c->count & ~1u) - 2 * (e < half ? e : e - half);
}

static uint16_t to_bcd(uint32_t n)
{
    return (uint16_t)(n % 10 | n / 10 % 10 << 4 | n / 100 % 10 << 8 | n / 1000 % 10 << 12);
}

static uint32_t from_bcd(uint16_t v)
{
    return (v & 15u) + (v >> 4 & 15u) * 10 + (v >> 8 & 15u) * 100 + (v >> 12 & 15u) * 1000;
}

/* The counting element as read at the port: 16 bits or four decimal digits. */
static uint16_t count_value(const struct vpit_channel *c, int64_t tick)
{
    int64_t e = MAX(elapsed(c, tick), 0);
    uint32_t value;
    if (!c->loaded)
        value = c->count;
    else if (c->mode == 2)
        value = c->count - (uint32_t)(e % c->count);
    else if (c->mode == 3)
        value = square_wave_count(c, (uint32_t)(e % c->count));
    else    /* the others count on, below zero */
        value = c->count + modulus(c) - (uint32_t)(e % modulus(c));
    return c->bcd ? to_bcd(value % 10000) : (uint16_t)value;
}

/* Number of rising edges of OUT after tick `from`, up to and including `to`. */
static int64_t edges_between(const struct vpit_channel *c, int64_t from, int64_t to)
{
    if (!c->loaded || !c->counting)
        return 0;
    int64_t past = MAX(from - c->start, 0), e = to - c->start;
    if (e <= past)
        return 0;
    if (periodic(c))
        return e / c->count - past / c->count;
    int64_t edge = c->mode >= 4 ? (int64_t)c->count + 1 : c->count;
    return (from - c->start < edge && e >= edge) ? 1 : 0;
}

static int64_t next_edge(const struct vpit_channel *c, int64_t tick)
{
    if (!c->loaded || !c->counting)
        return TICK_NEVER;
    int64_t e = tick - c->start;
    if (periodic(c))
        return c->start + (MAX(e, 0) / c->count + 1) * c->count;
    int64_t edge = c->mode >= 4 ? (int64_t)c->count + 1 : c->count;
    return e < edge ? c->start + edge : TICK_NEVER;
}

/* ---- changes of state ------------------------------------------------------------------------------------------ */

/* Bring a channel up to `tick`; returns how often OUT rose since the last time. */
static int64_t advance(struct vpit_channel *c, int64_t tick)
{
    int64_t edges = 0;
    if (c->reload_due && tick >= c->reload_at) {
        edges = edges_between(c, c->seen, c->reload_at);
        bool at_half = (c->reload_at - c->start) % c->count != 0;
        c->count = c->reload;
        c->start = c->reload_at - (at_half ? high_half(c->count) : 0);
        c->seen = c->reload_at;
        c->reload_due = false;
    }
    edges += edges_between(c, c->seen, tick);
    c->seen = tick;
    return edges;
}

static void load(struct vpit_channel *c, int64_t tick)
{
    c->count = c->reload;
    c->start = tick + 1;
    c->loaded = true;
    c->reload_due = false;
    c->counting = c->gate || triggered(c);
    c->frozen = 0;
}

/* "Mode 2", "Mode 3": a count written while counting is loaded at the end of the cycle (mode 3: of the half-cycle). */
static int64_t cycle_end(const struct vpit_channel *c, int64_t tick)
{
    int64_t e = MAX(tick - c->start, 0), half = high_half(c->count);
    int64_t cycle = e / c->count * c->count;
    bool first_half = c->mode == 3 && c->count > 1 && e - cycle < half;
    return c->start + cycle + (first_half ? half : c->count);
}

static void write_count(struct vpit_channel *c, uint16_t value, int64_t tick)
{
    uint32_t n = c->bcd ? from_bcd(value) : value;
    bool waits = periodic(c) && c->loaded && c->counting;
    c->reload = n ? n : modulus(c);
    c->written = true;
    if (!waits && !triggered(c)) {
        load(c, tick);
        return;
    }
    if (!c->reload_due)
        c->reload_at = waits ? cycle_end(c, tick) : TICK_NEVER;
    c->reload_due = true;
}

static void set_gate(struct vpit_channel *c, bool gate, int64_t tick)
{
    bool rose = gate && !c->gate, fell = !gate && c->gate;
    c->gate = gate;
    if (rose && triggered(c)) {
        if (c->written)
            load(c, tick);
    } else if (triggered(c) || !c->loaded) {
        return;
    } else if (fell) {
        c->frozen = MAX(tick - c->start, 0);
        c->counting = false;
        c->reload_at = TICK_NEVER;
    } else if (rose && periodic(c)) {
        load(c, tick);
    } else if (rose) {
        c->start = tick - c->frozen;
        c->counting = true;
    }
}

/* ---- channel 0 and its interrupt ------------------------------------------------------------------------------- */

static void drive(struct vpit *pit, bool level)
{
    if (level == pit->irq_level)
        return;
    pit->irq_level = level;
    irq_line_set(&pit->irq, level);
}

static void give_up(struct vpit *pit, uint64_t edges)
{
    pit->coalesced += edges;
    pit->owed -= edges;
}

static vtime_t period_ns(const struct vpit_channel *c) { return ns_from_ticks(c->count, VPIT_HZ); }

/* How many edges may wait for their turn: a second's worth of ticks; else one. */
static uint64_t most_owed(const struct vpit_channel *c)
{
    return periodic(c) && c->loaded && period_ns(c) > VPIT_MIN_INTERVAL_NS ? MAX(VPIT_HZ / c->count, 1u) : 1;
}

/* While the last tick is still held, ask again in a quarter of the period. */
static bool held_back(struct vpit *pit, vtime_t now)
{
    const struct vpit_channel *c = &pit->channel[0];
    if (now < MAX(pit->not_before, pit->ask_at))
        return true;
    if (!pit->controllers.hold_it || !pit->controllers.hold_it(pit->controllers.ctx))
        return false;
    pit->ask_at = now + MAX(period_ns(c) / 4, (vtime_t)VPIT_MIN_INTERVAL_NS);
    return true;
}

static void deliver(struct vpit *pit, vtime_t now)
{
    uint64_t most = most_owed(&pit->channel[0]);
    if (pit->owed > most)
        give_up(pit, pit->owed - most);
    if (!pit->owed || (periodic(&pit->channel[0]) && held_back(pit, now)))
        return;
    pit->edges++;
    pit->owed--;
    pit->not_before = now + VPIT_MIN_INTERVAL_NS;
    pit->irq_level = true;
    irq_line_set(&pit->irq, false);
    irq_line_set(&pit->irq, true);
}

/* Everything up to `now` has happened: called before each access that changes something, and at each deadline. */
static int64_t sync(struct vpit *pit, vtime_t now)
{
    int64_t tick = tick_at(now);
    pit->quiet_until = 0;
    pit->owed += (uint64_t)advance(&pit->channel[0], tick);
    for (unsigned i = 1; i < VPIT_CHANNELS; i++)
        advance(&pit->channel[i], tick);
    deliver(pit, now);
    return tick;
}

static vtime_t moment_of(int64_t tick)
{
    return tick == TICK_NEVER ? VTIME_NEVER : ns_from_ticks((uint64_t)tick, VPIT_HZ);
}

static vtime_t interrupt_deadline(const struct vpit *pit, int64_t tick)
{
    const struct vpit_channel *c = &pit->channel[0];
    if (pit->owed)
        return MAX(pit->not_before, pit->ask_at);
    vtime_t at = moment_of(next_edge(c, tick));
    return periodic(c) ? MAX(at, pit->not_before) : at;
}

static vtime_t reload_deadline(const struct vpit *pit)
{
    int64_t next = TICK_NEVER;
    for (unsigned i = 0; i < VPIT_CHANNELS; i++)
        if (pit->channel[i].reload_due)
            next = MIN(next, pit->channel[i].reload_at);
    return moment_of(next);
}

/* A count that takes over on its own only needs time where it moves the next interrupt: on channel 0. */
static vtime_t vpit_expire(void *dev, vtime_t now)
{
    struct vpit *pit = dev;
    if (now < pit->quiet_until)
        return pit->deadline;
    int64_t tick = sync(pit, now);
    vtime_t reload = reload_deadline(pit);
    pit->deadline = interrupt_deadline(pit, tick);
    if (pit->channel[0].reload_due)
        pit->deadline = MIN(pit->deadline, moment_of(pit->channel[0].reload_at));
    pit->quiet_until = MIN(pit->deadline, reload);
    return pit->deadline;
}

/* ---- registers ------------------------------------------------------------------------------------------------- */

static void latch_count(struct vpit_channel *c, int64_t tick)
{
    if (c->count_latched)       /* "Counter Latch Command": a second one before the read is ignored */
        return;
    c->count_latched = true;
    c->latched_count = count_value(c, tick);
}

static void latch_status(struct vpit_channel *c, int64_t tick)
{
    if (c->status_latched)
        return;
    bool null_count = !c->loaded || c->reload_due || (c->counting && tick < c->start);
    c->status_latched = true;
    c->latched_status = (uint8_t)((out_level(c, tick) ? STATUS_OUT : 0) | (null_count ? STATUS_NULL_COUNT : 0) |
                                  c->access << CW_ACCESS_SHIFT | c->mode << CW_MODE_SHIFT | (c->bcd ? CW_BCD : 0));
}

static void write_read_back(struct vpit *pit, uint8_t value, int64_t tick)
{
    for (unsigned i = 0; i < VPIT_CHANNELS; i++) {
        if (!(value & 2u << i))
            continue;
        if (!(value & RB_NO_COUNT))
            latch_count(&pit->channel[i], tick);
        if (!(value & RB_NO_STATUS))
            latch_status(&pit->channel[i], tick);
    }
}

/* A control word stops the channel and sets OUT to its mode's initial level, until a count is written. */
static void set_mode(struct vpit_channel *c, uint8_t value)
{
    uint8_t mode = value >> CW_MODE_SHIFT & 7;
    c->mode = mode > 5 ? mode & 3 : mode;       /* "Mode Definitions": bit 2 does not matter in modes 2 and 3 */
    c->access = value >> CW_ACCESS_SHIFT & 3;
    c->bcd = value & CW_BCD;
    c->written = c->loaded = c->counting = c->reload_due = false;
    c->write_high = c->read_high = c->count_latched = c->status_latched = false;
}

/* A new mode or count of channel 0: what was overdue by the old one is nobody's any more. */
static void start_anew(struct vpit *pit)
{
    give_up(pit, pit->owed);
    pit->ask_at = 0;
}

static void write_control(struct vpit *pit, uint8_t value, int64_t tick)
{
    unsigned which = value >> CW_CHANNEL_SHIFT;
    if (which == CW_READ_BACK) {
        write_read_back(pit, value, tick);
    } else if ((value >> CW_ACCESS_SHIFT & 3) == ACCESS_LATCH) {
        latch_count(&pit->channel[which], tick);
    } else {
        set_mode(&pit->channel[which], value);
        if (which == 0)
            start_anew(pit);
    }
}

static void write_counter(struct vpit_channel *c, uint8_t value, int64_t tick)
{
    if (c->access == ACCESS_BOTH && !c->write_high) {
        c->low_byte = value;
        c->write_high = true;
        if (c->mode == 0)       /* "Mode 0": the first byte of two disables counting, OUT is low at once */
            c->loaded = c->counting = false;
        return;
    }
    uint16_t low = c->access == ACCESS_LOW ? value : c->access == ACCESS_BOTH ? c->low_byte : 0;
    uint16_t high = c->access == ACCESS_LOW ? 0 : value;
    c->write_high = false;
    if (c->access != ACCESS_LATCH)
        write_count(c, (uint16_t)(low | high << 8), tick);
}

static uint8_t read_counter(struct vpit_channel *c, int64_t tick)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->latched_status;
    }
    uint16_t value = c->count_latched ? c->latched_count : count_value(c, tick);
    bool high = c->access == ACCESS_HIGH || c->read_high;
    c->read_high = c->access == ACCESS_BOTH && !c->read_high;
    if (!c->read_high)          /* the last byte of the count has been read */
        c->count_latched = false;
    return (uint8_t)(high ? value >> 8 : value);
}

static uint8_t read_port61(const struct vpit *pit, int64_t tick)
{
    uint8_t value = pit->port61;
    if (tick / REFRESH_TICKS & 1)
        value |= P61_REFRESH;
    if (out_level(&pit->channel[2], tick))
        value |= P61_OUT2;
    return value;
}

static uint64_t vpit_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vpit *pit = dev;
    int64_t tick = now < pit->quiet_until ? tick_at(now) : sync(pit, now);
    if (offset == PORT61)
        return read_port61(pit, tick);
    return offset == CONTROL ? 0xff : read_counter(&pit->channel[offset], tick);
}

static void vpit_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vpit *pit = dev;
    const struct vpit_channel *c = &pit->channel[0];
    int64_t tick = sync(pit, now);
    if (offset == PORT61) {
        pit->port61 = value & P61_WRITABLE;
        set_gate(&pit->channel[2], value & P61_GATE2, tick);
    } else if (offset == CONTROL) {
        write_control(pit, (uint8_t)value, tick);
    } else {
        write_counter(&pit->channel[offset], (uint8_t)value, tick);
        if (offset == 0)
            start_anew(pit);
    }
    drive(pit, c->mode == 0 ? out_level(c, tick) : true);
}

/* OUT of channel 0 counts as high already: the first control word shall not look like a tick. */
static void vpit_reset(void *dev, vtime_t now)
{
    struct vpit *pit = dev;
    *pit = (struct vpit){ .irq = pit->irq, .controllers = pit->controllers, .irq_level = true };
    for (unsigned i = 0; i < VPIT_CHANNELS; i++)
        pit->channel[i] = (struct vpit_channel){ .mode = 2, .access = ACCESS_BOTH, .gate = i < 2, .seen = tick_at(now) };
}

void vpit_init(struct vpit *pit, struct irq_line irq0, struct vpit_controllers controllers)
{
    memset(pit, 0, sizeof *pit);
    pit->irq = irq0;
    pit->controllers = controllers;
    vpit_reset(pit, 0);
}

uint32_t vpit_speaker_hz(const struct vpit *pit)
{
    const struct vpit_channel *c = &pit->channel[2];
    bool on = (pit->port61 & (P61_GATE2 | P61_SPEAKER)) == (P61_GATE2 | P61_SPEAKER);
    return on && periodic(c) && c->counting ? VPIT_HZ / c->count : 0;
}

const struct dev_ops vpit_ops = {
    .name = "pit", .max_width = 1, .read = vpit_read, .write = vpit_write, .reset = vpit_reset, .expire = vpit_expire,
    .quiet_reads = UINT64_MAX,  /* reading brings the channels up to date at most; that never moves a deadline nearer */
};
