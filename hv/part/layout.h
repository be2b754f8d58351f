/* Where a partition's memory appears in its physical address space: a PC's map, computed from the size alone.
 *
 *   0          .. 0x9fc00    RAM                       0xb8000  .. 0xc0000   VGA text memory, backed by RAM
 *   0x9fc00    .. 0xa0000    EBDA, reserved            0xe0000  .. 0x100000  ROM area: ACPI tables, BIOS stubs
 *   0x100000   .. low_top    RAM, up to 3 GiB          4 GiB    .. high_top  the rest
 *
 * The first MiB counts as one MiB of the partition's memory although parts of it are holes, as on a PC. */
#ifndef HV_PART_LAYOUT_H
#define HV_PART_LAYOUT_H

#include "hv/lib/types.h"

#define LAYOUT_MIN_MEMORY  MiB(1)
#define LAYOUT_LOW_RAM_END UINT64_C(0x9fc00)  /* RAM that is the guest's own ends here: 639 KiB */
#define LAYOUT_EBDA        LAYOUT_LOW_RAM_END
#define LAYOUT_LOW_END     UINT64_C(0xa0000)
#define LAYOUT_VGA_TEXT    UINT64_C(0xb8000)
#define LAYOUT_VGA_SIZE    UINT64_C(0x8000)
#define LAYOUT_ROM         UINT64_C(0xe0000)
#define LAYOUT_ROM_SIZE    UINT64_C(0x20000)
#define LAYOUT_HIGH_START  MiB(1)
#define LAYOUT_PCI_HOLE    GiB(3)             /* RAM below 4 GiB ends here at the latest */
#define LAYOUT_ABOVE_4G    GiB(4)

enum layout_e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4 };

struct layout_range {
    uint64_t base, size; /* bytes */
    uint32_t type;       /* enum layout_e820_type */
};

enum layout_slot_kind {
    LAYOUT_SLOT_RAM, /* read, written, executed */
    LAYOUT_SLOT_VGA, /* the same, shown by the monitor, in no memory map */
    LAYOUT_SLOT_ROM, /* read and executed; a guest's writes are to be ignored */
};

/* A stretch of guest-physical addresses that is backed: what the owner of the nested page tables maps. */
struct layout_slot {
    uint64_t gpa, size; /* bytes, 4 KiB multiples */
    uint64_t offset;    /* bytes into the partition's memory, 0 .. memory */
    enum layout_slot_kind kind;
};

#define LAYOUT_MAX_RANGES 6
#define LAYOUT_MAX_SLOTS  5

struct layout {
    uint64_t memory;   /* bytes given to the partition */
    uint64_t low_top;  /* end of RAM below 4 GiB; 1 MiB if there is none above the first */
    uint64_t high_top; /* end of RAM above 4 GiB; 0: there is none */
    unsigned range_count, slot_count;
    struct layout_range ranges[LAYOUT_MAX_RANGES]; /* the guest's memory map, sorted */
    struct layout_slot slots[LAYOUT_MAX_SLOTS];    /* sorted */
};

/* False if `memory` is below LAYOUT_MIN_MEMORY, not a multiple of 4 KiB, or above 1 TiB. */
bool layout_init(struct layout *layout, uint64_t memory) MUST_CHECK;

/* True if all of [base, base + size) is RAM in the guest's memory map (type E820_RAM). */
bool layout_is_ram(const struct layout *layout, uint64_t base, uint64_t size);

#endif
