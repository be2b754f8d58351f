/* What the machine does that nobody asked it for. A guest that is to suffer has the name of its fault. */
#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/lapic.h"
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/mmu/host.h"
#include "arch/x86_64/vt/enter.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/plant.h"
#include "hv/vm/dispatch.h"
#include "hv/vm/vm.h"

#define UNUSED_VECTOR   0x77
#define RESERVED_PML4_7 (UINT64_C(1) << 7) /* SDM vol 3, "Format of an EPT PML4 Entry"; APM vol 2, "Long-Mode Page Translation" */
#define STRANGE_REASON  0x7777u
#define LONG_ENOUGH     1000u

static struct vcpu *victim(const char *name)
{
    for (unsigned i = 0; i < partition_count; i++)
        if (partitions[i] && !strcmp(partitions[i]->name, name))
            return partitions[i]->vcpus[0];
    log_line("plant: there is no partition %s", name);
    return NULL;
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

void plant_nmi(void)
{
    uint64_t before = pcpu_this()->nmi_count;
    lapic_send_nmi(pcpu_this()->apic_id);
    for (volatile unsigned wait = LONG_ENOUGH; wait; wait--)
        ;
    log_line("plant: %lu stray NMI taken", pcpu_this()->nmi_count - before);
}

void plant_interrupt(void)
{
    lapic_send_self(UNUSED_VECTOR);
    irq_poll();
}

/* Not sent: the local APIC would then have it in service. SDM vol 3, "Spurious Interrupt". */
void plant_spurious(void)
{
    __asm__ volatile("int %0" : : "i"(LAPIC_SPURIOUS_VECTOR) : "memory");
    log_line("plant: a spurious interrupt taken");
}

/* ---- nested page tables ------------------------------------------------------------------------------------------ */

/* A bit that has to be 0, in the root, and the CPU made to forget what it knows. */
void plant_tables(void)
{
    struct vcpu *v = victim("tables");
    if (!v)
        return;
    uint64_t *root = hpa_to_ptr(v->part->nested.root);
    root[0] |= RESERVED_PML4_7;
    vcpu_kick(v, VCPU_REQ_FLUSH);
}

/* ---- what run() returns: once, instead of entering the guest ------------------------------------------------------ */

static struct {
    uint32_t (*run)(struct vt_vcpu *v, uint64_t ticks);
    const struct vt_vcpu *victim;
    struct vt_exit exit;
} forged;

static uint32_t run_forged(struct vt_vcpu *v, uint64_t ticks)
{
    if (v != forged.victim)
        return vt_enter(&forged.run, v, ticks);
    vt.run = forged.run;
    v->exit = forged.exit;
    v->exit.rip = vt.get(v, VT_RIP);
    v->exit_tsc = rdtsc();
    return v->exit.kind;
}

static void forge(const char *name, const struct vt_exit *exit)
{
    const struct vcpu *v = victim(name);
    if (!v)
        return;
    forged.run = vt.run;
    forged.victim = v->vt;
    forged.exit = *exit;
    vt.run = run_forged;
}

void plant_exit(void)
{
    forge("exit", &(struct vt_exit){ .kind = VT_EXIT_UNKNOWN, .raw = STRANGE_REASON });
}

void plant_entry(void)
{
    forge("entry", &(struct vt_exit){ .kind = VT_EXIT_ENTRY_FAILED, .raw = STRANGE_REASON });
}

void plant_machine_check(void)
{
    forge("machine_check", &(struct vt_exit){ .kind = VT_EXIT_EXCEPTION, .exception = { .vector = EXC_MC, .type = VT_EVENT_EXCEPTION } });
}

/* A register of a vCPU that is loaded nowhere: VT-x fails the VMWRITE. */
void plant_unloaded(void)
{
    struct vcpu *v = victim("unloaded");
    if (!v)
        return;
    dispatch_unload();
    vt.load(v->vt, NULL);
    vt.unload(v->vt, false);
    vt.set(v->vt, VT_RIP, 0);
}
