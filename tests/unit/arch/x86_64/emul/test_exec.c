/* What the comparison with the host CPU cannot show: faults, retries, repetition limits, segments, modes, ports. */
#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/vmcs.h"
#include "tests/unit/test.h"

#include <string.h>

/* ---- a machine of 1 MiB at linear 0, which can be told to fail --------------------------------------------------- */

static struct machine {
    uint64_t gpr[16];
    struct exec_cpu cpu;
    struct insn insn;
    uint8_t memory[1 << 20];
    unsigned reads, writes, probes, ins, outs;
    unsigned fail_write_number, fail_read_number;     /* 1: the first, 0: none */
    enum exec_access failure;
    uint64_t last_linear;
    uint16_t last_port;
    uint32_t last_out;
    bool probe_fails;
} m;

static enum exec_access access_result(bool fails, uint64_t linear, struct exec_fault *fault)
{
    m.last_linear = linear;
    if (!fails)
        return EXEC_ACCESS_OK;
    if (m.failure == EXEC_ACCESS_FAULT)
        *fault = (struct exec_fault){ .vector = EXC_PF, .has_error = true, .error = 2, .cr2 = linear };
    return m.failure;
}

static enum exec_access machine_read(void *ctx, uint64_t linear, unsigned size, enum exec_intent intent,
                                     uint64_t *value, struct exec_fault *fault)
{
    (void)ctx, (void)intent;
    memcpy(value, &m.memory[linear & 0xfffff], size);
    return access_result(++m.reads == m.fail_read_number, linear, fault);
}

static enum exec_access machine_write(void *ctx, uint64_t linear, unsigned size, const uint64_t *value,
                                      struct exec_fault *fault)
{
    (void)ctx;
    bool fails = ++m.writes == m.fail_write_number;
    if (!fails)
        memcpy(&m.memory[linear & 0xfffff], value, size);
    return access_result(fails, linear, fault);
}

static enum exec_access machine_probe(void *ctx, uint64_t linear, unsigned size, struct exec_fault *fault)
{
    (void)ctx, (void)size;
    m.probes++;
    return access_result(m.probe_fails, linear, fault);
}

static enum exec_access machine_in(void *ctx, uint16_t port, unsigned size, uint32_t *value, struct exec_fault *fault)
{
    (void)ctx, (void)size, (void)fault;
    m.last_port = port;
    *value = 0x11223300 + ++m.ins;
    return EXEC_ACCESS_OK;
}

static enum exec_access machine_out(void *ctx, uint16_t port, unsigned size, uint32_t value, struct exec_fault *fault)
{
    (void)ctx, (void)size, (void)fault;
    m.outs++;
    m.last_port = port;
    m.last_out = value;
    return EXEC_ACCESS_OK;
}

static const struct exec_bus bus = {
    .read = machine_read, .write = machine_write, .probe = machine_probe, .in = machine_in, .out = machine_out,
};

static void start(void)
{
    memset(&m, 0, sizeof m);
    m.failure = EXEC_ACCESS_FAULT;
    m.cpu = (struct exec_cpu){ .gpr = m.gpr, .rip = 0x1000, .rflags = RFLAGS_ONE, .budget = 1000,
                               .protected_mode = true, .linear_bits = 48 };
    for (int i = 0; i < INSN_SEG_COUNT; i++)
        m.cpu.seg[i] = (struct exec_seg){ .limit = UINT32_MAX, .rights = 0xc093 };
}

#define RUN(mode, ...) run(INSN_MODE_##mode, (const uint8_t[16]){ __VA_ARGS__ })

static enum exec_status run(enum insn_mode mode, const uint8_t *bytes)
{
    if (insn_decode(&m.insn, bytes, 15, mode) != INSN_OK)
        return EXEC_UNSUPPORTED;
    return insn_execute(&m.insn, &m.cpu, &bus);
}

static uint32_t peek(uint64_t at)
{
    uint32_t value;
    memcpy(&value, &m.memory[at], 4);
    return value;
}

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

/* ---- repetition and ports ----------------------------------------------------------------------------------------- */

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
