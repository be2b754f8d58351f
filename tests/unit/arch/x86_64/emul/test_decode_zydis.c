/* The decoder against Zydis: what we decode, Zydis must decode to the same; what Zydis decodes and is of our set, we
 * must decode; the rest must be refused. Deterministic; DECODE_FUZZ_COUNT (strings per mode) and DECODE_FUZZ_SEED
 * change the run. */
#include "arch/x86_64/emul/insn.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <Zydis/Zydis.h>

static uint64_t random_state;

static uint64_t random64(void)   /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1dull;
}

static bool one_in(unsigned n) { return random64() >> 32 < (UINT64_C(1) << 32) / n; }

static ZydisDecoder decoders[3];
static bool of_our_set[ZYDIS_MNEMONIC_MAX_VALUE + 1];
static const char *complaint;    /* why the last comparison failed */

static bool complain(const char *why) { complaint = why; return false; }

/* ---- names ------------------------------------------------------------------------------------------------------ */

static bool same_name(enum insn_op op, const char *theirs)
{
    const char *ours = insn_op_name(op);
    size_t n = strlen(ours);
    switch (op) {
    case INSN_CMOVCC: case INSN_SETCC:
        return !strncmp(ours, theirs, n) && strcmp(theirs, "setssbsy");
    case INSN_MOVS: case INSN_CMPS: case INSN_STOS: case INSN_LODS: case INSN_SCAS: case INSN_INS: case INSN_OUTS:
        return !strncmp(ours, theirs, n) && strlen(theirs) == n + 1 && strchr("bwdq", theirs[n]);
    case INSN_CMPXCHG8B: return !strcmp(theirs, "cmpxchg8b") || !strcmp(theirs, "cmpxchg16b");
    case INSN_WBNOINVD: return !strcmp(theirs, "wbnoinvd") || !strcmp(theirs, "wbinvd");   /* by decoder mode */
    case INSN_PUSHF: case INSN_POPF: return !strncmp(ours, theirs, n) && (!theirs[n] || strchr("dq", theirs[n]));
    case INSN_MOVD: return !strcmp(theirs, "movd") || !strcmp(theirs, "movq");
    default: return !strcmp(ours, theirs);
    }
}

