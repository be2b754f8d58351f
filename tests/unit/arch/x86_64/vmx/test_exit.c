/* Every exit reason that VT-x has, through the decoders that run on the machine (included here, over a VMCS that is an
 * array): each has a kind of its own or ends in one that stops the partition by name, whatever else the VMCS says. */
#define ARCH_VMX_INSN_H /* in place of the instructions */
#include <stdlib.h>
#include <string.h>
#include "arch/x86_64/isa/vmcs.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "arch/x86_64/vmx/vmx.h"
#include "tests/unit/test.h"

static uint64_t vmcs[0x8000], noise;
static bool random_fields;

static uint64_t next_noise(void)
{
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return noise;
}

static uint64_t vmread(uint32_t field) { return random_fields ? next_noise() : vmcs[field & 0x7fff]; }
static void vmwrite(uint32_t field, uint64_t value) { vmcs[field & 0x7fff] = value; }
static NORETURN void vmx_insn_failed(const char *insn, uint64_t operand)
{
    printf("%s of %llx\n", insn, (unsigned long long)operand);
    abort();
}

#include "arch/x86_64/vmx/exit.c"
#include "arch/x86_64/vmx/run.c"

uint64_t mitigation_spec_ctrl;
uint32_t vmx_launch(struct vt_vcpu *v) { return v->exit.kind = VT_EXIT_HLT; } /* any kind: the test knows it */

/* Reasons without a row: the controls that we set never let them happen, or (33, 34, 41) they come with the flag of a
 * failed entry. If one comes all the same, it is VT_EXIT_UNKNOWN, whose handler stops the partition and says the number. */
static const uint8_t never[] = {
    EXIT_REASON_IO_SMI, EXIT_REASON_OTHER_SMI, EXIT_REASON_INVALID_GUEST_STATE, EXIT_REASON_MSR_LOADING,
    EXIT_REASON_MONITOR_TRAP_FLAG, EXIT_REASON_MACHINE_CHECK, EXIT_REASON_PML_FULL, EXIT_REASON_PCONFIG,
    EXIT_REASON_SPP_EVENT, EXIT_REASON_UMWAIT, EXIT_REASON_TPAUSE, EXIT_REASON_LOADIWKEY, EXIT_REASON_ENCLV,
    EXIT_REASON_ENQCMD_PASID, EXIT_REASON_ENQCMDS_PASID, EXIT_REASON_BUS_LOCK, EXIT_REASON_INSTRUCTION_TIMEOUT,
    EXIT_REASON_SEAMCALL, EXIT_REASON_TDCALL, EXIT_REASON_RDMSRLIST, EXIT_REASON_WRMSRLIST,
};

static const uint8_t defined[] = {
#define REASON(name, number, text) number,
    VMX_EXIT_REASONS(REASON)
#undef REASON
};

static struct vmx_vcpu v;

static uint32_t decode(uint64_t reason)
{
    memset(&v, 0, sizeof v);
    noise = reason * 2 + 88172645463325253u;
    return vmx_decode(&v, reason);
}

TEST(every_reason_of_the_manual_has_a_kind_or_is_listed_as_one_that_never_comes)
{
    random_fields = false;
    memset(vmcs, 0, sizeof vmcs);
    for (size_t i = 0; i < sizeof defined; i++) {
        uint32_t kind = decode(defined[i]);
        CHECK(kind < VT_EXIT_KINDS && kind == v.vt.exit.kind && v.vt.exit.raw == defined[i]);
        if (kind == VT_EXIT_UNKNOWN && !memchr(never, defined[i], sizeof never)) {
            printf("  reason %u has no row\n", defined[i]);
            CHECK(kind != VT_EXIT_UNKNOWN);
        }
    }
}

