/* The groups: opcodes whose meaning needs ModRM or a prefix; a gap is not one of ours.
 * Intel SDM vol 2, "Opcode Extensions for One-Byte and Two-byte Opcodes". */
#include "arch/x86_64/emul/insn_row.h"

#define ALU(size, flags) {                                                                             \
        ROW(ADD, RM_IMM, size, M | LOCKABLE | (flags)), ROW(OR, RM_IMM, size, M | LOCKABLE | (flags)), \
        ROW(ADC, RM_IMM, size, M | LOCKABLE | (flags)), ROW(SBB, RM_IMM, size, M | LOCKABLE | (flags)), \
        ROW(AND, RM_IMM, size, M | LOCKABLE | (flags)), ROW(SUB, RM_IMM, size, M | LOCKABLE | (flags)), \
        ROW(XOR, RM_IMM, size, M | LOCKABLE | (flags)), ROW(CMP, RM_IMM, size, M | (flags)) }

/* /6 is undocumented and shifts left as /4 does. */
#define SHIFTS(form, size, flags) {                                                                    \
        ROW(ROL, form, size, M | (flags)), ROW(ROR, form, size, M | (flags)),                          \
        ROW(RCL, form, size, M | (flags)), ROW(RCR, form, size, M | (flags)),                          \
        ROW(SHL, form, size, M | (flags)), ROW(SHR, form, size, M | (flags)),                          \
        ROW(SHL, form, size, M | (flags)), ROW(SAR, form, size, M | (flags)) }

/* /1 is undocumented and tests as /0 does. */
#define UNARY(size, imm) {                                                                             \
        ROW(TEST, RM_IMM, size, M | (imm)), ROW(TEST, RM_IMM, size, M | (imm)),                        \
        ROW(NOT, RM, size, M | LOCKABLE), ROW(NEG, RM, size, M | LOCKABLE),                            \
        ROW(MUL, RM, size, M), ROW(IMUL, RM, size, M), ROW(DIV, RM, size, M), ROW(IDIV, RM, size, M) }

#define BY_REG_0(op, form, size, flags) { ROW(op, form, size, M | (flags)) }
/* 66, F2 and F3 are ignored by some, and make others another instruction or an undefined one. */
#define SYSTEM(op) ROW(op, NONE, NONE, M | ROW_NO_PREFIX)
#define SYSTEM_PREFIXED(op) ROW(op, NONE, NONE, M)
#define XMM (M | ROW_XMM)

/* Loads and stores by mandatory prefix: none, 66, F3, F2. */
#define SSE_MOVES(form) {                                                                              \
        ROW(MOVUPS, form, X, XMM), ROW(MOVUPD, form, X, XMM), ROW(MOVSS, form, D, XMM), ROW(MOVSD, form, Q, XMM) }
#define SSE_ALIGNED(form) { ROW(MOVAPS, form, X, XMM), ROW(MOVAPD, form, X, XMM) }
#define SSE_INTEGER(form) { ROW(MOVQ, form, Q, XMM), ROW(MOVDQA, form, X, XMM), ROW(MOVDQU, form, X, XMM) }
#define ONLY_66(...) { [1] = __VA_ARGS__ }

