#include "hv/vm/exits.h"

/* X(kind, handler): one row for each kind of VT_EXIT_LIST. */
#define EXIT_ROWS(X) \
    X(CPUID, cpuid) \
    X(HYPERCALL, hypercall) \
    X(IO, io) \
    X(MMIO, mmio) \
    X(RDMSR, rdmsr) \
    X(WRMSR, wrmsr) \
    X(INTERRUPT, interrupt) \
    X(HOST_EVENT, host_event) \
    X(TIMER, timer) \
    X(INTERRUPT_WINDOW, window) \
    X(NMI_WINDOW, window) \
    X(HLT, hlt) \
    X(PAUSE, pause) \
    X(CR_INSN, cr_insn) \
    X(CR_WRITE, cr_write) \
    X(CR_READ, cr_read) \
    X(DR_ACCESS, dr_access) \
    X(XSETBV, xsetbv) \
    X(EXCEPTION, exception) \
    X(NMI, nmi) \
    X(TRIPLE_FAULT, triple_fault) \
    X(APIC_WRITE, apic_write) \
    X(APIC_ACCESS, apic_access) \
    X(APIC_EOI, apic_eoi) \
    X(TPR_BELOW, tpr_below) \
    X(RDTSC, rdtsc) \
    X(RDPMC, rdpmc) \
    X(INVLPG, invlpg) \
    X(INVPCID, invpcid) \
    X(WBINVD, ignore) \
    X(DESCRIPTOR, descriptor) \
    X(FLAGS, flags) \
    X(RDRAND, random) \
    X(MWAIT, undefined) \
    X(UNDEFINED, undefined) \
    X(TASK_SWITCH, task_switch) \
    X(INIT, init_signal) \
    X(SIPI, init_signal) \
    X(BAD_NESTED_PAGE, bad_nested_page) \
    X(ENTRY_FAILED, entry_failed) \
    X(UNKNOWN, unknown)

const exit_handler_t exit_handlers[VT_EXIT_KINDS] = {
#define EXIT_ROW(kind, handler) [VT_EXIT_##kind] = exit_##handler,
    EXIT_ROWS(EXIT_ROW)
#undef EXIT_ROW
};

/* Each row makes a name, and each kind uses its own: a kind without a row does not compile, nor does one with two. */
enum {
#define EXIT_HAS_ROW(kind, handler) has_row_##kind = 1,
    EXIT_ROWS(EXIT_HAS_ROW)
#undef EXIT_HAS_ROW
};
#define EXIT_NEEDS_ROW(kind, text) _Static_assert(has_row_##kind, "exit_handlers[] has a row for " #kind);
VT_EXIT_LIST(EXIT_NEEDS_ROW)
#undef EXIT_NEEDS_ROW

static const char *const names[VT_EXIT_KINDS] = {
#define EXIT_NAME(kind, text) [VT_EXIT_##kind] = text,
    VT_EXIT_LIST(EXIT_NAME)
#undef EXIT_NAME
};

const char *vt_exit_name(enum vt_exit_kind kind)
{
    return kind < VT_EXIT_KINDS ? names[kind] : "unknown exit";
}
