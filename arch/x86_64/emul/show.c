#include "arch/x86_64/emul/show.h"

#include "hv/lib/fmt.h"

#define INSN_OP_TEXT(name, text) [INSN_##name] = text,
static const char *const names[INSN_OP_COUNT] = { INSN_OPS_EXECUTED(INSN_OP_TEXT) INSN_OPS_DECODED(INSN_OP_TEXT) };

const char *insn_op_name(enum insn_op op)
{
    return (unsigned)op < INSN_OP_COUNT ? names[op] : "?";
}

static const char *const conditions[16] = {
    "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
};
static const char *const segments[INSN_SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs" };

struct text {
    char *buf;
    size_t size, used;      /* used < size always: fmt_print has terminated it */
};

static void put(struct text *t, const char *format, ...) PRINTF(2, 3);
static void put(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = fmt_vprint(t->buf + t->used, t->size - t->used, format, args);
    va_end(args);
    t->used += MIN(n, t->size - t->used - 1);
}

/* ---- operands ------------------------------------------------------------------------------------------------------ */

static void put_register(struct text *t, unsigned reg, unsigned size)
{
    static const char *const bytes[8] = { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil" };
    static const char *const words[8] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
    if (reg >= INSN_AH)
        put(t, "%ch", "acdb"[(reg - INSN_AH) & 3]);
    else if (reg >= 8)
        put(t, "r%u%s", reg, size == 1 ? "b" : size == 2 ? "w" : size == 4 ? "d" : "");
    else if (size == 1)
        put(t, "%s", bytes[reg]);
    else
        put(t, "%s%s", size == 2 ? "" : size == 4 ? "e" : "r", words[reg]);
}

/* A number that follows something: with its sign. */
static void put_displacement(struct text *t, int64_t disp)
{
    if (disp < 0)
        put(t, "-0x%lx", -(uint64_t)disp);
    else if (disp)
        put(t, "+0x%lx", (uint64_t)disp);
}

static bool segment_is_default(const struct insn *in)
{
    bool by_stack = in->base == INSN_RSP || in->base == INSN_RBP;
    return in->seg == (by_stack ? INSN_SS : INSN_DS);
}

static void put_memory(struct text *t, const struct insn *in, uint64_t rip)
{
    const uint64_t mask = in->addrsize == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * in->addrsize)) - 1;
    put(t, "[");
    if (!segment_is_default(in))
        put(t, "%s:", segments[in->seg]);
    if (in->base == INSN_REG_RIP) {
        put(t, "0x%lx", (rip + in->length + (uint64_t)in->disp) & mask);
    } else if (in->base == INSN_REG_NONE && in->index == INSN_REG_NONE) {
        put(t, "0x%lx", (uint64_t)in->disp & mask);
    } else {
        if (in->base != INSN_REG_NONE)
            put_register(t, in->base, in->addrsize);
        if (in->index != INSN_REG_NONE) {
            put(t, "%s", in->base != INSN_REG_NONE ? "+" : "");
            put_register(t, in->index, in->addrsize);
            if (in->scale)
                put(t, "*%u", 1u << in->scale);
        }
        put_displacement(t, in->disp);
    }
    put(t, "]");
}

static const char *size_name(unsigned size)
{
    switch (size) {
    case 1: return "byte ";
    case 2: return "word ";
    case 4: return "dword ";
    case 8: return "qword ";
    case 16: return "oword ";
    default: return "";
    }
}

/* A register operand tells the memory operand's size, unless they differ or it only counts. */
static bool size_is_told(const struct insn *in)
{
    switch ((enum insn_form)in->form) {
    case INSN_FORM_RM_REG: case INSN_FORM_REG_RM: case INSN_FORM_RM_REG_IMM: case INSN_FORM_RM_REG_CL:
    case INSN_FORM_REG_RM_IMM:
        return (in->flags & INSN_XMM) || in->opsize == in->memsize;
    default:
        return false;
    }
}

