/* Loading LDTR and the segment registers from a task-state segment: SDM vol 3, "Task Switching", with the checks of its
 * table "Exception Conditions Checked During a Task Switch". */
#ifndef HV_VM_TASK_SEGMENT_H
#define HV_VM_TASK_SEGMENT_H

#include "hv/vm/linear.h"

struct task_segments {
    uint16_t selector[6]; /* by enum vt_seg, ES to GS */
    uint16_t ldt;
    bool vm86;            /* the new EFLAGS.VM */
    bool external;        /* error codes say that the cause was not the program's own */
};

/* A descriptor as the GDT or LDT has it, in the fields of a segment register. */
struct task_descriptor {
    uint64_t base;
    uint32_t limit;  /* granularity applied */
    uint32_t access; /* VMX layout */
};
struct task_descriptor task_descriptor_of(uint64_t raw);

/* With the new task's CR3, and after its general registers: a fault here is the new task's. LINEAR_FAULT: inject *fault. */
enum linear_result task_load_segments(struct vcpu *v, const struct task_segments *s, struct vt_event *fault) MUST_CHECK;

#endif
