#include "tests/unit/hv/sched/simulator.h"

/* ---- shares --------------------------------------------------------------------------------------------------------- */

TEST(spinners_of_weights_1_2_4_get_their_shares_within_2_percent)
{
    begin(1);
    struct task *a = add(1, 0, 1, 0, 0), *b = add(2, 0, 1, 0, 0), *c = add(4, 0, 1, 0, 0);
    simulate(100 * PERIOD);
    CHECK(is_near(a->e.ran_ns * 7, 100 * PERIOD, 2));
    CHECK(is_near(b->e.ran_ns * 7, 200 * PERIOD, 2));
    CHECK(is_near(c->e.ran_ns * 7, 400 * PERIOD, 2));
    CHECK_EQ(a->e.ran_ns + b->e.ran_ns + c->e.ran_ns, 100 * PERIOD);
    CHECK(switches <= 100 * PERIOD / SCHED_SLICE_NS + 3); /* and no more often than turns end */
}

TEST(extreme_weights_are_exact)
{
    begin(1);
    struct task *a = add(65535, 0, 1, 0, 0), *b = add(65534, 0, 1, 0, 0), *c = add(1, 0, 1, 0, 0);
    simulate(200 * PERIOD);
    CHECK(is_near(a->e.ran_ns, b->e.ran_ns, 1));
    CHECK(c->e.ran_ns >= SCHED_SLICE_NS); /* even the least gets its first turn */
    CHECK(c->e.ran_ns <= 2 * SCHED_SLICE_NS);
}

TEST(nobody_starves_among_many)
{
    begin(1);
    for (uint32_t i = 0; i < MAX_TASKS; i++)
        CHECK(add(1 + i % 5, 0, 1, 0, 0));
    simulate(100 * PERIOD);
    for (size_t i = 0; i < task_count; i++)
        CHECK(is_near(tasks[i].e.ran_ns, 100 * PERIOD * tasks[i].e.weight / 120, 20));
}

TEST(one_that_sleeps_gets_no_more_than_its_share_and_hardly_waits)
{
    for (uint64_t nap = MS / 4; nap <= 32 * MS; nap *= 2) {
        begin(1);
        struct task *spinner = add(1, 0, 1, 0, 0);
        struct task *sleeper = add(1, 0, 1, 9 * MS, nap), *small = add(1, 0, 1, MS / 20, 20 * MS);
        simulate(100 * PERIOD);
        CHECK(share(sleeper, 100 * PERIOD) <= 510);
        CHECK(share(spinner, 100 * PERIOD) >= 480);
        small->worst_wait = 0; /* without the first turns, when all are equal */
        simulate(100 * PERIOD);
        CHECK(small->worst_wait <= SCHED_SLICE_NS);
    }
}

TEST(one_that_slept_for_long_does_not_claim_the_time_it_slept)
{
    begin(1);
    struct task *a = add(4, 0, 1, 0, 0), *b = add(4, 0, 1, 1000 * PERIOD, 1);
    simulate(PERIOD);
    sched_block(&b->e);
    run[0].entity = run[0].entity == &b->e ? NULL : run[0].entity;
    next_pick[0] = clock_ns;
    b->wake_at = clock_ns + 50 * PERIOD;
    simulate(50 * PERIOD);
    uint64_t before = a->e.ran_ns;
    simulate(PERIOD);
    CHECK(is_near(a->e.ran_ns - before, PERIOD / 2, 20));
}

TEST(waking_beside_a_spinner_is_quick)
{
    begin(1);
    CHECK(add(1, 0, 1, 0, 0));
    struct task *sleeper = add(1, 0, 1, MS / 10, 30 * MS);
    simulate(10 * PERIOD); /* past the first turns */
    sleeper->worst_wait = 0;
    simulate(100 * PERIOD);
    CHECK_EQ(sleeper->worst_wait, 0);
}

/* ---- caps ------------------------------------------------------------------------------------------------------------ */

