#include "hv/vm/watch.h"
#include "tests/unit/test.h"

/* Look `count` times at one mark; what the last look said. */
static enum watch_news look(struct watch *w, uint64_t mark, unsigned count)
{
    enum watch_news news = WATCH_NOTHING;
    while (count--)
        news = watch_look(w, mark, WATCH_LOOKS);
    return news;
}

TEST(a_cpu_that_moves_between_all_looks_is_not_stuck)
{
    struct watch w = { 0 };
    for (uint64_t mark = 2; mark < 2000; mark += WATCH_AWAKE)
        CHECK_EQ(watch_look(&w, mark, WATCH_LOOKS), WATCH_NOTHING);
}

TEST(it_is_stuck_at_the_fourth_look_after_the_one_that_saw_it_move)
{
    struct watch w = { 0 };
    CHECK_EQ(look(&w, 2, 1 + WATCH_LOOKS - 1), WATCH_NOTHING);
    CHECK_EQ(look(&w, 2, 1), WATCH_STUCK);
}

TEST(a_stay_is_told_once_and_its_end_once)
{
    struct watch w = { 0 };
    CHECK_EQ(look(&w, 2, 1 + WATCH_LOOKS), WATCH_STUCK);
    for (unsigned i = 0; i < 100; i++)
        CHECK_EQ(look(&w, 2, 1), WATCH_NOTHING);
    CHECK_EQ(look(&w, 4, 1), WATCH_GOES_ON);
    CHECK_EQ(look(&w, 4, WATCH_LOOKS - 1), WATCH_NOTHING);
    CHECK_EQ(look(&w, 4, 1), WATCH_STUCK);
}

TEST(it_went_on_too_if_it_now_sleeps_or_is_watched_no_more)
{
    struct watch w = { 0 };
    CHECK_EQ(look(&w, 2, 1 + WATCH_LOOKS), WATCH_STUCK);
    CHECK_EQ(look(&w, 3, 1), WATCH_GOES_ON);
    CHECK_EQ(look(&w, 4, 1 + WATCH_LOOKS), WATCH_STUCK);
    CHECK_EQ(look(&w, 0, 1), WATCH_GOES_ON);
}

TEST(a_cpu_may_sleep_for_ever)
{
    struct watch w = { 0 };
    CHECK_EQ(look(&w, 3, 1000), WATCH_NOTHING);
}

TEST(a_cpu_that_is_not_in_its_loop_is_not_watched)
{
    struct watch w = { 0 };
    CHECK_EQ(look(&w, 0, 1000), WATCH_NOTHING);
}

TEST(a_nap_between_two_looks_is_a_move)
{
    struct watch w = { 0 };
    CHECK_EQ(look(&w, 2, WATCH_LOOKS), WATCH_NOTHING);
    CHECK_EQ(look(&w, 4, WATCH_LOOKS), WATCH_NOTHING);
}

TEST(a_cpu_that_looks_at_itself_leaves_the_first_word_to_another)
{
    struct watch by_other = { 0 }, by_itself = { 0 };
    unsigned looks = 0;
    (void)watch_look(&by_other, 2, WATCH_LOOKS);
    (void)watch_look(&by_itself, 2, WATCH_OWN_LOOKS);
    for (; watch_look(&by_itself, 2, WATCH_OWN_LOOKS) == WATCH_NOTHING; looks++)
        (void)watch_look(&by_other, 2, WATCH_LOOKS);
    CHECK(by_other.stuck && looks + 1 == WATCH_OWN_LOOKS);
}

TEST(who_is_stuck_or_not_in_its_loop_looks_after_nobody)
{
    struct watch w = { 0 };
    CHECK(!watch_watches(&w));
    CHECK_EQ(look(&w, 3, 1), WATCH_NOTHING);
    CHECK(watch_watches(&w)); /* asleep: it wakes to look */
    CHECK_EQ(look(&w, 4, 1 + WATCH_LOOKS), WATCH_STUCK);
    CHECK(!watch_watches(&w));
    CHECK_EQ(look(&w, 6, 1), WATCH_GOES_ON);
    CHECK(watch_watches(&w));
}
