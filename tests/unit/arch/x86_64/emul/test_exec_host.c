/* The executor against the CPU that the test runs on: random instructions of the executed set, in 64-bit mode, over
 * random registers, flags and memory; both must end with the same registers, memory and defined flags.
 * EXEC_HOST_COUNT and EXEC_HOST_SEED change the run. */
#define _GNU_SOURCE
#include "arch/x86_64/emul/alu.h"
#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/isa/exception.h"
#include "tests/unit/test.h"

#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- running one instruction on the host --------------------------------------------------------------------------- */

struct state {
    uint64_t gpr[16];
    uint64_t rflags;
};

void host_run(struct state *s, const void *code);
extern const char host_resume[];

/* Load everything, RSP too, jump to the code; the code jumps to host_resume, which stores everything again. */
__asm__(
    ".local host_rsp, host_state, host_code, host_rdi\n .comm host_rsp,8\n .comm host_state,8\n .comm host_code,8\n"
    ".comm host_rdi,8\n .text\n .globl host_run, host_resume\n"
    "host_run:\n push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, host_rsp(%rip)\n mov %rdi, host_state(%rip)\n mov %rsi, host_code(%rip)\n"
    "push 128(%rdi)\n popfq\n"
    "mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov 16(%rdi), %rdx\n mov 24(%rdi), %rbx\n mov 32(%rdi), %rsp\n"
    "mov 40(%rdi), %rbp\n mov 48(%rdi), %rsi\n mov 64(%rdi), %r8\n mov 72(%rdi), %r9\n mov 80(%rdi), %r10\n"
    "mov 88(%rdi), %r11\n mov 96(%rdi), %r12\n mov 104(%rdi), %r13\n mov 112(%rdi), %r14\n mov 120(%rdi), %r15\n"
    "mov 56(%rdi), %rdi\n jmp *host_code(%rip)\n"
    "host_resume:\n mov %rdi, host_rdi(%rip)\n mov host_state(%rip), %rdi\n"
    "mov %rax, 0(%rdi)\n mov %rcx, 8(%rdi)\n mov %rdx, 16(%rdi)\n mov %rbx, 24(%rdi)\n mov %rsp, 32(%rdi)\n"
    "mov %rbp, 40(%rdi)\n mov %rsi, 48(%rdi)\n mov %r8, 64(%rdi)\n mov %r9, 72(%rdi)\n mov %r10, 80(%rdi)\n"
    "mov %r11, 88(%rdi)\n mov %r12, 96(%rdi)\n mov %r13, 104(%rdi)\n mov %r14, 112(%rdi)\n mov %r15, 120(%rdi)\n"
    "mov host_rsp(%rip), %rsp\n pushfq\n pop 128(%rdi)\n cld\n mov host_rdi(%rip), %rax\n mov %rax, 56(%rdi)\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n");

enum { MEMORY = 4096, MIDDLE = MEMORY / 2 };

static uint8_t *code, *memory;           /* both below 4 GiB, so that 32-bit addresses reach them */
static sigjmp_buf divide_error;

static void on_divide_error(int signal)
{
    (void)signal;
    siglongjmp(divide_error, 1);
}

static void set_up(void)
{
    static uint8_t stack[65536];
    if (code)
        return;
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    memory = mmap(NULL, 3 * MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    memory += MEMORY;
    sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL);
    sigaction(SIGFPE, &(struct sigaction){ .sa_handler = on_divide_error, .sa_flags = SA_ONSTACK | SA_NODEFER }, NULL);
}

/* False: the CPU raised #DE. */
static bool run_on_host(struct state *s, const uint8_t *bytes, unsigned length)
{
    const void *resume = host_resume;
    memcpy(code, bytes, length);
    memcpy(code + length, "\xff\x25\0\0\0\0", 6);     /* jmp [rip] */
    memcpy(code + length + 6, &resume, 8);
    if (sigsetjmp(divide_error, 1))
        return false;
    host_run(s, code);
    return true;
}

/* ---- the executor on the same memory -------------------------------------------------------------------------------- */

static unsigned reads, writes;

static enum exec_access bus_read(void *ctx, uint64_t linear, unsigned size, enum exec_intent intent, uint64_t *value,
                                 struct exec_fault *fault)
{
    (void)ctx, (void)intent, (void)fault;
    reads++;
    memcpy(value, (const void *)linear, size);
    return EXEC_ACCESS_OK;
}

