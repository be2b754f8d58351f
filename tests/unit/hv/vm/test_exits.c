/* The table of handlers (included here): a kind without a row does not compile, see exits.c; this is what is left. */
#include <string.h>
#include "hv/vm/exits.h"
#include "tests/unit/test.h"

#undef EXIT_HANDLER
#define HANDLER(name) enum vcpu_next exit_##name(struct vcpu *v, const struct vt_exit *exit) { (void)v, (void)exit; return VCPU_RESUME; }
HANDLER(unknown)

#define STUBS(X) X(cpuid) X(hypercall) X(io) X(mmio) X(apic_access) X(apic_write) X(apic_eoi) X(tpr_below) X(rdmsr) X(wrmsr) \
    X(cr_insn) X(cr_write) X(cr_read) X(dr_access) X(xsetbv) X(interrupt) X(host_event) X(timer) X(window) X(hlt) X(pause) \
    X(exception) X(nmi) X(triple_fault) X(rdtsc) X(rdpmc) X(ignore) X(undefined) X(task_switch) X(init_signal) \
    X(bad_nested_page) X(entry_failed)
STUBS(HANDLER)

#include "hv/vm/exits.c"

TEST(every_kind_of_exit_has_a_handler_and_a_name)
{
    for (unsigned kind = 0; kind < VT_EXIT_KINDS; kind++) {
        CHECK(exit_handlers[kind] != NULL);
        CHECK(vt_exit_name(kind) && vt_exit_name(kind)[0]);
        for (unsigned other = 0; other < kind; other++)
            CHECK(strcmp(vt_exit_name(kind), vt_exit_name(other)) != 0);
    }
    CHECK(!strcmp(vt_exit_name(VT_EXIT_KINDS), "unknown exit"));
}

TEST(what_is_unknown_goes_to_the_handler_that_stops_the_partition)
{
    CHECK(exit_handlers[VT_EXIT_UNKNOWN] == exit_unknown);
}
