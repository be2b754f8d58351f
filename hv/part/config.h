/* trapeze.cfg: an INI text becomes a checked `struct config`; every mistake is reported, with file and line.
 * Pure: no I/O, no state. docs/configuration.md is the reader's manual of the same keys. */
#ifndef HV_PART_CONFIG_H
#define HV_PART_CONFIG_H

#include "hv/part/partition_config.h"

#define CONFIG_MAX_PARTITIONS 16
#define CONFIG_MAX_CPUS       64

enum config_when_all_stopped { CONFIG_POWEROFF, CONFIG_STAY };

struct config {
    uint32_t when_all_stopped; /* enum config_when_all_stopped; CONFIG_STAY by default */
    unsigned partition_count;  /* valid and invalid ones */
    struct partition_config partitions[CONFIG_MAX_PARTITIONS + 1]; /* the last is the parser's scratch */
};

/* What the machine has to offer. */
struct config_limits {
    const char *file;     /* the name messages start with, "trapeze.cfg" */
    uint64_t free_memory; /* bytes that all partitions together may have */
    unsigned cpu_count;   /* pCPUs 0 .. cpu_count - 1, at most CONFIG_MAX_CPUS */
    /* True if the loader brought a file of this name; *size is its length in bytes. */
    bool (*find_file)(void *ctx, const char *name, uint64_t *size);
    void *ctx;
};

/* Takes one finished message without a line end, e.g.
 * trapeze.cfg:12: partition "linux": unknown key "memroy"; did you mean "memory"? */
struct config_errors {
    void (*report)(void *ctx, const char *message);
    void *ctx;
};

/* Parse all of text[0, len); the text need not be terminated. Returns the number of mistakes reported. `out` is
 * always usable: partitions with a mistake have valid == false, the others can be started. */
unsigned config_parse(const char *text, size_t len, const struct config_limits *limits, struct config *out,
                      const struct config_errors *errors);

/* Call `found` for each file the text names (kernel, initrd, module, image), in order, duplicates included; syntax
 * errors are skipped. This is how a loader knows what to read before config_parse() can check it. */
void config_list_files(const char *text, size_t len, void (*found)(void *ctx, const char *name), void *ctx);

#endif
