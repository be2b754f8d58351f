#include "drivers/cmos_clock.h"
#include "arch/x86_64/cpu/insn.h"

/* Motorola MC146818 data sheet: registers and bits. */
enum { RTC_SECONDS = 0, RTC_MINUTES = 2, RTC_HOURS = 4, RTC_DAY = 7, RTC_MONTH = 8, RTC_YEAR = 9, RTC_A = 10, RTC_B = 11 };
enum { A_UPDATING = 0x80, B_24_HOURS = 0x02, B_BINARY = 0x04, HOUR_PM = 0x80 };

struct reading {
    uint8_t seconds, minutes, hours, day, month, year;
};

static uint8_t cmos(uint8_t index)
{
    outb(0x70, index);
    return inb(0x71);
}

static struct reading read_once(void)
{
    for (unsigned tries = 0; tries < 100000 && (cmos(RTC_A) & A_UPDATING); tries++)
        ;
    return (struct reading){ cmos(RTC_SECONDS), cmos(RTC_MINUTES), cmos(RTC_HOURS), cmos(RTC_DAY), cmos(RTC_MONTH),
                             cmos(RTC_YEAR) };
}

static bool same(const struct reading *a, const struct reading *b)
{
    return a->seconds == b->seconds && a->minutes == b->minutes && a->hours == b->hours && a->day == b->day &&
           a->month == b->month && a->year == b->year;
}

static unsigned decode(uint8_t value, uint8_t b)
{
    return b & B_BINARY ? value : (value >> 4) * 10u + (value & 15u);
}

/* Days from 1970-01-01 to the first of March-based year arithmetic: the usual civil calendar formula. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

int64_t cmos_clock_read(void)
{
    struct reading r = read_once(), again = read_once();
    for (unsigned tries = 0; tries < 10 && !same(&r, &again); tries++) {
        r = again;
        again = read_once();
    }
    uint8_t b = cmos(RTC_B);
    unsigned hours = decode(r.hours & (uint8_t)~HOUR_PM, b);
    if (!(b & B_24_HOURS))
        hours = hours % 12 + (r.hours & HOUR_PM ? 12 : 0);
    unsigned month = decode(r.month, b), day = decode(r.day, b);
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    int64_t days = days_from_civil(2000 + (int64_t)decode(r.year, b), month, day);
    return ((days * 24 + hours) * 60 + decode(r.minutes, b)) * 60 + decode(r.seconds, b);
}