static void set_up(void)
{
    ZydisDecoderInit(&decoders[INSN_MODE_16], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    ZydisDecoderInit(&decoders[INSN_MODE_32], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&decoders[INSN_MODE_64], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (int m = 1; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++)
        for (int op = 0; op < INSN_OP_COUNT && !of_our_set[m]; op++)
            of_our_set[m] = same_name((enum insn_op)op, ZydisMnemonicGetString((ZydisMnemonic)m));
}

/* Encodings that share a mnemonic with ours but are refused on purpose; README.md names them. */
static bool refused_on_purpose(const ZydisDecodedInstruction *z)
{
    if (z->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return true;
    if (z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
        switch (z->opcode) {
        case 0x8e:                                                     /* MOV to a segment register */
        case 0x06: case 0x0e: case 0x16: case 0x1e: case 0x07: case 0x17: case 0x1f:   /* PUSH, POP of one */
            return true;
        case 0x90:          /* F3 with REX.B: PAUSE says Zydis, XCHG R8,RAX do (some) CPUs */
            return z->mnemonic == ZYDIS_MNEMONIC_PAUSE && z->raw.rex.B;
        default:
            return false;
        }
    if (z->opcode_map == ZYDIS_OPCODE_MAP_0F)
        switch (z->opcode) {
        case 0xa0: case 0xa8: case 0xa1: case 0xa9:                    /* PUSH, POP FS, GS */
        case 0xc2:                                                     /* CMPSD on XMM registers */
        case 0x0d: case 0x18: case 0x19: case 0x1a: case 0x1b: case 0x1c: case 0x1d: case 0x1e: case 0x1f:   /* hint NOPs */
            return true;
        default:
            return false;
        }
    return false;
}

/* ---- comparing a decoded instruction ------------------------------------------------------------------------------ */

static bool same_register(const struct insn *in, ZydisRegister theirs, unsigned ours, bool vector)
{
    ZydisRegisterClass class = ZydisRegisterGetClass(theirs);
    int id = ZydisRegisterGetId(theirs);
    if (vector)
        return (class == ZYDIS_REGCLASS_XMM && id == (int)ours) || (class == ZYDIS_REGCLASS_MMX && id == (int)(ours & 7));
    switch (class) {
    case ZYDIS_REGCLASS_GPR8: {
        /* Zydis numbers them AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B... */
        static const uint8_t order[20] = { 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
        return order[theirs - ZYDIS_REGISTER_AL] == ours;
    }
    case ZYDIS_REGCLASS_SEGMENT: return (int)(theirs - ZYDIS_REGISTER_ES) == (int)ours && in->op == INSN_MOV_FROM_SREG;
    default: return id == (int)ours;
    }
}

/* Zydis 4.0.0 takes REX.B for R13 where the SDM ("Special Cases of REX Encodings") has no base and a displacement. */
static bool is_zydis_r13(const ZydisDecodedInstruction *z)
{
    return (z->attributes & ZYDIS_ATTRIB_HAS_SIB) && z->raw.modrm.mod == 0 && z->raw.sib.base == 5 && z->raw.rex.B;
}

static bool same_memory(const struct insn *in, const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op)
{
    unsigned base = op->mem.base == ZYDIS_REGISTER_NONE ? INSN_REG_NONE
        : op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP ? INSN_REG_RIP
        : (unsigned)ZydisRegisterGetId(op->mem.base);
    unsigned index = op->mem.index == ZYDIS_REGISTER_NONE ? INSN_REG_NONE : (unsigned)ZydisRegisterGetId(op->mem.index);
    if (is_zydis_r13(z))
        base = INSN_REG_NONE;
    if (in->base != base)
        return complain("base");
    if (in->index != index)
        return complain("index");
    if (index != INSN_REG_NONE && 1u << in->scale != op->mem.scale && in->addrsize != 2)
        return complain("scale");
    if (in->seg != op->mem.segment - ZYDIS_REGISTER_ES)
        return complain("segment");
    int64_t disp = is_zydis_r13(z) ? z->raw.disp.value : op->mem.disp.has_displacement ? op->mem.disp.value : 0;
    uint64_t mask = in->addrsize == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * in->addrsize)) - 1;
    if (((uint64_t)disp ^ (uint64_t)in->disp) & mask)
        return complain("displacement");
    if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type == ZYDIS_MEMOP_TYPE_MEM && op->size != 8u * in->memsize
        && in->op != INSN_INVLPG && !(in->op == INSN_MOVSXD && in->opsize == 2))
        return complain("memory operand's size");
    return true;
}

enum { RM = 'm', REG = 'r', IMM = 'i', CL = 'c', DX = 'd', ACC = 'a' };

/* The operands in Zydis's order, by form. */
static const char *operands_of(const struct insn *in)
{
    static const char *const by_form[INSN_FORM_COUNT] = {
        [INSN_FORM_NONE] = "", [INSN_FORM_RM] = "m", [INSN_FORM_RM_REG] = "mr", [INSN_FORM_REG_RM] = "rm",
        [INSN_FORM_RM_IMM] = "mi", [INSN_FORM_RM_CL] = "mc", [INSN_FORM_RM_REG_IMM] = "mri",
        [INSN_FORM_RM_REG_CL] = "mrc", [INSN_FORM_REG_RM_IMM] = "rmi", [INSN_FORM_IMM] = "i",
    };
    if (in->form == INSN_FORM_IO_IMM)
        return in->op == INSN_IN ? "ai" : "ia";
    if (in->form == INSN_FORM_IO_DX)
        return in->op == INSN_IN ? "ad" : "da";
    return by_form[in->form];
}

static bool same_operand(const struct insn *in, const ZydisDecodedInstruction *z, char kind, const ZydisDecodedOperand *op)
{
    uint64_t mask = in->opsize == 0 || in->opsize >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * in->opsize)) - 1;
    bool vector_rm = (in->flags & INSN_XMM) && in->op != INSN_MOVD;
    switch (op->type) {
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return kind == RM && (in->flags & INSN_MEM) ? same_memory(in, z, op) : complain("an operand is memory");
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        if (kind != IMM)
            return complain("an operand is immediate");
        return ((op->imm.value.u ^ in->imm) & mask) == 0 || complain("immediate");
    case ZYDIS_OPERAND_TYPE_REGISTER:
        switch (kind) {
        case RM: return (!(in->flags & INSN_MEM) && same_register(in, op->reg.value, in->rm, vector_rm)) || complain("r/m register");
        case REG: return same_register(in, op->reg.value, in->reg, in->flags & INSN_XMM) || complain("register");
        case CL: return op->reg.value == ZYDIS_REGISTER_CL || complain("CL");
        case DX: return op->reg.value == ZYDIS_REGISTER_DX || complain("DX");
        case ACC: return ZydisRegisterGetId(op->reg.value) == 0 || complain("accumulator");
        default: return complain("an operand is a register");
        }
    default:
        return complain("an operand of another type");
    }
}

