/* Decoding in five steps: prefixes, table row, ModRM with its memory operand, immediate, legality.
 * Intel SDM vol 2, "Instruction Format"; AMD APM vol 3, "Instruction Encoding". */
#include "arch/x86_64/emul/insn_table.h"

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8, REX = 0x40 };
enum { NO_SEG = 0xff };

struct state {
    const uint8_t *p, *end;
    bool mode64;
    bool addrsize;          /* 67 */
    uint8_t rex;
    uint8_t seg;            /* override or NO_SEG */
    uint8_t flags;          /* of struct insn */
    uint8_t opcode;
    uint8_t modrm;
    uint8_t size_index;     /* into insn_sizes[] */
};

static inline bool fetch(struct state *s, unsigned n, int64_t *value)
{
    if (UNLIKELY((size_t)(s->end - s->p) < n))
        return false;
    int8_t b;
    int16_t w;
    int32_t d;
    switch (n) {
    case 1: __builtin_memcpy(&b, s->p, 1); *value = b; break;
    case 2: __builtin_memcpy(&w, s->p, 2); *value = w; break;
    case 4: __builtin_memcpy(&d, s->p, 4); *value = d; break;
    default: __builtin_memcpy(value, s->p, 8); break;
    }
    s->p += n;
    return true;
}

static void take_prefix(struct state *s, unsigned prefix)
{
    s->rex = 0;   /* REX counts only right before the opcode */
    switch (prefix) {
    case PREFIX_OPSIZE: s->flags |= INSN_OPSIZE; break;
    case PREFIX_ADDRSIZE: s->addrsize = true; break;
    case PREFIX_LOCK: s->flags |= INSN_LOCK; break;
    case PREFIX_REP: s->flags = (uint8_t)((s->flags & ~INSN_REPNE) | INSN_REP); break;
    case PREFIX_REPNE: s->flags = (uint8_t)((s->flags & ~INSN_REP) | INSN_REPNE); break;
    default:
        /* In 64-bit mode the other four are ignored. */
        if (!s->mode64 || prefix >= PREFIX_SEG + INSN_FS)
            s->seg = (uint8_t)(prefix - PREFIX_SEG);
    }
}

static inline enum insn_status find_opcode(struct state *s, const struct insn_row **row)
{
    const struct insn_row *r;
    for (;;) {
        if (UNLIKELY(s->p == s->end))
            return INSN_NEED_MORE;
        s->opcode = *s->p++;
        r = &insn_maps[MAP_1][s->opcode];
        if (UNLIKELY(r->form == ROW_PREFIX))
            take_prefix(s, r->op);
        else if ((s->opcode & 0xf0) == REX && s->mode64)
            s->rex = s->opcode;
        else
            break;
    }
    while (UNLIKELY(r->form == ROW_ESCAPE)) {
        if (s->p == s->end)
            return INSN_NEED_MORE;
        s->opcode = *s->p++;
        r = &insn_maps[r->op][s->opcode];
    }
    *row = r;
    return INSN_OK;
}

/* Follow groups until a row names an instruction. Those by reg, rm and mod look at the ModRM byte. */
static enum insn_status find_in_groups(const struct state *s, const struct insn_row **row)
{
    const struct insn_row *r = *row;
    while (r->form >= ROW_BY_REG) {
        const struct insn_row *group = insn_groups[r->op];
        if (r->form == ROW_BY_PREFIX) {
            r = &group[s->flags & INSN_REPNE ? 3 : s->flags & INSN_REP ? 2 : s->flags & INSN_OPSIZE ? 1 : 0];
            continue;
        }
        if (r->form == ROW_BY_REXB) {
            r = &group[s->rex & REX_B];
            continue;
        }
        if (s->p == s->end)
            return INSN_NEED_MORE;
        if (r->form == ROW_BY_REG)
            r = &group[(*s->p >> 3) & 7];
        else if (r->form == ROW_BY_RM)
            r = &group[*s->p & 7];
        else
            r = &group[*s->p >= 0xc0];
    }
    *row = r;
    return INSN_OK;
}

/* Bytes of displacement by mod; what mod 0 has besides is the caller's. */
static const uint8_t disp_sizes[2][4] = { { 0, 1, 2, 0 }, { 0, 1, 4, 0 } };

