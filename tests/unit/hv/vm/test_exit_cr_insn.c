/* LMSW, XSETBV, and instructions on control registers that had to be decoded: as test_exit_cr.c. SDM vol 2, "LMSW", "SMSW",
 * "XSETBV". */
#include "tests/unit/hv/vm/cr_machine.h"

TEST(lmsw_writes_four_bits_and_never_leaves_protected_mode)
{
    struct vt_exit exit = { .kind = VT_EXIT_CR_WRITE, .cr = { .how = VT_CR_LMSW, .lmsw_value = 0xfff0 } };
    CHECK(start_long());
    field[VT_CR0] |= CR0_TS | CR0_EM | CR0_MP;
    begin();
    CHECK(finished(exit_cr_write(&v, &exit)));
    CHECK_EQ(field[VT_CR0], PAGED);
    exit.cr.lmsw_value = 0xa;
    begin();
    CHECK(finished(exit_cr_write(&v, &exit)));
    CHECK_EQ(field[VT_CR0], PAGED | CR0_TS | CR0_MP);
    finish();
}

/* ---- decoded instructions ------------------------------------------------------------------------------------------ */

static bool insn(unsigned op, unsigned reg, unsigned rm, bool memory)
{
    static struct insn in;
    static const struct vt_exit exit = { .kind = VT_EXIT_CR_INSN };
    in = (struct insn){ .op = (uint8_t)op, .reg = (uint8_t)reg, .rm = (uint8_t)rm, .opsize = 4, .flags = memory ? INSN_MEM : 0 };
    decoded = &in;
    begin();
    return finished(exit_cr_insn(&v, &exit));
}

TEST(decoded_moves_do_what_the_others_do)
{
    CHECK(start_long());
    cpu.gpr[VT_RBX] = 0x6000;
    CHECK(insn(INSN_MOV_TO_CR, 3, VT_RBX, false));
    CHECK_EQ(field[VT_CR3], 0x6000);
    CHECK(insn(INSN_MOV_FROM_CR, 3, VT_RCX, false));
    CHECK_EQ(cpu.gpr[VT_RCX], 0x6000);
    field[VT_CR0] |= CR0_TS;
    CHECK(insn(INSN_CLTS, 0, 0, false));
    CHECK_EQ(field[VT_CR0], PAGED);
    finish();
}

TEST(outside_of_the_kernel_only_smsw_is_carried_out)
{
    static const uint8_t ops[] = { INSN_MOV_TO_CR, INSN_MOV_FROM_CR, INSN_LMSW, INSN_CLTS };
    CHECK(start_long());
    field[VT_ACCESS + VT_SS] = 3 << 5; /* DPL: the CPL */
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        CHECK(!insn(ops[i], 3, VT_RBX, false));
    CHECK(insn(INSN_SMSW, 0, VT_RBX, false));
    CHECK_EQ(cpu.gpr[VT_RBX], PAGED);
    CHECK_EQ(stored_size, 4);
    field[VT_CR4] |= CR4_UMIP;
    CHECK(!insn(INSN_SMSW, 0, VT_RBX, false));
    finish();
}

TEST(smsw_and_lmsw_take_16_bits_of_memory)
{
    CHECK(start_long());
    operand_works = true;
    CHECK(insn(INSN_SMSW, 0, 0, true));
    CHECK_EQ(stored_size, 2);
    CHECK_EQ(operand, PAGED & 0xffff);
    operand = CR0_TS;
    CHECK(insn(INSN_LMSW, 0, 0, true));
    CHECK_EQ(field[VT_CR0], PAGED | CR0_TS);
    cpu.gpr[VT_RDX] = CR0_MP;
    CHECK(insn(INSN_LMSW, 0, VT_RDX, false));
    CHECK_EQ(field[VT_CR0], PAGED | CR0_MP);
    finish();
}

