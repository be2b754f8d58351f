/* The monitor's view of the machine: fills in struct shell_ops from partitions, dispatcher and CPUs. Part of the
 * composition root, beside main.c. */
#ifndef HV_MONITOR_H
#define HV_MONITOR_H

#include "hv/part/config.h"
#include "hv/shell/shell_ops.h"

extern const struct shell_ops monitor_ops;

/* What was asked for, so that partitions that could not be made have a name, too. Kept by reference. */
void monitor_set_config(const struct config *config);

/* About once a second, `now_ns` on any steady clock: shares and rates of the interval that ends now. */
void monitor_measure(uint64_t now_ns);

#endif
