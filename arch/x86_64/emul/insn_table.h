/* The opcode maps as tables: private to the decoder. */
#ifndef ARCH_X86_64_EMUL_INSN_TABLE_H
#define ARCH_X86_64_EMUL_INSN_TABLE_H

#include "arch/x86_64/emul/insn.h"

/* What a row is. The values from 1 to INSN_FORM_COUNT - 1 are instruction forms; the others lead elsewhere. */
enum {
    ROW_UNKNOWN = INSN_FORM_UNKNOWN,  /* not one of ours: what a gap in a table is */
    ROW_PREFIX = INSN_FORM_COUNT,   /* .op: enum insn_prefix */
    ROW_ESCAPE,                     /* .op: enum insn_map */
    ROW_BY_REG,                     /* .op: group; its rows are chosen by ModRM.reg */
    ROW_BY_RM,                      /* .op: group; by ModRM.rm */
    ROW_BY_MOD,                     /* .op: group; row 0 for memory, row 1 for a register */
    ROW_BY_REXB,                    /* .op: group; row 0 or 1 by REX.B */
    ROW_BY_PREFIX,                  /* .op: group; rows for none, 66, F3, F2 */
};

enum insn_prefix { PREFIX_OPSIZE, PREFIX_ADDRSIZE, PREFIX_LOCK, PREFIX_REP, PREFIX_REPNE, PREFIX_SEG /* + segment */ };

enum insn_map { MAP_1, MAP_0F, MAP_0F38, MAP_COUNT };

/* How the sizes of an operation and its memory operand follow from prefixes and mode; insn_sizes[] has the values.
 * The names with two parts are those where the two differ. */
enum insn_size {
    SIZE_NONE, SIZE_B, SIZE_W, SIZE_D, SIZE_Q, SIZE_X,
    SIZE_V,      /* 2, 4 or 8 */
    SIZE_V64,    /* as V, but 8 by default in 64-bit mode (stack) */
    SIZE_Y,      /* 4, or 8 with REX.W */
    SIZE_Z,      /* 2 or 4: IN, OUT, INS, OUTS have no 8 */
    SIZE_N,      /* the mode's own: 4, or 8 in 64-bit mode */
    SIZE_XY,     /* 8, or 16 with REX.W: CMPXCHG8B */
    SIZE_NONE_P, /* 6, or 10 in 64-bit mode: GDTR and IDTR images */
    SIZE_V_B, SIZE_V_W, SIZE_V_Z, SIZE_N_X,
    SIZE_COUNT
};

enum {
    ROW_MODRM = 1 << 0,
    ROW_IMM8 = 1 << 1,        /* unsigned byte */
    ROW_IMM8S = 1 << 2,       /* sign-extended byte */
    ROW_IMMZ = 1 << 3,        /* 1, 2 or 4 bytes by operand size, sign-extended */
    ROW_IMMV = 1 << 4,        /* 1, 2, 4 or 8 bytes by operand size */
    ROW_MOFFS = 1 << 5,       /* address-sized offset of a memory operand */
    ROW_ONE = 1 << 6,         /* shifts: the immediate is 1 */
    ROW_IMM = ROW_IMM8 | ROW_IMM8S | ROW_IMMZ | ROW_IMMV | ROW_MOFFS | ROW_ONE,
    ROW_LOCKABLE = 1 << 7,    /* LOCK is legal if the destination is memory */
    ROW_OPCODE_REG = 1 << 8,  /* the r/m operand is a register in the opcode's low three bits and REX.B */
    ROW_NOT_64 = 1 << 9,      /* #UD in 64-bit mode */
    ROW_ONLY_64 = 1 << 10,    /* another instruction, or none, elsewhere */
    ROW_MEM_ONLY = 1 << 11,   /* #UD with a register */
    ROW_NO_PREFIX = 1 << 12,  /* 66, F2 or F3 make it another instruction, or none */
    ROW_NO_REP = 1 << 13,     /* F3 does */
    ROW_XMM = 1 << 14,
    ROW_REG_RM = 1 << 15,     /* ModRM.mod is ignored: always a register (MOV CR) */
    ROW_SREG = 1 << 16,       /* .reg is a segment register */
    ROW_CREG = 1 << 17,       /* .reg is a control register */
    ROW_DREG = 1 << 18,       /* .reg is a debug register */
    ROW_COND = 1 << 19,       /* a condition in the opcode's low four bits */
    ROW_DI = 1 << 20,         /* string instruction: the memory operand is ES:rDI */
    ROW_SI = 1 << 21,         /* string instruction: segment:rSI */
    ROW_ACC = 1 << 22,        /* the r/m operand is AL, AX, EAX or RAX */
};

struct insn_row {
    union {
        struct {
            uint8_t op;        /* enum insn_op, or by .form */
            uint8_t form;
        };
        uint16_t op_form;
    };
    uint8_t size;      /* enum insn_size */
    uint8_t reserved;
    uint32_t flags;
};

union insn_size_pair {
    struct {
        uint8_t opsize, memsize;
    };
    uint16_t both;
};

/* Columns of insn_sizes[]: mode * 4, + 2 with REX.W, + 1 with 66. */
#define SIZE_COLUMNS 16

extern const struct insn_row insn_maps[MAP_COUNT][256];
enum insn_group {
    GROUP_80, GROUP_81, GROUP_82, GROUP_83, GROUP_8F, GROUP_90, GROUP_90_NOP, GROUP_C0, GROUP_C1, GROUP_C6, GROUP_C7, GROUP_D0,
    GROUP_D1, GROUP_D2, GROUP_D3, GROUP_F6, GROUP_F7, GROUP_FE, GROUP_FF,
    GROUP_0F00, GROUP_0F01, GROUP_0F01_MEM, GROUP_0F01_REG, GROUP_0F01_C0, GROUP_0F01_C8, GROUP_0F01_D0,
    GROUP_0F01_D8, GROUP_0F01_F8, GROUP_0F09, GROUP_0F10, GROUP_0F11, GROUP_0F28, GROUP_0F29, GROUP_0F2B,
    GROUP_0F6E, GROUP_0F6F, GROUP_0F7E, GROUP_0F7F, GROUP_0FBA, GROUP_0FC7, GROUP_0FC7_6, GROUP_0FC7_6_MEM, GROUP_0FC7_6_REG,
    GROUP_0FC7_7, GROUP_0FC7_7_REG, GROUP_0FD6, GROUP_0FE7, GROUP_0F3880, GROUP_0F3881, GROUP_0F3882, GROUP_0F38F0, GROUP_0F38F1,
    GROUP_COUNT
};

extern const struct insn_row insn_groups[GROUP_COUNT][8];
extern const union insn_size_pair insn_sizes[SIZE_COUNT][SIZE_COLUMNS];

#endif
