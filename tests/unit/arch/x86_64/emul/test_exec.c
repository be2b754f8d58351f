/* What the comparison with the host CPU cannot show: faults, retries, segments, modes. */
#include "tests/unit/arch/x86_64/emul/exec_machine.h"

/* ---- faults change nothing --------------------------------------------------------------------------------------- */

TEST(a_page_fault_on_a_read_leaves_every_register)
{
    start();
    m.gpr[INSN_RAX] = 0x1234;
    m.gpr[INSN_RBX] = 0x2000;
    m.fail_read_number = 1;
    CHECK_EQ(RUN(64, 0x8b, 0x43, 0x08), EXEC_FAULT);
    CHECK_EQ(m.cpu.fault.vector, EXC_PF);
    CHECK_EQ(m.cpu.fault.cr2, 0x2008);
    CHECK_EQ(m.gpr[INSN_RAX], 0x1234);
    CHECK_EQ(m.cpu.rip, 0x1000);
}

TEST(a_fault_on_the_write_of_a_read_modify_write_leaves_flags_and_registers)
{
    start();
    m.gpr[INSN_RBX] = 0x2000;
    m.gpr[INSN_RAX] = 1;
    m.fail_write_number = 1;
    CHECK_EQ(RUN(64, 0x29, 0x03), EXEC_FAULT);              /* sub [rbx], eax: would borrow */
    CHECK_EQ(m.cpu.rflags, RFLAGS_ONE);
    m.writes = 0;
    CHECK_EQ(RUN(64, 0x87, 0x03), EXEC_FAULT);              /* xchg */
    m.writes = 0;
    CHECK_EQ(RUN(64, 0x0f, 0xc1, 0x03), EXEC_FAULT);        /* xadd */
    CHECK_EQ(m.gpr[INSN_RAX], 1);
    CHECK_EQ(m.cpu.rip, 0x1000);
}

TEST(a_retry_leaves_everything_and_says_so)
{
    start();
    m.failure = EXEC_ACCESS_RETRY;
    m.fail_write_number = 1;
    CHECK_EQ(RUN(64, 0xc7, 0x03, 1, 0, 0, 0), EXEC_RETRY);
    CHECK_EQ(m.cpu.rip, 0x1000);
}

TEST(a_read_modify_write_reads_once_and_writes_once)
{
    start();
    m.gpr[INSN_RBX] = 0x2000;
    CHECK_EQ(RUN(64, 0xf0, 0x83, 0x0b, 0x05), EXEC_DONE);   /* lock or dword [rbx], 5 */
    CHECK_EQ(m.reads, 1);
    CHECK_EQ(m.writes, 1);
    CHECK_EQ(peek(0x2000), 5);
    CHECK_EQ(RUN(64, 0x83, 0x3b, 0x05), EXEC_DONE);         /* cmp: no write */
    CHECK_EQ(m.writes, 1);
    CHECK(m.cpu.rflags & RFLAGS_ZF);
}

TEST(a_failed_pop_to_memory_puts_the_stack_pointer_back)
{
    start();
    m.gpr[INSN_RSP] = 0x3000;
    m.gpr[INSN_RBX] = 0x2000;
    m.fail_write_number = 1;
    CHECK_EQ(RUN(64, 0x8f, 0x03), EXEC_FAULT);
    CHECK_EQ(m.gpr[INSN_RSP], 0x3000);
}

TEST(pop_to_an_address_in_rsp_uses_the_incremented_one)
{
    start();
    m.gpr[INSN_RSP] = 0x3000;
    m.memory[0x3000] = 0x77;
    CHECK_EQ(RUN(64, 0x8f, 0x04, 0x24), EXEC_DONE);
    CHECK_EQ(m.memory[0x3008], 0x77);
    CHECK_EQ(m.gpr[INSN_RSP], 0x3008);
}

TEST(what_is_only_decoded_is_refused)
{
    start();
    CHECK_EQ(RUN(64, 0x0f, 0xa2), EXEC_UNSUPPORTED);
    CHECK_EQ(m.insn.op, INSN_CPUID);
    CHECK_EQ(RUN(64, 0x0f, 0x28, 0x03), EXEC_UNSUPPORTED);
    CHECK_EQ(m.cpu.rip, 0x1000);
}

TEST(division_by_zero_is_a_divide_error_without_error_code)
{
    start();
    CHECK_EQ(RUN(64, 0xf7, 0xf3), EXEC_FAULT);
    CHECK_EQ(m.cpu.fault.vector, EXC_DE);
    CHECK(!m.cpu.fault.has_error);
}

