/* The MC146818: time registers, flags and alarm computed from virtual time, and the CMOS bytes that firmware fills. */
#include "hv/dev/vrtc.h"

#include "hv/dev/ticks.h"
#include "hv/lib/str.h"

enum cmos {
    CMOS_SECONDS, CMOS_SECONDS_ALARM, CMOS_MINUTES, CMOS_MINUTES_ALARM, CMOS_HOURS, CMOS_HOURS_ALARM, CMOS_WEEKDAY, CMOS_DAY,
    CMOS_MONTH, CMOS_YEAR, CMOS_A, CMOS_B, CMOS_C, CMOS_D,
    CMOS_FIRST_FREE = 0x0e, CMOS_EQUIPMENT = 0x14, CMOS_BASE_KB = 0x15, CMOS_EXTENDED_KB = 0x17, CMOS_SUM_FIRST = 0x10,
    CMOS_SUM_LAST = 0x2d, CMOS_SUM = 0x2e, CMOS_EXTENDED_KB_2 = 0x30, CMOS_CENTURY = 0x32, CMOS_ABOVE_16M = 0x34,
    CMOS_ABOVE_4G = 0x5b,
};
enum reg_a { A_RATE = 0x0f, A_DIVIDER = 0x70, A_UIP = 0x80, A_DIVIDER_RESET = 0x60, A_32KHZ = 0x20 };
enum reg_b {
    B_24H = 0x02, B_BINARY = 0x04, B_SQWE = 0x08, B_UIE = 0x10, B_AIE = 0x20, B_PIE = 0x40, B_SET = 0x80,
};
enum reg_c { C_UF = 0x10, C_AF = 0x20, C_PF = 0x40, C_IRQF = 0x80, C_FLAGS = 0x70 };
enum { D_VALID = 0x80, HOUR_PM = 0x80, ALARM_ANY = 0xc0, INDEX_MASK = 0x7f, NMI_MASK = 0x80 };
enum port { PORT_INDEX, PORT_DATA, PORT_INDEX_2, PORT_DATA_2 };

#define CRYSTAL_HZ   32768
#define SECOND       ((int64_t)NS_PER_SEC)
#define DAY_SECONDS  86400
#define NOT_IN_A_DAY DAY_SECONDS

/* "Update Cycle": UIP rises 244 us before the update begins, which then takes 1984 us. */
#define UPDATE_NS    ((244 + 1984) * 1000)

const struct dev_ports vrtc_ports[VRTC_PORT_RANGES] = { { 0x70, 4, 0 } };

/* ---- the calendar ---------------------------------------------------------------------------------------------- */

struct date {
    int64_t year;
    unsigned month, day;        /* from 1 */
};

