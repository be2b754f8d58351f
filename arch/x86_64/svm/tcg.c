/* QEMU quirks, seen with 7.2 and in the source of later ones (helper_vmrun() of target/i386/tcg):
 *
 * - An interrupt injected by EVENTINJ is delivered, and also left behind as an exception that is still to come. Whatever
 *   makes the emulator's thread look up before the guest's next exit or exception (its turn is over, another thread wants
 *   it to do something) delivers it a second time, at any instruction and with RFLAGS.IF = 0. In the first instructions
 *   of a handler that was entered from user mode, before SWAPGS, no kernel survives that.
 *   So an interrupt of the machine waits whenever one is injected: the stay ends between the injection and the guest's
 *   first instruction, which forgets the leftover, and the next entry injects nothing. It costs an exit per interrupt.
 * - VMRUN with V_IRQ notes it without a lock in the word in which other threads note this CPU's interrupts, so one that
 *   comes at that moment can be lost. The APIC still knows of it, and looks again when its TPR is written. */
#include "arch/x86_64/svm/tcg.h"
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/isa/cpuid.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"

enum { VECTOR_END_STAY = 0xf3 };

/* By what CPUID says of itself. */
static bool is_tcg(void)
{
    struct cpuid_regs r = cpuid(CPUID_HYPERVISOR_BASE, 0);
    const char *name = "TCGTCGTCGTCG";
    return cpu_features.hypervisor && !memcmp(name, &r.ebx, 4) && !memcmp(name + 4, &r.ecx, 4) &&
           !memcmp(name + 8, &r.edx, 4);
}

static void ignore(void *ctx, unsigned vector)
{
    /* having ended the stay is all that was wanted */
}

void svm_tcg_cpu_enable(void)
{
    irq_set_handler(VECTOR_END_STAY, ignore, NULL);
}

static uint32_t (*run)(struct vt_vcpu *vt, uint64_t ticks);

/* In the place of svm_run() or svm_run_refill(). */
static uint32_t svm_tcg_run(struct vt_vcpu *vt, uint64_t ticks)
{
    struct svm_vcpu *v = svm_of(vt);
    if (v->v_irq_entered)
        lapic_look_again();
    v->v_irq_entered = v->interrupt_window;
    if (v->event_set && EVENT_TYPE(v->vmcb->eventinj) == EVENT_INTR)
        lapic_send_self(VECTOR_END_STAY);
    return run(vt, ticks);
}

bool svm_tcg_init(const struct vt_env *env)
{
    if (!is_tcg())
        return false;
    run = env->ops->run;
    env->ops->run = svm_tcg_run;
    log_line("svm: QEMU's translator would deliver injected interrupts twice now and then: each costs a second entry");
    return true;
}