static void put_rm(struct text *t, const struct insn *in, uint64_t rip)
{
    if (in->flags & INSN_MEM) {
        put(t, "%s", size_is_told(in) ? "" : size_name(in->memsize));
        put_memory(t, in, rip);
    } else if ((in->flags & INSN_XMM) && in->op != INSN_MOVD) {
        put(t, "xmm%u", in->rm);
    } else {
        bool sreg_source = in->op == INSN_MOV_FROM_SREG || in->form == INSN_FORM_RM;
        put_register(t, in->rm, sreg_source ? in->opsize : in->memsize);
    }
}

static void put_reg(struct text *t, const struct insn *in)
{
    switch ((enum insn_op)in->op) {
    case INSN_MOV_FROM_SREG: put(t, "%s", segments[in->reg]); break;
    case INSN_MOV_FROM_CR: case INSN_MOV_TO_CR: put(t, "cr%u", in->reg); break;
    case INSN_MOV_FROM_DR: case INSN_MOV_TO_DR: put(t, "dr%u", in->reg); break;
    default:
        if (in->flags & INSN_XMM)
            put(t, "%s%u", in->memsize == 8 && !(in->flags & (INSN_OPSIZE | INSN_REP | INSN_REPNE)) ? "mm" : "xmm",
                in->reg);
        else
            put_register(t, in->reg, in->opsize);
    }
}

static void put_immediate(struct text *t, const struct insn *in)
{
    uint64_t mask = in->opsize == 0 || in->opsize >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * in->opsize)) - 1;
    put(t, in->imm < 10 ? "%lu" : "0x%lx", in->imm & mask);
}

/* ---- the instruction ------------------------------------------------------------------------------------------------- */

/* One letter an operand, as they are written: m r/m, r register, i immediate, c CL, d DX, a accumulator. */
static const char *operand_letters(const struct insn *in)
{
    static const char *const letters[INSN_FORM_COUNT] = {
        [INSN_FORM_RM] = "m", [INSN_FORM_RM_REG] = "mr", [INSN_FORM_REG_RM] = "rm", [INSN_FORM_RM_IMM] = "mi",
        [INSN_FORM_RM_CL] = "mc", [INSN_FORM_RM_REG_IMM] = "mri", [INSN_FORM_RM_REG_CL] = "mrc",
        [INSN_FORM_REG_RM_IMM] = "rmi", [INSN_FORM_IMM] = "i",
    };
    if (in->form == INSN_FORM_IO_IMM)
        return in->op == INSN_IN ? "ai" : "ia";
    if (in->form == INSN_FORM_IO_DX)
        return in->op == INSN_IN ? "ad" : "da";
    return in->form < INSN_FORM_COUNT && letters[in->form] ? letters[in->form] : "";
}

static void put_mnemonic(struct text *t, const struct insn *in)
{
    const char *repeat = in->op == INSN_CMPS || in->op == INSN_SCAS ? "repe " : "rep ";
    if (in->flags & INSN_LOCK)
        put(t, "lock ");
    if (in->form == INSN_FORM_STRING && (in->flags & (INSN_REP | INSN_REPNE)))
        put(t, "%s", in->flags & INSN_REP ? repeat : "repne ");
    if (in->op == INSN_CMPXCHG8B && in->opsize == 16)
        put(t, "cmpxchg16b");
    else
        put(t, "%s", insn_op_name(in->op));
    if (in->op == INSN_CMOVCC || in->op == INSN_SETCC)
        put(t, "%s", conditions[in->cond & 15]);
    if (in->form == INSN_FORM_STRING)
        put(t, "%c", *size_name(in->opsize));
}

void insn_show(const struct insn *insn, uint64_t rip, char *buf, size_t size)
{
    struct text t = { .buf = buf, .size = size };
    if (!size)
        return;
    buf[0] = '\0';
    put_mnemonic(&t, insn);
    const char *separator = " ";
    for (const char *letter = operand_letters(insn); *letter; letter++, separator = ", ") {
        put(&t, "%s", separator);
        switch (*letter) {
        case 'm': put_rm(&t, insn, rip); break;
        case 'r': put_reg(&t, insn); break;
        case 'i': put_immediate(&t, insn); break;
        case 'c': put(&t, "cl"); break;
        case 'd': put(&t, "dx"); break;
        default: put_register(&t, INSN_RAX, insn->opsize); break;
        }
    }
}