static bool decode_address_16(struct state *s, struct insn *out)
{
    static const uint8_t bases[8] = { INSN_RBX, INSN_RBX, INSN_RBP, INSN_RBP, INSN_RSI, INSN_RDI, INSN_RBP, INSN_RBX };
    static const uint8_t indexes[8] = { INSN_RSI, INSN_RDI, INSN_RSI, INSN_RDI,
                                        INSN_REG_NONE, INSN_REG_NONE, INSN_REG_NONE, INSN_REG_NONE };
    unsigned mod = s->modrm >> 6, rm = s->modrm & 7, size = disp_sizes[0][mod];
    out->base = bases[rm];
    out->index = indexes[rm];
    if (mod == 0 && rm == 6) {
        out->base = INSN_REG_NONE;
        size = 2;
    }
    if (s->seg == NO_SEG)
        out->seg = out->base == INSN_RBP ? INSN_SS : INSN_DS;
    return !size || fetch(s, size, &out->disp);
}

static inline bool decode_address(struct state *s, struct insn *out)
{
    unsigned mod = s->modrm >> 6, base = s->modrm & 7, size = disp_sizes[1][mod];
    uint8_t no_base = s->mode64 ? INSN_REG_RIP : INSN_REG_NONE;
    if (base == 4) {
        if (UNLIKELY(s->p == s->end))
            return false;
        uint8_t sib = *s->p++;
        unsigned index = ((sib >> 3) & 7u) | (s->rex & REX_X ? 8 : 0);
        if (index != INSN_RSP) {
            out->index = (uint8_t)index;
            out->scale = sib >> 6;
        }
        base = sib & 7;
        no_base = INSN_REG_NONE;
    }
    if (mod == 0 && base == INSN_RBP) {
        out->base = no_base;
        size = 4;
    } else {
        out->base = (uint8_t)(base | (s->rex & REX_B ? 8 : 0));
        if ((out->base == INSN_RSP || out->base == INSN_RBP) && s->seg == NO_SEG)
            out->seg = INSN_SS;
    }
    return !size || fetch(s, size, &out->disp);
}

/* Without REX, byte registers 4 to 7 are AH, CH, DH and BH. */
static inline uint8_t general_register(const struct state *s, unsigned number, unsigned size)
{
    return (uint8_t)(size == 1 && (number & ~3u) == 4 && !s->rex ? number - 4 + INSN_AH : number);
}

static inline bool decode_modrm(struct state *s, struct insn *out, const struct insn_row *row)
{
    if (UNLIKELY(s->p == s->end))
        return false;
    s->modrm = *s->p++;
    unsigned reg = ((s->modrm >> 3) & 7u) | (s->rex & REX_R ? 8 : 0);
    out->reg = general_register(s, reg, out->opsize);
    if (s->modrm < 0xc0 && !(row->flags & ROW_REG_RM)) {
        out->flags |= INSN_MEM;
        return LIKELY(out->addrsize != 2) ? decode_address(s, out) : decode_address_16(s, out);
    }
    out->rm = general_register(s, (s->modrm & 7u) | (s->rex & REX_B ? 8 : 0), out->memsize);
    return true;
}

static bool decode_immediate(struct state *s, struct insn *out, const struct insn_row *row)
{
    int64_t value = 1;
    bool ok = true;
    if (row->flags & ROW_IMM8) {
        ok = fetch(s, 1, &value);
        value &= 0xff;
    } else if (row->flags & ROW_IMM8S) {
        ok = fetch(s, 1, &value);
    } else if (row->flags & ROW_IMMZ) {
        ok = fetch(s, MIN(out->opsize, 4u), &value);
    } else if (row->flags & ROW_IMMV) {
        ok = fetch(s, out->opsize, &value);
    } else if (row->flags & ROW_MOFFS) {
        ok = fetch(s, out->addrsize, &out->disp);
        if (out->addrsize < 8)
            out->disp &= (INT64_C(1) << (8 * out->addrsize)) - 1;
        out->flags |= INSN_MEM;
        return ok;
    }
    out->imm = (uint64_t)value;
    return ok;
}

/* Operands that the opcode implies. */
static void implied_operands(const struct state *s, struct insn *out, const struct insn_row *row)
{
    if (row->flags & ROW_OPCODE_REG)
        out->rm = general_register(s, (s->opcode & 7u) | (s->rex & REX_B ? 8 : 0), out->opsize);
    if (row->flags & ROW_ACC)
        out->rm = INSN_RAX;
    if (row->flags & ROW_XMM)
        out->flags |= INSN_XMM;
    if (row->flags & ROW_COND)
        out->cond = s->opcode & 15;
    if (row->flags & (ROW_SI | ROW_DI)) {
        out->flags |= INSN_MEM;
        out->base = row->flags & ROW_SI ? INSN_RSI : INSN_RDI;
        if (row->flags & ROW_DI)
            out->seg = INSN_ES;   /* cannot be overridden */
    }
}

static bool writes_memory(const struct insn *out)
{
    return (out->flags & INSN_MEM) && out->form != INSN_FORM_REG_RM;
}

