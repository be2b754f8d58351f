#include <string.h>
#include "hv/lib/spinlock.h"
#include "tests/unit/test.h"

static struct lock_held held;
static const char *wanted, *while_held;
static unsigned reports;

static struct lock_held *here(void) { return &held; }

static void broken(const char *want, const char *have)
{
    reports++;
    wanted = want;
    while_held = have;
}

static spinlock_t partition[2], queue[2], console, nobodys;

static void start(void)
{
    memset(&held, 0, sizeof held);
    reports = 0;
    wanted = while_held = "";
    for (unsigned i = 0; i < 2; i++) {
        partition[i] = (spinlock_t)SPINLOCK_INIT(LOCK_PARTITION);
        queue[i] = (spinlock_t)SPINLOCK_INIT(LOCK_RUN_QUEUE);
    }
    console = (spinlock_t)SPINLOCK_INIT(LOCK_CON);
    nobodys = (spinlock_t){ 0 };
    lock_order_start(here, broken);
}

TEST(locks_may_be_taken_down_the_list_and_released_in_any_order)
{
    start();
    spin_lock(&partition[0]);
    spin_lock(&queue[0]);
    spin_lock(&queue[1]); /* two of one kind: the lower address first */
    spin_lock(&console);
    CHECK_EQ(held.depth, 4);
    spin_unlock(&queue[0]);
    spin_unlock(&partition[0]);
    spin_unlock(&console);
    CHECK_EQ(held.depth, 1);
    spin_unlock(&queue[1]);
    CHECK_EQ(held.depth, 0);
    CHECK_EQ(reports, 0);
    for (unsigned i = 0; i < LOCK_ORDER_DEPTH; i++)
        CHECK(!held.at[i].lock && !held.at[i].order);
}

TEST(a_planted_inversion_names_both_locks)
{
    start();
    spin_lock(&console);
    spin_lock(&partition[0]);
    CHECK_EQ(reports, 1);
    CHECK(!strcmp(wanted, "partition.lock") && !strcmp(while_held, "con.lock"));
}

TEST(every_pair_of_different_locks_is_right_in_one_order_only)
{
    for (uint32_t a = 1; a < LOCK_ORDERS; a++)
        for (uint32_t b = 1; b < LOCK_ORDERS; b++) {
            spinlock_t first = SPINLOCK_INIT(a), second = SPINLOCK_INIT(b);
            start();
            spin_lock(&first);
            spin_lock(&second);
            if (a != b)
                CHECK_EQ(reports, a < b ? 0 : 1);
        }
}

TEST(two_of_one_kind_are_taken_by_address)
{
    start();
    spin_lock(&queue[1]);
    spin_lock(&queue[0]);
    CHECK_EQ(reports, 1);
}

TEST(the_same_lock_twice_is_reported_before_the_wait_for_ever)
{
    start();
    spin_lock(&partition[0]);
    lock_order_want(&partition[0], partition[0].order); /* what spin_lock() does first; it would then wait */
    CHECK_EQ(reports, 1);
}

TEST(a_lock_without_an_order_is_reported)
{
    start();
    spin_lock(&nobodys);
    CHECK_EQ(reports, 1);
}

/* A panic in another lock's section writes what it can: it tries, and gives up. */
TEST(trying_is_allowed_in_any_order_but_counts_as_held)
{
    start();
    spin_lock(&console);
    CHECK(spin_try_lock(&partition[0]));
    CHECK_EQ(reports, 0);
    CHECK_EQ(held.depth, 2);
    spin_lock(&partition[1]);
    CHECK_EQ(reports, 1);
}

TEST(a_guest_runs_with_nothing_held)
{
    start();
    lock_order_none();
    CHECK_EQ(reports, 0);
    spin_lock(&queue[0]);
    lock_order_none();
    CHECK_EQ(reports, 1);
    CHECK(!strcmp(while_held, "a run queue's lock"));
}

TEST(the_first_report_is_the_last)
{
    start();
    spin_lock(&console);
    spin_lock(&partition[0]);
    spin_lock(&queue[0]);
    CHECK_EQ(reports, 1);
}
