/* Any decoded instruction, with any registers, against a bus that sometimes fails: it changes no register but its
 * operands, no flag but the six, nothing at all if it fails, and asks the bus for no more than an instruction may.
 * covers: arch/x86_64/emul/exec.c arch/x86_64/emul/exec_bits.c arch/x86_64/emul/exec_operand.c arch/x86_64/emul/exec_string.c arch/x86_64/emul/alu.c arch/x86_64/emul/alu_multiply.c
 * max_len: 64 */
#include "arch/x86_64/emul/alu.h"
#include "arch/x86_64/emul/exec.h"
#include "tests/fuzz/fuzz.h"

#define BIT(reg) (1u << (reg))
#define BUDGET   4u

static struct {
    uint64_t failures;        /* one bit per bus access: it fails; the next bit says how */
    uint64_t noise;           /* what memory and ports hold */
    unsigned accesses, ins, writes;
    uint64_t modified;        /* address of the last EXEC_MODIFY read */
    unsigned modified_size;
} world;

static enum exec_access access_result(unsigned size, bool may_be_16)
{
    FUZZ_CHECK(size == 1 || size == 2 || size == 4 || size == 8 || (may_be_16 && size == 16));
    FUZZ_CHECK(++world.accesses <= 5 * BUDGET);
    bool fails = world.failures & 1, retry = world.failures & 2;
    world.failures >>= 1;
    return !fails ? EXEC_ACCESS_OK : retry ? EXEC_ACCESS_RETRY : EXEC_ACCESS_FAULT;
}

static uint64_t held(uint64_t address)
{
    return (address ^ world.noise) * UINT64_C(0x9e3779b97f4a7c15);
}

static enum exec_access on_read(void *ctx, uint64_t linear, unsigned size, enum exec_intent intent, uint64_t *value,
                                struct exec_fault *fault)
{
    (void)ctx, (void)fault;
    value[0] = held(linear);
    if (size == 16)
        value[1] = held(linear + 8);
    world.modified = linear;
    world.modified_size = intent == EXEC_MODIFY ? size : 0;
    return access_result(size, true);
}

static enum exec_access on_write(void *ctx, uint64_t linear, unsigned size, const uint64_t *value,
                                 struct exec_fault *fault)
{
    (void)ctx, (void)fault;
    FUZZ_CHECK(size >= 8 || !(value[0] >> (8 * size)));
    /* A read-modify-write goes back to where it read. */
    FUZZ_CHECK(!world.modified_size || (linear == world.modified && size == world.modified_size));
    world.modified_size = 0;
    world.writes++;
    return access_result(size, true);
}

static enum exec_access on_probe(void *ctx, uint64_t linear, unsigned size, struct exec_fault *fault)
{
    (void)ctx, (void)linear, (void)fault;
    return access_result(size, false);
}

static enum exec_access on_in(void *ctx, uint16_t port, unsigned size, uint32_t *value, struct exec_fault *fault)
{
    (void)ctx, (void)fault;
    *value = (uint32_t)held(port);
    world.ins++;
    return access_result(size, false);
}

static enum exec_access on_out(void *ctx, uint16_t port, unsigned size, uint32_t value, struct exec_fault *fault)
{
    (void)ctx, (void)port, (void)fault;
    FUZZ_CHECK(size >= 4 || !(value >> (8 * size)));
    return access_result(size, false);
}

static const struct exec_bus bus = { NULL, on_read, on_write, on_probe, on_in, on_out };

/* ---- which registers may change: destinations come first in a form's name ---------------------------------------- */

static unsigned named(uint8_t reg)
{
    return reg < 16 ? BIT(reg) : reg < 20 ? BIT(reg - INSN_AH) : 0;
}

static unsigned implied(const struct insn *in)
{
    unsigned pointers = BIT(INSN_RSI) | BIT(INSN_RDI);
    switch ((enum insn_op)in->op) {
    case INSN_MUL: case INSN_IMUL: case INSN_DIV: case INSN_IDIV:
        return in->opsize == 1 ? BIT(INSN_RAX) : BIT(INSN_RAX) | BIT(INSN_RDX);
    case INSN_CMPXCHG: case INSN_IN: return BIT(INSN_RAX);
    case INSN_CMPXCHG8B: return BIT(INSN_RAX) | BIT(INSN_RDX);
    case INSN_PUSH: case INSN_POP: return BIT(INSN_RSP);
    case INSN_LODS: return BIT(INSN_RSI) | BIT(INSN_RAX) | BIT(INSN_RCX);
    case INSN_MOVS: case INSN_CMPS: return pointers | BIT(INSN_RCX);
    case INSN_STOS: case INSN_SCAS: case INSN_INS: return BIT(INSN_RDI) | BIT(INSN_RCX);
    case INSN_OUTS: return BIT(INSN_RSI) | BIT(INSN_RCX);
    default: return 0;
    }
}

