#include "arch/x86_64/cpu/fixup.h"

struct fixup { uint64_t instruction, continuation; };
extern const struct fixup fixup_table[], fixup_table_end[];

bool fixup_apply(struct trap_frame *frame)
{
    for (const struct fixup *f = fixup_table; f < fixup_table_end; f++)
        if (f->instruction == frame->rip) {
            frame->rip = f->continuation;
            return true;
        }
    return false;
}
