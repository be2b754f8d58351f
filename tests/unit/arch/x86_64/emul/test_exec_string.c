/* Repetition with its budget and its faults, and ports. */
#include "tests/unit/arch/x86_64/emul/exec_machine.h"

TEST(a_repetition_stops_at_its_budget_and_goes_on_when_called_again)
{
    start();
    m.cpu.budget = 4;
    m.gpr[INSN_RCX] = 10;
    m.gpr[INSN_RDI] = 0x2000;
    m.gpr[INSN_RAX] = 0x5a;
    CHECK_EQ(RUN(64, 0xf3, 0xaa), EXEC_AGAIN);
    CHECK_EQ(m.gpr[INSN_RCX], 6);
    CHECK_EQ(m.gpr[INSN_RDI], 0x2004);
    CHECK_EQ(m.cpu.rip, 0x1000);
    CHECK_EQ(RUN(64, 0xf3, 0xaa), EXEC_AGAIN);
    CHECK_EQ(RUN(64, 0xf3, 0xaa), EXEC_DONE);
    CHECK_EQ(m.cpu.rip, 0x1002);
    CHECK_EQ(m.memory[0x2009], 0x5a);
    CHECK_EQ(m.memory[0x200a], 0);
    CHECK_EQ(m.writes, 10);
}

TEST(a_budget_of_exactly_the_count_finishes_and_of_zero_does_one)
{
    start();
    m.cpu.budget = 3;
    m.gpr[INSN_RCX] = 3;
    CHECK_EQ(RUN(64, 0xf3, 0xaa), EXEC_DONE);
    m.cpu.budget = 0;
    m.gpr[INSN_RCX] = 2;
    CHECK_EQ(RUN(64, 0xf3, 0xaa), EXEC_AGAIN);
    CHECK_EQ(m.gpr[INSN_RCX], 1);
}

TEST(a_fault_within_a_repetition_keeps_what_was_done)
{
    start();
    m.gpr[INSN_RCX] = 10;
    m.gpr[INSN_RSI] = 0x2000;
    m.gpr[INSN_RDI] = 0x3000;
    m.fail_write_number = 4;
    CHECK_EQ(RUN(64, 0xf3, 0xa5), EXEC_FAULT);
    CHECK_EQ(m.gpr[INSN_RCX], 7);
    CHECK_EQ(m.gpr[INSN_RSI], 0x200c);
    CHECK_EQ(m.gpr[INSN_RDI], 0x300c);
    CHECK_EQ(m.cpu.fault.cr2, 0x300c);
    CHECK_EQ(m.cpu.rip, 0x1000);
}

TEST(a_count_of_zero_does_nothing_but_advance)
{
    start();
    CHECK_EQ(RUN(64, 0xf3, 0xa4), EXEC_DONE);
    CHECK_EQ(m.reads + m.writes, 0);
    CHECK_EQ(m.cpu.rip, 0x1002);
}

TEST(the_count_has_the_address_size)
{
    start();
    m.gpr[INSN_RCX] = UINT64_C(0xffffffff00000002);
    CHECK_EQ(RUN(64, 0x67, 0xf3, 0xaa), EXEC_DONE);
    CHECK_EQ(m.gpr[INSN_RCX], 0);
    m.gpr[INSN_RCX] = 0x50002;
    CHECK_EQ(RUN(16, 0xf3, 0xaa), EXEC_DONE);
    CHECK_EQ(m.gpr[INSN_RCX], 0x50000);
    CHECK_EQ(m.writes, 4);
}

TEST(repe_and_repne_stop_on_the_zero_flag)
{
    start();
    m.memory[0x2003] = 7;
    m.gpr[INSN_RAX] = 7;
    m.gpr[INSN_RDI] = 0x2000;
    m.gpr[INSN_RCX] = 100;
    CHECK_EQ(RUN(64, 0xf2, 0xae), EXEC_DONE);               /* repne scasb: find the 7 */
    CHECK_EQ(m.gpr[INSN_RDI], 0x2004);
    CHECK_EQ(m.gpr[INSN_RCX], 96);
    m.gpr[INSN_RSI] = 0x2000;
    m.gpr[INSN_RDI] = 0x3000;
    CHECK_EQ(RUN(64, 0xf3, 0xa6), EXEC_DONE);               /* repe cmpsb: find the difference */
    CHECK_EQ(m.gpr[INSN_RDI], 0x3004);
    CHECK(!(m.cpu.rflags & RFLAGS_ZF));
}

TEST(the_direction_flag_counts_down)
{
    start();
    m.cpu.rflags |= RFLAGS_DF;
    m.gpr[INSN_RDI] = 0x2010;
    m.gpr[INSN_RCX] = 2;
    CHECK_EQ(RUN(64, 0xf3, 0x48, 0xab), EXEC_DONE);
    CHECK_EQ(m.gpr[INSN_RDI], 0x2000);
}

TEST(ports_come_from_dx_or_the_immediate)
{
    start();
    m.gpr[INSN_RDX] = 0xffff03f8;
    m.gpr[INSN_RAX] = UINT64_C(0xaabbccddeeff0011);
    CHECK_EQ(RUN(64, 0xef), EXEC_DONE);
    CHECK_EQ(m.last_port, 0x3f8);
    CHECK_EQ(m.last_out, 0xeeff0011);
    CHECK_EQ(RUN(64, 0xe4, 0x64), EXEC_DONE);
    CHECK_EQ(m.last_port, 0x64);
    CHECK_EQ(m.gpr[INSN_RAX], UINT64_C(0xaabbccddeeff0001));
    CHECK_EQ(RUN(64, 0xed), EXEC_DONE);
    CHECK_EQ(m.gpr[INSN_RAX], 0x11223302);                  /* 32 bits clear the rest */
}

TEST(ins_and_outs_move_between_port_and_memory)
{
    start();
    m.gpr[INSN_RDX] = 0x1f0;
    m.gpr[INSN_RDI] = 0x2000;
    m.gpr[INSN_RCX] = 3;
    CHECK_EQ(RUN(64, 0xf3, 0x66, 0x6d), EXEC_DONE);
    CHECK_EQ(peek(0x2002), 0x33033302);
    CHECK_EQ(m.ins, 3);
    m.gpr[INSN_RSI] = 0x2000;
    m.gpr[INSN_RCX] = 1;
    CHECK_EQ(RUN(64, 0xf3, 0x6f), EXEC_DONE);
    CHECK_EQ(m.last_out, 0x33023301);
    CHECK_EQ(m.gpr[INSN_RSI], 0x2004);
}

TEST(nothing_is_read_from_a_port_or_device_if_the_write_would_fault)
{
    start();
    m.probe_fails = true;
    m.gpr[INSN_RCX] = 2;
    CHECK_EQ(RUN(64, 0xf3, 0x6c), EXEC_FAULT);
    CHECK_EQ(m.ins, 0);
    CHECK_EQ(RUN(64, 0xf3, 0xa4), EXEC_FAULT);
    CHECK_EQ(RUN(64, 0xff, 0x33), EXEC_FAULT);              /* push [rbx] */
    CHECK_EQ(m.reads, 0);
    CHECK_EQ(m.gpr[INSN_RCX], 2);
}
