/* Which share of its CPU does this guest get? Words: `weight=W of=SUM`, its own weight and all weights together. While it
 * runs, the TSC goes on in small steps; a large one is time that somebody else had. */
#include "exercise/exercise.h"

enum { STEP = 5000, PERMILLE = 1000, TOLERANCE = 25, ROUND = 500000 }; /* ticks; tenths of a percent; ticks of a turn */

/* Tenths of a percent over `ticks`. */
static unsigned measure(uint64_t ticks)
{
    uint64_t start = rdtsc(), last = start, own = 0;
    while (last - start < ticks) {
        uint64_t now = rdtsc();
        own += now - last < STEP ? now - last : 0;
        last = now;
    }
    return (unsigned)(own * PERMILLE / (last - start));
}

void exercise_share(const struct setting *s)
{
    uint64_t weight = cmdline_number(s->cmdline, "weight=", 1), sum = cmdline_number(s->cmdline, "of=", 1);
    unsigned wanted = (unsigned)(weight * PERMILLE / sum);
    check("share-is-by-weight");
    wait_ticks(20 * ROUND); /* until all have started */
    unsigned got = measure(100 * ROUND);
    if (got + TOLERANCE < wanted || got > wanted + TOLERANCE)
        WRONG("%u.%u%% of the CPU with weight %lu of %lu; expected %u.%u%%", got / 10, got % 10, weight, sum, wanted / 10,
              wanted % 10);
    print("exercise: share with weight %lu of %lu: %u.%u%%\n", weight, sum, got / 10, got % 10);
    print("exercise: all %u checks right\n", 1);
    for (;;) /* the others are measured beside this one */
        asm volatile("pause");
}
