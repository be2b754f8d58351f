#include "hv/vm/exits.h"

const exit_handler_t exit_handlers[VT_EXIT_KINDS] = {
    [VT_EXIT_CPUID] = exit_cpuid,
    [VT_EXIT_HYPERCALL] = exit_hypercall,
    [VT_EXIT_IO] = exit_io,
    [VT_EXIT_MMIO] = exit_mmio,
    [VT_EXIT_RDMSR] = exit_rdmsr,
    [VT_EXIT_WRMSR] = exit_wrmsr,
    [VT_EXIT_INTERRUPT] = exit_interrupt,
    [VT_EXIT_HOST_EVENT] = exit_host_event,
    [VT_EXIT_TIMER] = exit_timer,
    [VT_EXIT_INTERRUPT_WINDOW] = exit_window,
    [VT_EXIT_NMI_WINDOW] = exit_window,
    [VT_EXIT_HLT] = exit_hlt,
    [VT_EXIT_PAUSE] = exit_pause,
    [VT_EXIT_CR_INSN] = exit_cr_insn,
    [VT_EXIT_CR_WRITE] = exit_cr_write,
    [VT_EXIT_CR_READ] = exit_cr_read,
    [VT_EXIT_DR_ACCESS] = exit_dr_access,
    [VT_EXIT_XSETBV] = exit_xsetbv,
    [VT_EXIT_EXCEPTION] = exit_exception,
    [VT_EXIT_NMI] = exit_nmi,
    [VT_EXIT_TRIPLE_FAULT] = exit_triple_fault,
    [VT_EXIT_APIC_WRITE] = exit_apic_write,
    [VT_EXIT_APIC_ACCESS] = exit_apic_access,
    [VT_EXIT_APIC_EOI] = exit_apic_eoi,
    [VT_EXIT_TPR_BELOW] = exit_tpr_below,
    [VT_EXIT_RDTSC] = exit_rdtsc,
    [VT_EXIT_RDPMC] = exit_rdpmc,
    [VT_EXIT_INVLPG] = exit_invlpg,
    [VT_EXIT_INVPCID] = exit_invpcid,
    [VT_EXIT_WBINVD] = exit_ignore,
    [VT_EXIT_DESCRIPTOR] = exit_descriptor,
    [VT_EXIT_FLAGS] = exit_unknown,
    [VT_EXIT_INT] = exit_unknown,
    [VT_EXIT_RDRAND] = exit_random,
    [VT_EXIT_MWAIT] = exit_undefined,
    [VT_EXIT_UNDEFINED] = exit_undefined,
    [VT_EXIT_TASK_SWITCH] = exit_task_switch,
    [VT_EXIT_INIT] = exit_init_signal,
    [VT_EXIT_SIPI] = exit_init_signal,
    [VT_EXIT_BAD_NESTED_PAGE] = exit_bad_nested_page,
    [VT_EXIT_ENTRY_FAILED] = exit_entry_failed,
    [VT_EXIT_UNKNOWN] = exit_unknown,
};

/* A new kind without a row above would leave a NULL: this stops the build when the list grows. */
_Static_assert(VT_EXIT_KINDS == 42, "exit_handlers[] has a row for every kind");

static const char *const names[VT_EXIT_KINDS] = {
#define EXIT_NAME(kind, text) [VT_EXIT_##kind] = text,
    VT_EXIT_LIST(EXIT_NAME)
#undef EXIT_NAME
};

const char *vt_exit_name(enum vt_exit_kind kind)
{
    return kind < VT_EXIT_KINDS ? names[kind] : "unknown exit";
}
