#include "arch/x86_64/emul/show.h"

#define INSN_OP_TEXT(name, text) [INSN_##name] = text,
static const char *const names[INSN_OP_COUNT] = { INSN_OPS_EXECUTED(INSN_OP_TEXT) INSN_OPS_DECODED(INSN_OP_TEXT) };

const char *insn_op_name(enum insn_op op)
{
    return (unsigned)op < INSN_OP_COUNT ? names[op] : "?";
}
