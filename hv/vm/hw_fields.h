/* A vCPU as the hardware keeps it: its VMCS or VMCB, field by field, under the manual's names. */
#ifndef HV_VM_HW_FIELDS_H
#define HV_VM_HW_FIELDS_H

#include "hv/vm/vm.h"

/* From the housekeeper: read where the vCPU is, printed here. False: its pCPU did not come to it; nothing was printed. */
bool hw_fields_print(struct vcpu *v, void (*line)(void *ctx, const char *text), void *ctx) MUST_CHECK;
/* Of a vCPU that is loaded on this pCPU. */
void hw_fields_print_loaded(struct vcpu *v, void (*line)(void *ctx, const char *text), void *ctx);

#endif
