/* The instruction decoder: bytes in, one 32-byte description out.
 *
 * Pure: no state, no allocation, no access outside [bytes, bytes + len). It knows the instructions of insn_ops.h
 * (README.md lists them) and never guesses: for anything else the answer is INSN_UNSUPPORTED, without a length.
 * A description depends on nothing but the bytes and the mode, so a caller may cache it. */
#ifndef ARCH_X86_64_EMUL_INSN_H
#define ARCH_X86_64_EMUL_INSN_H

#include "arch/x86_64/emul/insn_ops.h"
#include "hv/lib/types.h"

#define INSN_MAX_LENGTH 15

/* The code segment's default size: CS.L in long mode, else CS.D. Real and virtual-8086 mode are INSN_MODE_16. */
enum insn_mode { INSN_MODE_16, INSN_MODE_32, INSN_MODE_64 };

enum insn_status {
    INSN_OK,
    INSN_NEED_MORE,   /* the bytes end inside the instruction: fetch more */
    INSN_TOO_LONG,    /* more than 15 bytes: the CPU raises #GP(0) */
    INSN_UNDEFINED,   /* of our set, but #UD on every CPU: LOCK where it is not allowed, register where memory must be... */
    INSN_UNSUPPORTED, /* not one of ours */
};

enum insn_op {
#define INSN_OP_ENUM(name, text) INSN_##name,
    INSN_OPS_EXECUTED(INSN_OP_ENUM) INSN_OPS_DECODED(INSN_OP_ENUM)
#undef INSN_OP_ENUM
    INSN_OP_COUNT
};

/* Which operands there are, destination first. "rm" is the memory operand if INSN_MEM is set, else the register
 * in .rm. What has no ModRM byte is brought to the same forms: MOV AL,moffs is REG_RM, ADD AL,imm is RM_IMM. */
enum insn_form {
    INSN_FORM_UNKNOWN,    /* never in a decoded instruction */
    INSN_FORM_NONE,       /* no explicit operand */
    INSN_FORM_RM,
    INSN_FORM_RM_REG,
    INSN_FORM_REG_RM,
    INSN_FORM_RM_IMM,
    INSN_FORM_RM_CL,
    INSN_FORM_RM_REG_IMM,
    INSN_FORM_RM_REG_CL,
    INSN_FORM_REG_RM_IMM,
    INSN_FORM_IMM,
    INSN_FORM_STRING,     /* (segment):rSI, ES:rDI; the memory operand described is rSI's if there are two */
    INSN_FORM_IO_IMM,     /* port in .imm; data in AL/AX/EAX */
    INSN_FORM_IO_DX,
    INSN_FORM_COUNT
};

/* Segment registers in the order of their encoding. */
enum insn_seg { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS, INSN_SEG_COUNT };

/* Register numbers: 0-15 as encoded (RAX RCX RDX RBX RSP RBP RSI RDI R8-R15), 16-19 are AH CH DH BH. */
enum {
    INSN_RAX, INSN_RCX, INSN_RDX, INSN_RBX, INSN_RSP, INSN_RBP, INSN_RSI, INSN_RDI,
    INSN_AH = 16,
    INSN_REG_RIP = 0xfe,   /* as .base: the address of the next instruction */
    INSN_REG_NONE = 0xff,
};

/* struct insn.flags. Of F2 and F3 only the last in the bytes counts, so at most one of REP and REPNE is set. */
enum {
    INSN_LOCK = 1 << 0,
    INSN_REP = 1 << 1,     /* F3: REP, REPE */
    INSN_REPNE = 1 << 2,   /* F2 */
    INSN_MEM = 1 << 3,     /* there is a memory operand */
    INSN_OPSIZE = 1 << 4,  /* 66 */
    INSN_XMM = 1 << 5,     /* .reg (and .rm, if the move is not to or from a general register) is an XMM or MMX register */
};

struct insn {
    union {
        struct {
            uint8_t op;        /* enum insn_op */
            uint8_t form;      /* enum insn_form */
        };
        uint16_t op_form;      /* for the decoder, which copies both at once */
    };
    union {
        struct {
            uint8_t opsize;    /* bytes: 1, 2, 4, 8, 16; 0 if the operation has no size */
            uint8_t memsize;   /* of one access at the memory operand (MOVZX's differs from opsize); 0: none */
        };
        uint16_t sizes;
    };
    uint8_t mode;          /* enum insn_mode it was decoded for */
    uint8_t addrsize;      /* bytes: 2, 4, 8 */
    uint8_t flags;
    uint8_t length;        /* 1-15 */
    uint8_t reg;           /* register operand; number of the segment, control or debug register for MOV from or to one */
    uint8_t rm;            /* the other register operand, if !(flags & INSN_MEM) */
    uint8_t seg;           /* enum insn_seg, overrides applied (in 64-bit mode only FS and GS count) */
    uint8_t base, index;   /* of the memory operand, or INSN_REG_NONE / INSN_REG_RIP */
    uint8_t scale;         /* shift: 0-3 */
    uint8_t cond;          /* CMOVcc, SETcc: condition, the low four bits of the opcode */
    uint8_t reserved;
    int64_t disp;          /* sign-extended; for moffs zero-extended from the address size */
    uint64_t imm;          /* sign-extended where the instruction does so; counts, ports and vectors are unsigned */
};

_Static_assert(sizeof(struct insn) == 32, "half a cache line");

/* Decode the instruction at bytes[0..len). *out is valid only for INSN_OK. */
enum insn_status insn_decode(struct insn *out, const uint8_t *bytes, size_t len, enum insn_mode mode) MUST_CHECK;

/* The mnemonic without condition or size suffix ("mov", "cmov", "stos"). */
const char *insn_op_name(enum insn_op op);

#endif