static enum exec_access bus_write(void *ctx, uint64_t linear, unsigned size, const uint64_t *value,
                                  struct exec_fault *fault)
{
    (void)ctx, (void)fault;
    writes++;
    memcpy((void *)linear, value, size);
    return EXEC_ACCESS_OK;
}

static const struct exec_bus bus = { .read = bus_read, .write = bus_write };

static enum exec_status run_executor(struct state *s, const struct insn *in)
{
    struct exec_cpu cpu = { .gpr = s->gpr, .rip = 0x1000, .rflags = s->rflags, .budget = 3, .protected_mode = true,
                            .linear_bits = 48 };
    uint16_t selectors[INSN_SEG_COUNT];
    __asm__("mov %%es,%0; mov %%cs,%1; mov %%ss,%2; mov %%ds,%3; mov %%fs,%4; mov %%gs,%5"
            : "=r"(selectors[0]), "=r"(selectors[1]), "=r"(selectors[2]), "=r"(selectors[3]), "=r"(selectors[4]),
              "=r"(selectors[5]));
    for (int i = 0; i < INSN_SEG_COUNT; i++)
        cpu.seg[i].selector = selectors[i];
    enum exec_status status;
    do
        status = insn_execute(in, &cpu, &bus);
    while (status == EXEC_AGAIN && cpu.rip == 0x1000);
    s->rflags = cpu.rflags;
    return cpu.rip == (status == EXEC_DONE ? 0x1000u + in->length : 0x1000u) ? status : EXEC_UNSUPPORTED;
}

/* ---- what the manuals leave undefined ------------------------------------------------------------------------------- */

static unsigned count_of(const struct insn *in, const struct state *s)
{
    bool by_cl = in->form == INSN_FORM_RM_CL || in->form == INSN_FORM_RM_REG_CL;
    return (unsigned)(by_cl ? s->gpr[INSN_RCX] : in->imm) & (in->opsize == 8 ? 63 : 31);
}

static uint64_t undefined_after_shift(const struct insn *in, unsigned count)
{
    uint64_t overflow = count == 1 ? 0 : RFLAGS_OF;
    if (!count)
        return 0;
    switch (in->op) {
    case INSN_ROL: case INSN_ROR: case INSN_RCL: case INSN_RCR: return overflow;
    case INSN_SHL: case INSN_SHR: return overflow | RFLAGS_AF | (count >= 8u * in->opsize ? RFLAGS_CF : 0);
    default: return overflow | RFLAGS_AF;
    }
}

static uint64_t undefined_flags(const struct insn *in, const struct state *before)
{
    switch (in->op) {
    case INSN_AND: case INSN_OR: case INSN_XOR: case INSN_TEST: return RFLAGS_AF;
    case INSN_ROL: case INSN_ROR: case INSN_RCL: case INSN_RCR: case INSN_SHL: case INSN_SHR: case INSN_SAR:
    case INSN_SHLD: case INSN_SHRD: return undefined_after_shift(in, count_of(in, before));
    case INSN_BT: case INSN_BTS: case INSN_BTR: case INSN_BTC: return RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF;
    case INSN_BSF: case INSN_BSR: return ALU_STATUS & ~RFLAGS_ZF;
    case INSN_MUL: case INSN_IMUL: case INSN_IMUL_REG: return RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF;
    case INSN_DIV: case INSN_IDIV: return ALU_STATUS;
    default: return 0;
    }
}

/* ---- generating instructions ---------------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint64_t random64(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1dull;
}

/* Values where carries and signs happen, as often as plain random ones. */
static uint64_t random_operand(void)
{
    static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
                                      0xffffffff, INT64_MAX, 1ull << 63, UINT64_MAX };
    uint64_t r = random64();
    return r & 1 ? edges[(r >> 8) % ARRAY_SIZE(edges)] ^ (r & 2 ? 0 : (r >> 32) & 15) : random64() >> (r >> 58);
}

static bool has_movbe(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_MOVBE);
}