static bool same_string(const struct insn *in, const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops)
{
    for (int i = 0; i < z->operand_count; i++)
        if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY && ZydisRegisterGetId(ops[i].mem.base) == in->base)
            return same_memory(in, z, &ops[i]);
    return complain("no such string operand");
}

/* Zydis gives some instructions an operand size by other rules, or none; their memory operand's size is compared. */
static bool has_plain_size(const struct insn *in)
{
    if (in->op == INSN_MOVNTI || in->op == INSN_CMPXCHG8B || in->op == INSN_INS || in->op == INSN_OUTS)
        return false;
    return in->opsize && in->op < INSN_PAUSE && !(in->flags & INSN_XMM) && in->form != INSN_FORM_IMM;
}

static bool same(const struct insn *in, const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops)
{
    if (in->length != z->length)
        return complain("length");
    if (!same_name((enum insn_op)in->op, ZydisMnemonicGetString(z->mnemonic)))
        return complain("mnemonic");
    if (has_plain_size(in) && 8u * in->opsize != z->operand_width)
        return complain("operand size");
    if (8u * in->addrsize != z->address_width)
        return complain("address size");
    if (!!(in->flags & INSN_LOCK) != !!(z->attributes & ZYDIS_ATTRIB_HAS_LOCK))
        return complain("lock");
    if (in->form == INSN_FORM_STRING) {
        bool rep = z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
        if (rep != !!(in->flags & (INSN_REP | INSN_REPNE)))
            return complain("rep");
        return same_string(in, z, ops);
    }
    if (in->op >= INSN_PAUSE && in->form == INSN_FORM_NONE)
        return true;        /* their operands are implied, and Zydis shows some */
    const char *kinds = operands_of(in);
    if (strlen(kinds) != z->operand_count_visible)
        return complain("number of operands");
    for (int i = 0; kinds[i]; i++)
        if (!same_operand(in, z, kinds[i], &ops[i]))
            return false;
    return true;
}

/* ---- one byte string ----------------------------------------------------------------------------------------------- */

static bool truncations_need_more(const uint8_t *bytes, unsigned length, enum insn_mode mode)
{
    struct insn in;
    for (unsigned n = 0; n < length; n++)
        if (insn_decode(&in, bytes, n, mode) != INSN_NEED_MORE)
            return complain("a truncated instruction does not ask for more");
    return true;
}

static unsigned decoded, refused;

