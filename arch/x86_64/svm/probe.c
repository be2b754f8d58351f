#include "arch/x86_64/svm/probe.h"
#include "arch/x86_64/cpu/idt.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/mmu/host.h"
#include "arch/x86_64/svm/backend.h"
#include "arch/x86_64/svm/insn.h"
#include "arch/x86_64/vt/enter.h"

enum { VECTOR_PROBE = 0xf2, ATTRIBUTES_CODE64 = 0x29b, ATTRIBUTES_DATA = 0xc93 };

static void ignore(void *ctx, unsigned vector)
{
}

static void setup(struct vmcb *c, hpa_t vmcb_hpa, hpa_t maps)
{
    vmsave(vmcb_hpa); /* TR and the like as they are */
    c->intercept_1 = INTERCEPT_INTR | INTERCEPT_HLT | INTERCEPT_SHUTDOWN;
    c->intercept_2 = INTERCEPT_VMRUN;
    c->iopm_base_pa = c->msrpm_base_pa = maps.raw; /* intercepts by maps are off */
    c->guest_asid = 1;
    c->tlb_control = TLB_FLUSH_ALL;
    c->v_intr = V_INTR_MASKING;
    c->cs = (struct vmcb_segment){ HOST_SEL_CODE, ATTRIBUTES_CODE64, UINT32_MAX, 0 };
    c->ds = c->es = c->ss = (struct vmcb_segment){ HOST_SEL_DATA, ATTRIBUTES_DATA, UINT32_MAX, 0 };
    c->idtr = (struct vmcb_segment){ .base = idt_base(), .limit = 0xfff };
    c->cr0 = read_cr0();
    c->cr3 = read_cr3();
    c->cr4 = read_cr4();
    c->efer = rdmsr(IA32_EFER);
    c->dr6 = DR6_RESET;
    c->dr7 = DR7_RESET;
    c->rflags = RFLAGS_ONE; /* IF = 0 */
    c->rip = (uint64_t)(uintptr_t)svm_probe_guest;
}

/* Apart, since vt_enter() leaves no register for what a larger function keeps. */
static __attribute__((noinline)) void run(struct svm_vcpu *v)
{
    (void)vt_enter(&svm_ops.run, &v->vt, 0);
}

/* It has to be there before the guest is: a late one would prove nothing. */
static bool request_interrupt(void)
{
    lapic_send_self(VECTOR_PROBE);
    for (unsigned i = 0; i < 1000000 && !lapic_is_requested(VECTOR_PROBE); i++)
        cpu_pause();
    return lapic_is_requested(VECTOR_PROBE);
}

bool svm_probe_masked_interrupt(struct svm_cpu *cpu)
{
    static struct svm_vcpu v; /* too large for the stack; used once */
    static uint8_t tpr;
    v.vmcb_hpa = svm_env.page_alloc(0);
    hpa_t maps = svm_env.page_alloc(2);
    if (!v.vmcb_hpa.raw || !maps.raw)
        return true;
    v.vmcb = hpa_to_ptr(v.vmcb_hpa);
    v.tpr = &tpr;
    v.cpu = cpu;
    v.generation = cpu->generation;
    v.host_vmcb = cpu->host_vmcb;
    setup(v.vmcb, v.vmcb_hpa, maps);
    irq_set_handler(VECTOR_PROBE, ignore, NULL);
    bool halted = request_interrupt();
    if (halted) {
        run(&v);
        halted = v.vmcb->exitcode == VMEXIT_HLT;
    }
    irq_poll();
    irq_set_handler(VECTOR_PROBE, NULL, NULL);
    svm_env.page_free(maps, 2);
    svm_env.page_free(v.vmcb_hpa, 0);
    return !halted;
}
