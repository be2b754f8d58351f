/* The opcode maps as tables: private to the decoder. */
#ifndef ARCH_X86_64_EMUL_INSN_TABLE_H
#define ARCH_X86_64_EMUL_INSN_TABLE_H

#include "arch/x86_64/emul/insn.h"

/* What a row is. The values below INSN_FORM_COUNT are instruction forms; the others lead elsewhere. */
enum {
    ROW_UNKNOWN = INSN_FORM_COUNT,  /* not one of ours */
    ROW_INVALID,                    /* #UD */
    ROW_PREFIX,                     /* .op: enum insn_prefix */
    ROW_ESCAPE,                     /* .op: enum insn_map */
    ROW_BY_REG,                     /* .op: group; its rows are chosen by ModRM.reg */
    ROW_BY_RM,                      /* .op: group; by ModRM.rm if it names a register, else not ours */
    ROW_BY_MOD,                     /* .op: group; row 0 for memory, row 1 for a register */
    ROW_BY_PREFIX,                  /* .op: group; rows for none, 66, F3, F2 */
};

enum insn_prefix { PREFIX_OPSIZE, PREFIX_ADDRSIZE, PREFIX_LOCK, PREFIX_REP, PREFIX_REPNE, PREFIX_SEG /* + segment */ };

enum insn_map { MAP_1, MAP_0F, MAP_0F38, MAP_COUNT };

/* How an operation's size follows from prefixes and mode; insn_sizes[] has the values. */
enum insn_size {
    SIZE_NONE, SIZE_B, SIZE_W, SIZE_D, SIZE_Q, SIZE_X,
    SIZE_V,      /* 2, 4 or 8 */
    SIZE_V64,    /* as V, but 8 by default in 64-bit mode (stack) */
    SIZE_Y,      /* 4, or 8 with REX.W */
    SIZE_Z,      /* 2 or 4: IN, OUT, INS, OUTS have no 8 */
    SIZE_N,      /* the mode's own: 4, or 8 in 64-bit mode */
    SIZE_XY,     /* 8, or 16 with REX.W: CMPXCHG8B */
    SIZE_COUNT
};

enum {
    ROW_MODRM = 1 << 0,
    ROW_IMM8 = 1 << 1,        /* unsigned byte */
    ROW_IMM8S = 1 << 2,       /* sign-extended byte */
    ROW_IMMZ = 1 << 3,        /* 1, 2 or 4 bytes by operand size, sign-extended */
    ROW_IMMV = 1 << 4,        /* 1, 2, 4 or 8 bytes by operand size */
    ROW_MOFFS = 1 << 5,       /* address-sized offset of a memory operand */
    ROW_ONE = 1 << 6,         /* the immediate is 1 */
    ROW_IMM = ROW_IMM8 | ROW_IMM8S | ROW_IMMZ | ROW_IMMV | ROW_MOFFS | ROW_ONE,
    ROW_LOCKABLE = 1 << 7,    /* LOCK is legal if the destination is memory */
    ROW_OPCODE_REG = 1 << 8,  /* the r/m operand is a register in the opcode's low three bits and REX.B */
    ROW_NOT_64 = 1 << 9,      /* #UD in 64-bit mode */
    ROW_ONLY_64 = 1 << 10,    /* another instruction, or none, elsewhere */
    ROW_MEM_ONLY = 1 << 11,   /* #UD with a register */
    ROW_NO_PREFIX = 1 << 12,  /* 66, F2 or F3 make it another instruction, or none */
    ROW_NO_REP = 1 << 13,     /* F2 or F3 do */
    ROW_XMM = 1 << 14,
    ROW_REG_RM = 1 << 15,     /* ModRM.mod is ignored: always a register (MOV CR) */
    ROW_SREG = 1 << 16,       /* .reg is a segment register */
    ROW_CREG = 1 << 17,       /* .reg is a control register */
    ROW_DREG = 1 << 18,       /* .reg is a debug register */
    ROW_COND = 1 << 19,       /* a condition in the opcode's low four bits */
    ROW_DI = 1 << 20,         /* string instruction: the memory operand is ES:rDI */
    ROW_SI = 1 << 21,         /* string instruction: segment:rSI */
};

/* A zeroed row would be a valid ADD: tables fill their gaps with ROW_UNKNOWN. */
struct insn_row {
    uint8_t op;        /* enum insn_op, or by .form */
    uint8_t form;
    uint8_t size;      /* enum insn_size of the operation */
    uint8_t memsize;   /* enum insn_size of the memory operand */
    uint32_t flags;
};

extern const struct insn_row insn_maps[MAP_COUNT][256];
extern const struct insn_row insn_groups[][8];
extern const uint8_t insn_sizes[SIZE_COUNT][8];   /* [size][log2 of the operand size + 4 in 64-bit mode] */

#endif