TEST(an_unaligned_cmpxchg16b_is_a_general_protection_fault)
{
    start();
    m.gpr[INSN_RBX] = 0x2008;
    CHECK_EQ(RUN(64, 0x48, 0x0f, 0xc7, 0x0b), EXEC_FAULT);
    CHECK_EQ(m.cpu.fault.vector, EXC_GP);
    CHECK_EQ(m.reads, 0);
}

/* ---- addresses and segments --------------------------------------------------------------------------------------- */

TEST(a_non_canonical_address_faults_by_segment)
{
    start();
    m.gpr[INSN_RBX] = m.gpr[INSN_RBP] = UINT64_C(0x800000000000);
    CHECK_EQ(RUN(64, 0x8b, 0x03), EXEC_FAULT);
    CHECK_EQ(m.cpu.fault.vector, EXC_GP);
    CHECK(m.cpu.fault.has_error && m.cpu.fault.error == 0);
    CHECK_EQ(RUN(64, 0x8b, 0x45, 0x00), EXEC_FAULT);
    CHECK_EQ(m.cpu.fault.vector, EXC_SS);
    m.gpr[INSN_RBX] -= 2;                                   /* its last bytes are not canonical */
    CHECK_EQ(RUN(64, 0x8b, 0x03), EXEC_FAULT);
    m.cpu.linear_bits = 57;
    CHECK_EQ(RUN(64, 0x8b, 0x03), EXEC_DONE);
    CHECK_EQ(m.reads, 1);
}

TEST(rip_relative_counts_from_the_next_instruction_and_gs_has_a_base)
{
    start();
    CHECK_EQ(RUN(64, 0x8b, 0x05, 0xfa, 0x0f, 0, 0), EXEC_DONE);
    CHECK_EQ(m.last_linear, 0x2000);
    m.cpu.seg[INSN_GS].base = 0x10000;
    m.cpu.seg[INSN_DS].base = 0x999;                        /* ignored */
    CHECK_EQ(RUN(64, 0x65, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0), EXEC_DONE);
    CHECK_EQ(m.last_linear, 0x10010);
    CHECK_EQ(insn_linear_address(&m.insn, &m.cpu), 0x10010);
    m.gpr[INSN_RBX] = 0x3000;
    CHECK_EQ(RUN(64, 0x8b, 0x03), EXEC_DONE);
    CHECK_EQ(m.last_linear, 0x3000);
}

TEST(a_32_bit_address_size_wraps_the_offset)
{
    start();
    m.gpr[INSN_RBX] = UINT64_C(0x1fffffff0);
    CHECK_EQ(RUN(64, 0x67, 0x8b, 0x43, 0x20), EXEC_DONE);
    CHECK_EQ(m.last_linear, 0x10);
    m.gpr[INSN_RBX] = 0xfff0;
    CHECK_EQ(RUN(16, 0x8b, 0x47, 0x20), EXEC_DONE);         /* mov ax, [bx+0x20] */
    CHECK_EQ(m.last_linear, 0x10);
}

TEST(moffs_takes_a_64_bit_address)
{
    start();
    m.memory[0x12345] = 0x5a;
    CHECK_EQ(RUN(64, 0xa0, 0x45, 0x23, 0x01, 0, 0, 0, 0, 0), EXEC_DONE);
    CHECK_EQ(m.gpr[INSN_RAX], 0x5a);
    m.gpr[INSN_RAX] = 0xa5;
    CHECK_EQ(RUN(32, 0xa3, 0x45, 0x23, 0x01, 0), EXEC_DONE);
    CHECK_EQ(peek(0x12345), 0xa5);
}

TEST(movbe_swaps_and_a_segment_register_is_stored_as_a_word)
{
    start();
    m.gpr[INSN_RBX] = 0x2000;
    m.gpr[INSN_RAX] = 0x11223344;
    CHECK_EQ(RUN(64, 0x0f, 0x38, 0xf1, 0x03), EXEC_DONE);
    CHECK_EQ(peek(0x2000), 0x44332211);
    CHECK_EQ(RUN(64, 0x66, 0x0f, 0x38, 0xf0, 0x03), EXEC_DONE);
    CHECK_EQ(m.gpr[INSN_RAX], 0x11221122);
    m.cpu.seg[INSN_GS].selector = 0xabcd;
    CHECK_EQ(RUN(64, 0x48, 0x8c, 0x2b), EXEC_DONE);         /* REX.W: memory still gets 16 bits */
    CHECK_EQ(peek(0x2000), 0x4433abcd);
}

