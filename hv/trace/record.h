/* One event of the trace: 32 bytes, little-endian, the same in memory and in a dump. docs/trace.md has the tables. */
#ifndef HV_TRACE_RECORD_H
#define HV_TRACE_RECORD_H

#include "hv/lib/types.h"

/* X(type, word in dumps): what happened. The numbers are part of the dump's format: append only.
 * `rip`, `info`, `kind` and `ticks` of struct trace_record mean, for each:
 * EXIT       a guest lost the CPU. kind: enum vt_exit_kind; rip: the guest's; info: see enum trace_info; ticks: spent in
 *            the hypervisor until the next entry or the end of the turn, 0: not over yet
 * INJECT     an event goes into the next entry. kind: vector; info: TRACE_INJECT_*
 * RUN        the scheduler gave the pCPU to this vCPU. kind: 1 if its state had to be loaded (a vCPU switch); info: host
 *            TSC at which its turn ends at the latest; rip: whose state was loaded before, partition | vcpu << 8
 * LEAVE      its turn is over. kind: enum trace_leave; info: ticks since RUN
 * IDLE       nothing to run. info: host TSC at which the pCPU wakes at the latest, all ones: not by itself
 * WAKE       a blocked vCPU became runnable. info: its requests, enum vcpu_request
 * STEAL      this pCPU took the vCPU from another's queue. info: that pCPU
 * INTERRUPT  an interrupt message reached this vCPU's local APIC. kind: vector; info: delivery mode, enum apic_mode
 * TIMER      a timer of this vCPU was due: its local APIC's, or (vCPU 0) a device's. info: ticks by which it was late
 * LINE       a device moved its interrupt line. kind: GSI; info: level, 0 or 1
 * PARTITION  kind: enum trace_partition */
#define TRACE_TYPE_LIST(X) \
    X(EXIT, "exit") X(INJECT, "inject") X(RUN, "run") X(LEAVE, "leave") X(IDLE, "idle") X(WAKE, "wake") \
    X(STEAL, "steal") X(INTERRUPT, "interrupt") X(TIMER, "timer") X(LINE, "line") X(PARTITION, "partition")

enum trace_type {
    TRACE_NOTHING, /* never written: memory of a ring that is not full */
#define TRACE_TYPE_ENUM(type, word) TRACE_##type,
    TRACE_TYPE_LIST(TRACE_TYPE_ENUM)
#undef TRACE_TYPE_ENUM
    TRACE_TYPES
};

/* How an exit's `info` is laid out; a dump names it for each kind of exit.
 * REASON     bits 63:32: the hardware's reason or code
 * DETAIL     the hardware's qualification (AMD-V: EXITINFO1)
 * EAX        bits 31:0: EAX at the exit (CPUID's leaf, a hypercall's number); 63:32: EAX afterwards
 * ECX        bits 31:0: ECX at the exit (an MSR's number); 63:32: EAX afterwards
 * IO         bits 15:0: port; 23:16: bytes; 24: IN; 63:32: EAX afterwards
 * GPA        the guest-physical address
 * CR         bits 7:0: which control register; 15:8: general register; 23:16: enum vt_cr_how; 47:32: LMSW's operand
 * EXCEPTION  bits 7:0: vector; 15:8: enum vt_event_type; 16: it has an error code, in 63:32
 * VECTOR     bits 7:0: vector of the machine's interrupt
 * APIC       bits 15:0: offset in the APIC's page; 16: an instruction's own access; 24: a write
 * TASK       bits 15:0: selector of the TSS; 23:16: enum vt_task_source */
#define TRACE_INFO_LIST(X) \
    X(REASON, "reason") X(DETAIL, "detail") X(EAX, "eax") X(ECX, "ecx") X(IO, "io") X(GPA, "gpa") X(CR, "cr") \
    X(EXCEPTION, "exception") X(VECTOR, "vector") X(APIC, "apic") X(TASK, "task")

enum trace_info {
#define TRACE_INFO_ENUM(info, word) TRACE_INFO_##info,
    TRACE_INFO_LIST(TRACE_INFO_ENUM)
#undef TRACE_INFO_ENUM
    TRACE_INFOS
};

/* `info` of INJECT; bits 63:32 are the error code. */
#define TRACE_INJECT_TYPE(info)  ((uint8_t)(info)) /* enum vt_event_type */
#define TRACE_INJECT_HAS_ERROR   (UINT64_C(1) << 8)

enum trace_leave { TRACE_LEAVE_YIELD, TRACE_LEAVE_BLOCK, TRACE_LEAVE_PARK };
enum trace_partition { TRACE_START, TRACE_END, TRACE_PAUSE, TRACE_RESUME };

#define TRACE_NOBODY 0xffu /* .partition or .vcpu: none in particular */

struct trace_record {
    uint64_t tsc;      /* host TSC; of an exit: when the guest stopped */
    uint64_t rip;
    union {
        uint64_t info;
        struct { uint32_t info_low, info_high; };
    };
    union {
        struct {
            uint8_t kind;
            uint8_t type;      /* enum trace_type */
            uint8_t partition; /* index, or TRACE_NOBODY */
            uint8_t vcpu;
            uint32_t ticks;    /* modulo 2^32 */
        };
        uint64_t who;          /* TRACE_WHO | kind: all of these at once, with no ticks */
    };
};
HW_SIZE(struct trace_record, 32);
HW_OFFSET(struct trace_record, kind, 24);
HW_OFFSET(struct trace_record, ticks, 28);

#define TRACE_WHO(type, partition, vcpu) ((uint32_t)(type) << 8 | (uint32_t)(partition) << 16 | (uint32_t)(vcpu) << 24)

/* The word of a type or layout, "?" for a number that is none. */
const char *trace_type_name(unsigned type);
const char *trace_info_name(unsigned info);

#endif
