/* The list of halted vCPUs, in all orders of coming and going. */
#include <string.h>
#include "hv/vm/timer_list.h"
#include "tests/unit/test.h"

enum { COUNT = 4 };
static struct vcpu vcpus[COUNT];
static struct vcpu *list;

/* In order, linked both ways, `count` of them, and exactly those that say so. */
static bool is_sound(unsigned count)
{
    unsigned queued = 0, seen = 0;
    const struct vcpu *prev = NULL;
    for (unsigned i = 0; i < COUNT; i++)
        queued += vcpus[i].timer_queued;
    for (const struct vcpu *v = list; v && seen <= COUNT; prev = v, v = v->timer_next, seen++)
        if (v->timer_prev != prev || (prev && prev->deadline > v->deadline) || !v->timer_queued)
            return false;
    return seen == count && queued == count;
}

static void start(const unsigned deadline[COUNT])
{
    memset(vcpus, 0, sizeof vcpus);
    list = NULL;
    for (unsigned i = 0; i < COUNT; i++)
        vcpus[i].deadline = deadline[i];
}

TEST(whatever_the_order_the_earliest_is_first)
{
    for (unsigned code = 0; code < 256; code++) {
        const unsigned deadline[COUNT] = { code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 };
        for (unsigned gone = 0; gone < COUNT; gone++) {
            start(deadline);
            for (unsigned i = 0; i < COUNT; i++)
                timer_list_insert(&list, &vcpus[i]);
            CHECK(is_sound(COUNT));
            timer_list_remove(&list, &vcpus[gone]);
            CHECK(is_sound(COUNT - 1) && !vcpus[gone].timer_queued);
            timer_list_remove(&list, &vcpus[gone]); /* one that is in none stays so */
            timer_list_remove(&list, &vcpus[(gone + 2) % COUNT]);
            CHECK(is_sound(COUNT - 2));
            timer_list_insert(&list, &vcpus[gone]);
            CHECK(is_sound(COUNT - 1));
        }
    }
}

TEST(without_a_deadline_there_is_no_timer)
{
    start((const unsigned[COUNT]){ 0 });
    vcpus[0].deadline = VM_TSC_NEVER;
    timer_list_insert(&list, &vcpus[0]);
    CHECK(!list && !vcpus[0].timer_queued);
}