TEST(segment_limits_and_types_are_checked_in_protected_mode)
{
    start();
    struct exec_seg *ds = &m.cpu.seg[INSN_DS];
    ds->base = 0x8000;
    ds->limit = 0xfff;
    m.gpr[INSN_RBX] = 0xffc;
    CHECK_EQ(RUN(32, 0x8b, 0x03), EXEC_DONE);
    CHECK_EQ(m.last_linear, 0x8ffc);
    m.gpr[INSN_RBX] = 0xffd;
    CHECK_EQ(RUN(32, 0x8b, 0x03), EXEC_FAULT);
    CHECK_EQ(m.cpu.fault.vector, EXC_GP);
    m.gpr[INSN_RBX] = 0;
    ds->rights = 0xc091;                                    /* read-only data */
    CHECK_EQ(RUN(32, 0x89, 0x03), EXEC_FAULT);
    CHECK_EQ(RUN(32, 0x0b, 0x03), EXEC_DONE);
    CHECK_EQ(RUN(32, 0x09, 0x03), EXEC_FAULT);
    CHECK_EQ(m.writes, 0);
    ds->rights = VMCS_AR_UNUSABLE;
    CHECK_EQ(RUN(32, 0x8b, 0x03), EXEC_FAULT);
    m.cpu.seg[INSN_CS].rights = 0xc09b;
    CHECK_EQ(RUN(32, 0x2e, 0x8b, 0x03), EXEC_DONE);
    CHECK_EQ(RUN(32, 0x2e, 0x89, 0x03), EXEC_FAULT);        /* code is never writable... */
    m.cpu.seg[INSN_CS].rights = 0xc099;
    CHECK_EQ(RUN(32, 0x2e, 0x8b, 0x03), EXEC_FAULT);        /* ...nor always readable */
}

TEST(an_expand_down_segment_is_valid_above_its_limit)
{
    start();
    m.cpu.seg[INSN_SS] = (struct exec_seg){ .limit = 0xfff, .rights = 0x8097 };
    m.gpr[INSN_RBP] = 0x1000;
    CHECK_EQ(RUN(32, 0x8b, 0x45, 0x00), EXEC_DONE);
    m.gpr[INSN_RBP] = 0xfff;
    CHECK_EQ(RUN(32, 0x8b, 0x45, 0x00), EXEC_FAULT);
    CHECK_EQ(m.cpu.fault.vector, EXC_SS);
    m.gpr[INSN_RBP] = 0xfffe;                               /* B clear: ends at 64 KiB */
    CHECK_EQ(RUN(32, 0x8b, 0x45, 0x00), EXEC_FAULT);
    m.cpu.seg[INSN_SS].rights |= VMCS_AR_DB;
    CHECK_EQ(RUN(32, 0x8b, 0x45, 0x00), EXEC_DONE);
}

TEST(real_mode_has_limits_but_no_types_and_no_error_code)
{
    start();
    m.cpu.protected_mode = false;
    m.cpu.seg[INSN_CS] = (struct exec_seg){ .base = 0x4000, .limit = 0xffff, .rights = 0x9b };
    m.gpr[INSN_RBX] = 0x10;
    CHECK_EQ(RUN(16, 0x2e, 0x89, 0x07), EXEC_DONE);         /* mov cs:[bx], ax */
    CHECK_EQ(m.last_linear, 0x4010);
    m.gpr[INSN_RBX] = 0xffff;
    CHECK_EQ(RUN(16, 0x2e, 0x89, 0x07), EXEC_FAULT);
    CHECK_EQ(m.cpu.fault.vector, EXC_GP);
    CHECK(!m.cpu.fault.has_error);
}

TEST(the_instruction_pointer_wraps_by_mode)
{
    start();
    m.cpu.rip = 0xffff;
    CHECK_EQ(RUN(16, 0x90), EXEC_DONE);
    CHECK_EQ(m.cpu.rip, 0);
    m.cpu.rip = 0xffffffff;
    CHECK_EQ(RUN(32, 0x90), EXEC_DONE);
    CHECK_EQ(m.cpu.rip, 0);
    m.cpu.rip = 0xffffffff;
    CHECK_EQ(RUN(64, 0x90), EXEC_DONE);
    CHECK_EQ(m.cpu.rip, 0x100000000);
}

TEST(a_16_bit_stack_pointer_wraps_and_keeps_the_upper_bits)
{
    start();
    m.cpu.seg[INSN_SS] = (struct exec_seg){ .base = 0x20000, .limit = 0xffff, .rights = 0x93 };
    m.gpr[INSN_RSP] = 0x70000;
    m.gpr[INSN_RBX] = 0xabcd;
    CHECK_EQ(RUN(16, 0x53), EXEC_DONE);
    CHECK_EQ(m.gpr[INSN_RSP], 0x7fffe);
    CHECK_EQ(peek(0x2fffe) & 0xffff, 0xabcd);
}
