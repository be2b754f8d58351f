/* The opcode maps; a gap is an opcode that is not one of ours.
 * Intel SDM vol 2, "Opcode Map"; AMD APM vol 3, "Opcode and Operand Encodings". */
#include "arch/x86_64/emul/insn_row.h"

/* 00-3D: eight operations, six encodings each. CMP writes nothing, so there is nothing to lock. */
#define ALU(n, op, lock)                                                                   \
    [n] = ROW(op, RM_REG, B, M | (lock)), [(n) + 1] = ROW(op, RM_REG, V, M | (lock)),      \
    [(n) + 2] = ROW(op, REG_RM, B, M), [(n) + 3] = ROW(op, REG_RM, V, M),                  \
    [(n) + 4] = ROW(op, RM_IMM, B, ROW_ACC | ROW_IMM8S), [(n) + 5] = ROW(op, RM_IMM, V, ROW_ACC | ROW_IMMZ)

#define TIMES_8(n, ...)                                                                    \
    [n] = __VA_ARGS__, [(n) + 1] = __VA_ARGS__, [(n) + 2] = __VA_ARGS__, [(n) + 3] = __VA_ARGS__, \
    [(n) + 4] = __VA_ARGS__, [(n) + 5] = __VA_ARGS__, [(n) + 6] = __VA_ARGS__, [(n) + 7] = __VA_ARGS__

/* Two encodings, for bytes and for the larger sizes. */
#define PAIR(n, op, form, flags) [n] = ROW(op, form, B, flags), [(n) + 1] = ROW(op, form, V, flags)

