/* What of an exit goes into its trace record: one row per kind. */
#include "hv/vm/exits.h"

/* Eight bytes from `member` on; the upper half is written again afterwards, from where it was. */
#define PLAIN(layout, member) { TRACE_INFO_##layout, offsetof(struct vt_vcpu, member), offsetof(struct vt_vcpu, member) + 4 }
/* Four bytes, and afterwards EAX. */
#define THEN_EAX(layout, member) { TRACE_INFO_##layout, offsetof(struct vt_vcpu, member), offsetof(struct vt_vcpu, gpr[VT_RAX]) }
#define REASON PLAIN(REASON, exit.kind)

HW_OFFSET(struct vt_exit, raw, 4);
HW_OFFSET(struct vt_io, in, 3);
_Static_assert(offsetof(struct vt_vcpu, exit) + sizeof(struct vt_exit) <= UINT8_MAX, "struct exit_info has bytes");

const struct exit_info exit_infos[VT_EXIT_KINDS] = {
    [VT_EXIT_CPUID] = THEN_EAX(EAX, gpr[VT_RAX]),
    [VT_EXIT_HYPERCALL] = THEN_EAX(EAX, gpr[VT_RAX]),
    [VT_EXIT_IO] = THEN_EAX(IO, exit.io),
    [VT_EXIT_MMIO] = PLAIN(GPA, exit.mem.gpa),
    [VT_EXIT_RDMSR] = THEN_EAX(ECX, gpr[VT_RCX]),
    [VT_EXIT_WRMSR] = THEN_EAX(ECX, gpr[VT_RCX]),
    [VT_EXIT_INTERRUPT] = PLAIN(VECTOR, exit.interrupt),
    [VT_EXIT_HOST_EVENT] = REASON,
    [VT_EXIT_TIMER] = REASON,
    [VT_EXIT_INTERRUPT_WINDOW] = REASON,
    [VT_EXIT_NMI_WINDOW] = REASON,
    [VT_EXIT_HLT] = REASON,
    [VT_EXIT_PAUSE] = REASON,
    [VT_EXIT_CR_INSN] = REASON,
    [VT_EXIT_CR_WRITE] = PLAIN(CR, exit.cr),
    [VT_EXIT_CR_READ] = PLAIN(CR, exit.cr),
    [VT_EXIT_DR_ACCESS] = PLAIN(DETAIL, exit.qualification),
    [VT_EXIT_XSETBV] = THEN_EAX(ECX, gpr[VT_RCX]),
    [VT_EXIT_EXCEPTION] = PLAIN(EXCEPTION, exit.exception),
    [VT_EXIT_NMI] = REASON,
    [VT_EXIT_TRIPLE_FAULT] = REASON,
    [VT_EXIT_APIC_WRITE] = PLAIN(APIC, exit.apic),
    [VT_EXIT_APIC_ACCESS] = PLAIN(APIC, exit.apic),
    [VT_EXIT_APIC_EOI] = PLAIN(DETAIL, exit.qualification),
    [VT_EXIT_TPR_BELOW] = REASON,
    [VT_EXIT_RDTSC] = REASON,
    [VT_EXIT_RDPMC] = THEN_EAX(ECX, gpr[VT_RCX]),
    [VT_EXIT_INVLPG] = PLAIN(DETAIL, exit.qualification),
    [VT_EXIT_INVPCID] = PLAIN(DETAIL, exit.qualification),
    [VT_EXIT_WBINVD] = REASON,
    [VT_EXIT_DESCRIPTOR] = PLAIN(DETAIL, exit.qualification),
    [VT_EXIT_FLAGS] = REASON,
    [VT_EXIT_RDRAND] = REASON,
    [VT_EXIT_MWAIT] = REASON,
    [VT_EXIT_UNDEFINED] = REASON,
    [VT_EXIT_TASK_SWITCH] = PLAIN(TASK, exit.task),
    [VT_EXIT_INIT] = REASON,
    [VT_EXIT_SIPI] = REASON,
    [VT_EXIT_BAD_NESTED_PAGE] = PLAIN(GPA, exit.mem.gpa),
    [VT_EXIT_ENTRY_FAILED] = REASON,
    [VT_EXIT_UNKNOWN] = REASON,
};

/* A kind without a row would copy RAX: this stops the build when the list grows. */
_Static_assert(VT_EXIT_KINDS == 41, "exit_infos[] has a row for every kind");
