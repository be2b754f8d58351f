/* The operands of an instruction that a handler carries out by itself, where the exit says too little of them. */
#ifndef HV_VM_OPERAND_H
#define HV_VM_OPERAND_H

#include "hv/vm/vm.h"

/* The instruction at RIP, for a handler to look whether it is one that the exit can have come from. NULL: it cannot be read
 * any more: the guest has its exception, or tries again. */
const struct insn *operand_decode(struct vcpu *v);

/* It is another one by now: another CPU, or the guest's own tables, changed it. The guest executes what is there. */
enum vcpu_next operand_retry(struct vcpu *v);

/* It is done: RIP goes to the next one, by the length of what was carried out. */
enum vcpu_next operand_done(struct vcpu *v, const struct insn *in);

/* `size` bytes at the memory operand, in RAM or a device's, with every check of the guest's CPU. False: the guest has its exception, or the
 * partition was stopped. */
bool operand_load(struct vcpu *v, const struct insn *in, void *buffer, size_t size) MUST_CHECK;
bool operand_store(struct vcpu *v, const struct insn *in, const void *buffer, size_t size) MUST_CHECK;

/* General registers by their encoding; writing 4 bytes clears the upper half, writing 2 keeps the rest. */
uint64_t operand_register(struct vcpu *v, unsigned gpr);
void operand_set_register(struct vcpu *v, unsigned gpr, unsigned size, uint64_t value);

/* As linear address, with the guest's paging. */
bool operand_is_canonical(struct vcpu *v, uint64_t address);

/* Neither real nor virtual-8086 mode. */
bool operand_in_protected_mode(struct vcpu *v);

#endif