TEST(a_capped_one_never_exceeds_its_cap_in_any_period_and_reaches_it)
{
    begin(1);
    struct task *a = add(1, 30, 1, 0, 0);
    simulate(100 * PERIOD);
    CHECK(a->worst_period <= 30 * MS);
    CHECK(is_near(a->e.ran_ns, 30 * PERIOD, 2));
    CHECK(is_near(idle_ns[0], 70 * PERIOD, 2));
}

TEST(caps_hold_among_others_and_the_others_get_the_rest)
{
    begin(1);
    struct task *a = add(100, 10, 1, 0, 0), *b = add(1, 0, 1, 0, 0), *c = add(50, 25, 1, 3 * MS, MS);
    simulate(100 * PERIOD);
    CHECK(a->worst_period <= 10 * MS);
    CHECK(c->worst_period <= 25 * MS);
    CHECK(is_near(a->e.ran_ns, 10 * PERIOD, 2));
    CHECK(is_near(c->e.ran_ns, 25 * PERIOD, 3));
    CHECK(idle_ns[0] <= MS);
    CHECK(!wasted);
    CHECK(b->e.ran_ns > 63 * PERIOD);
}

TEST(a_late_timer_is_paid_back)
{
    begin(1);
    struct task *a = add(1, 10, 1, 0, 0);
    lateness = MS / 2;
    simulate(100 * PERIOD);
    CHECK(a->e.ran_ns <= 101 * 10 * MS + lateness); /* 101 periods are touched */
    CHECK(is_near(a->e.ran_ns, 10 * PERIOD, 2));
}

TEST(an_idle_cpu_is_told_when_to_look_again)
{
    struct sched_entity a;
    begin(1);
    struct sched_decision d = sched_pick(&rqs[0], 0);
    CHECK(d.entity == NULL);
    CHECK_EQ(d.until, SCHED_NEVER);
    CHECK_EQ(sched_entity_init(&a, 1, 20, 1), SCHED_OK);
    CHECK(sched_wake(&rqs[0], &a, 5 * MS));
    d = sched_pick(&rqs[0], 5 * MS);
    CHECK(d.entity == &a);
    CHECK_EQ(d.until, 25 * MS);
    sched_charge(&rqs[0], &a, 20 * MS);
    d = sched_pick(&rqs[0], 25 * MS);
    CHECK(d.entity == NULL);
    CHECK_EQ(d.until, PERIOD);
    CHECK_EQ(a.state, SCHED_THROTTLED);
    sched_block(&a); /* paused while throttled */
    CHECK_EQ(sched_pick(&rqs[0], 25 * MS).until, SCHED_NEVER);
    CHECK(sched_wake(&rqs[0], &a, 30 * MS)); /* no way round the cap, but the alarm is needed again */
    CHECK_EQ(a.state, SCHED_THROTTLED);
    CHECK(sched_pick(&rqs[0], 30 * MS).entity == NULL);
    CHECK(sched_pick(&rqs[0], PERIOD).entity == &a);
}

/* ---- several CPUs ------------------------------------------------------------------------------------------------------ */

TEST(no_cpu_is_idle_while_one_waits_that_it_may_run)
{
    uint64_t seed = 99;
    for (unsigned round = 0; round < 20; round++) {
        begin(MAX_CPUS);
        for (unsigned i = 0; i < 12; i++) {
            uint64_t r = fake_random(&seed);
            CHECK(add(1 + (uint32_t)(r % 9), 0, 1 + (r >> 8) % 15, (1 + (r >> 16) % 30) * MS / 2, (1 + (r >> 24) % 40) * MS / 2));
        }
        simulate(20 * PERIOD);
        for (size_t i = 0; i < task_count; i++)
            CHECK(tasks[i].e.ran_ns > 0);
        CHECK(!wasted);
    }
}

TEST(two_spinners_on_two_cpus_have_one_each)
{
    begin(2);
    struct task *a = add(1, 0, ALL_CPUS, 0, 0), *b = add(9, 0, ALL_CPUS, 0, 0);
    simulate(10 * PERIOD);
    CHECK_EQ(a->e.ran_ns, 10 * PERIOD);
    CHECK_EQ(b->e.ran_ns, 10 * PERIOD);
    CHECK(!wasted);
}

