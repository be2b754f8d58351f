/* One pCPU in and out of SVM (AMD APM vol 2, "Enabling SVM"), and its address space identifiers. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/svm/bochs.h"
#include "arch/x86_64/svm/insn.h"
#include "arch/x86_64/svm/probe.h"
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/svm/tcg.h"
#include "hv/lib/log.h"

struct svm_cpu svm_cpus[PCPU_MAX];

static bool unlock(unsigned cpu)
{
    uint64_t v = rdmsr(MSR_AMD_VM_CR);
    if (!(v & VM_CR_SVMDIS))
        return true;
    if (!(v & VM_CR_LOCK)) {
        wrmsr(MSR_AMD_VM_CR, v & ~VM_CR_SVMDIS);
        return true;
    }
    log_line("svm: CPU %u: the firmware has locked AMD-V off (VM_CR = 0x%lx): look for \"SVM Mode\" or \"AMD-V\" in the "
             "BIOS set-up, switch it on and power the machine off and on", cpu, v);
    return false;
}

static void probe_interrupts(struct svm_cpu *c)
{
    svm_caps.features.masked_interrupts_exit = svm_probe_masked_interrupt(c);
    if (!svm_caps.features.masked_interrupts_exit)
        svm_bochs_init(svm_env.ops);
}

enum vt_status svm_cpu_enable(unsigned cpu)
{
    struct svm_cpu *c = &svm_cpus[cpu];
    if (!unlock(cpu))
        return VT_UNSUPPORTED;
    c->host_vmcb = svm_env.page_alloc(0);
    c->host_save = svm_env.page_alloc(0);
    if (!c->host_vmcb.raw || !c->host_save.raw)
        return VT_NO_MEMORY;
    wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SVME);
    wrmsr(MSR_AMD_VM_HSAVE_PA, c->host_save.raw);
    vmsave(c->host_vmcb); /* it does not change any more: the hypervisor keeps its GS and TR */
    c->generation = 1;
    c->next_asid = 1;
    c->flush_all = true;
    if (svm_caps.tcg)
        svm_tcg_cpu_enable();
    if (cpu == 0)
        probe_interrupts(c);
    return VT_OK;
}

void svm_cpu_disable(void)
{
    wrmsr(IA32_EFER, rdmsr(IA32_EFER) & ~EFER_SVME);
}

static void new_generation(struct svm_cpu *c)
{
    c->generation++;
    c->next_asid = 1;
    c->flush_all = true;
}

/* A number that nothing is cached under on this pCPU. When they run out, all start anew after a flush of everything. */
void svm_new_asid(struct svm_vcpu *v)
{
    struct svm_cpu *c = v->cpu;
    if (c->next_asid >= svm_caps.asids)
        new_generation(c);
    v->vmcb->guest_asid = c->next_asid++;
    v->generation = c->generation;
    svm_set_flush(v, c->flush_all ? TLB_FLUSH_ALL : TLB_NOTHING);
    c->flush_all = false;
    svm_dirty(v, CLEAN_ASID);
}

/* Whoever uses these tables may have something cached here: all draw new numbers. */
void svm_nested_flush(hpa_t nested_root)
{
    new_generation(&svm_cpus[pcpu_this()->index]);
}