/* Random bytes, but prefixes and ModRM that stay within `memory` when the registers are set by aim(). */
static bool generate(uint8_t bytes[16], struct insn *in)
{
    static int movbe = -1;
    size_t n = 0;
    uint64_t r[2] = { random64(), random64() }, choice = random64();
    if (movbe < 0)
        movbe = has_movbe();
    memcpy(bytes, r, 16);
    if (choice & 1) bytes[n++] = 0x66;
    if ((choice & 0x0e) == 0x0e) bytes[n++] = 0x67;
    if ((choice & 0x70) == 0x70) bytes[n++] = 0xf0;
    if ((choice & 0x380) == 0x380) bytes[n++] = choice & 0x400 ? 0xf2 : 0xf3;
    if (choice & 0x800) bytes[n++] = (uint8_t)(0x40 | (random64() & 0x0d));     /* no REX.X */
    if ((choice & 0x3000) == 0x3000) bytes[n++] = 0x0f;
    if (bytes[n] == 0x38 && n && bytes[n - 1] == 0x0f) bytes[++n] = choice & 0x4000 ? 0xf0 : 0xf1;
    static const uint8_t modrms[4] = { 0x83, 0x84, 0xc0, 0xc0 };   /* [rbx+disp32], [rbx+rbp*s+disp32], register */
    uint8_t *modrm = &bytes[n + 1], kind = modrms[choice >> 60 & 3];
    *modrm = kind == 0xc0 ? *modrm | 0xc0 : (uint8_t)((*modrm & 0x38) | kind);
    uint8_t *disp = modrm + 1;
    if (kind == 0x84) {
        *disp = (uint8_t)((*disp & 0xc0) | INSN_RBP << 3 | INSN_RBX);
        disp++;
    }
    if (kind != 0xc0 && disp + 4 <= bytes + 16)
        memcpy(disp, &(int32_t){ (int32_t)(choice >> 16 & 255) - 128 }, 4);
    if (insn_decode(in, bytes, 15, INSN_MODE_64) != INSN_OK || in->op >= INSN_PAUSE)
        return false;
    bool repeats = in->flags & (INSN_REP | INSN_REPNE);
    return in->op != INSN_IN && in->op != INSN_OUT && in->op != INSN_INS && in->op != INSN_OUTS
        && (in->op != INSN_MOVBE || movbe) && (!repeats || in->form == INSN_FORM_STRING)
        && in->seg != INSN_FS && in->seg != INSN_GS && in->base != INSN_REG_RIP;
}

/* Registers such that the operand is in memory; false if the instruction wants it otherwise. */
static bool aim(const struct insn *in, struct state *s)
{
    for (int i = 0; i < 16; i++)
        s->gpr[i] = random_operand();
    s->rflags = 0x202 | (random64() & (ALU_STATUS | RFLAGS_DF));
    s->gpr[INSN_RSP] = (uint64_t)memory + MIDDLE + (random64() & 63);
    if (in->form == INSN_FORM_STRING) {
        s->gpr[INSN_RSI] = (uint64_t)memory + MIDDLE + (random64() & 255);
        s->gpr[INSN_RDI] = (uint64_t)memory + MIDDLE + (random64() & 255);
        s->gpr[INSN_RCX] = random64() & 15;
        return true;
    }
    if (!(in->flags & INSN_MEM))
        return true;
    if (in->base == INSN_REG_NONE || in->disp < -256 || in->disp > 256)
        return false;
    bool bit_number = (in->op == INSN_BT || in->op == INSN_BTS || in->op == INSN_BTR || in->op == INSN_BTC)
                      && in->form == INSN_FORM_RM_REG;
    if (bit_number && (in->reg == in->base || in->reg == in->index))
        return false;
    if (in->base == in->index || in->base == INSN_RSP)
        return false;
    s->gpr[in->base] = (uint64_t)memory + MIDDLE;
    if (in->op == INSN_CMPXCHG8B && in->opsize == 16) {
        if (in->index != INSN_REG_NONE)
            return false;
        s->gpr[in->base] -= (uint64_t)in->disp & 15;      /* aligned, or #GP */
    }
    if (in->index != INSN_REG_NONE)
        s->gpr[in->index] = random64() & 31;
    if (bit_number)
        s->gpr[in->reg] = (random64() & 2047) - 1024;
    return true;
}

/* Sometimes let the comparison of CMPXCHG succeed. */
static void make_equal(const struct insn *in, struct state *s)
{
    struct exec_cpu cpu = { .gpr = s->gpr };
    bool rax_addresses = in->base == INSN_RAX || in->index == INSN_RAX || in->base == INSN_RDX || in->index == INSN_RDX;
    if (!(in->flags & INSN_MEM) || rax_addresses || random64() & 1)
        return;
    const uint8_t *at = (const uint8_t *)insn_linear_address(in, &cpu);
    if (in->op == INSN_CMPXCHG)
        memcpy(&s->gpr[INSN_RAX], at, 8);
    if (in->op == INSN_CMPXCHG8B) {
        memcpy(&s->gpr[INSN_RAX], at, in->opsize / 2);
        memcpy(&s->gpr[INSN_RDX], at + in->opsize / 2, in->opsize / 2);
    }
}

