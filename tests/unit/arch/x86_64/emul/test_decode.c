/* Encodings whose meaning is known from the manuals, and what is refused in which way. */
#include "arch/x86_64/emul/insn.h"
#include "tests/unit/test.h"

#include <string.h>

enum { NONE = INSN_REG_NONE, RIP = INSN_REG_RIP, MEM = INSN_MEM };

static const struct known {
    uint8_t bytes[16];
    uint8_t mode, length, op, form, opsize, memsize, addrsize, flags, reg, rm, seg, base, index, scale;
    int64_t disp;
    uint64_t imm;
} known[] = {
#define K(m, len, op, form, ...) INSN_MODE_##m, len, INSN_##op, INSN_FORM_##form, __VA_ARGS__
    /*                                              sizes    flags reg rm  segment  base index scale disp imm */
    { { 0x8b, 0x43, 0x08 },                        K(64, 3, MOV, REG_RM, 4, 4, 8, MEM, 0, 0, INSN_DS, 3, NONE, 0, 8, 0) },
    { { 0x8b, 0x43, 0x08 },                        K(32, 3, MOV, REG_RM, 4, 4, 4, MEM, 0, 0, INSN_DS, 3, NONE, 0, 8, 0) },
    { { 0x8b, 0x43, 0xf8 },                        K(16, 3, MOV, REG_RM, 2, 2, 2, MEM, 0, 0, INSN_SS, 5, 7, 0, -8, 0) },
    { { 0x88, 0x25, 1, 0, 0, 0 },                  K(64, 6, MOV, RM_REG, 1, 1, 8, MEM, 16, 0, INSN_DS, RIP, NONE, 0, 1, 0) },
    { { 0x40, 0x88, 0x20 },                        K(64, 3, MOV, RM_REG, 1, 1, 8, MEM, 4, 0, INSN_DS, 0, NONE, 0, 0, 0) },
    { { 0x4a, 0x89, 0x64, 0xe5, 0x10 },            K(64, 5, MOV, RM_REG, 8, 8, 8, MEM, 4, 0, INSN_SS, 5, 12, 3, 16, 0) },
    { { 0x41, 0x8b, 0x04, 0x24 },                  K(64, 4, MOV, REG_RM, 4, 4, 8, MEM, 0, 0, INSN_DS, 12, NONE, 0, 0, 0) },
    { { 0x43, 0x8b, 0x04, 0xc5, 0, 0, 0, 0x80 },   K(64, 8, MOV, REG_RM, 4, 4, 8, MEM, 0, 0, INSN_DS, NONE, 8, 3, INT32_MIN, 0) },
    { { 0x66, 0xc7, 0x03, 0xfe, 0xff },            K(64, 5, MOV, RM_IMM, 2, 2, 8, MEM | INSN_OPSIZE, 0, 0, INSN_DS, 3, NONE, 0, 0, UINT64_MAX - 1) },
    { { 0x48, 0xa3, 1, 2, 3, 4, 5, 6, 7, 0x88 },   K(64, 10, MOV, RM_REG, 8, 8, 8, MEM, 0, 0, INSN_DS, NONE, NONE, 0, (int64_t)0x8807060504030201, 0) },
    { { 0x67, 0xa0, 0, 0, 0xe0, 0xfe },            K(64, 6, MOV, REG_RM, 1, 1, 4, MEM, 0, 0, INSN_DS, NONE, NONE, 0, 0xfee00000, 0) },
    { { 0x64, 0x0f, 0xbe, 0x06 },                  K(64, 4, MOVSX, REG_RM, 4, 1, 8, MEM, 0, 0, INSN_FS, 6, NONE, 0, 0, 0) },
    { { 0x2e, 0x0f, 0xb7, 0x06, 0x34, 0x12 },      K(16, 6, MOVZX, REG_RM, 2, 2, 2, MEM, 0, 0, INSN_CS, NONE, NONE, 0, 0x1234, 0) },
    { { 0x48, 0x63, 0x07 },                        K(64, 3, MOVSXD, REG_RM, 8, 4, 8, MEM, 0, 0, INSN_DS, 7, NONE, 0, 0, 0) },
    { { 0xf0, 0x48, 0x0f, 0xba, 0x28, 0x3f },      K(64, 6, BTS, RM_IMM, 8, 8, 8, MEM | INSN_LOCK, 5, 0, INSN_DS, 0, NONE, 0, 0, 0x3f) },
    { { 0xf3, 0x48, 0xab },                        K(64, 3, STOS, STRING, 8, 8, 8, MEM | INSN_REP, 0, 0, INSN_ES, 7, NONE, 0, 0, 0) },
    { { 0x26, 0xf2, 0xa6 },                        K(32, 3, CMPS, STRING, 1, 1, 4, MEM | INSN_REPNE, 0, 0, INSN_ES, 6, NONE, 0, 0, 0) },
    { { 0x2e, 0xa6 },                              K(64, 2, CMPS, STRING, 1, 1, 8, MEM, 0, 0, INSN_DS, 6, NONE, 0, 0, 0) },
    { { 0xff, 0x30 },                              K(64, 2, PUSH, RM, 8, 8, 8, MEM, 6, 0, INSN_DS, 0, NONE, 0, 0, 0) },
    { { 0x44, 0x0f, 0x22, 0xc0 },                  K(64, 4, MOV_TO_CR, REG_RM, 8, 8, 8, 0, 8, 0, INSN_DS, NONE, NONE, 0, 0, 0) },
    { { 0x0f, 0x01, 0x38 },                        K(32, 3, INVLPG, RM, 0, 0, 4, MEM, 7, 0, INSN_DS, 0, NONE, 0, 0, 0) },
    { { 0x0f, 0x01, 0xc1 },                        K(64, 3, VMCALL, NONE, 0, 0, 8, 0, 0, 1, INSN_DS, NONE, NONE, 0, 0, 0) },
    { { 0xe5, 0x71 },                              K(16, 2, IN, IO_IMM, 2, 2, 2, 0, 0, 0, INSN_DS, NONE, NONE, 0, 0, 0x71) },
};

