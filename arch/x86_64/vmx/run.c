/* The hot path: one entry, one exit. Every instruction here is paid at every exit. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"

/* The preemption timer ends every stay in the guest at the deadline, whatever RFLAGS.IF says. It is set anew at each
 * entry from the TSC: its saved value would leave out the time spent outside of the guest. */
static inline void arm_timer(uint64_t now, uint64_t deadline)
{
    uint64_t left = deadline > now ? (deadline - now) >> vmx_caps.timer_shift : 0;
    vmwrite(VMCS_GUEST_PREEMPTION_TIMER_VALUE, MIN(left, (uint64_t)UINT32_MAX));
}

static void entry_failed(uint64_t how, struct vt_exit *exit)
{
    exit->kind = VT_EXIT_ENTRY_FAILED;
    exit->raw = how == 2 ? (uint32_t)vmread(VMCS_VM_INSTRUCTION_ERROR) : 0;
    exit->qualification = 0;
}

void vmx_run(struct vt_vcpu *vt, uint64_t deadline, struct vt_exit *exit)
{
    struct vmx_vcpu *v = vmx_of(vt);

    vt->entry_tsc = rdtsc();
    if (LIKELY(vmx_caps.features.preemption_timer))
        arm_timer(vt->entry_tsc, deadline);
    uint64_t failed = vmx_enter(v, v->launched);
    vt->exit_tsc = rdtsc();
    if (UNLIKELY(failed)) {
        entry_failed(failed, exit);
        return;
    }
    v->launched = true;
    v->event_set = false;
    vmx_decode(v, exit);
}