/* Days since 1970-01-01 in the Gregorian calendar, counting years from March so that leap days come last. */
static int64_t days_from_date(struct date d)
{
    int64_t y = d.month <= 2 ? d.year - 1 : d.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned year_of_era = (unsigned)(y - era * 400);
    unsigned day_of_year = (153 * (d.month + (d.month > 2 ? 0 : 12) - 3) + 2) / 5 + d.day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct date date_from_days(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned day_of_era = (unsigned)(z - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;
    unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
    return (struct date){ era * 400 + year_of_era + (month <= 2), month, day_of_year - (153 * march_month + 2) / 5 + 1 };
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static bool divider_held(const struct vrtc *rtc) { return (rtc->ram[CMOS_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET; }
static bool time_stopped(const struct vrtc *rtc) { return rtc->ram[CMOS_B] & B_SET || divider_held(rtc); }

int64_t vrtc_time(const struct vrtc *rtc, vtime_t now)
{
    if (time_stopped(rtc))
        return rtc->seconds;
    return rtc->seconds + floor_div((int64_t)now - rtc->anchor, SECOND);
}

/* ---- time registers -------------------------------------------------------------------------------------------- */

static uint8_t encode(const struct vrtc *rtc, unsigned value)
{
    return (uint8_t)(rtc->ram[CMOS_B] & B_BINARY ? value : value / 10 % 10 << 4 | value % 10);
}

static unsigned decode(const struct vrtc *rtc, uint8_t value)
{
    return rtc->ram[CMOS_B] & B_BINARY ? value : (value >> 4) * 10u + (value & 15u);
}

static uint8_t encode_hour(const struct vrtc *rtc, unsigned hour)
{
    if (rtc->ram[CMOS_B] & B_24H)
        return encode(rtc, hour);
    return encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct vrtc *rtc, uint8_t value)
{
    if (rtc->ram[CMOS_B] & B_24H)
        return decode(rtc, value);
    return decode(rtc, value & (uint8_t)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

/* The registers' bytes for a moment; also what they hold on when the clock is stopped. */
static void fill_registers(struct vrtc *rtc, int64_t seconds)
{
    int64_t days = floor_div(seconds, DAY_SECONDS);
    unsigned of_day = (unsigned)(seconds - days * DAY_SECONDS);
    struct date date = date_from_days(days);
    unsigned weekday = (unsigned)(((days + 4) % 7 + 7) % 7);        /* 1970-01-01 was a Thursday */
    rtc->ram[CMOS_SECONDS] = encode(rtc, of_day % 60);
    rtc->ram[CMOS_MINUTES] = encode(rtc, of_day / 60 % 60);
    rtc->ram[CMOS_HOURS] = encode_hour(rtc, of_day / 3600);
    rtc->ram[CMOS_WEEKDAY] = encode(rtc, (weekday + rtc->weekday_shift) % 7 + 1);
    rtc->ram[CMOS_DAY] = encode(rtc, date.day);
    rtc->ram[CMOS_MONTH] = encode(rtc, date.month);
    rtc->ram[CMOS_YEAR] = encode(rtc, (unsigned)(date.year % 100));
    rtc->ram[CMOS_CENTURY] = encode(rtc, (unsigned)(date.year / 100 % 100));
}

/* The moment the registers show. Nonsense in them is bent into a date: a guest harms its own clock only. */
static int64_t seconds_from_registers(struct vrtc *rtc)
{
    struct date date = {
        .year = (int64_t)decode(rtc, rtc->ram[CMOS_CENTURY]) * 100 + decode(rtc, rtc->ram[CMOS_YEAR]),
        .month = MIN(MAX(decode(rtc, rtc->ram[CMOS_MONTH]), 1u), 12u),
        .day = MIN(MAX(decode(rtc, rtc->ram[CMOS_DAY]), 1u), 31u),
    };
    int64_t days = days_from_date(date);
    unsigned weekday = (unsigned)(((days + 4) % 7 + 7) % 7), shown = decode(rtc, rtc->ram[CMOS_WEEKDAY]) + 6;
    rtc->weekday_shift = (uint8_t)((shown % 7 + 7 - weekday) % 7);
    return days * DAY_SECONDS + decode_hour(rtc, rtc->ram[CMOS_HOURS]) % 24 * 3600 +
           decode(rtc, rtc->ram[CMOS_MINUTES]) % 60 * 60 + decode(rtc, rtc->ram[CMOS_SECONDS]) % 60;
}

static bool is_time_register(unsigned index)
{
    bool alarm = index == CMOS_SECONDS_ALARM || index == CMOS_MINUTES_ALARM || index == CMOS_HOURS_ALARM;
    return (index <= CMOS_YEAR && !alarm) || index == CMOS_CENTURY;
}

/* ---- flags and the interrupt ----------------------------------------------------------------------------------- */

/* Crystal cycles between periodic interrupts, 0: none. "Periodic Interrupt Rate and Square Wave Output Frequency". */
static uint32_t periodic_cycles(const struct vrtc *rtc)
{
    unsigned rate = rtc->ram[CMOS_A] & A_RATE;
    if (!rate || divider_held(rtc))
        return 0;
    return rate < 3 ? 128u << (rate - 1) : 1u << (rate - 1);
}

/* Periods of the divider chain since a fixed moment long before `ns`. */
static int64_t periods_at(const struct vrtc *rtc, vtime_t ns, uint32_t cycles)
{
    int64_t since = (int64_t)ns - rtc->anchor, second = floor_div(since, SECOND);
    uint64_t within = ticks_from_ns((uint64_t)(since - second * SECOND), CRYSTAL_HZ);
    return second * (CRYSTAL_HZ / cycles) + (int64_t)(within / cycles);
}

static vtime_t period_start(const struct vrtc *rtc, int64_t period, uint32_t cycles)
{
    int64_t per_second = CRYSTAL_HZ / cycles, second = floor_div(period, per_second);
    uint64_t within = (uint64_t)(period - second * per_second) * cycles;
    return (vtime_t)(rtc->anchor + second * SECOND + (int64_t)ns_from_ticks(within, CRYSTAL_HZ));
}

static bool alarm_matches(const struct vrtc *rtc, unsigned alarm, uint8_t encoded)
{
    return rtc->ram[alarm] >= ALARM_ANY || rtc->ram[alarm] == encoded;
}

typedef uint8_t encode_fn(const struct vrtc *rtc, unsigned value);

/* The first value from `from` on that the alarm byte lets through; `end` if there is none. */
static unsigned first_match(const struct vrtc *rtc, unsigned alarm, encode_fn *encoded, unsigned from, unsigned end)
{
    while (from < end && !alarm_matches(rtc, alarm, encoded(rtc, from)))
        from++;
    return from;
}

/* The first second of the day, from `from` on, at which the alarm goes off; NOT_IN_A_DAY if none is left. Found field by
 * field, so that an alarm that never comes does not cost a search through the day. */
static unsigned alarm_in_day(const struct vrtc *rtc, unsigned from)
{
    unsigned hour = from / 3600, minute = from / 60 % 60, second = from % 60;
    unsigned first_minute = first_match(rtc, CMOS_MINUTES_ALARM, encode, 0, 60);
    unsigned first_second = first_match(rtc, CMOS_SECONDS_ALARM, encode, 0, 60);
    if (first_minute == 60 || first_second == 60)
        return NOT_IN_A_DAY;
    if (first_match(rtc, CMOS_HOURS_ALARM, encode_hour, hour, hour + 1) == hour) {
        bool this_minute = first_match(rtc, CMOS_MINUTES_ALARM, encode, minute, minute + 1) == minute;
        unsigned at = first_match(rtc, CMOS_SECONDS_ALARM, encode, second, 60);
        if (this_minute && at < 60)
            return hour * 3600 + minute * 60 + at;
        at = first_match(rtc, CMOS_MINUTES_ALARM, encode, minute + 1, 60);
        if (at < 60)
            return hour * 3600 + at * 60 + first_second;
    }
    hour = first_match(rtc, CMOS_HOURS_ALARM, encode_hour, hour + 1, 24);
    return hour < 24 ? hour * 3600 + first_minute * 60 + first_second : NOT_IN_A_DAY;
}

/* The first moment after `seconds` at which the alarm goes off; INT64_MAX if it never does. */
static int64_t next_alarm(const struct vrtc *rtc, int64_t seconds)
{
    int64_t midnight = floor_div(seconds + 1, DAY_SECONDS) * DAY_SECONDS;
    unsigned at = alarm_in_day(rtc, (unsigned)(seconds + 1 - midnight));
    if (at != NOT_IN_A_DAY)
        return midnight + at;
    at = alarm_in_day(rtc, 0);      /* tomorrow, then */
    return at == NOT_IN_A_DAY ? INT64_MAX : midnight + DAY_SECONDS + at;
}

static void update_irq(struct vrtc *rtc)
{
    bool level = rtc->ram[CMOS_C] & rtc->ram[CMOS_B] & C_FLAGS;     /* enables and flags share their positions */
    rtc->ram[CMOS_C] = (uint8_t)((rtc->ram[CMOS_C] & C_FLAGS) | (level ? C_IRQF : 0));
    if (level == rtc->irq_level)
        return;
    rtc->irq_level = level;
    irq_line_set(&rtc->irq, level);
}

/* Set the flags for everything that happened after the last call, up to `now`. */
static void sync(struct vrtc *rtc, vtime_t now)
{
    uint8_t known = rtc->ram[CMOS_C];
    uint32_t cycles = known & C_PF ? 0 : periodic_cycles(rtc);
    if (now == rtc->synced)
        return;
    if (cycles && periods_at(rtc, now, cycles) != periods_at(rtc, rtc->synced, cycles))
        rtc->ram[CMOS_C] |= C_PF;
    if ((known & (C_UF | C_AF)) != (C_UF | C_AF)) {
        int64_t before = vrtc_time(rtc, rtc->synced), after = vrtc_time(rtc, now);
        rtc->ram[CMOS_C] |= after > before ? C_UF : 0;
        rtc->ram[CMOS_C] |= after > before && !(known & C_AF) && next_alarm(rtc, before) <= after ? C_AF : 0;
    }
    rtc->synced = now;
    update_irq(rtc);
}

/* When the clock shows `seconds`. */
static vtime_t moment_of(const struct vrtc *rtc, int64_t seconds)
{
    if (seconds == INT64_MAX)
        return VTIME_NEVER;
    return (vtime_t)(rtc->anchor + (seconds - rtc->seconds) * SECOND);
}

static vtime_t vrtc_expire(void *dev, vtime_t now)
{
    struct vrtc *rtc = dev;
    uint8_t enabled = rtc->ram[CMOS_B];
    vtime_t next = VTIME_NEVER;
    sync(rtc, now);
    if (rtc->irq_level)         /* nothing new can be seen until register C is read */
        return VTIME_NEVER;
    uint32_t cycles = periodic_cycles(rtc);
    if (enabled & B_PIE && cycles)
        next = period_start(rtc, periods_at(rtc, now, cycles) + 1, cycles);
    if (time_stopped(rtc))
        return next;
    if (enabled & B_UIE)
        next = MIN(next, moment_of(rtc, vrtc_time(rtc, now) + 1));
    if (enabled & B_AIE)
        next = MIN(next, moment_of(rtc, next_alarm(rtc, vrtc_time(rtc, now))));
    return next;
}

/* ---- registers ------------------------------------------------------------------------------------------------- */

/* Continue from `seconds`, with the divider chain's phase as it is. */
static void restart_from(struct vrtc *rtc, int64_t seconds, vtime_t now)
{
    rtc->anchor += floor_div((int64_t)now - rtc->anchor, SECOND) * SECOND;
    rtc->seconds = seconds;
}

static void stop_clock(struct vrtc *rtc, vtime_t now)
{
    int64_t seconds = vrtc_time(rtc, now);
    restart_from(rtc, seconds, now);
    fill_registers(rtc, seconds);
}

/* "Divider": the first update comes half a second after the chain is released. */
static void write_a(struct vrtc *rtc, uint8_t value, vtime_t now)
{
    bool stopped = time_stopped(rtc), held = divider_held(rtc);
    if (!stopped)
        stop_clock(rtc, now);
    rtc->ram[CMOS_A] = value & (uint8_t)~A_UIP;
    if (held && !divider_held(rtc))
        rtc->anchor = (int64_t)now - SECOND / 2;
    if (!time_stopped(rtc))
        rtc->seconds = seconds_from_registers(rtc);
}

static void write_b(struct vrtc *rtc, uint8_t value, vtime_t now)
{
    bool was_stopped = time_stopped(rtc);
    if (value & B_SET)
        value &= (uint8_t)~B_UIE;       /* "Register B": SET clears UIE */
    if (!was_stopped && value & B_SET)
        stop_clock(rtc, now);
    rtc->ram[CMOS_B] = value;
    if (was_stopped && !time_stopped(rtc))
        restart_from(rtc, seconds_from_registers(rtc), now);
    update_irq(rtc);
}

static void write_time(struct vrtc *rtc, unsigned index, uint8_t value, vtime_t now)
{
    bool running = !time_stopped(rtc);
    if (running)
        stop_clock(rtc, now);
    rtc->ram[index] = value;
    if (running)
        rtc->seconds = seconds_from_registers(rtc);
}

static void write_cmos(struct vrtc *rtc, unsigned index, uint8_t value, vtime_t now)
{
    if (index == CMOS_A)
        write_a(rtc, value, now);
    else if (index == CMOS_B)
        write_b(rtc, value, now);
    else if (is_time_register(index))
        write_time(rtc, index, value, now);
    else if (index != CMOS_C && index != CMOS_D)
        rtc->ram[index] = value;
}

static bool updating(const struct vrtc *rtc, vtime_t now)
{
    int64_t into = (int64_t)now - rtc->anchor;
    return !time_stopped(rtc) && into - floor_div(into, SECOND) * SECOND >= SECOND - UPDATE_NS;
}

static uint8_t read_cmos(struct vrtc *rtc, unsigned index, vtime_t now)
{
    if (index == CMOS_A)
        return (uint8_t)(rtc->ram[CMOS_A] | (updating(rtc, now) ? A_UIP : 0));
    if (is_time_register(index) && !time_stopped(rtc))
        fill_registers(rtc, vrtc_time(rtc, now));
    uint8_t value = rtc->ram[index];
    if (index == CMOS_C) {
        rtc->ram[CMOS_C] = 0;
        update_irq(rtc);
    }
    return value;
}

static uint64_t vrtc_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vrtc *rtc = dev;
    sync(rtc, now);
    if (offset == PORT_DATA)
        return read_cmos(rtc, rtc->index, now);
    if (offset == PORT_DATA_2)
        return rtc->extended[rtc->extended_index];
    return offset == PORT_INDEX_2 ? rtc->extended_index : 0xff;     /* port 70h can only be written */
}

static void vrtc_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vrtc *rtc = dev;
    sync(rtc, now);
    switch (offset) {
    case PORT_INDEX:
        rtc->index = value & INDEX_MASK;
        rtc->nmi_masked = value & NMI_MASK;
        break;
    case PORT_DATA:
        write_cmos(rtc, rtc->index, (uint8_t)value, now);
        break;
    case PORT_INDEX_2:
        rtc->extended_index = value & INDEX_MASK;
        break;
    default:
        rtc->extended[rtc->extended_index] = (uint8_t)value;
    }
}

/* ---- set up ---------------------------------------------------------------------------------------------------- */

/* "RESET": interrupts off and flags clear; the time and the memory have a battery. */
static void vrtc_reset(void *dev, vtime_t now)
{
    struct vrtc *rtc = dev;
    sync(rtc, now);
    rtc->ram[CMOS_B] &= (uint8_t)~(B_PIE | B_AIE | B_UIE | B_SQWE);
    rtc->ram[CMOS_C] = 0;
    rtc->nmi_masked = false;
    update_irq(rtc);
}

void vrtc_init(struct vrtc *rtc, struct irq_line irq8, int64_t epoch, vtime_t now)
{
    memset(rtc, 0, sizeof *rtc);
    rtc->irq = irq8;
    rtc->seconds = epoch;
    rtc->anchor = (int64_t)now;
    rtc->synced = now;
    rtc->ram[CMOS_A] = A_32KHZ | 6;         /* 1024 Hz, as firmware leaves it */
    rtc->ram[CMOS_B] = B_24H;
    rtc->ram[CMOS_D] = D_VALID;
    vrtc_set_cmos(rtc, CMOS_EQUIPMENT, 0x02);       /* a floating-point unit; no floppy; the display has its own BIOS */
}

void vrtc_set_cmos(struct vrtc *rtc, unsigned index, uint8_t value)
{
    if (index < CMOS_FIRST_FREE || index >= VRTC_BANK_BYTES || index == CMOS_CENTURY)
        return;
    rtc->ram[index] = value;
    unsigned sum = 0;
    for (unsigned i = CMOS_SUM_FIRST; i <= CMOS_SUM_LAST; i++)
        sum += rtc->ram[i];
    rtc->ram[CMOS_SUM] = (uint8_t)(sum >> 8);
    rtc->ram[CMOS_SUM + 1] = (uint8_t)sum;
}

static void set_size(struct vrtc *rtc, unsigned index, unsigned bytes, uint64_t value)
{
    value = MIN(value, (UINT64_C(1) << (8 * bytes)) - 1);
    for (unsigned i = 0; i < bytes; i++)
        vrtc_set_cmos(rtc, index + i, (uint8_t)(value >> (8 * i)));
}

static uint64_t size_beyond(uint64_t size, uint64_t start)
{
    return size > start ? size - start : 0;
}

void vrtc_set_memory(struct vrtc *rtc, uint64_t below_4g, uint64_t above_4g)
{
    set_size(rtc, CMOS_BASE_KB, 2, MIN(below_4g, KiB(640)) / KiB(1));
    set_size(rtc, CMOS_EXTENDED_KB, 2, size_beyond(below_4g, MiB(1)) / KiB(1));
    set_size(rtc, CMOS_EXTENDED_KB_2, 2, size_beyond(below_4g, MiB(1)) / KiB(1));
    set_size(rtc, CMOS_ABOVE_16M, 2, size_beyond(below_4g, MiB(16)) / KiB(64));
    set_size(rtc, CMOS_ABOVE_4G, 3, above_4g / KiB(64));
}

const struct dev_ops vrtc_ops = {
    .name = "rtc", .max_width = 1, .read = vrtc_read, .write = vrtc_write, .reset = vrtc_reset, .expire = vrtc_expire,
};
