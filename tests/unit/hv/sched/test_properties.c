/* Properties that hold for every mix of weights, caps, CPU sets and habits: random machines from fixed seeds, each run for
 * some periods and then asked. A failure names the machine's number. */
#include "tests/unit/hv/sched/simulator.h"

#define MACHINES 500

static uint64_t seed;

static uint64_t random_below(uint64_t limit) { return fake_random(&seed) % limit; }

static void new_machine(unsigned number, size_t cpus)
{
    seed = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    begin(cpus);
}

static uint32_t random_weight(void)
{
    static const uint32_t weights[] = { 1, 2, 3, 10, 50, 100, 100, 100, 200, 1000 };
    return weights[random_below(ARRAY_SIZE(weights))];
}

static uint64_t total_weight(void)
{
    uint64_t total = 0;
    for (size_t i = 0; i < task_count; i++)
        total += tasks[i].e.weight;
    return total;
}

static bool holds(bool condition, unsigned machine, size_t task, const char *what)
{
    if (condition)
        return true;
    printf("  machine %u, task %zu (weight %u, cap %u, ran %llu us, waited %llu us): %s\n", machine, task, tasks[task].e.weight,
           tasks[task].e.cap_percent, (unsigned long long)tasks[task].e.ran_ns / 1000,
           (unsigned long long)tasks[task].worst_gap / 1000, what);
    return false;
}

/* No time is lost or made: what ran and what idled is all there was. */
static bool time_adds_up(uint64_t duration)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < task_count; i++)
        sum += tasks[i].e.ran_ns;
    for (size_t i = 0; i < cpu_count; i++)
        sum += idle_ns[i];
    return sum == duration * cpu_count;
}

/* One turn of everyone else, and the turns by which heavier ones may be ahead: nobody waits longer. */
static uint64_t longest_wait(const struct task *t)
{
    return (total_weight() / t->e.weight + task_count + 1) * SCHED_SLICE_NS;
}

TEST(spinners_share_by_weight_to_within_a_round_of_turns_and_none_waits_longer_than_its_round)
{
    for (unsigned m = 0; m < MACHINES; m++) {
        new_machine(m, 1);
        for (size_t i = 0, n = 2 + random_below(14); i < n; i++)
            CHECK(add(random_weight(), 0, 1, 0, 0));
        uint64_t total = total_weight(), duration = 60 * PERIOD;
        simulate(duration);
        CHECK(time_adds_up(duration) && !idle_ns[0] && !wasted);
        for (size_t i = 0; i < task_count; i++) {
            uint64_t fair = duration / total * tasks[i].e.weight, got = tasks[i].e.ran_ns;
            CHECK(holds((got > fair ? got - fair : fair - got) <= task_count * SCHED_SLICE_NS, m, i, "its share is not its weight's"));
            CHECK(holds(tasks[i].worst_gap <= longest_wait(&tasks[i]), m, i, "starved"));
        }
    }
}

/* Served, per weight, but for the turn that it may have had too early. */
static uint64_t without_a_turn(const struct task *t)
{
    return (t->e.ran_ns - MIN(t->e.ran_ns, SCHED_SLICE_NS)) / t->e.weight;
}

TEST(caps_hold_in_every_period_and_what_they_leave_is_shared_by_weight)
{
    for (unsigned m = 0; m < MACHINES; m++) {
        uint64_t duration = 100 * PERIOD;
        new_machine(m, 1);
        CHECK(add(random_weight(), 0, 1, 0, 0) && add(random_weight(), 0, 1, 0, 0)); /* two that take what they get */
        for (size_t i = 0, n = 1 + random_below(8); i < n; i++)
            CHECK(add(random_weight(), 1 + (uint32_t)random_below(60), 1, 0, 0));
        simulate(duration);
        CHECK(time_adds_up(duration) && !idle_ns[0]);
        uint64_t a = tasks[0].e.ran_ns / tasks[0].e.weight, b = tasks[1].e.ran_ns / tasks[1].e.weight;
        uint64_t turn = 3 * SCHED_SLICE_NS / MIN(tasks[0].e.weight, tasks[1].e.weight);
        uint64_t least = MIN(without_a_turn(&tasks[0]), without_a_turn(&tasks[1]));
        CHECK(holds((a > b ? a - b : b - a) <= turn, m, 0, "two without a cap are not served alike"));
        for (size_t i = 2; i < task_count; i++) {
            uint64_t cap = PERIOD / 100 * tasks[i].e.cap_percent, served = tasks[i].e.ran_ns / tasks[i].e.weight;
            CHECK(holds(tasks[i].worst_period <= cap, m, i, "its cap was exceeded in a period"));
            /* Less than its cap allows: then only because its weight is due no more, which those without a cap show. (What
             * it could not use by the end of a period is lost: part of a turn.) */
            bool below = tasks[i].e.ran_ns < cap * (duration / PERIOD) * 75 / 100;
            CHECK(holds(!below || served * 100 >= least * 75, m, i, "neither its cap nor its share"));
        }
    }
}

TEST(whoever_sleeps_and_wakes_nobody_starves_and_nothing_is_wasted)
{
    for (unsigned m = 0; m < MACHINES; m++) {
        uint64_t duration = 40 * PERIOD;
        new_machine(m, 1);
        for (size_t i = 0, n = 2 + random_below(10); i < n; i++) {
            bool spins = random_below(3) == 0;
            CHECK(add(random_weight(), 0, 1, spins ? 0 : (1 + random_below(40)) * MS / 4, (1 + random_below(80)) * MS / 4));
        }
        simulate(duration);
        CHECK(time_adds_up(duration) && !wasted);
        for (size_t i = 0; i < task_count; i++)
            CHECK(holds(tasks[i].worst_gap <= 2 * longest_wait(&tasks[i]), m, i, "starved"));
    }
}

TEST(on_several_cpus_caps_hold_sets_are_kept_and_no_cpu_idles_beside_work)
{
    for (unsigned m = 0; m < MACHINES; m++) {
        uint64_t duration = 20 * PERIOD;
        new_machine(m, 1 + (size_t)random_below(MAX_CPUS));
        for (size_t i = 0, n = 1 + random_below(16); i < n; i++) {
            uint64_t set = 1 + random_below((UINT64_C(1) << cpu_count) - 1);
            uint32_t cap = random_below(3) ? 0 : 1 + (uint32_t)random_below(99);
            bool spins = random_below(2);
            CHECK(add(random_weight(), cap, set, spins ? 0 : (1 + random_below(60)) * MS / 4, (1 + random_below(60)) * MS / 4));
        }
        for (unsigned step = 0; step < 80; step++) {
            simulate(duration / 80);
            for (size_t cpu = 0; cpu < cpu_count; cpu++)
                CHECK(!run[cpu].entity || (run[cpu].entity->allowed >> cpu & 1));
        }
        CHECK(time_adds_up(duration) && !wasted);
        for (size_t i = 0; i < task_count; i++) {
            const struct sched_entity *e = &tasks[i].e;
            CHECK(holds(!e->cap_percent || tasks[i].worst_period <= PERIOD / 100 * e->cap_percent, m, i, "its cap was exceeded"));
            CHECK(holds(tasks[i].worst_gap <= 2 * longest_wait(&tasks[i]), m, i, "starved"));
            CHECK(holds(e->ran_ns > 0, m, i, "never ran"));
        }
    }
}