TEST(a_qualification_is_this_exits_own)
{
    const uint64_t stale = UINT64_C(0x57a1e57a1e);
    random_fields = false;
    memset(vmcs, 0, sizeof vmcs);
    for (uint32_t reason = 0; reason < VMX_EXIT_ROWS; reason++) {
        memset(&v, 0, sizeof v);
        v.vt.exit.qualification = stale;
        uint32_t kind = vmx_decode(&v, reason);
        CHECK(!(VT_EXITS_QUALIFIED >> kind & 1) || v.vt.exit.qualification != stale);
    }
}

TEST(numbers_that_no_manual_defines_are_unknown)
{
    unsigned unknown = 0;
    random_fields = false;
    for (uint32_t reason = 0; reason <= UINT16_MAX; reason++) {
        if (memchr(defined, (int)reason, sizeof defined) && reason < 256)
            continue;
        CHECK_EQ(decode(reason), VT_EXIT_UNKNOWN);
        CHECK_EQ(v.vt.exit.raw, reason);
        unknown++;
    }
    CHECK_EQ(unknown, 65536 - sizeof defined);
}

TEST(a_failed_entry_is_told_from_an_exit_with_the_same_reason)
{
    for (uint32_t reason = 0; reason <= UINT16_MAX; reason++)
        CHECK_EQ(decode(reason | EXIT_REASON_ENTRY_FAILURE), VT_EXIT_ENTRY_FAILED);
}

/* Enclaves, pending MTF, SMM root, bus locks: nothing that we switch on. They are not mistaken for the plain reason. */
TEST(flags_above_a_reason_make_it_unknown)
{
    static const uint32_t flags[] = { EXIT_REASON_BUS_LOCK_FLAG, EXIT_REASON_ENCLAVE, EXIT_REASON_PENDING_MTF,
                                      EXIT_REASON_FROM_ROOT };
    for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
        for (uint32_t reason = 0; reason < 256; reason++)
            CHECK_EQ(decode(reason | flags[f]), VT_EXIT_UNKNOWN);
}

/* The fields that a decoder reads are the CPU's, but a decoder relies on none of them for its own safety. */
TEST(whatever_the_vmcs_holds_a_reason_decodes_to_a_kind)
{
    random_fields = true;
    for (unsigned round = 0; round < 2000; round++)
        for (uint32_t reason = 0; reason < VMX_EXIT_ROWS; reason++) {
            uint64_t kept = noise;
            memset(&v, 0, sizeof v);
            noise = kept | 1;
            uint32_t kind = vmx_decode(&v, reason);
            CHECK(kind < VT_EXIT_KINDS && kind == v.vt.exit.kind);
            if (kind == VT_EXIT_IO)
                CHECK(v.vt.exit.io.size >= 1 && v.vt.exit.io.size <= 8);
            if (kind == VT_EXIT_CR_WRITE || kind == VT_EXIT_CR_READ)
                CHECK(v.vt.exit.cr.gpr < 16 && v.vt.exit.cr.cr < 16 && v.vt.exit.cr.how <= VT_CR_LMSW);
            if (kind == VT_EXIT_APIC_ACCESS || kind == VT_EXIT_APIC_WRITE)
                CHECK(v.vt.exit.apic.offset < PAGE_SIZE);
            if (kind == VT_EXIT_TASK_SWITCH)
                CHECK(v.vt.exit.task.source <= VT_TASK_IDT);
        }
    random_fields = false;
}

TEST(an_entry_that_did_not_happen_is_launched_or_reported)
{
    memset(vmcs, 0, sizeof vmcs);
    vmcs[VMCS_VM_INSTRUCTION_ERROR] = VMX_ERROR_VMRESUME_NOT_LAUNCHED;
    CHECK_EQ(vmx_not_entered(&v), VT_EXIT_HLT);
    for (unsigned error = 0; error < 64; error++) {
        vmcs[VMCS_VM_INSTRUCTION_ERROR] = error;
        if (error != VMX_ERROR_VMRESUME_NOT_LAUNCHED)
            CHECK_EQ(vmx_not_entered(&v), VT_EXIT_ENTRY_FAILED);
    }
}
