/* What one `[partition NAME]` section says, checked. hv/vm builds a partition from this and knows no file format. */
#ifndef HV_PART_PARTITION_CONFIG_H
#define HV_PART_PARTITION_CONFIG_H

#include "hv/lib/types.h"

#define PARTITION_NAME_SIZE    32
#define PARTITION_FILE_SIZE    64   /* as BOOT_NAME_SIZE, including the terminator */
#define PARTITION_CMDLINE_SIZE 2048
#define PARTITION_MAX_MODULES  8
#define PARTITION_MAX_VCPUS    16

enum partition_console  { PARTITION_CONSOLE_NONE, PARTITION_CONSOLE_COM1 };
enum partition_apic     { PARTITION_APIC_X2APIC, PARTITION_APIC_XAPIC }; /* x2APIC: offered in CPUID, off at reset */
enum partition_ending   { PARTITION_STOP, PARTITION_RESTART };

struct partition_module {
    char file[PARTITION_FILE_SIZE];
    char args[256]; /* the words after the file name */
};

struct partition_config {
    char name[PARTITION_NAME_SIZE];
    bool valid;             /* false: a mistake in it was reported; it is listed, but cannot be started */
    unsigned line;          /* of its section, for messages */

    /* what it runs: exactly one of kernel and image is set if valid */
    char kernel[PARTITION_FILE_SIZE];
    char initrd[PARTITION_FILE_SIZE];  /* "": none */
    char cmdline[PARTITION_CMDLINE_SIZE];
    struct partition_module modules[PARTITION_MAX_MODULES];
    unsigned module_count;
    char image[PARTITION_FILE_SIZE];   /* a flat 16-bit image */
    uint64_t address;                  /* where it goes: guest-physical, below 0xa0000 */

    /* its share of the machine */
    uint64_t memory;        /* bytes, a multiple of 4 KiB */
    uint64_t cpus;          /* vCPUs, 1 .. PARTITION_MAX_VCPUS */
    uint64_t cpuset;        /* bit n: may run on pCPU n; never 0 */
    uint64_t weight;        /* relative share under contention, 1 .. 10000, 100 by default */
    uint64_t cap;           /* percent of one pCPU that all its vCPUs together may use; 0: no cap */

    /* its devices and habits */
    uint32_t console;       /* enum partition_console */
    uint32_t apic;          /* enum partition_apic */
    uint32_t on_crash;      /* enum partition_ending: after a triple fault or an error */
    uint32_t on_reboot;     /* enum partition_ending: after a reset it asked for */
    uint64_t restart_delay; /* ms: the longest wait before a restart that the guest caused */
    bool autostart;
    bool lab;               /* it may ask for its last exit and set its exit controls: hv/vm/lab.h */
    uint64_t exits;         /* exit controls switched on: arch/x86_64/vt/policy.h */
    uint64_t debug_exit;    /* I/O port, 0: none; a write ends the partition with that status */
    uint64_t debug_console; /* I/O port, 0: none; each byte written is console output */
};

#endif
