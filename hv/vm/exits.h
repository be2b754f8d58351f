/* The exit table: one handler for every kind of neutral exit. A handler advances RIP itself, and only if it finished
 * the instruction. */
#ifndef HV_VM_EXITS_H
#define HV_VM_EXITS_H

#include "hv/trace/record.h"
#include "hv/vm/vm.h"

/* Once, before any vCPU runs. */
void exit_msr_init(void);

extern const exit_handler_t exit_handlers[VT_EXIT_KINDS];

/* Where in struct vt_vcpu a trace record's `info` is at the exit, and its upper half afterwards. */
struct exit_info {
    uint8_t layout;        /* enum trace_info */
    uint8_t before, after;
} __attribute__((aligned(4))); /* a row is found without a multiplication */
extern const struct exit_info exit_infos[VT_EXIT_KINDS];

/* exit_*.c, one file per subject */
#define EXIT_HANDLER(name) enum vcpu_next exit_##name(struct vcpu *v, const struct vt_exit *exit)
EXIT_HANDLER(cpuid);
EXIT_HANDLER(hypercall);
EXIT_HANDLER(io);
EXIT_HANDLER(mmio);
EXIT_HANDLER(apic_access);
EXIT_HANDLER(apic_write);
EXIT_HANDLER(apic_eoi);
EXIT_HANDLER(tpr_below);
EXIT_HANDLER(rdmsr);
EXIT_HANDLER(wrmsr);
EXIT_HANDLER(cr_insn);
EXIT_HANDLER(cr_write);
EXIT_HANDLER(cr_read);
EXIT_HANDLER(dr_access);
EXIT_HANDLER(xsetbv);
EXIT_HANDLER(interrupt);
EXIT_HANDLER(host_event);
EXIT_HANDLER(timer);
EXIT_HANDLER(window);
EXIT_HANDLER(hlt);
EXIT_HANDLER(pause);
EXIT_HANDLER(exception);
EXIT_HANDLER(nmi);
EXIT_HANDLER(triple_fault);
EXIT_HANDLER(rdtsc);
EXIT_HANDLER(rdpmc);
EXIT_HANDLER(invlpg);
EXIT_HANDLER(invpcid);
EXIT_HANDLER(descriptor);
EXIT_HANDLER(random);
EXIT_HANDLER(flags);

EXIT_HANDLER(ignore);
EXIT_HANDLER(undefined);
EXIT_HANDLER(task_switch);
EXIT_HANDLER(init_signal);
EXIT_HANDLER(bad_nested_page);
EXIT_HANDLER(entry_failed);
EXIT_HANDLER(unknown);

#endif
