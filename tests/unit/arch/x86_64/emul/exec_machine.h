/* A machine of 1 MiB at linear 0 to execute instructions on, which can be told to fail: for the executor's tests. */
#ifndef TESTS_UNIT_ARCH_X86_64_EMUL_EXEC_MACHINE_H
#define TESTS_UNIT_ARCH_X86_64_EMUL_EXEC_MACHINE_H

#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/vmcs.h"
#include "tests/unit/test.h"

#include <string.h>

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

static inline uint32_t peek(uint64_t at)
{
    uint32_t value;
    memcpy(&value, &m.memory[at], 4);
    return value;
}

#endif