const struct insn_row insn_maps[MAP_COUNT][256] = {
    [MAP_1] = {
        ALU(0x00, ADD, LOCKABLE), ALU(0x08, OR, LOCKABLE), ALU(0x10, ADC, LOCKABLE), ALU(0x18, SBB, LOCKABLE),
        ALU(0x20, AND, LOCKABLE), ALU(0x28, SUB, LOCKABLE), ALU(0x30, XOR, LOCKABLE), ALU(0x38, CMP, 0),
        [0x0f] = TO(ESCAPE, MAP_0F),
        [0x26] = TO(PREFIX, PREFIX_SEG + INSN_ES), [0x2e] = TO(PREFIX, PREFIX_SEG + INSN_CS),
        [0x36] = TO(PREFIX, PREFIX_SEG + INSN_SS), [0x3e] = TO(PREFIX, PREFIX_SEG + INSN_DS),
        [0x64] = TO(PREFIX, PREFIX_SEG + INSN_FS), [0x65] = TO(PREFIX, PREFIX_SEG + INSN_GS),
        [0x66] = TO(PREFIX, PREFIX_OPSIZE), [0x67] = TO(PREFIX, PREFIX_ADDRSIZE),
        [0xf0] = TO(PREFIX, PREFIX_LOCK), [0xf2] = TO(PREFIX, PREFIX_REPNE), [0xf3] = TO(PREFIX, PREFIX_REP),
        /* 40-4F are REX prefixes in 64-bit mode; the decoder takes them before it comes here. */
        TIMES_8(0x40, ROW(INC, RM, V, ROW_OPCODE_REG)), TIMES_8(0x48, ROW(DEC, RM, V, ROW_OPCODE_REG)),
        TIMES_8(0x50, ROW(PUSH, RM, V64, ROW_OPCODE_REG)), TIMES_8(0x58, ROW(POP, RM, V64, ROW_OPCODE_REG)),
        [0x63] = ROW(MOVSXD, REG_RM, V_Z, M | ROW_ONLY_64),
        [0x68] = ROW(PUSH, IMM, V64, ROW_IMMZ), [0x6a] = ROW(PUSH, IMM, V64, ROW_IMM8S),
        [0x69] = ROW(IMUL_REG, REG_RM_IMM, V, M | ROW_IMMZ), [0x6b] = ROW(IMUL_REG, REG_RM_IMM, V, M | ROW_IMM8S),
        [0x6c] = ROW(INS, STRING, B, ROW_DI), [0x6d] = ROW(INS, STRING, Z, ROW_DI),
        [0x6e] = ROW(OUTS, STRING, B, ROW_SI), [0x6f] = ROW(OUTS, STRING, Z, ROW_SI),
        [0x80] = TO(BY_REG, GROUP_80), [0x81] = TO(BY_REG, GROUP_81),
        [0x82] = TO(BY_REG, GROUP_82), [0x83] = TO(BY_REG, GROUP_83),
        PAIR(0x84, TEST, RM_REG, M), PAIR(0x86, XCHG, RM_REG, M | LOCKABLE),
        PAIR(0x88, MOV, RM_REG, M), PAIR(0x8a, MOV, REG_RM, M),
        [0x8c] = ROW(MOV_FROM_SREG, RM_REG, V_W, M | ROW_SREG),
        [0x8f] = TO(BY_REG, GROUP_8F),
        [0x90] = TO(BY_REXB, GROUP_90),
        [0x91] = ROW(XCHG, RM_REG, V, ROW_OPCODE_REG), [0x92] = ROW(XCHG, RM_REG, V, ROW_OPCODE_REG),
        [0x93] = ROW(XCHG, RM_REG, V, ROW_OPCODE_REG), [0x94] = ROW(XCHG, RM_REG, V, ROW_OPCODE_REG),
        [0x95] = ROW(XCHG, RM_REG, V, ROW_OPCODE_REG), [0x96] = ROW(XCHG, RM_REG, V, ROW_OPCODE_REG),
        [0x97] = ROW(XCHG, RM_REG, V, ROW_OPCODE_REG),
        [0x9c] = ROW(PUSHF, NONE, V64, 0), [0x9d] = ROW(POPF, NONE, V64, 0),
        PAIR(0xa0, MOV, REG_RM, ROW_MOFFS), PAIR(0xa2, MOV, RM_REG, ROW_MOFFS),
        PAIR(0xa4, MOVS, STRING, ROW_SI), PAIR(0xa6, CMPS, STRING, ROW_SI),
        [0xa8] = ROW(TEST, RM_IMM, B, ROW_ACC | ROW_IMM8S), [0xa9] = ROW(TEST, RM_IMM, V, ROW_ACC | ROW_IMMZ),
        PAIR(0xaa, STOS, STRING, ROW_DI), PAIR(0xac, LODS, STRING, ROW_SI), PAIR(0xae, SCAS, STRING, ROW_DI),
        TIMES_8(0xb0, ROW(MOV, RM_IMM, B, ROW_OPCODE_REG | ROW_IMM8S)),
        TIMES_8(0xb8, ROW(MOV, RM_IMM, V, ROW_OPCODE_REG | ROW_IMMV)),
        [0xc0] = TO(BY_REG, GROUP_C0), [0xc1] = TO(BY_REG, GROUP_C1),
        [0xc6] = TO(BY_REG, GROUP_C6), [0xc7] = TO(BY_REG, GROUP_C7),
        [0xcc] = ROW(INT3, NONE, NONE, 0), [0xcd] = ROW(INT, IMM, NONE, ROW_IMM8),
        [0xd0] = TO(BY_REG, GROUP_D0), [0xd1] = TO(BY_REG, GROUP_D1),
        [0xd2] = TO(BY_REG, GROUP_D2), [0xd3] = TO(BY_REG, GROUP_D3),
        [0xe4] = ROW(IN, IO_IMM, B, ROW_IMM8), [0xe5] = ROW(IN, IO_IMM, Z, ROW_IMM8),
        [0xe6] = ROW(OUT, IO_IMM, B, ROW_IMM8), [0xe7] = ROW(OUT, IO_IMM, Z, ROW_IMM8),
        [0xec] = ROW(IN, IO_DX, B, 0), [0xed] = ROW(IN, IO_DX, Z, 0),
        [0xee] = ROW(OUT, IO_DX, B, 0), [0xef] = ROW(OUT, IO_DX, Z, 0),
        [0xf4] = ROW(HLT, NONE, NONE, 0),
        [0xf6] = TO(BY_REG, GROUP_F6), [0xf7] = TO(BY_REG, GROUP_F7),
        [0xfe] = TO(BY_REG, GROUP_FE), [0xff] = TO(BY_REG, GROUP_FF),
    },
    [MAP_0F] = {
        [0x00] = TO(BY_REG, GROUP_0F00), [0x01] = TO(BY_MOD, GROUP_0F01),
        [0x06] = ROW(CLTS, NONE, NONE, 0), [0x08] = ROW(INVD, NONE, NONE, 0), [0x09] = TO(BY_PREFIX, GROUP_0F09),
        [0x0b] = ROW(UD2, NONE, NONE, 0),
        [0x10] = TO(BY_PREFIX, GROUP_0F10), [0x11] = TO(BY_PREFIX, GROUP_0F11),
        [0x20] = ROW(MOV_FROM_CR, RM_REG, N, M | ROW_REG_RM | ROW_CREG),
        [0x21] = ROW(MOV_FROM_DR, RM_REG, N, M | ROW_REG_RM | ROW_DREG),
        [0x22] = ROW(MOV_TO_CR, REG_RM, N, M | ROW_REG_RM | ROW_CREG),
        [0x23] = ROW(MOV_TO_DR, REG_RM, N, M | ROW_REG_RM | ROW_DREG),
        [0x28] = TO(BY_PREFIX, GROUP_0F28), [0x29] = TO(BY_PREFIX, GROUP_0F29), [0x2b] = TO(BY_PREFIX, GROUP_0F2B),
        [0x30] = ROW(WRMSR, NONE, NONE, 0), [0x31] = ROW(RDTSC, NONE, NONE, 0),
        [0x32] = ROW(RDMSR, NONE, NONE, 0), [0x33] = ROW(RDPMC, NONE, NONE, 0),
        [0x38] = TO(ESCAPE, MAP_0F38),
        TIMES_8(0x40, ROW(CMOVCC, REG_RM, V, M | ROW_COND)), TIMES_8(0x48, ROW(CMOVCC, REG_RM, V, M | ROW_COND)),
        [0x6e] = TO(BY_PREFIX, GROUP_0F6E), [0x6f] = TO(BY_PREFIX, GROUP_0F6F),
        [0x78] = ROW(VMREAD, RM_REG, N, M | ROW_NO_PREFIX), [0x79] = ROW(VMWRITE, REG_RM, N, M | ROW_NO_PREFIX),
        [0x7e] = TO(BY_PREFIX, GROUP_0F7E), [0x7f] = TO(BY_PREFIX, GROUP_0F7F),
        TIMES_8(0x90, ROW(SETCC, RM, B, M | ROW_COND)), TIMES_8(0x98, ROW(SETCC, RM, B, M | ROW_COND)),
        [0xa2] = ROW(CPUID, NONE, NONE, 0), [0xaa] = ROW(RSM, NONE, NONE, 0),
        [0xa3] = ROW(BT, RM_REG, V, M), [0xab] = ROW(BTS, RM_REG, V, M | LOCKABLE),
        [0xb3] = ROW(BTR, RM_REG, V, M | LOCKABLE), [0xbb] = ROW(BTC, RM_REG, V, M | LOCKABLE),
        [0xa4] = ROW(SHLD, RM_REG_IMM, V, M | ROW_IMM8), [0xa5] = ROW(SHLD, RM_REG_CL, V, M),
        [0xac] = ROW(SHRD, RM_REG_IMM, V, M | ROW_IMM8), [0xad] = ROW(SHRD, RM_REG_CL, V, M),
        [0xaf] = ROW(IMUL_REG, REG_RM, V, M),
        PAIR(0xb0, CMPXCHG, RM_REG, M | LOCKABLE), PAIR(0xc0, XADD, RM_REG, M | LOCKABLE),
        [0xb6] = ROW(MOVZX, REG_RM, V_B, M), [0xb7] = ROW(MOVZX, REG_RM, V_W, M),
        [0xbe] = ROW(MOVSX, REG_RM, V_B, M), [0xbf] = ROW(MOVSX, REG_RM, V_W, M),
        [0xba] = TO(BY_REG, GROUP_0FBA),
        [0xbc] = ROW(BSF, REG_RM, V, M | ROW_NO_REP), [0xbd] = ROW(BSR, REG_RM, V, M | ROW_NO_REP),
        [0xc3] = ROW(MOVNTI, RM_REG, Y, M | ROW_MEM_ONLY | ROW_NO_PREFIX),
        [0xc7] = TO(BY_REG, GROUP_0FC7),
        [0xd6] = TO(BY_PREFIX, GROUP_0FD6), [0xe7] = TO(BY_PREFIX, GROUP_0FE7),
    },
    [MAP_0F38] = {
        [0x80] = TO(BY_PREFIX, GROUP_0F3880), [0x81] = TO(BY_PREFIX, GROUP_0F3881),
        [0x82] = TO(BY_PREFIX, GROUP_0F3882),
        [0xf0] = TO(BY_PREFIX, GROUP_0F38F0), [0xf1] = TO(BY_PREFIX, GROUP_0F38F1),
    },
};

