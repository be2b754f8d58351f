/* RIP behind an instruction that exited, on a CPU that does not save it (field.c and run.c are included here). */
#include <string.h>
#include "arch/x86_64/svm/svm.h"
#include "tests/unit/test.h"

#include "arch/x86_64/svm/field.c"
#include "arch/x86_64/svm/run.c"

struct svm_caps svm_caps;
const struct svm_exit_row svm_exit_rows[SVM_EXIT_ROWS] = {
    [VMEXIT_CPUID] = { VT_EXIT_CPUID, NULL }, [VMEXIT_CR0_WRITE] = { VT_EXIT_CR_INSN, NULL }, [VMEXIT_IOIO] = { VT_EXIT_IO, NULL },
    [VMEXIT_RSM] = { VT_EXIT_UNDEFINED, NULL },
};
uint32_t svm_decode_beyond(struct svm_vcpu *v, struct vt_exit *exit, uint64_t code) { return VT_EXIT_UNKNOWN; }
void svm_inject(struct vt_vcpu *v, const struct vt_event *event) { }
void svm_take_xcr0(struct svm_vcpu *v) { }
bool guest_state_has_msr(enum guest_msr which) { return false; }
uint32_t guest_state_msr_number(enum guest_msr which) { return 0; }
uint64_t guest_state_xcr0_mask(void) { return 0; }

static _Alignas(4096) struct vmcb vmcb;
static uint8_t tpr;
static struct svm_vcpu v;
static unsigned length, decoded; /* of the instruction at RIP, as the guest's tables are now */

static unsigned insn_length(void *ctx)
{
    decoded++;
    return length;
}

static uint32_t exit_with(uint64_t code, uint64_t rip, bool nrip)
{
    memset(&v, 0, sizeof v);
    memset(&vmcb, 0, sizeof vmcb);
    svm_caps = (struct svm_caps){ .nrip = nrip, .flush_one = 3 };
    v.vmcb = &vmcb;
    v.tpr = &tpr;
    v.config.insn_length = insn_length;
    v.unsettled = !nrip;
    vmcb.exitcode = code;
    vmcb.rip = rip;
    vmcb.nrip = nrip ? rip + 7 : 0;
    vmcb.efer = EFER_LMA;
    vmcb.cs.attributes = VMCB_ATTRIBUTE_P | (VT_ACCESS_L >> 4);
    decoded = 0;
    return svm_decode(&v);
}

TEST(what_the_handler_changes_does_not_move_the_next_instruction)
{
    length = 3;
    CHECK_EQ(exit_with(VMEXIT_CR0_WRITE, 0x1000, false), VT_EXIT_CR_INSN);
    length = 5; /* with the new tables there is another instruction at RIP */
    vmcb.cr3 = 0x9000;
    vmcb.efer = 0;
    svm_skip(&v.vt);
    CHECK_EQ(vmcb.rip, 0x1003);
}

TEST(it_is_found_at_every_exit_and_only_where_it_is_needed)
{
    length = 2;
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(exit_with(VMEXIT_CPUID, 0x1000 + i, false), VT_EXIT_CPUID);
        CHECK(v.unsettled);
        svm_skip(&v.vt);
        CHECK(vmcb.rip == 0x1002 + i && decoded == 1);
    }
    CHECK_EQ(exit_with(VMEXIT_RSM, 0x1000, false), VT_EXIT_UNDEFINED);
    CHECK_EQ(decoded, 0);
}

TEST(a_cpu_that_saves_it_is_believed)
{
    CHECK_EQ(exit_with(VMEXIT_CPUID, 0x1000, true), VT_EXIT_CPUID);
    svm_skip(&v.vt);
    CHECK(vmcb.rip == 0x1007 && decoded == 0 && !v.unsettled);
}

TEST(an_instruction_that_cannot_be_read_any_more_is_executed_again)
{
    length = 0;
    CHECK_EQ(exit_with(VMEXIT_CPUID, 0x1000, false), VT_EXIT_HOST_EVENT);
    CHECK(v.vt.exit.kind == VT_EXIT_HOST_EVENT && vmcb.rip == 0x1000 && vmcb.tlb_control == 3);
    /* Its handler decodes it, and says what is wrong with it; were it there again, it would be executed again. */
    CHECK_EQ(exit_with(VMEXIT_CR0_WRITE, 0x1000, false), VT_EXIT_CR_INSN);
    svm_skip(&v.vt);
    CHECK_EQ(vmcb.rip, 0x1000);
}

TEST(in_and_out_tell_it_themselves)
{
    length = 0;
    memset(&vmcb, 0, sizeof vmcb);
    (void)exit_with(VMEXIT_IOIO, 0x1000, false);
    vmcb.exitinfo2 = 0x1002;
    CHECK_EQ(svm_find_next(&v, VT_EXIT_IO), VT_EXIT_IO);
    svm_skip(&v.vt);
    CHECK_EQ(vmcb.rip, 0x1002);
}
