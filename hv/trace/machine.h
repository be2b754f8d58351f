/* What a trace is of: the names and numbers that its records do not hold. */
#ifndef HV_TRACE_MACHINE_H
#define HV_TRACE_MACHINE_H

#include "hv/trace/record.h"

/* Strings have no control characters. */
struct trace_machine {
    const char *version, *backend;
    uint64_t tsc_hz;
    unsigned exit_kinds;
    const char *(*exit_name)(unsigned kind);
    enum trace_info (*exit_info)(unsigned kind);
    unsigned partitions;
    const char *(*partition)(unsigned index, unsigned *vcpus); /* its name; NULL: there is none */
};

#endif