#define SAME(n) { { n, n } }
#define ALL(n) { [0 ... SIZE_COLUMNS - 1] = SAME(n) }

/* Columns: 16-bit and 32-bit code without and with 66 (REX.W cannot be there); 64-bit code without, with 66, with
 * REX.W, with both. */
#define BY_MODE(m16, m16_66, m32, m32_66, m64, m64_66, m64_w)                              \
    { [0] = m16, [1] = m16_66, [4] = m32, [5] = m32_66, [8] = m64, [9] = m64_66, [10] = m64_w, [11] = m64_w }
#define S(n) SAME(n)
#define P(op, mem) { { op, mem } }

const union insn_size_pair insn_sizes[SIZE_COUNT][SIZE_COLUMNS] = {
    [SIZE_B] = ALL(1), [SIZE_W] = ALL(2), [SIZE_D] = ALL(4), [SIZE_Q] = ALL(8), [SIZE_X] = ALL(16),
    [SIZE_V]      = BY_MODE(S(2), S(4),       S(4), S(2),       S(4), S(2), S(8)),
    [SIZE_V64]    = BY_MODE(S(2), S(4),       S(4), S(2),       S(8), S(2), S(8)),
    [SIZE_Y]      = BY_MODE(S(4), S(4),       S(4), S(4),       S(4), S(4), S(8)),
    [SIZE_Z]      = BY_MODE(S(2), S(4),       S(4), S(2),       S(4), S(2), S(4)),
    [SIZE_N]      = BY_MODE(S(4), S(4),       S(4), S(4),       S(8), S(8), S(8)),
    [SIZE_XY]     = BY_MODE(S(8), S(8),       S(8), S(8),       S(8), S(8), S(16)),
    [SIZE_NONE_P] = BY_MODE(P(0, 6), P(0, 6), P(0, 6), P(0, 6), P(0, 10), P(0, 10), P(0, 10)),
    [SIZE_V_B]    = BY_MODE(P(2, 1), P(4, 1), P(4, 1), P(2, 1), P(4, 1), P(2, 1), P(8, 1)),
    [SIZE_V_W]    = BY_MODE(P(2, 2), P(4, 2), P(4, 2), P(2, 2), P(4, 2), P(2, 2), P(8, 2)),
    [SIZE_V_Z]    = BY_MODE(P(2, 2), P(4, 4), P(4, 4), P(2, 2), P(4, 4), P(2, 2), P(8, 4)),
    [SIZE_N_X]    = BY_MODE(P(4, 16), P(4, 16), P(4, 16), P(4, 16), P(8, 16), P(8, 16), P(8, 16)),
};
