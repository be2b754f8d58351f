/* Hypercalls for guests that study their own exits: partitions with `lab = yes`. Every other partition runs without any of
 * it: its handlers are exit_handlers. docs/exits.md is the guests' side. */
#ifndef HV_VM_LAB_H
#define HV_VM_LAB_H

#include "hv/vm/exits.h"

/* For vcpu.handlers: each exit that an instruction caused is noted in vcpu.note, then handled as ever. */
extern const exit_handler_t lab_handlers[VT_EXIT_KINDS];

#endif