/* ---- comparing ------------------------------------------------------------------------------------------------------ */

static unsigned executed[INSN_OP_COUNT];

static bool result_is_undefined(const struct insn *in, const struct state *before, const struct state *after)
{
    if (in->op == INSN_SHLD || in->op == INSN_SHRD)
        return count_of(in, before) > 8u * in->opsize;
    if (in->op == INSN_BSF || in->op == INSN_BSR)
        return after->rflags & RFLAGS_ZF;
    /* Whether a failed 32-bit compare clears upper halves differs between CPUs. */
    return in->op == INSN_CMPXCHG && !(in->flags & INSN_MEM) && in->opsize == 4;
}

static void report(const char *what, const struct insn *in, const uint8_t *bytes, const struct state *before,
                   const struct state *host, const struct state *ours)
{
    printf("  %s: %s:", what, insn_op_name(in->op));
    for (unsigned i = 0; i < in->length; i++)
        printf(" %02x", bytes[i]);
    printf("\n");
    for (int i = 0; i < 16; i++)
        if (host->gpr[i] != ours->gpr[i])
            printf("    register %d: was %llx, host %llx, ours %llx\n", i, (unsigned long long)before->gpr[i],
                   (unsigned long long)host->gpr[i], (unsigned long long)ours->gpr[i]);
    printf("    rflags: were %llx, host %llx, ours %llx\n", (unsigned long long)before->rflags,
           (unsigned long long)host->rflags, (unsigned long long)ours->rflags);
}

static bool agrees(const struct insn *in, const uint8_t *bytes, const struct state *before)
{
    static uint8_t start[MEMORY], by_host[MEMORY];
    struct state host = *before, ours = *before;
    memcpy(start, memory, MEMORY);
    bool host_ok = run_on_host(&host, bytes, in->length);
    memcpy(by_host, memory, MEMORY);
    memcpy(memory, start, MEMORY);
    reads = writes = 0;
    enum exec_status status = run_executor(&ours, in);
    executed[in->op]++;
    if (!host_ok)
        return status == EXEC_FAULT && !memcmp(&ours, before, sizeof ours);
    if (status != EXEC_DONE)
        return false;
    if (in->form != INSN_FORM_STRING && in->op != INSN_PUSH && in->op != INSN_POP && (reads > 1 || writes > 1))
        return false;
    uint64_t compared = ~undefined_flags(in, before);
    bool flags_equal = !((host.rflags ^ ours.rflags) & compared);
    bool equal = result_is_undefined(in, before, &host)
        || (flags_equal && !memcmp(host.gpr, ours.gpr, sizeof host.gpr) && !memcmp(by_host, memory, MEMORY));
    if (!equal)
        report(memcmp(by_host, memory, MEMORY) ? "memory differs" : "registers differ", in, bytes, before, &host, &ours);
    return equal;
}

static unsigned long setting(const char *name, unsigned long fallback)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 0) : fallback;
}

TEST(random_instructions_end_as_on_the_host_cpu)
{
    unsigned long count = setting("EXEC_HOST_COUNT", 300000);
    random_state = setting("EXEC_HOST_SEED", 1) * 0x9e3779b97f4a7c15ull;
    set_up();
    CHECK(code != MAP_FAILED && memory != (uint8_t *)MAP_FAILED + MEMORY);
    for (unsigned long i = 0, wrong = 0; i < count && wrong < 10;) {
        uint8_t bytes[16];
        struct insn in;
        struct state before;
        if (!generate(bytes, &in) || !aim(&in, &before))
            continue;
        for (int j = 0; j < MEMORY; j += 8)
            if (j >= MIDDLE - 512 && j < MIDDLE + 512)
                memcpy(memory + j, &(uint64_t){ random_operand() }, 8);
        make_equal(&in, &before);
        bool ok = agrees(&in, bytes, &before);
        wrong += !ok;
        CHECK(ok || wrong < 10);
        i++;
        CHECK(i < count || !wrong);
    }
    for (int op = 0; op < INSN_PAUSE; op++) {
        bool elsewhere = op == INSN_IN || op == INSN_OUT || op == INSN_INS || op == INSN_OUTS || op == INSN_MOVBE;
        if (!elsewhere && !executed[op])
            printf("  never executed: %s\n", insn_op_name((enum insn_op)op));
        CHECK(elsewhere || executed[op]);
    }
}
