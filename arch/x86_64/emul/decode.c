/* Decoding in five steps: prefixes, table row, ModRM with its memory operand, immediate, legality.
 * Intel SDM vol 2, "Instruction Format"; AMD APM vol 3, "Instruction Encoding". */
#include "arch/x86_64/emul/insn_table.h"

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8, REX = 0x40 };
struct state {
    const uint8_t *p, *end;
    enum insn_mode mode;
    unsigned rex;
    unsigned seg;           /* DS without an override */
    bool overridden;
    unsigned addrsize;      /* 1: 67 */
    unsigned flags;         /* of struct insn */
    unsigned opcode;
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
    case PREFIX_ADDRSIZE: s->addrsize = 1; break;
    case PREFIX_LOCK: s->flags |= INSN_LOCK; break;
    case PREFIX_REP: s->flags = (s->flags & ~(unsigned)INSN_REPNE) | INSN_REP; break;
    case PREFIX_REPNE: s->flags = (s->flags & ~(unsigned)INSN_REP) | INSN_REPNE; break;
    default:
        /* In 64-bit mode the other four are ignored. */
        if (s->mode != INSN_MODE_64 || prefix >= PREFIX_SEG + INSN_FS) {
            s->seg = prefix - PREFIX_SEG;
            s->overridden = true;
        }
    }
}

/* False: out of bytes. */
static inline bool find_opcode(struct state *s, const struct insn_row **row)
{
    const struct insn_row *r;
    for (;;) {
        if (UNLIKELY(s->p == s->end))
            return false;
        s->opcode = *s->p++;
        r = &insn_maps[MAP_1][s->opcode];
        if (UNLIKELY(r->form == ROW_PREFIX))
            take_prefix(s, r->op);
        else if ((s->opcode & 0xf0) == REX && s->mode == INSN_MODE_64)
            s->rex = s->opcode;
        else
            break;
    }
    while (UNLIKELY(r->form == ROW_ESCAPE)) {
        if (UNLIKELY(s->p == s->end))
            return false;
        s->opcode = *s->p++;
        r = &insn_maps[r->op][s->opcode];
    }
    *row = r;
    return true;
}

/* Follow groups until a row names an instruction. Those by reg, rm and mod look at the ModRM byte. */
static bool find_in_groups(const struct state *s, const struct insn_row **row)
{
    const struct insn_row *r = *row;
    while (r->form >= ROW_BY_REG) {
        const struct insn_row *group = insn_groups[r->op];
        if (r->form == ROW_BY_PREFIX) {
            r = &group[s->flags & INSN_REPNE ? 3 : s->flags & INSN_REP ? 2 : s->flags & INSN_OPSIZE ? 1 : 0];
        } else if (r->form == ROW_BY_REXB) {
            r = &group[s->rex & REX_B];
        } else {
            if (s->p == s->end)
                return false;
            r = &group[r->form == ROW_BY_REG ? (*s->p >> 3) & 7 : r->form == ROW_BY_RM ? *s->p & 7 : *s->p >= 0xc0];
        }
    }
    *row = r;
    return true;
}

static bool decode_address_16(struct state *s, struct insn *out, unsigned modrm)
{
    static const uint8_t bases[8] = { INSN_RBX, INSN_RBX, INSN_RBP, INSN_RBP, INSN_RSI, INSN_RDI, INSN_RBP, INSN_RBX };
    static const uint8_t indexes[8] = { INSN_RSI, INSN_RDI, INSN_RSI, INSN_RDI,
                                        INSN_REG_NONE, INSN_REG_NONE, INSN_REG_NONE, INSN_REG_NONE };
    unsigned mod = modrm >> 6, rm = modrm & 7, size = mod;
    out->base = bases[rm];
    out->index = indexes[rm];
    if (mod == 0 && rm == 6) {
        out->base = INSN_REG_NONE;
        size = 2;
    }
    if (out->base == INSN_RBP && !s->overridden)
        out->seg = INSN_SS;
    return !size || fetch(s, size, &out->disp);
}