const struct insn_row insn_groups[GROUP_COUNT][8] = {
    [GROUP_80] = ALU(B, ROW_IMM8S), [GROUP_81] = ALU(V, ROW_IMMZ),
    [GROUP_82] = ALU(B, ROW_IMM8S | ROW_NOT_64), [GROUP_83] = ALU(V, ROW_IMM8S),
    [GROUP_8F] = BY_REG_0(POP, RM, V64, 0),       /* the others are AMD's XOP prefix */
    [GROUP_90] = { TO(BY_PREFIX, GROUP_90_NOP), ROW(XCHG, RM_REG, V, ROW_OPCODE_REG | ROW_NO_REP) },
    [GROUP_90_NOP] = { ROW(NOP, NONE, NONE, 0), ROW(NOP, NONE, NONE, 0), ROW(PAUSE, NONE, NONE, 0),
                       ROW(NOP, NONE, NONE, 0) },
    [GROUP_C0] = SHIFTS(RM_IMM, B, ROW_IMM8), [GROUP_C1] = SHIFTS(RM_IMM, V, ROW_IMM8),
    [GROUP_C6] = BY_REG_0(MOV, RM_IMM, B, ROW_IMM8S), [GROUP_C7] = BY_REG_0(MOV, RM_IMM, V, ROW_IMMZ),
    [GROUP_D0] = SHIFTS(RM_IMM, B, ROW_ONE), [GROUP_D1] = SHIFTS(RM_IMM, V, ROW_ONE),
    [GROUP_D2] = SHIFTS(RM_CL, B, 0), [GROUP_D3] = SHIFTS(RM_CL, V, 0),
    [GROUP_F6] = UNARY(B, ROW_IMM8S), [GROUP_F7] = UNARY(V, ROW_IMMZ),
    [GROUP_FE] = { ROW(INC, RM, B, M | LOCKABLE), ROW(DEC, RM, B, M | LOCKABLE) },
    [GROUP_FF] = { [0] = ROW(INC, RM, V, M | LOCKABLE), [1] = ROW(DEC, RM, V, M | LOCKABLE),
                   [6] = ROW(PUSH, RM, V64, M) },
    [GROUP_0F00] = { ROW(SLDT, RM, V_W, M), ROW(STR, RM, V_W, M), ROW(LLDT, RM, W, M), ROW(LTR, RM, W, M),
                     ROW(VERR, RM, W, M), ROW(VERW, RM, W, M) },
    [GROUP_0F01] = { TO(BY_REG, GROUP_0F01_MEM), TO(BY_REG, GROUP_0F01_REG) },
    [GROUP_0F01_MEM] = {
        [0] = ROW(SGDT, RM, NONE_P, M), [1] = ROW(SIDT, RM, NONE_P, M),
        [2] = ROW(LGDT, RM, NONE_P, M), [3] = ROW(LIDT, RM, NONE_P, M),
        [4] = ROW(SMSW, RM, V_W, M), [6] = ROW(LMSW, RM, W, M), [7] = ROW(INVLPG, RM, NONE, M) },
    [GROUP_0F01_REG] = {
        [0] = TO(BY_RM, GROUP_0F01_C0), [1] = TO(BY_RM, GROUP_0F01_C8), [2] = TO(BY_RM, GROUP_0F01_D0),
        [3] = TO(BY_RM, GROUP_0F01_D8), [4] = ROW(SMSW, RM, V_W, M), [6] = ROW(LMSW, RM, W, M),
        [7] = TO(BY_RM, GROUP_0F01_F8) },
    [GROUP_0F01_C0] = { [1] = SYSTEM(VMCALL), [2] = SYSTEM(VMLAUNCH), [3] = SYSTEM(VMRESUME), [4] = SYSTEM(VMXOFF) },
    [GROUP_0F01_C8] = { [0] = SYSTEM(MONITOR), [1] = SYSTEM(MWAIT), [2] = SYSTEM(CLAC), [3] = SYSTEM(STAC) },
    [GROUP_0F01_D0] = { [0] = SYSTEM(XGETBV), [1] = SYSTEM(XSETBV), [4] = SYSTEM(VMFUNC) },
    [GROUP_0F01_D8] = {
        SYSTEM_PREFIXED(VMRUN), SYSTEM_PREFIXED(VMMCALL), SYSTEM_PREFIXED(VMLOAD), SYSTEM_PREFIXED(VMSAVE),
        SYSTEM_PREFIXED(STGI), SYSTEM_PREFIXED(CLGI), SYSTEM_PREFIXED(SKINIT), SYSTEM_PREFIXED(INVLPGA) },
    [GROUP_0F01_F8] = { [0] = ROW(SWAPGS, NONE, NONE, M | ROW_ONLY_64), [1] = SYSTEM_PREFIXED(RDTSCP),
                        [2] = SYSTEM(MONITORX), [3] = SYSTEM(MWAITX) },
    [GROUP_0F09] = { ROW(WBINVD, NONE, NONE, 0), ROW(WBINVD, NONE, NONE, 0), ROW(WBNOINVD, NONE, NONE, 0),
                     ROW(WBINVD, NONE, NONE, 0) },
    [GROUP_0F10] = SSE_MOVES(REG_RM), [GROUP_0F11] = SSE_MOVES(RM_REG),
    [GROUP_0F28] = SSE_ALIGNED(REG_RM), [GROUP_0F29] = SSE_ALIGNED(RM_REG),
    [GROUP_0F2B] = { ROW(MOVNTPS, RM_REG, X, XMM | ROW_MEM_ONLY), ROW(MOVNTPD, RM_REG, X, XMM | ROW_MEM_ONLY) },
    [GROUP_0F6E] = { ROW(MOVD, REG_RM, Y, XMM), ROW(MOVD, REG_RM, Y, XMM) },
    [GROUP_0F6F] = SSE_INTEGER(REG_RM), [GROUP_0F7F] = SSE_INTEGER(RM_REG),
    [GROUP_0F7E] = { ROW(MOVD, RM_REG, Y, XMM), ROW(MOVD, RM_REG, Y, XMM), ROW(MOVQ, REG_RM, Q, XMM) },
    [GROUP_0FBA] = { [4] = ROW(BT, RM_IMM, V, M | ROW_IMM8), [5] = ROW(BTS, RM_IMM, V, M | ROW_IMM8 | LOCKABLE),
                     [6] = ROW(BTR, RM_IMM, V, M | ROW_IMM8 | LOCKABLE),
                     [7] = ROW(BTC, RM_IMM, V, M | ROW_IMM8 | LOCKABLE) },
    [GROUP_0FC7] = { [1] = ROW(CMPXCHG8B, RM, XY, M | ROW_MEM_ONLY | LOCKABLE),
                     [6] = TO(BY_MOD, GROUP_0FC7_6), [7] = TO(BY_MOD, GROUP_0FC7_7) },
    [GROUP_0FC7_6] = { TO(BY_PREFIX, GROUP_0FC7_6_MEM), TO(BY_PREFIX, GROUP_0FC7_6_REG) },
    [GROUP_0FC7_6_MEM] = { ROW(VMPTRLD, RM, Q, M), ROW(VMCLEAR, RM, Q, M), ROW(VMXON, RM, Q, M) },
    [GROUP_0FC7_6_REG] = { ROW(RDRAND, RM, V, M), ROW(RDRAND, RM, V, M) },
    [GROUP_0FC7_7] = { ROW(VMPTRST, RM, Q, M | ROW_NO_PREFIX), TO(BY_PREFIX, GROUP_0FC7_7_REG) },
    [GROUP_0FC7_7_REG] = { ROW(RDSEED, RM, V, M), ROW(RDSEED, RM, V, M) }, /* with F3: RDPID */
    [GROUP_0FD6] = ONLY_66(ROW(MOVQ, RM_REG, Q, XMM)),
    [GROUP_0FE7] = ONLY_66(ROW(MOVNTDQ, RM_REG, X, XMM | ROW_MEM_ONLY)),
    [GROUP_0F3880] = ONLY_66(ROW(INVEPT, REG_RM, N_X, M | ROW_MEM_ONLY)),
    [GROUP_0F3881] = ONLY_66(ROW(INVVPID, REG_RM, N_X, M | ROW_MEM_ONLY)),
    [GROUP_0F3882] = ONLY_66(ROW(INVPCID, REG_RM, N_X, M | ROW_MEM_ONLY)),
    /* F2 makes these CRC32. */
    [GROUP_0F38F0] = { ROW(MOVBE, REG_RM, V, M | ROW_MEM_ONLY), ROW(MOVBE, REG_RM, V, M | ROW_MEM_ONLY) },
    [GROUP_0F38F1] = { ROW(MOVBE, RM_REG, V, M | ROW_MEM_ONLY), ROW(MOVBE, RM_REG, V, M | ROW_MEM_ONLY) },
};
