/* What a lab guest is told of its last exit. */
#include <string.h>
#include "hv/vm/lab.h"
#include "tests/unit/test.h"

struct vt_ops vt;
static struct vt_vcpu cpu;
static struct partition part;
static struct vcpu vcpu = { .vt = &cpu, .part = &part };

static uint64_t get(struct vt_vcpu *v, enum vt_field f) { return f == VT_RIP ? 0x1234 : 0; }
static unsigned insn_length(struct vt_vcpu *v) { return 2; }
static void skip(struct vt_vcpu *v) { }
static const struct vt_features *features(void) { return NULL; }
void partition_set_policy(struct partition *p, uint64_t controls) { p->policy = controls; }
enum vcpu_next exit_hypercall(struct vcpu *v, const struct vt_exit *exit) { return VCPU_RESUME; }

static enum vcpu_next handled(struct vcpu *v, const struct vt_exit *exit) { return VCPU_RESUME; }
const exit_handler_t exit_handlers[VT_EXIT_KINDS] = { [0 ... VT_EXIT_KINDS - 1] = handled };

static void take(enum vt_exit_kind kind)
{
    cpu.exit.kind = kind;
    (void)lab_handlers[kind](&vcpu, &cpu.exit);
}

/* The hypercall for the last exit. */
static void ask(void)
{
    cpu.gpr[VT_RAX] = 0x54500001;
    take(VT_EXIT_HYPERCALL);
}

static void start(void)
{
    vt = (struct vt_ops){ .get = get, .insn_length = insn_length, .skip = skip, .features = features };
    memset(&cpu, 0, sizeof cpu);
    memset(&vcpu.note, 0, sizeof vcpu.note);
}

TEST(an_exit_is_told_with_its_qualification)
{
    start();
    cpu.exit.qualification = 0x77;
    take(VT_EXIT_INVLPG);
    ask();
    CHECK_EQ(cpu.gpr[VT_RAX], 0);
    CHECK_EQ(cpu.gpr[VT_RBX], VT_EXIT_INVLPG | UINT64_C(2) << 32);
    CHECK_EQ(cpu.gpr[VT_RDX], 0x77);
    CHECK_EQ(cpu.gpr[VT_RSI], 0x1234);
    CHECK_EQ(cpu.gpr[VT_RDI], 1);
}

TEST(an_exit_without_a_qualification_does_not_show_that_of_the_one_before)
{
    start();
    cpu.exit.qualification = 0x77;
    take(VT_EXIT_INVLPG);
    take(VT_EXIT_CPUID); /* no backend decodes more of it, so the field is what it was */
    ask();
    CHECK_EQ((uint32_t)cpu.gpr[VT_RBX], VT_EXIT_CPUID);
    CHECK_EQ(cpu.gpr[VT_RDX], 0);
    CHECK_EQ(cpu.gpr[VT_RDI], 2);
}

TEST(exits_that_no_instruction_caused_are_not_told)
{
    static const uint8_t kinds[] = { VT_EXIT_INTERRUPT, VT_EXIT_HOST_EVENT, VT_EXIT_TIMER, VT_EXIT_NMI };
    start();
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        take(kinds[i]);
    ask();
    CHECK_EQ(cpu.gpr[VT_RAX], 0); /* answered, that there was none */
    CHECK_EQ(cpu.gpr[VT_RDI], 0);
}
