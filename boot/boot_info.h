/* The hand-over contract between a loader (UEFI application, Multiboot2 entry) and the hypervisor.
 * Fixed widths, physical addresses, version-checked: the hypervisor trusts nothing else of how it was loaded. */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include "hv/lib/types.h"

#define BOOT_INFO_MAGIC   UINT64_C(0x544f4f425a505254) /* "TRPZBOOT" */
#define BOOT_INFO_VERSION 1u

#define BOOT_MAX_MEMORY  256
#define BOOT_MAX_CPUS    64
#define BOOT_MAX_MODULES 32
#define BOOT_NAME_SIZE   64

enum boot_memory_type {
    BOOT_MEMORY_FREE     = 1, /* usable by the hypervisor; loader and boot-services memory included */
    BOOT_MEMORY_RESERVED = 2, /* firmware's: never touched */
    BOOT_MEMORY_ACPI     = 3, /* ACPI tables: read, then left alone */
    BOOT_MEMORY_IMAGE    = 4, /* the hypervisor ELF, boot_info, log ring: never given away */
    BOOT_MEMORY_MODULE   = 5, /* modules: free once their partitions cannot restart (that is: kept) */
};

struct boot_memory {
    uint64_t base;   /* bytes, 4 KiB aligned; ranges are sorted and do not overlap */
    uint64_t size;   /* bytes, 4 KiB multiple */
    uint32_t type;   /* enum boot_memory_type */
    uint32_t reserved;
};
HW_SIZE(struct boot_memory, 24);

struct boot_cpu {
    uint32_t apic_id;
    uint32_t enabled; /* 0 or 1 */
};
HW_SIZE(struct boot_cpu, 8);

struct boot_module {
    uint64_t base;   /* bytes, 4 KiB aligned */
    uint64_t size;   /* bytes; 0 with BOOT_MODULE_MISSING */
    uint32_t flags;
    uint32_t reserved;
    char name[BOOT_NAME_SIZE]; /* as written in trapeze.cfg, terminated */
};
#define BOOT_MODULE_MISSING 1u /* named in trapeze.cfg, but the loader did not find or could not read it */
HW_SIZE(struct boot_module, 88);

enum boot_pixel_format { BOOT_PIXEL_NONE = 0, BOOT_PIXEL_BGRX = 1, BOOT_PIXEL_RGBX = 2 };

struct boot_framebuffer {
    uint64_t base;   /* 0: there is none */
    uint32_t width, height; /* pixels */
    uint32_t pitch;  /* bytes per line */
    uint32_t format; /* enum boot_pixel_format, 32 bits per pixel */
};
HW_SIZE(struct boot_framebuffer, 24);

struct boot_info {
    uint64_t magic;
    uint32_t version;
    uint32_t size;            /* sizeof(struct boot_info) */
    uint64_t image_base;      /* where the ELF's lowest segment was put, 2 MiB aligned */
    uint64_t image_size;      /* bytes, all segments with bss */
    uint64_t acpi_rsdp;       /* physical address, 0: the firmware has none */
    uint64_t log_base;        /* reserved for struct log_ring */
    uint64_t log_size;        /* bytes */
    uint64_t efi_system_table;/* 0 unless started by UEFI; informative */
    struct boot_framebuffer framebuffer;
    uint32_t boot_apic_id;    /* the CPU that entered */
    uint32_t memory_count;
    uint32_t cpu_count;       /* 0: the firmware gave no list, use the MADT */
    uint32_t module_count;
    char loader[32];          /* "UEFI", "Multiboot2 (GRUB 2.06)": for the boot log */
    char cmdline[256];        /* options of the hypervisor itself, e.g. "demo" */
    struct boot_memory memory[BOOT_MAX_MEMORY];
    struct boot_cpu cpus[BOOT_MAX_CPUS];
    struct boot_module modules[BOOT_MAX_MODULES];
};
HW_OFFSET(struct boot_info, framebuffer, 64);
HW_OFFSET(struct boot_info, memory, 392);

/* NULL, or what of the above does not hold, as the end of a sentence about the boot information. */
const char *boot_info_check(const struct boot_info *info);

#endif