static bool agrees(const uint8_t *bytes, size_t len, enum insn_mode mode)
{
    struct insn in;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    enum insn_status ours = insn_decode(&in, bytes, len, mode);
    if (ours == INSN_UNSUPPORTED) {
        refused++;
        ZyanStatus s = ZydisDecoderDecodeInstruction(&decoders[mode], NULL, bytes, len, &z);
        return !ZYAN_SUCCESS(s) || !of_our_set[z.mnemonic] || refused_on_purpose(&z) || complain("refused, but of our set");
    }
    ZyanStatus theirs = ZydisDecoderDecodeFull(&decoders[mode], bytes, len, &z, ops);
    switch (ours) {
    case INSN_OK:
        decoded++;
        if (!ZYAN_SUCCESS(theirs))
            return complain("Zydis does not decode it");
        return same(&in, &z, ops) && truncations_need_more(bytes, in.length, mode);
    case INSN_NEED_MORE: return !ZYAN_SUCCESS(theirs) || complain("needs more, Zydis does not");
    case INSN_TOO_LONG: return theirs == ZYDIS_STATUS_INSTRUCTION_TOO_LONG || complain("too long, but not for Zydis");
    case INSN_UNDEFINED: return !ZYAN_SUCCESS(theirs) || complain("undefined, but not for Zydis");
    default: return complain("no such status");
    }
}

/* ---- generating them ------------------------------------------------------------------------------------------------ */

static const uint8_t prefixes[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67 };

/* Prefixes, opcode and random rest; one in sixteen is random throughout. Returns the length: mostly 15 or 16. */
static size_t generate(uint8_t bytes[16], enum insn_mode mode)
{
    uint64_t r[2] = { random64(), random64() };
    memcpy(bytes, r, 16);
    size_t n = 0;
    if (!one_in(16)) {
        unsigned limit = one_in(64) ? 14 : 4;
        while (n < limit && one_in(3))
            bytes[n++] = prefixes[random64() % sizeof prefixes];
        if (mode == INSN_MODE_64 && one_in(2))
            bytes[n++] = (uint8_t)(0x40 | (random64() & 15));
        if (one_in(3))
            bytes[n++] = 0x0f;
        if (bytes[n - (n > 0)] == 0x0f && n && one_in(10)) {
            static const uint8_t opcodes[] = { 0x80, 0x81, 0x82, 0xf0, 0xf1 };
            bytes[n++] = 0x38;
            bytes[n] = opcodes[random64() % sizeof opcodes];
        }
    }
    return one_in(8) ? random64() % 17 : one_in(2) ? 15 : 16;
}

static void show_failure(const uint8_t *bytes, size_t len, enum insn_mode mode)
{
    printf("  mode %d:", 16 << mode);
    for (size_t i = 0; i < len; i++)
        printf(" %02x", bytes[i]);
    ZydisDisassembledInstruction d;
    static const ZydisMachineMode modes[] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
                                              ZYDIS_MACHINE_MODE_LONG_64 };
    bool ok = ZYAN_SUCCESS(ZydisDisassembleIntel(modes[mode], 0, bytes, len, &d));
    printf("  (%s; %u bytes): %s\n", ok ? d.text : "refused by Zydis", ok ? d.info.length : 0, complaint);
}

static unsigned long setting(const char *name, unsigned long fallback)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 0) : fallback;
}

static unsigned disagreements(enum insn_mode mode)
{
    unsigned long count = setting("DECODE_FUZZ_COUNT", 2000000);
    unsigned wrong = 0;
    random_state = setting("DECODE_FUZZ_SEED", 1) * 0x9e3779b97f4a7c15ull + mode + 1;
    decoded = refused = 0;
    set_up();
    for (unsigned long i = 0; i < count && wrong < 20; i++) {
        uint8_t bytes[16];
        size_t len = generate(bytes, mode);
        if (!agrees(bytes, len, mode)) {
            show_failure(bytes, len, mode);
            wrong++;
        }
    }
    printf("  %d-bit: %lu strings, %u decoded, %u refused\n", 16 << mode, count, decoded, refused);
    return wrong + (decoded < count / 10);    /* a run that decodes nothing proves nothing */
}

TEST(random_16_bit_code_decodes_as_zydis_does) { CHECK_EQ(disagreements(INSN_MODE_16), 0); }
TEST(random_32_bit_code_decodes_as_zydis_does) { CHECK_EQ(disagreements(INSN_MODE_32), 0); }
TEST(random_64_bit_code_decodes_as_zydis_does) { CHECK_EQ(disagreements(INSN_MODE_64), 0); }
