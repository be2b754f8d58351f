/* A decoded instruction as text, for messages and for teaching: "mov eax, [0xfee00020]". */
#ifndef ARCH_X86_64_EMUL_SHOW_H
#define ARCH_X86_64_EMUL_SHOW_H

#include "arch/x86_64/emul/insn.h"

#define INSN_TEXT_SIZE 80   /* enough for every instruction */

/* Write the text for the instruction at `rip` (it resolves RIP-relative operands), cut to `size` bytes with the
 * terminator. Intel syntax as NASM's: the size of a memory operand is named only where no register tells it. */
void insn_show(const struct insn *insn, uint64_t rip, char *buf, size_t size);

#endif
