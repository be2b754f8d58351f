#include "hv/part/layout.h"

#include "hv/lib/str.h"

#define LAYOUT_MAX_MEMORY GiB(1024)

static void add_range(struct layout *l, uint64_t base, uint64_t end, enum layout_e820_type type)
{
    if (end > base)
        l->ranges[l->range_count++] = (struct layout_range){ base, end - base, type };
}

static void add_slot(struct layout *l, uint64_t gpa, uint64_t end, uint64_t offset, enum layout_slot_kind kind)
{
    if (end > gpa)
        l->slots[l->slot_count++] = (struct layout_slot){ gpa, end - gpa, offset, kind };
}

bool layout_init(struct layout *l, uint64_t memory)
{
    if (memory < LAYOUT_MIN_MEMORY || memory > LAYOUT_MAX_MEMORY || memory % PAGE_SIZE)
        return false;
    memset(l, 0, sizeof *l);
    l->memory = memory;
    l->low_top = MIN(memory, LAYOUT_PCI_HOLE);
    l->high_top = memory > LAYOUT_PCI_HOLE ? LAYOUT_ABOVE_4G + (memory - LAYOUT_PCI_HOLE) : 0;

    add_range(l, 0, LAYOUT_LOW_RAM_END, E820_RAM);
    add_range(l, LAYOUT_EBDA, LAYOUT_LOW_END, E820_RESERVED);
    add_range(l, LAYOUT_ROM, LAYOUT_ROM + LAYOUT_ROM_SIZE, E820_RESERVED);
    add_range(l, LAYOUT_HIGH_START, l->low_top, E820_RAM);
    add_range(l, LAYOUT_ABOVE_4G, l->high_top, E820_RAM);

    add_slot(l, 0, LAYOUT_LOW_END, 0, LAYOUT_SLOT_RAM);
    add_slot(l, LAYOUT_VGA_TEXT, LAYOUT_VGA_TEXT + LAYOUT_VGA_SIZE, LAYOUT_VGA_TEXT, LAYOUT_SLOT_VGA);
    add_slot(l, LAYOUT_ROM, LAYOUT_ROM + LAYOUT_ROM_SIZE, LAYOUT_ROM, LAYOUT_SLOT_ROM);
    add_slot(l, LAYOUT_HIGH_START, l->low_top, LAYOUT_HIGH_START, LAYOUT_SLOT_RAM);
    add_slot(l, LAYOUT_ABOVE_4G, l->high_top, LAYOUT_PCI_HOLE, LAYOUT_SLOT_RAM);
    return true;
}

bool layout_is_ram(const struct layout *l, uint64_t base, uint64_t size)
{
    for (unsigned i = 0; i < l->range_count; i++) {
        const struct layout_range *r = &l->ranges[i];
        if (r->type == E820_RAM && base >= r->base && range_fits(base - r->base, size, r->size))
            return true;
    }
    return false;
}