TEST(known_encodings_decode_to_their_fields)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        const struct known *k = &known[i];
        struct insn in;
        printf("  row %zu\n", i);
        CHECK_EQ(insn_decode(&in, k->bytes, 15, (enum insn_mode)k->mode), INSN_OK);
        CHECK_EQ(in.length, k->length);
        CHECK_EQ(in.op, k->op);
        CHECK_EQ(in.form, k->form);
        CHECK_EQ(in.opsize, k->opsize);
        CHECK_EQ(in.memsize, k->memsize);
        CHECK_EQ(in.addrsize, k->addrsize);
        CHECK_EQ(in.flags, k->flags);
        CHECK_EQ(in.reg, k->reg);
        CHECK_EQ(in.rm, k->rm);
        CHECK_EQ(in.seg, k->seg);
        CHECK_EQ(in.base, k->base);
        CHECK_EQ(in.index, k->index);
        CHECK_EQ(in.scale, k->scale);
        CHECK_EQ(in.disp, k->disp);
        CHECK_EQ(in.imm, k->imm);
    }
}

static enum insn_status status_of(enum insn_mode mode, const uint8_t *bytes, size_t len)
{
    struct insn in;
    return insn_decode(&in, bytes, len, mode);
}

#define STATUS(mode, ...) \
    status_of(INSN_MODE_##mode, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

TEST(lock_is_undefined_but_on_a_read_modify_write_of_memory)
{
    CHECK_EQ(STATUS(64, 0xf0, 0x01, 0x03), INSN_OK);               /* add [rbx], eax */
    CHECK_EQ(STATUS(64, 0xf0, 0x01, 0xc3), INSN_UNDEFINED);        /* add ebx, eax */
    CHECK_EQ(STATUS(64, 0xf0, 0x03, 0x03), INSN_UNDEFINED);        /* add eax, [rbx] */
    CHECK_EQ(STATUS(64, 0xf0, 0x39, 0x03), INSN_UNDEFINED);        /* cmp */
    CHECK_EQ(STATUS(64, 0xf0, 0x89, 0x03), INSN_UNDEFINED);        /* mov */
    CHECK_EQ(STATUS(64, 0xf0, 0x0f, 0xa3, 0x03), INSN_UNDEFINED);  /* bt */
    CHECK_EQ(STATUS(64, 0xf0, 0x0f, 0xc7, 0x0b), INSN_OK);         /* cmpxchg8b */
    CHECK_EQ(STATUS(64, 0xf0, 0xa4), INSN_UNDEFINED);
    CHECK_EQ(STATUS(64, 0xf0, 0x0f, 0xa2), INSN_UNDEFINED);
}

TEST(what_no_cpu_has_is_undefined)
{
    CHECK_EQ(STATUS(64, 0x0f, 0xc3, 0xc0), INSN_UNDEFINED);        /* movnti to a register */
    CHECK_EQ(STATUS(64, 0x0f, 0xc7, 0xc8), INSN_UNDEFINED);        /* cmpxchg8b with a register */
    CHECK_EQ(STATUS(64, 0x0f, 0x20, 0xc8), INSN_UNDEFINED);        /* CR1 */
    CHECK_EQ(STATUS(64, 0x44, 0x0f, 0x21, 0xc0), INSN_UNDEFINED);  /* DR8 */
    CHECK_EQ(STATUS(64, 0x8c, 0x33), INSN_UNDEFINED);              /* segment register 6 */
    CHECK_EQ(STATUS(64, 0x82, 0x03, 0x01), INSN_UNDEFINED);
    CHECK_EQ(STATUS(32, 0x82, 0x03, 0x01), INSN_OK);
}

TEST(fifteen_bytes_are_an_instruction_and_sixteen_are_too_long)
{
    uint8_t bytes[17];
    memset(bytes, 0x66, sizeof bytes);
    bytes[13] = 0x8b, bytes[14] = 0x03;
    CHECK_EQ(status_of(INSN_MODE_64, bytes, 15), INSN_OK);
    CHECK_EQ(status_of(INSN_MODE_64, bytes, 14), INSN_NEED_MORE);
    memset(bytes, 0x66, sizeof bytes);
    bytes[14] = 0x8b, bytes[15] = 0x03;
    CHECK_EQ(status_of(INSN_MODE_64, bytes, 17), INSN_TOO_LONG);
    CHECK_EQ(status_of(INSN_MODE_64, bytes, 15), INSN_TOO_LONG);
    CHECK_EQ(status_of(INSN_MODE_64, bytes, 0), INSN_NEED_MORE);
}

TEST(rex_counts_only_right_before_the_opcode)
{
    struct insn in;
    CHECK_EQ(insn_decode(&in, (const uint8_t[]){ 0x48, 0x66, 0x8b, 0x03 }, 4, INSN_MODE_64), INSN_OK);
    CHECK_EQ(in.opsize, 2);
    CHECK_EQ(insn_decode(&in, (const uint8_t[]){ 0x66, 0x48, 0x8b, 0x03 }, 4, INSN_MODE_64), INSN_OK);
    CHECK_EQ(in.opsize, 8);
    CHECK_EQ(insn_decode(&in, (const uint8_t[]){ 0x48, 0x8b, 0x03 }, 3, INSN_MODE_32), INSN_OK);
    CHECK_EQ(in.op, INSN_DEC);
    CHECK_EQ(in.length, 1);
}
