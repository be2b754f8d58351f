/* Every exit code that AMD-V has, through the decoders that run on the machine (included here): each has a kind of its own
 * or ends in VT_EXIT_UNKNOWN, whose handler stops the partition and says the number. */
#include <string.h>
#include "arch/x86_64/svm/entry_check.h"
#include "arch/x86_64/svm/svm.h"
#include "tests/unit/test.h"

#include "arch/x86_64/svm/exit.c"
#include "arch/x86_64/svm/run.c"

struct cpu_features cpu_features;
struct svm_caps svm_caps;
uint32_t svm_find_next(struct svm_vcpu *vcpu, uint32_t kind) { return kind; }
void svm_stop_stepping(struct svm_vcpu *v) { v->stepping = false; }

static _Alignas(4096) struct vmcb vmcb;
static uint8_t tpr;
static struct svm_vcpu v;

#define STALE UINT64_C(0x57a1e57a1e) /* the qualification of an exit before */

static uint32_t kind_of(uint64_t code)
{
    memset(&v, 0, sizeof v);
    v.vt.exit.qualification = STALE;
    v.vmcb = &vmcb;
    v.tpr = &tpr;
    vmcb.exitcode = code;
    return svm_decode(&v);
}

static bool between(uint64_t code, unsigned first, unsigned last) { return code >= first && code <= last; }

/* Codes of the manual's table "SVM Intercept Codes" for what we intercept, or what comes without being asked for. */
static bool has_to_be_known(uint64_t code)
{
    static const uint16_t single[] = {
        VMEXIT_INTR, VMEXIT_NMI, VMEXIT_SMI, VMEXIT_INIT, VMEXIT_VINTR, VMEXIT_CR0_SEL_WRITE, VMEXIT_RDTSC, VMEXIT_RDPMC,
        VMEXIT_CPUID, VMEXIT_RSM, VMEXIT_IRET, VMEXIT_INVD, VMEXIT_PAUSE, VMEXIT_HLT, VMEXIT_INVLPG, VMEXIT_INVLPGA,
        VMEXIT_IOIO, VMEXIT_MSR, VMEXIT_SHUTDOWN, VMEXIT_VMRUN, VMEXIT_VMMCALL, VMEXIT_VMLOAD, VMEXIT_VMSAVE, VMEXIT_STGI,
        VMEXIT_CLGI, VMEXIT_SKINIT, VMEXIT_RDTSCP, VMEXIT_WBINVD, VMEXIT_MONITOR, VMEXIT_MWAIT, VMEXIT_MWAIT_ARMED,
        VMEXIT_XSETBV, VMEXIT_RDPRU, VMEXIT_INVLPGB, VMEXIT_INVLPGB_ILLEGAL, VMEXIT_INVPCID, VMEXIT_MCOMMIT,
        VMEXIT_TLBSYNC, VMEXIT_NPF,
    };
    for (size_t i = 0; i < ARRAY_SIZE(single); i++)
        if (single[i] == code)
            return true;
    return between(code, VMEXIT_CR0_READ, VMEXIT_CR0_WRITE + 15) || between(code, VMEXIT_EXCP0, VMEXIT_EXCP0 + 31);
}

TEST(every_code_has_a_kind_and_those_that_can_come_have_one_of_their_own)
{
    unsigned known = 0;
    memset(&vmcb, 0, sizeof vmcb);
    for (uint64_t code = 0; code <= UINT16_MAX; code++) {
        uint32_t kind = kind_of(code);
        CHECK(kind < VT_EXIT_KINDS && kind == v.vt.exit.kind && v.vt.exit.raw == code);
        known += kind != VT_EXIT_UNKNOWN;
        if (kind == VT_EXIT_UNKNOWN && has_to_be_known(code)) {
            printf("  code %llxh has no row\n", (unsigned long long)code);
            CHECK(kind != VT_EXIT_UNKNOWN);
        }
    }
    CHECK(known >= 32 + 32 + 39 && known < 256);
}

TEST(a_qualification_is_this_exits_own)
{
    memset(&vmcb, 0, sizeof vmcb);
    for (unsigned assists = 0; assists < 2; assists++) {
        svm_caps.decode_assists = assists;
        for (uint64_t code = 0; code <= UINT16_MAX; code++) {
            uint32_t kind = kind_of(code);
            CHECK(!(VT_EXITS_QUALIFIED >> kind & 1) || v.vt.exit.qualification != STALE);
        }
    }
    svm_caps.decode_assists = false;
}

/* Codes of 64 bits: a table of 165 rows must not be indexed by them. */
TEST(codes_of_any_size_are_decoded)
{
    for (unsigned bit = 8; bit < 64; bit++)
        for (uint64_t low = 0; low < 512; low++) {
            uint64_t code = (UINT64_C(1) << bit) + low;
            if (code == VMEXIT_NPF)
                continue;
            uint32_t kind = kind_of(code);
            CHECK(code < SVM_EXIT_ROWS || kind == VT_EXIT_UNKNOWN);
        }
}

TEST(a_refused_entry_is_told_from_an_exit)
{
    memset(&vmcb, 0, sizeof vmcb); /* breaks several rules of an entry */
    CHECK_EQ(kind_of(VMEXIT_INVALID), VT_EXIT_ENTRY_FAILED);
}

/* A refusal with which nothing is wrong: QEMU's #GP for a MOV to CR3. Elsewhere the VMCB may hold other registers by then. */
TEST(a_refused_entry_that_breaks_no_rule_is_a_fault_of_the_guest_in_qemu_only)
{
    memset(&vmcb, 0, sizeof vmcb);
    vmcb.intercept_2 = INTERCEPT_VMRUN;
    vmcb.guest_asid = 1;
    vmcb.efer = EFER_SVME;
    vmcb.cr0 = CR0_ET;
    vmcb.dr6 = DR6_RESET;
    vmcb.dr7 = DR7_RESET;
    cpu_features.physical_bits = 40;
    svm_caps.tcg = true;
    CHECK_EQ(kind_of(VMEXIT_INVALID), VT_EXIT_EXCEPTION);
    CHECK_EQ(v.vt.exit.exception.vector, EXC_GP);
    CHECK_EQ(svm_decode(&v), VT_EXIT_ENTRY_FAILED); /* twice in a row it is no such fault */
    svm_caps.tcg = false;
    CHECK_EQ(kind_of(VMEXIT_INVALID), VT_EXIT_ENTRY_FAILED);
}

/* The fields that a decoder reads are the CPU's, but a decoder relies on none of them for its own safety. */
TEST(whatever_the_vmcb_holds_a_code_decodes_to_a_kind)
{
    uint64_t noise = 88172645463325253u;
    for (unsigned round = 0; round < 400; round++)
        for (uint64_t code = 0; code <= VMEXIT_NPF; code++) {
            for (size_t i = 0; i < sizeof vmcb / 8 && !(round & 15) && !code; i++) {
                noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
                memcpy((char *)&vmcb + i * 8, &noise, 8);
            }
            noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
            vmcb.exitinfo1 = noise;
            vmcb.exitinfo2 = noise * 3;
            vmcb.exitintinfo = noise >> 5;
            svm_caps.decode_assists = round & 1;
            uint32_t kind = kind_of(code);
            CHECK(kind < VT_EXIT_KINDS && kind == v.vt.exit.kind);
            if (kind == VT_EXIT_CR_WRITE || kind == VT_EXIT_CR_READ)
                CHECK(v.vt.exit.cr.gpr < 16 && v.vt.exit.cr.cr < 16 && v.vt.exit.cr.how <= VT_CR_LMSW);
        }
}
