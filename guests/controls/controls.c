/* controls: every instruction that an exit control can make exit, once without and once with the control. Its results must be
 * the same, and the count of exits must not. README.md explains; it needs a partition with `lab = yes`. */
#include "controls/controls.h"
#include "lib/interrupt.h"
#include "lib/print.h"

enum { DEBUG_EXIT = 0xf4 };

bool controls_amd;
static unsigned same, different, silent, left_out;

struct outcome {
    int vector;      /* of the exception that ended it, or NO_FAULT */
    uint64_t result, error;
    uint64_t exits;
};

static struct outcome run(const struct control_test *t, uint64_t controls)
{
    struct trapeze_policy policy; /* what it says is known */
    struct trapeze_exit before, after;
    struct outcome o = { 0 };
    trapeze_set_policy(controls, &policy, controls_amd);
    trapeze_last_exit(&before, controls_amd);
    o.vector = interrupt_try(t->run, 0, &o.result);
    trapeze_last_exit(&after, controls_amd);
    trapeze_set_policy(0, &policy, controls_amd);
    o.exits = after.count - before.count;
    if (o.vector != NO_FAULT) {
        o.error = interrupt_error;
        o.result = o.vector == EXC_PF ? read_cr2() : 0;
    }
    return o;
}

static void compare(const struct control_test *t, uint64_t switched)
{
    uint64_t bit = UINT64_C(1) << t->control;
    struct outcome off = run(t, 0), on = run(t, bit);
    bool equal = off.vector == on.vector && off.result == on.result && off.error == on.error;
    bool counted = !(switched & bit) || on.exits > off.exits || (off.exits && on.exits == off.exits); /* a few exit in any case */
    if (!equal)
        print("controls: %s: DIFFERENT: vector %d, result 0x%lx, error 0x%lx without; %d, 0x%lx, 0x%lx with exits\n", t->name,
              off.vector, off.result, off.error, on.vector, on.result, on.error);
    else if (!counted)
        print("controls: %s: NO EXIT: %lu without, %lu with the control\n", t->name, off.exits, on.exits);
    else
        print("controls: %s: the same%s; %lu and %lu exits\n", t->name, off.vector == NO_FAULT ? "" : ", a fault", off.exits, on.exits);
    same += equal && counted;
    different += !equal;
    silent += equal && !counted;
}

static bool has_feature(const struct control_test *t)
{
    switch (t->needs) {
    case NEEDS_RDTSCP: return cpuid(0x80000001, 0).edx >> 27 & 1;
    case NEEDS_RDRAND: return cpuid(1, 0).ecx >> 30 & 1;
    case NEEDS_RDSEED: return cpuid(7, 0).ebx >> 18 & 1;
    case NEEDS_INVPCID: return cpuid(7, 0).ebx >> 10 & 1;
    default: return true;
    }
}

void guest_main(void);
void guest_main(void)
{
    struct trapeze_policy policy = { 0 };
    print_init();
    interrupt_init();
    pic_init(0x20, 0);
    controls_amd = cpu_is_amd();
    controls_setup();
    if (!trapeze_is_below() || !trapeze_set_policy(0, &policy, controls_amd)) {
        print("controls: there is no Trapeze below that lets this partition switch its exits: lab = yes is needed\n");
        out32(DEBUG_EXIT, 2);
        return;
    }
    for (unsigned i = 0; i < control_test_count; i++) {
        const struct control_test *t = &control_tests[i];
        uint64_t bit = UINT64_C(1) << t->control;
        if (!((policy.switched | policy.fixed) & bit) || !has_feature(t)) {
            print("controls: %s: not offered here\n", t->name);
            left_out++;
            continue;
        }
        compare(t, policy.switched);
    }
    print("controls: %u the same, %u different, %u without the exit, %u not offered\n", same, different, silent, left_out);
    out32(DEBUG_EXIT, different || silent || !same);
}
