/* Shorthand for the rows of the opcode tables; only the table files include it. */
#ifndef ARCH_X86_64_EMUL_INSN_ROW_H
#define ARCH_X86_64_EMUL_INSN_ROW_H

#include "arch/x86_64/emul/insn_table.h"

/* TO: the row leads to a group, prefix or map. */
#define ROW(op, form, size, flags) { { { INSN_##op, INSN_FORM_##form } }, SIZE_##size, 0, flags }
#define TO(kind, where) { { { (where), ROW_##kind } }, 0, 0, 0 }

#define M ROW_MODRM
#define LOCKABLE ROW_LOCKABLE

#endif
