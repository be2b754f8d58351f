/* The monitor's `policy NAME CONTROL=on|off`: what it answers, and what it does. */
#include <string.h>
#include "arch/x86_64/vt/policy.h"
#include "hv/monitor_policy.h"
#include "hv/vm/vm.h"
#include "tests/unit/test.h"

struct vt_ops vt;
struct partition *partitions[VM_MAX_PARTITIONS];
unsigned partition_count = 2;
static struct partition part;
static unsigned times;

static const struct vt_features *on_features(void)
{
    static const struct vt_features features = { .controls_fixed = VT_CONTROL_BIT(HLT),
                                                 .controls_switched = VT_CONTROL_BIT(RDTSC) | VT_CONTROL_BIT(CR3) };
    return &features;
}

static const struct vt_features *cr_features(void)
{
    static const struct vt_features features = { .controls_fixed = VT_CONTROL_BIT(CR0_WRITE),
                                                 .controls_switched = VT_CONTROL_BIT(RDTSC) | VT_CONTROL_BIT(CR3) };
    return &features;
}

void partition_set_policy(struct partition *p, uint64_t controls)
{
    atomic_store(&p->policy, controls);
    times++;
}

static void start(uint64_t policy)
{
    vt.features = on_features;
    partitions[0] = &part;
    partitions[1] = NULL;
    part.policy = policy;
    part.state = PART_RUNNING;
    times = 0;
}

/* Is that the answer, and was nothing switched? */
static bool refuses(uint64_t on, uint64_t off, const char *why)
{
    const char *answer = monitor_switch_controls(NULL, 0, on, off);
    return answer && strstr(answer, why) && !times;
}

TEST(what_can_be_switched_is_switched)
{
    start(0);
    CHECK(!monitor_switch_controls(NULL, 0, VT_CONTROL_BIT(RDTSC), 0));
    CHECK_EQ(part.policy, VT_CONTROL_BIT(RDTSC));
    CHECK(!monitor_switch_controls(NULL, 0, VT_CONTROL_BIT(CR3) | VT_CONTROL_BIT(HLT), VT_CONTROL_BIT(RDTSC)));
    CHECK_EQ(part.policy & on_features()->controls_switched, VT_CONTROL_BIT(CR3));
    CHECK(!monitor_switch_controls(NULL, 0, 0, VT_POLICY_MAX));
    CHECK_EQ(part.policy, 0);
}

TEST(a_partition_that_is_stopped_is_refused_since_its_next_start_undoes_it)
{
    static const uint32_t stopped[] = { PART_STOPPED, PART_ENDED, PART_ENDING };
    start(0);
    for (size_t i = 0; i < ARRAY_SIZE(stopped); i++) {
        part.state = stopped[i];
        CHECK(refuses(VT_CONTROL_BIT(RDTSC), 0, "it is stopped, and its next start begins with"));
    }
    part.state = PART_PAUSED;
    CHECK(!monitor_switch_controls(NULL, 0, VT_CONTROL_BIT(RDTSC), 0));
}

TEST(words_that_change_nothing_are_not_done)
{
    start(VT_CONTROL_BIT(RDTSC));
    CHECK(refuses(VT_POLICY_MIN, 0, "nothing to switch")); /* min=on */
    CHECK(refuses(VT_CONTROL_BIT(RDTSC), 0, "nothing to switch"));
    CHECK(refuses(VT_CONTROL_BIT(HLT) | VT_CONTROL_BIT(RDTSC), 0, "nothing to switch"));
    CHECK(!monitor_switch_controls(NULL, 0, VT_POLICY_MAX, 0));
    times = 0;
    CHECK(refuses(VT_POLICY_MAX, 0, "nothing to switch"));
}

TEST(a_kind_of_exits_that_another_control_makes_too_is_shared)
{
    static uint64_t exits[VT_EXIT_KINDS] = { [VT_EXIT_CR_WRITE] = 5, [VT_EXIT_RDTSC] = 3 };
    static struct vcpu vcpu;
    struct shell_control c;
    start(VT_CONTROL_BIT(CR3));
    vt.features = cr_features;
    memcpy(vcpu.exit_count, exits, sizeof exits);
    part.vcpu_count = 1;
    part.vcpus[0] = &vcpu;
    CHECK(monitor_control_state(NULL, 0, VT_CONTROL_CR3, &c));
    CHECK(c.state == SHELL_CONTROL_ON && c.exits == 5 && c.shared);
    CHECK(monitor_control_state(NULL, 0, VT_CONTROL_CR0_WRITE, &c));
    CHECK(c.state == SHELL_CONTROL_ALWAYS && c.shared);
    part.policy = VT_CONTROL_BIT(RDTSC); /* CR3 is off now, so CR0's writes are the only ones */
    CHECK(monitor_control_state(NULL, 0, VT_CONTROL_CR0_WRITE, &c));
    CHECK(c.exits == 5 && !c.shared);
    CHECK(monitor_control_state(NULL, 0, VT_CONTROL_RDTSC, &c));
    CHECK(c.exits == 3 && !c.shared);
    part.vcpu_count = 0;
}

TEST(a_partition_that_could_not_be_created_has_no_controls)
{
    struct shell_control c;
    start(0);
    CHECK(!monitor_control_state(NULL, 1, VT_CONTROL_RDTSC, &c));
    CHECK(strstr(monitor_switch_controls(NULL, 1, VT_CONTROL_BIT(RDTSC), 0), "could not be created"));
}
