/* Where guests' output goes: handed down by the composition root. */
#ifndef HV_VM_OUTPUT_H
#define HV_VM_OUTPUT_H

#include "hv/vm/vm.h"

enum vm_stream { VM_OUTPUT_SERIAL, VM_OUTPUT_DEBUG };

typedef void (*vm_output_t)(unsigned partition, enum vm_stream stream, uint8_t byte);
void vm_set_output(vm_output_t fn);
void vm_output(struct partition *p, enum vm_stream stream, uint8_t byte);

#endif