TEST(an_idle_cpu_takes_over_a_waiting_one_but_never_against_its_cpu_set)
{
    struct sched_entity a, b, c;
    begin(2);
    CHECK_EQ(sched_entity_init(&a, 1, 0, 1), SCHED_OK);
    CHECK_EQ(sched_entity_init(&b, 1, 0, 1), SCHED_OK);
    CHECK_EQ(sched_entity_init(&c, 1, 0, 3), SCHED_OK);
    CHECK(sched_wake(&rqs[0], &a, 0));
    CHECK(sched_pick(&rqs[0], 0).entity == &a);
    (void)!sched_wake(&rqs[0], &b, 0);
    CHECK(sched_steal(&rqs[0], &rqs[1], 0) == NULL);
    (void)!sched_wake(&rqs[0], &c, 0);
    CHECK(sched_steal(&rqs[0], &rqs[1], 0) == &c);
    CHECK(sched_pick(&rqs[1], 0).entity == &c);
    CHECK_EQ(rqs[0].runnable, 2);
    CHECK_EQ(rqs[1].runnable, 1);
    CHECK(sched_steal(&rqs[1], &rqs[0], 0) == NULL); /* never the running one */
}

/* ---- any order of calls keeps the books ---------------------------------------------------------------------------------- */

static bool books_agree(struct sched_entity *es, size_t n)
{
    for (size_t c = 0; c < 2; c++) {
        uint32_t runnable = 0, listed = 0, throttled = 0, in_throttled = 0;
        uint64_t load = 0;
        for (size_t i = 0; i < n; i++) {
            if (es[i].rq != &rqs[c])
                continue;
            if (es[i].state == SCHED_THROTTLED) {
                throttled++;
                continue;
            }
            runnable++;
            load += es[i].weight;
            if ((es[i].state == SCHED_RUNNING) != (rqs[c].current == &es[i]))
                return false;
        }
        for (struct sched_entity *e = rqs[c].ready; e; e = e->next, listed++)
            if (e->state != SCHED_RUNNABLE || (e->next && (int64_t)(e->next->vruntime - e->vruntime) < 0))
                return false;
        for (struct sched_entity *e = rqs[c].throttled; e; e = e->next)
            in_throttled++;
        if (runnable != rqs[c].runnable || load != rqs[c].load || listed + (rqs[c].current ? 1 : 0) != runnable ||
            throttled != in_throttled || (throttled != 0) != (rqs[c].next_release != SCHED_NEVER))
            return false;
    }
    return true;
}

TEST(random_calls_keep_queues_and_counters_consistent)
{
    enum { N = 7 };
    static struct sched_entity es[N];
    uint64_t seed = 5, now = 0;
    begin(2);
    for (size_t i = 0; i < N; i++)
        CHECK_EQ(sched_entity_init(&es[i], 1 + (uint32_t)i * 1000, i % 3 ? 0 : 20 + (uint32_t)i, i % 2 ? 3 : 1), SCHED_OK);
    for (unsigned step = 0; step < 100000; step++) {
        uint64_t r = fake_random(&seed);
        struct sched_rq *rq = &rqs[r >> 8 & 1];
        struct sched_entity *e = &es[(r >> 16) % N];
        now += (r >> 24) % (3 * MS);
        switch (r % 5) {
        case 0: sched_block(e); break;
        case 1: (void)!sched_wake(e->allowed >> rq->cpu & 1 ? rq : &rqs[0], e, now); break;
        case 2: (void)sched_steal(rq, rq == rqs ? &rqs[1] : rqs, now); break;
        default:
            if (rq->current)
                sched_charge(rq, rq->current, (r >> 24) % (3 * MS));
            struct sched_decision d = sched_pick(rq, now);
            CHECK(d.entity == rq->current);
            CHECK(d.until > now);
            CHECK(d.entity || !rq->ready);
        }
        CHECK(books_agree(es, N));
    }
}