static inline bool decode_address(struct state *s, struct insn *out, unsigned modrm)
{
    unsigned mod = modrm >> 6, base = modrm & 7;
    bool sib_follows = base == 4;
    if (sib_follows) {
        if (UNLIKELY(s->p == s->end))
            return false;
        uint8_t sib = *s->p++;
        unsigned index = ((sib >> 3) & 7u) | (s->rex & REX_X ? 8 : 0);
        if (index != INSN_RSP) {
            out->index = (uint8_t)index;
            out->scale = sib >> 6;
        }
        base = sib & 7;
    }
    if (mod == 0 && base == INSN_RBP) {
        out->base = s->mode == INSN_MODE_64 && !sib_follows ? INSN_REG_RIP : INSN_REG_NONE;
        return fetch(s, 4, &out->disp);
    }
    base |= s->rex & REX_B ? 8 : 0;
    out->base = (uint8_t)base;
    if ((base == INSN_RSP || base == INSN_RBP) && !s->overridden)
        out->seg = INSN_SS;
    if (mod == 0)
        return true;
    return fetch(s, mod == 1 ? 1 : 4, &out->disp);
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
    unsigned modrm = *s->p++;
    out->reg = general_register(s, ((modrm >> 3) & 7u) | (s->rex & REX_R ? 8 : 0), out->opsize);
    if (modrm < 0xc0 && LIKELY(!(row->flags & ROW_REG_RM))) {
        s->flags |= INSN_MEM;
        return LIKELY(out->addrsize != 2) ? decode_address(s, out, modrm) : decode_address_16(s, out, modrm);
    }
    out->rm = general_register(s, (modrm & 7u) | (s->rex & REX_B ? 8 : 0), out->memsize);
    return true;
}

static bool decode_immediate(struct state *s, struct insn *out, const struct insn_row *row)
{
    int64_t value = 1;
    bool ok = true;
    if (row->flags & ROW_IMM8S) {
        ok = fetch(s, 1, &value);
    } else if (row->flags & ROW_IMMZ) {
        ok = LIKELY(out->opsize >= 4) ? fetch(s, 4, &value) : fetch(s, out->opsize, &value);
    } else if (row->flags & ROW_IMM8) {
        ok = fetch(s, 1, &value);
        value &= 0xff;
    } else if (row->flags & ROW_IMMV) {
        ok = fetch(s, out->opsize, &value);
    } else if (row->flags & ROW_MOFFS) {
        ok = fetch(s, out->addrsize, &out->disp);
        if (out->addrsize < 8)
            out->disp &= (INT64_C(1) << (8 * out->addrsize)) - 1;
        s->flags |= INSN_MEM;
        return ok;
    }
    out->imm = (uint64_t)value;
    return ok;
}

/* Operands that the opcode implies. */
static void implied_operands(struct state *s, struct insn *out, const struct insn_row *row)
{
    if (row->flags & ROW_OPCODE_REG)
        out->rm = general_register(s, (s->opcode & 7u) | (s->rex & REX_B ? 8 : 0), out->opsize);
    if (row->flags & ROW_ACC)
        out->rm = INSN_RAX;
    if (row->flags & ROW_XMM)
        s->flags |= INSN_XMM;
    if (row->flags & ROW_COND)
        out->cond = s->opcode & 15;
    if (row->flags & (ROW_SI | ROW_DI)) {
        s->flags |= INSN_MEM;
        out->base = row->flags & ROW_SI ? INSN_RSI : INSN_RDI;
        if (row->flags & ROW_DI)
            out->seg = INSN_ES;   /* cannot be overridden */
    }
}

