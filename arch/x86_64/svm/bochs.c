/* Bochs quirks of AMD-V, seen with 2.7 and in the source of later ones (cpu/svm.cc, event.cc, flag_ctrl.cc). Bochs keeps a mask
 * of the events that may arrive now, and works it out only when RFLAGS.IF changes; VMRUN does so before it is in the guest.
 *
 * - An interrupt of the machine does not end the stay of a guest that was entered with IF = 0, until the guest changes IF
 *   (probe.c finds that out, and features.masked_interrupts_exit tells: NMIs end such stays).
 * - A virtual interrupt that waits at an entry with IF = 1 waits until IF is cleared and set again. It does whenever an
 *   interrupt of the machine came first, at the end of STI's shadow. The manual's way is an exit with VINTR before the
 *   guest's first instruction; that exit is made here. Not so behind an injected event or in a shadow: there the interrupt
 *   waits for the next exit, an NMI of every 4 ms at the latest.
 * - VMRUN does not load CR2, though an exit saves it: written here.
 * - An injected NMI keeps the machine's NMIs out until the guest's IRET: inject.c.
 * - A refused VMRUN saves the hypervisor's registers as the guest's: explain.c.
 * - A write of CR0 that switches paging changes EFER.LMA before it exits: exit.c.
 * - #DB exits before DR6 is written, and so without a reason; a hardware breakpoint or DR7.GD in a guest whose #DB
 *   exits shows DR6 as it was. Nothing is done about that.
 * - An exit in the delivery of INT n tells in EXITINTINFO the event that was delivered before it, since only injected events
 *   and exceptions are noted there. Nothing is done about that either: with the controls of `exits = max` a #GP of INT n may
 *   become #DF. */
#include "arch/x86_64/svm/bochs.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/svm/svm.h"

static uint32_t (*run)(struct vt_vcpu *v, uint64_t ticks);

static uint32_t enter(struct vt_vcpu *vt, uint64_t ticks)
{
    write_cr2(svm_of(vt)->vmcb->cr2);
    return run(vt, ticks);
}

static __attribute__((noinline)) uint32_t enter_with_window(struct vt_vcpu *vt, uint64_t ticks)
{
    if (!svm_can_take_interrupt(vt))
        return enter(vt, ticks);
    vt->exit_tsc = rdtsc();
    vt->exit.rip = svm_of(vt)->vmcb->rip;
    vt->exit.raw = VMEXIT_VINTR;
    return vt->exit.kind = VT_EXIT_INTERRUPT_WINDOW;
}

/* In the place of svm_run() or svm_run_refill(). */
static uint32_t svm_bochs_run(struct vt_vcpu *vt, uint64_t ticks)
{
    if (UNLIKELY(svm_of(vt)->interrupt_window))
        return enter_with_window(vt, ticks);
    return enter(vt, ticks);
}

void svm_bochs_init(struct vt_ops *ops)
{
    run = ops->run;
    ops->run = svm_bochs_run;
}
