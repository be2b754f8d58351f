/* The keys of trapeze.cfg, as two tables, and the parsers of their values. Private to config*.c. */
#ifndef HV_PART_CONFIG_KEYS_H
#define HV_PART_CONFIG_KEYS_H

#include "hv/part/config.h"
#include "hv/part/ini.h"

enum config_value {
    VALUE_FILE,   /* char[PARTITION_FILE_SIZE] */
    VALUE_TEXT,   /* char[max] */
    VALUE_MODULE, /* appended to modules[]; may be repeated */
    VALUE_SIZE,   /* uint64_t, with K, M, G */
    VALUE_NUMBER, /* uint64_t, min .. max */
    VALUE_BOOL,   /* bool */
    VALUE_WORD,   /* uint32_t, one of words[] */
    VALUE_CPUSET, /* uint64_t, a bit per CPU */
    VALUE_EXITS,  /* uint64_t, a bit per exit control */
};

struct config_word {
    const char *word;
    uint32_t value;
};

struct config_key {
    const char *name;
    enum config_value type;
    size_t offset; /* of the field in struct partition_config or struct config */
    uint64_t min, max;
    const struct config_word *words; /* ended by a NULL word */
};

/* Rows of the partition table that cross-checks refer to: where a key was set is kept by these numbers. */
enum config_partition_key {
    KEY_KERNEL, KEY_INITRD, KEY_CMDLINE, KEY_MODULE, KEY_IMAGE, KEY_ADDRESS, KEY_MEMORY, KEY_CPUS, KEY_CPUSET,
    KEY_WEIGHT, KEY_CAP, KEY_CONSOLE, KEY_AUTOSTART, KEY_APIC, KEY_ON_CRASH, KEY_ON_REBOOT, KEY_RESTART_DELAY, KEY_DEBUG_EXIT,
    KEY_DEBUG_CONSOLE, KEY_EXITS, KEY_LAB, CONFIG_PARTITION_KEYS
};
#define CONFIG_GLOBAL_KEYS 1

extern const struct config_key config_partition_keys[CONFIG_PARTITION_KEYS];
extern const struct config_key config_global_keys[CONFIG_GLOBAL_KEYS];

/* Parse `value` into the key's field of `target`. On false, `problem` says what is wrong with it, what was
 * expected, and the nearest valid word if there is one. */
bool config_value_parse(const struct config_key *key, struct ini_text value, unsigned cpu_count, void *target,
                        char *problem, size_t problem_size) MUST_CHECK;

/* "256M", "640K", "1000" (bytes): as a user would write it. Returns buf. */
const char *config_print_size(char *buf, size_t size, uint64_t bytes);

#endif