/* LOCK, and what the rarer rows want. */
static enum insn_status check_row(const struct state *s, struct insn *out, const struct insn_row *row)
{
    if (s->flags & INSN_LOCK) {
        bool writes_memory = (s->flags & INSN_MEM) && row->form != INSN_FORM_REG_RM;
        if (!(row->flags & ROW_LOCKABLE) || !writes_memory)
            return INSN_UNDEFINED;
    }
    if ((row->flags & ROW_NO_PREFIX) && (s->flags & (INSN_OPSIZE | INSN_REP | INSN_REPNE)))
        return INSN_UNSUPPORTED;
    if ((row->flags & ROW_NO_REP) && (s->flags & INSN_REP))
        return INSN_UNSUPPORTED;
    if ((row->flags & ROW_NOT_64) && s->mode == INSN_MODE_64)
        return INSN_UNDEFINED;
    if ((row->flags & ROW_ONLY_64) && s->mode != INSN_MODE_64)
        return INSN_UNSUPPORTED;
    if ((row->flags & ROW_MEM_ONLY) && !(s->flags & INSN_MEM))
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

/* Rows without any of these are done after ModRM. */
#define ROW_CHECKED (ROW_NO_PREFIX | ROW_NO_REP | ROW_NOT_64 | ROW_ONLY_64 | ROW_MEM_ONLY | ROW_SREG | ROW_CREG | ROW_DREG)
#define ROW_IMPLIED (ROW_OPCODE_REG | ROW_ACC | ROW_XMM | ROW_COND | ROW_SI | ROW_DI)

/* All fields but .flags and .length, which are not known yet. */
static inline void start(const struct state *s, struct insn *out, const struct insn_row *row)
{
    static const uint8_t address_sizes[3][2] = { { 2, 4 }, { 4, 2 }, { 8, 4 } };
    unsigned column = s->mode * 4u + (s->rex & REX_W) / 4 + (s->flags & INSN_OPSIZE) / INSN_OPSIZE;
    const union insn_size_pair *sizes = &insn_sizes[row->size][column];
    out->op_form = row->op_form;
    out->sizes = sizes->both;
    out->mode = (uint8_t)s->mode;
    out->addrsize = address_sizes[s->mode][s->addrsize];
    out->reg = out->rm = 0;
    out->seg = (uint8_t)s->seg;
    out->base = out->index = INSN_REG_NONE;
    out->scale = out->cond = out->reserved = 0;
    out->disp = 0;
    out->imm = 0;
}

static inline enum insn_status decode(struct state *s, struct insn *out)
{
    const uint8_t *bytes = s->p;
    const struct insn_row *row;
    if (UNLIKELY(!find_opcode(s, &row)))
        return INSN_NEED_MORE;
    if (row->form >= ROW_BY_REG && UNLIKELY(!find_in_groups(s, &row)))
        return INSN_NEED_MORE;
    if (UNLIKELY(row->form == ROW_UNKNOWN))
        return INSN_UNSUPPORTED;
    start(s, out, row);
    const uint32_t flags = row->flags;
    if (LIKELY(flags & ROW_MODRM) && UNLIKELY(!decode_modrm(s, out, row)))
        return INSN_NEED_MORE;
    if (flags & (ROW_IMPLIED | ROW_IMM)) {
        if (flags & ROW_IMPLIED)
            implied_operands(s, out, row);
        if ((flags & ROW_IMM) && UNLIKELY(!decode_immediate(s, out, row)))
            return INSN_NEED_MORE;
    }
    out->flags = (uint8_t)s->flags;
    out->length = (uint8_t)(s->p - bytes);
    if (UNLIKELY((s->flags & INSN_LOCK) || (flags & ROW_CHECKED)))
        return check_row(s, out, row);
    return INSN_OK;
}

enum insn_status insn_decode(struct insn *out, const uint8_t *bytes, size_t len, enum insn_mode mode)
{
    struct state s = { .p = bytes, .end = bytes + MIN(len, (size_t)INSN_MAX_LENGTH), .mode = mode, .seg = INSN_DS };
    enum insn_status status = decode(&s, out);
    return UNLIKELY(status == INSN_NEED_MORE) && len >= INSN_MAX_LENGTH ? INSN_TOO_LONG : status;
}
