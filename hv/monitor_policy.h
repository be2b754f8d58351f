/* The monitor's view of exit controls: for struct shell_ops. */
#ifndef HV_MONITOR_POLICY_H
#define HV_MONITOR_POLICY_H

#include "hv/shell/shell_ops.h"

bool monitor_control_state(void *ctx, size_t partition, unsigned control, struct shell_control *out);
const char *monitor_switch_controls(void *ctx, size_t partition, uint64_t on, uint64_t off);

#endif