static bool only_reads(const struct insn *in)
{
    static const uint8_t readers[] = { INSN_CMP, INSN_TEST, INSN_BT, INSN_MUL, INSN_DIV, INSN_IDIV, INSN_PUSH, INSN_NOP,
                                       INSN_IMUL };
    return memchr(readers, in->op, sizeof readers) != NULL;
}

static unsigned may_change(const struct insn *in)
{
    unsigned rm = in->flags & INSN_MEM ? 0 : named(in->rm), changes = implied(in);
    if (in->op == INSN_XCHG || in->op == INSN_XADD)
        return changes | rm | named(in->reg);
    if (only_reads(in))
        return changes;
    switch ((enum insn_form)in->form) {
    case INSN_FORM_RM: case INSN_FORM_RM_REG: case INSN_FORM_RM_IMM: case INSN_FORM_RM_CL: case INSN_FORM_RM_REG_IMM:
    case INSN_FORM_RM_REG_CL:
        return changes | rm;
    case INSN_FORM_REG_RM: case INSN_FORM_REG_RM_IMM: return changes | named(in->reg);
    default: return changes;
    }
}

static void check(const struct insn *in, enum exec_status status, const struct exec_cpu *before, const uint64_t *old,
                  const struct exec_cpu *cpu)
{
    unsigned changed = 0;
    for (unsigned i = 0; i < 16; i++)
        changed |= old[i] != cpu->gpr[i] ? BIT(i) : 0;
    bool repeats = in->form == INSN_FORM_STRING && (in->flags & (INSN_REP | INSN_REPNE));
    FUZZ_CHECK(!(changed & ~may_change(in)));
    FUZZ_CHECK(!((cpu->rflags ^ before->rflags) & ~(uint64_t)ALU_STATUS));
    FUZZ_CHECK(status != EXEC_AGAIN || repeats);
    FUZZ_CHECK(status == EXEC_DONE || cpu->rip == before->rip);
    if (status != EXEC_DONE && !repeats)
        FUZZ_CHECK(!changed && cpu->rflags == before->rflags);
    if (status == EXEC_DONE)
        FUZZ_CHECK(cpu->rip == ((before->rip + in->length) & (in->mode == INSN_MODE_64 ? UINT64_MAX :
                                                              in->mode == INSN_MODE_32 ? UINT32_MAX : UINT16_MAX)));
    FUZZ_CHECK(!memcmp(before->seg, cpu->seg, sizeof cpu->seg));
}

static void set_registers(struct fuzz_input *input, uint64_t gpr[16], struct exec_cpu *cpu)
{
    uint64_t seed = fuzz_u64(input);
    uint16_t small = fuzz_u16(input); /* these are small numbers: counts, and addresses near 0 */
    for (unsigned i = 0; i < 16; i++)
        gpr[i] = small >> i & 1 ? seed >> i & 15 : seed * (2 * i + 1);
    cpu->rip = (uint64_t)fuzz_u16(input);
    cpu->rflags = fuzz_u16(input) | 2u;
    uint8_t modes = fuzz_u8(input);
    cpu->protected_mode = modes & 1;
    cpu->linear_bits = modes & 2 ? 57 : 48;
    uint32_t rights = fuzz_take(input, 3) & 0x1ffff, limit = fuzz_u16(input);
    for (unsigned i = 0; i < INSN_SEG_COUNT; i++) /* a segment is usual, or what the input says */
        cpu->seg[i] = modes >> (2 + i) & 1 ? (struct exec_seg){ seed >> 1, limit, rights, small }
                                           : (struct exec_seg){ 0, UINT32_MAX, 0xc093, 8 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { data, size };
    struct insn in;
    enum insn_mode mode = fuzz_u8(&input) % 3;
    uint64_t gpr[16], old[16];
    struct exec_cpu cpu = { .gpr = gpr, .budget = BUDGET };
    memset(&world, 0, sizeof world);
    world.failures = fuzz_u16(&input);
    world.noise = fuzz_u8(&input);
    set_registers(&input, gpr, &cpu);
    if (insn_decode(&in, input.at, input.left, mode) != INSN_OK)
        return 0;
    struct exec_cpu before = cpu;
    memcpy(old, gpr, sizeof old);
    check(&in, insn_execute(&in, &cpu, &bus), &before, old, &cpu);
    return 0;
}