TEST(an_instruction_whose_bytes_or_operand_cannot_be_had_is_left_to_who_said_so)
{
    static const struct insn smsw = { .op = INSN_SMSW, .flags = INSN_MEM }, lmsw = { .op = INSN_LMSW, .flags = INSN_MEM };
    static const struct vt_exit exit = { .kind = VT_EXIT_CR_INSN };
    const struct insn *const list[] = { NULL, &smsw, &lmsw };
    CHECK(start_long());
    operand_works = false;
    begin();
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        decoded = list[i];
        CHECK_EQ(exit_cr_insn(&v, &exit), VCPU_RESUME);
    }
    CHECK_EQ(skipped + faulted + retried, 0);
    CHECK(!memcmp(before, field, sizeof field));
    finish();
}

TEST(an_instruction_that_cannot_have_exited_is_tried_again)
{
    static const struct insn list[] = { { .op = INSN_MOV }, { .op = INSN_MOV_TO_CR, .reg = 2 }, { .op = INSN_MOV_FROM_CR, .reg = 5 } };
    static const struct vt_exit exit = { .kind = VT_EXIT_CR_INSN };
    CHECK(start_long());
    begin();
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        decoded = &list[i];
        CHECK_EQ(exit_cr_insn(&v, &exit), VCPU_RESUME);
        CHECK_EQ(retried, i + 1);
    }
    field[VT_ACCESS + VT_SS] = before[VT_ACCESS + VT_SS] = 3 << 5;
    decoded = &list[0]; /* at CPL 3, too */
    CHECK_EQ(exit_cr_insn(&v, &exit), VCPU_RESUME);
    CHECK_EQ(retried, ARRAY_SIZE(list) + 1);
    CHECK_EQ(skipped + faulted, 0);
    CHECK(!memcmp(before, field, sizeof field));
    finish();
}

/* ---- XCR0 ---------------------------------------------------------------------------------------------------------- */

static bool set_xcr(uint32_t index, uint64_t value)
{
    static const struct vt_exit exit = { .kind = VT_EXIT_XSETBV };
    begin();
    cpu.gpr[VT_RCX] = index | UINT64_C(0xdead) << 32; /* only ECX, EDX and EAX count */
    cpu.gpr[VT_RAX] = (value & UINT32_MAX) | UINT64_C(0xdead) << 32;
    cpu.gpr[VT_RDX] = value >> 32;
    return finished(exit_xsetbv(&v, &exit));
}

/* SDM vol 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features", one sentence each. */
static bool legal(uint64_t x, uint64_t offered)
{
    unsigned bounds = x >> 3 & 3, avx512 = x >> 5 & 7;
    bool sse = x & 2, avx = x & 4;
    return (x & 1) && !(x & ~offered) && (sse || !avx) && (avx || !avx512) && (avx512 == 0 || avx512 == 7) && bounds != 1 && bounds != 2;
}

TEST(xcr0_takes_each_combination_that_the_manual_allows_and_no_other)
{
    static const uint64_t offered[] = { 0xff, 0xe7, 0x7, 0x2ff };
    CHECK(start_long());
    for (unsigned i = 0; i < ARRAY_SIZE(offered); i++) {
        v.cpuid.xcr0 = offered[i];
        for (uint64_t x = 0; x < 0x400; x++) {
            CHECK_EQ(set_xcr(0, x), legal(x, offered[i]));
            CHECK(!skipped || field[VT_XCR0] == x);
        }
        CHECK(!set_xcr(0, UINT64_C(1) << 63 | 1));
    }
    finish();
}

TEST(xsetbv_is_the_kernel_s_and_knows_one_register)
{
    CHECK(start_long());
    v.cpuid.xcr0 = 7;
    CHECK(!set_xcr(1, 3));
    CHECK(set_xcr(0, 3));
    field[VT_ACCESS + VT_SS] = 3 << 5;
    CHECK(!set_xcr(0, 7));
    finish();
}
