/* The memory map of struct boot_info, as both loaders build it: sorted, page aligned, without overlaps, neighbours
 * of one type merged. Pure. */
#ifndef BOOT_MEMORY_MAP_H
#define BOOT_MEMORY_MAP_H

#include "boot/boot_info.h"

/* Give [base, base+size) the type, over whatever was there. Free memory shrinks to whole pages, all other types
 * grow to them. Returns false if the map is full (the range is then not free, at least). */
bool memory_map_paint(struct boot_info *info, uint64_t base, uint64_t size, enum boot_memory_type type) MUST_CHECK;

/* True if all of [base, base+size) has the type. */
bool memory_map_is(const struct boot_info *info, uint64_t base, uint64_t size, enum boot_memory_type type);

#endif
