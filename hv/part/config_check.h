/* What can only be said of a partition once all of its lines are read. Private to config*.c. */
#ifndef HV_PART_CONFIG_CHECK_H
#define HV_PART_CONFIG_CHECK_H

#include "hv/part/config_keys.h"

enum config_section { CONFIG_IN_NONE, CONFIG_IN_GLOBAL, CONFIG_IN_PARTITION, CONFIG_IN_UNKNOWN };

struct config_parser {
    const struct config_limits *limits;
    const struct config_errors *errors;
    struct config *out;
    unsigned mistakes;
    enum config_section section;
    struct partition_config *partition; /* of the section being read; NULL: another kind of section */
    unsigned index;                     /* of that partition */
    /* the line each key was set in; 0: it was not */
    unsigned global_lines[CONFIG_GLOBAL_KEYS];
    unsigned lines[CONFIG_MAX_PARTITIONS + 1][CONFIG_PARTITION_KEYS];
    unsigned module_lines[CONFIG_MAX_PARTITIONS + 1][PARTITION_MAX_MODULES];
};

/* Report one mistake; `line` 0 and `partition` NULL are left out of the message. */
void config_mistake(struct config_parser *p, unsigned line, const struct partition_config *partition,
                    const char *format, ...) PRINTF(4, 5);

/* Check every partition, clear `valid` where something is wrong, then hand out memory in the order of the file. */
void config_check(struct config_parser *p);

/* The chip of every partition that has this port, which no other may be given; NULL: it is free. */
const char *config_port_owner(uint64_t port);

#endif
