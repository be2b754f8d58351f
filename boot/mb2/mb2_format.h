/* The boot information that a Multiboot2 loader leaves: "Multiboot2 Specification", "Boot information format". */
#ifndef BOOT_MB2_MB2_FORMAT_H
#define BOOT_MB2_MB2_FORMAT_H

#include "hv/lib/types.h"

enum mb2_tag_type {
    MB2_TAG_END = 0, MB2_TAG_CMDLINE = 1, MB2_TAG_LOADER = 2, MB2_TAG_MODULE = 3, MB2_TAG_MMAP = 6,
    MB2_TAG_FRAMEBUFFER = 8, MB2_TAG_EFI64 = 12, MB2_TAG_ACPI_OLD = 14, MB2_TAG_ACPI_NEW = 15,
};

struct mb2_header { uint32_t total_size, reserved; };
struct mb2_tag { uint32_t type, size; };

struct mb2_tag_module {
    struct mb2_tag tag;
    uint32_t start, end; /* physical, bytes */
    char cmdline[];
};

struct mb2_tag_mmap {
    struct mb2_tag tag;
    uint32_t entry_size, entry_version;
};

struct mb2_mmap_entry {
    uint64_t base, length;
    uint32_t type, reserved;
};
enum mb2_memory_type { MB2_MEMORY_AVAILABLE = 1, MB2_MEMORY_ACPI = 3 };

struct mb2_tag_framebuffer {
    struct mb2_tag tag;
    uint64_t base;
    uint32_t pitch, width, height;
    uint8_t bpp, type;
    uint16_t reserved;
    uint8_t red_position, red_size, green_position, green_size, blue_position, blue_size;
};
#define MB2_FRAMEBUFFER_RGB 1

struct mb2_tag_efi64 {
    struct mb2_tag tag;
    uint64_t system_table;
};

HW_SIZE(struct mb2_mmap_entry, 24);
HW_OFFSET(struct mb2_tag_framebuffer, red_position, 32);

#endif
