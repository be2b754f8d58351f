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

/* What the guest's code has to do with an exit, and so what is at its RIP. */
enum exit_cause {
    EXIT_BY_INSTRUCTION,     /* which is there */
    EXIT_BEHIND_INSTRUCTION, /* that is over, or has opened a window: there is the next one */
    EXIT_BY_HOST,            /* the machine's interrupts and time: there is what would have come next anyway */
    EXIT_CAUSE_UNKNOWN,
};
enum exit_cause exit_cause(unsigned kind);

/* X(kind, handler, what goes into the trace record): one row for each kind of VT_EXIT_LIST. The handlers are in exit_*.c, one
 * file per subject. */
#define EXIT_ROWS(X) \
    X(CPUID, cpuid, THEN_EAX(EAX, gpr[VT_RAX])) \
    X(HYPERCALL, hypercall, THEN_EAX(EAX, gpr[VT_RAX])) \
    X(IO, io, THEN_EAX(IO, exit.io)) \
    X(MMIO, mmio, PLAIN(GPA, exit.mem.gpa)) \
    X(RDMSR, rdmsr, THEN_EAX(ECX, gpr[VT_RCX])) \
    X(WRMSR, wrmsr, THEN_EAX(ECX, gpr[VT_RCX])) \
    X(INTERRUPT, interrupt, PLAIN(VECTOR, exit.interrupt)) \
    X(HOST_EVENT, host_event, REASON) \
    X(TIMER, timer, REASON) \
    X(INTERRUPT_WINDOW, window, REASON) \
    X(NMI_WINDOW, window, REASON) \
    X(HLT, hlt, REASON) \
    X(PAUSE, pause, REASON) \
    X(CR_INSN, cr_insn, REASON) \
    X(CR_WRITE, cr_write, PLAIN(CR, exit.cr)) \
    X(CR_READ, cr_read, PLAIN(CR, exit.cr)) \
    X(DR_ACCESS, dr_access, PLAIN(DETAIL, exit.qualification)) \
    X(XSETBV, xsetbv, THEN_EAX(ECX, gpr[VT_RCX])) \
    X(EXCEPTION, exception, PLAIN(EXCEPTION, exit.exception)) \
    X(NMI, nmi, REASON) \
    X(TRIPLE_FAULT, triple_fault, REASON) \
    X(APIC_WRITE, apic_write, PLAIN(APIC, exit.apic)) \
    X(APIC_ACCESS, apic_access, PLAIN(APIC, exit.apic)) \
    X(APIC_EOI, apic_eoi, PLAIN(DETAIL, exit.qualification)) \
    X(TPR_BELOW, tpr_below, REASON) \
    X(RDTSC, rdtsc, REASON) \
    X(RDPMC, rdpmc, THEN_EAX(ECX, gpr[VT_RCX])) \
    X(INVLPG, invlpg, PLAIN(DETAIL, exit.qualification)) \
    X(INVPCID, invpcid, PLAIN(DETAIL, exit.qualification)) \
    X(WBINVD, ignore, REASON) \
    X(DESCRIPTOR, descriptor, PLAIN(DETAIL, exit.qualification)) \
    X(FLAGS, flags, REASON) \
    X(RDRAND, random, REASON) \
    X(MWAIT, undefined, REASON) \
    X(UNDEFINED, undefined, REASON) \
    X(TASK_SWITCH, task_switch, PLAIN(TASK, exit.task)) \
    X(INIT, init_signal, REASON) \
    X(SIPI, init_signal, REASON) \
    X(BAD_NESTED_PAGE, bad_nested_page, PLAIN(GPA, exit.mem.gpa)) \
    X(ENTRY_FAILED, entry_failed, REASON) \
    X(UNKNOWN, unknown, REASON)

#define EXIT_DECLARE(kind, handler, info) enum vcpu_next exit_##handler(struct vcpu *v, const struct vt_exit *exit);
EXIT_ROWS(EXIT_DECLARE)
#undef EXIT_DECLARE

/* The end of a handler: the instruction faults. */
static inline enum vcpu_next fault_gp(struct vcpu *v)
{
    vcpu_gp(v);
    return VCPU_RESUME;
}

#endif