/* The checks of the rarer rows; INSN_OK is the usual case. */
static enum insn_status check_row(const struct state *s, struct insn *out, const struct insn_row *row)
{
    if ((row->flags & ROW_NO_PREFIX) && (s->flags & (INSN_OPSIZE | INSN_REP | INSN_REPNE)))
        return INSN_UNSUPPORTED;
    if ((row->flags & ROW_NO_REP) && (s->flags & INSN_REP))
        return INSN_UNSUPPORTED;
    if ((row->flags & ROW_NOT_64) && s->mode64)
        return INSN_UNDEFINED;
    if ((row->flags & ROW_ONLY_64) && !s->mode64)
        return INSN_UNSUPPORTED;
    if ((row->flags & ROW_MEM_ONLY) && !(out->flags & INSN_MEM))
        return INSN_UNDEFINED;
    if (row->flags & ROW_SREG) {
        out->reg &= 7;            /* REX.R is ignored */
        if (out->reg >= INSN_SEG_COUNT)
            return INSN_UNDEFINED;
    }
    /* CR0, CR2, CR3, CR4 and CR8; DR0 to DR7 (DR4 and DR5 depend on CR4.DE). */
    if ((row->flags & ROW_CREG) && (out->reg > 8 || !((1u << out->reg) & 0x11d)))
        return INSN_UNDEFINED;
    if ((row->flags & ROW_DREG) && out->reg > 7)
        return INSN_UNDEFINED;
    return INSN_OK;
}

#define ROW_IMPLIED (ROW_OPCODE_REG | ROW_ACC | ROW_XMM | ROW_COND | ROW_SI | ROW_DI)
#define ROW_CHECKED (ROW_NO_PREFIX | ROW_NO_REP | ROW_NOT_64 | ROW_ONLY_64 | ROW_MEM_ONLY | \
                     ROW_SREG | ROW_CREG | ROW_DREG)

static inline void set_sizes(const struct state *s, struct insn *out, const struct insn_row *row)
{
    out->op = row->op;
    out->form = row->form;
    out->opsize = insn_sizes[row->size][s->size_index];
    out->memsize = insn_sizes[row->memsize][s->size_index];
    out->flags = s->flags;
    out->seg = s->seg == NO_SEG ? INSN_DS : s->seg;
}

/* The effective sizes' defaults: mode, 66, REX.W; mode and 67. */
static inline void start_sizes(struct state *s, struct insn *out, enum insn_mode mode)
{
    bool small = (mode == INSN_MODE_16) != !!(s->flags & INSN_OPSIZE);
    s->size_index = (uint8_t)(s->mode64 ? (s->rex & REX_W ? 7 : 6 - small) : 2 - small);
    static const uint8_t address_sizes[3][2] = { { 2, 4 }, { 4, 2 }, { 8, 4 } };
    out->addrsize = address_sizes[mode][s->addrsize];
}

enum insn_status insn_decode(struct insn *out, const uint8_t *bytes, size_t len, enum insn_mode mode)
{
    const enum insn_status ran_out = len >= INSN_MAX_LENGTH ? INSN_TOO_LONG : INSN_NEED_MORE;
    struct state s = { .p = bytes, .end = bytes + MIN(len, (size_t)INSN_MAX_LENGTH), .seg = NO_SEG,
                       .mode64 = mode == INSN_MODE_64 };
    const struct insn_row *row;
    if (UNLIKELY(find_opcode(&s, &row) != INSN_OK))
        return ran_out;
    if (UNLIKELY(row->form >= ROW_BY_REG) && find_in_groups(&s, &row) != INSN_OK)
        return ran_out;
    if (UNLIKELY(row->form == ROW_UNKNOWN))
        return INSN_UNSUPPORTED;

    *out = (struct insn){ .mode = (uint8_t)mode, .base = INSN_REG_NONE, .index = INSN_REG_NONE };
    start_sizes(&s, out, mode);
    set_sizes(&s, out, row);
    if (row->flags & ROW_IMPLIED)
        implied_operands(&s, out, row);
    if ((row->flags & ROW_MODRM) && UNLIKELY(!decode_modrm(&s, out, row)))
        return ran_out;
    if ((row->flags & ROW_IMM) && UNLIKELY(!decode_immediate(&s, out, row)))
        return ran_out;
    out->length = (uint8_t)(s.p - bytes);
    if (UNLIKELY((s.flags & INSN_LOCK) && !((row->flags & ROW_LOCKABLE) && writes_memory(out))))
        return INSN_UNDEFINED;
    return row->flags & ROW_CHECKED ? check_row(&s, out, row) : INSN_OK;
}
