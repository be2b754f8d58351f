/* For files named *_offsets.c only: struct offsets that assembly needs, computed by the compiler and written to
 * build/gen/<same path>.inc by scripts/offsets. They are no part of the image. */
#ifndef HV_LIB_OFFSETS_H
#define HV_LIB_OFFSETS_H

#include "hv/lib/types.h"

#define OFFSETS_BEGIN(module) void offsets_of_##module(void); void offsets_of_##module(void) {
#define VALUE(name, value)    __asm__ volatile("# @@" #name " %0@@" : : "i"(value));
#define OFFSET(name, type, member) VALUE(name, offsetof(type, member))
#define OFFSETS_END           }

#endif
