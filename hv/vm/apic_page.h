/* The APIC-access page: where the CPU virtualizes xAPIC accesses it needs a page mapped at FEE00000h. That is right only
 * while every vCPU's APIC is there. Once one was moved, disabled or put in x2APIC mode, the page goes away for the rest
 * of the partition's run, and accesses are decoded: the manual lets such an address reach what else is there. */
#ifndef HV_VM_APIC_PAGE_H
#define HV_VM_APIC_PAGE_H

#include "hv/vm/vm.h"

/* At creation and at each start, before vCPUs run. False: no memory for it. */
bool apic_page_map(struct partition *p) MUST_CHECK;
/* After a change of `v`'s IA32_APIC_BASE, by the pCPU that has it. */
void apic_page_follow(struct vcpu *v);

#endif
