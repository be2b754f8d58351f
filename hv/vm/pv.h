/* KVM's paravirtual interface, as far as Trapeze offers it: clock, wall clock, EOI without an exit; and hypercalls.
 * Linux, Documentation/virt/kvm/x86/msr.rst and hypercalls.rst. */
#ifndef HV_VM_PV_H
#define HV_VM_PV_H

#include "hv/vm/vm.h"

bool pv_read(struct vcpu *v, uint32_t msr, uint64_t *value);
bool pv_write(struct vcpu *v, uint32_t msr, uint64_t value);

/* Write the vCPU's clock page anew: the TSC's relation to virtual time has changed. */
void pv_clock_update(struct vcpu *v);

/* PV EOI, for vCPUs without hardware EOI: offer() after an injection, settle() before the register page is looked at. */
void pv_eoi_offer(struct vcpu *v);
void pv_eoi_settle(struct vcpu *v);

#endif
