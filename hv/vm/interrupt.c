/* Interrupts on their way into a vCPU: routing between the interrupt controllers, injection, timers. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "hv/dev/apic_route.h"
#include "hv/vm/apic_page.h"
#include "hv/vm/pv.h"
#include "hv/vm/tracing.h"
#include "hv/vm/vm.h"

/* ---- routing ---------------------------------------------------------------------------------------------------- */

static void deliver_to(struct vcpu *v, const struct apic_message *m)
{
    tracing_vcpu(TRACE_INTERRUPT, v, m->vector, m->mode);
    switch (m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST_PRIORITY:
        if (vlapic_post(&v->lapic, m->vector, m->trigger))
            vcpu_kick(v, VCPU_REQ_EVENT);
        return;
    case APIC_NMI:
        vcpu_kick(v, VCPU_REQ_NMI);
        return;
    case APIC_INIT:
        if (m->level) /* the de-assert message of old APICs has no effect: SDM, "Interrupt Command Register (ICR)" */
            vcpu_kick(v, VCPU_REQ_INIT);
        return;
    case APIC_STARTUP:
        atomic_store(&v->sipi_vector, m->vector);
        vcpu_kick(v, VCPU_REQ_SIPI);
        return;
    default: /* SMI: there is no SMM; ExtINT through an IOAPIC pin: the PIC reaches vCPU 0 by LINT0 */
        return;
    }
}

static void route(struct partition *p, const struct apic_message *m, unsigned sender)
{
    struct vlapic *apics[VM_MAX_VCPUS];
    for (unsigned i = 0; i < p->vcpu_count; i++)
        apics[i] = &p->vcpus[i]->lapic;
    uint64_t targets = apic_route(m, apics, p->vcpu_count, sender);
    for (; targets; targets &= targets - 1)
        deliver_to(p->vcpus[__builtin_ctzll(targets)], m);
}

void partition_route(void *part, const struct apic_message *m)
{
    route(part, m, APIC_ROUTE_NO_SENDER);
}

static void send_ipi(void *ctx, const struct apic_message *m)
{
    struct vcpu *v = ctx;
    route(v->part, m, v->index);
}

static void broadcast_eoi(void *ctx, uint8_t vector)
{
    struct vcpu *v = ctx;
    spin_lock(&v->part->lock);
    vioapic_eoi(&v->part->ioapic, vector);
    spin_unlock(&v->part->lock);
}

static void local_event(void *ctx, enum apic_mode mode)
{
    struct vcpu *v = ctx;
    if (mode == APIC_NMI)
        vcpu_kick(v, VCPU_REQ_NMI);
}

const struct vlapic_ops vcpu_lapic_ops = { .send_ipi = send_ipi, .eoi = broadcast_eoi, .local = local_event };

/* A PC's wiring: the sixteen ISA interrupts go to both controllers; the timer, IRQ 0, arrives at a pin of its own. */
void partition_set_gsi(void *part, unsigned gsi, bool level)
{
    struct partition *p = part;
    if (level != (p->gsi_levels >> gsi & 1)) {
        p->gsi_levels ^= 1u << gsi;
        tracing_partition(TRACE_LINE, p, (uint8_t)gsi, level);
    }
    if (gsi < VPIC_IRQS)
        vpic_set_irq(&p->pic, gsi, level);
    vioapic_set_line(&p->ioapic, gsi == 0 ? IOAPIC_TIMER_PIN : gsi, level);
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

/* When the guest's TSC will read this. The APIC compares without sign: what the TSC has passed is due at once, and what
 * lies beyond the end of the host's TSC never is. Any moment of the past serves as the reference. */
static uint64_t host_tsc_of(const struct vcpu *v, uint64_t guest_tsc)
{
    uint64_t then = v->vt->exit_tsc, guest_then = vm_guest_tsc_at(v, then), due;
    if (guest_tsc <= guest_then)
        return then;
    return __builtin_add_overflow(then, guest_tsc - guest_then, &due) ? VM_TSC_NEVER : due;
}

static void set_deadline(struct vcpu *v)
{
    uint64_t due = VM_TSC_NEVER;
    uint64_t guest_tsc = vlapic_next_tsc_deadline(&v->lapic);
    vtime_t ns = vlapic_next_deadline(&v->lapic);
    if (guest_tsc != VLAPIC_NO_DEADLINE)
        due = host_tsc_of(v, guest_tsc);
    if (ns != VTIME_NEVER)
        due = MIN(due, vm_vtime_to_tsc(v->part, ns));
    if (v->index == 0)
        due = MIN(due, v->part->device_deadline_tsc);
    vcpu_set_deadline(v, due);
}

void vcpu_apic_timer_changed(struct vcpu *v)
{
    set_deadline(v);
}

void vcpu_apic_changed(struct vcpu *v)
{
    if (vt.features()->apicv)
        vt.apic_mode(v->vt, vlapic_enabled(&v->lapic), vlapic_in_x2apic(&v->lapic));
    v->apicv = vt.features()->apicv && vlapic_enabled(&v->lapic);
    v->cpuid_1_valid = false;
    apic_page_follow(v);
    if (v->apicv) {
        vlapic_sync(&v->lapic);
        vt.apic_set_status(v->vt, vlapic_interrupt_status(&v->lapic));
    }
    set_deadline(v);
    atomic_fetch_or(&v->requests, VCPU_REQ_EVENT);
}

void partition_timers_changed(struct partition *p)
{
    vtime_t due = bus_next_deadline(&p->bus);
    if (LIKELY(due == p->device_deadline))
        return;
    p->device_deadline = due;
    p->device_deadline_tsc = vm_vtime_to_tsc(p, due);
    struct vcpu *boot = p->vcpus[0];
    if (vcpu_current_here(boot))
        set_deadline(boot);
    else
        vcpu_kick(boot, VCPU_REQ_TIMER);
}

static __attribute__((noinline)) void expire_devices(struct partition *p)
{
    vtime_t now = vm_now(p);
    spin_lock(&p->lock);
    if (bus_next_deadline(&p->bus) <= now)
        bus_expire(&p->bus, now);
    p->device_deadline = bus_next_deadline(&p->bus);
    p->device_deadline_tsc = vm_vtime_to_tsc(p, p->device_deadline);
    spin_unlock(&p->lock);
}

static __attribute__((noinline)) void expire_by_time(struct vcpu *v, uint64_t guest_tsc)
{
    vlapic_expire(&v->lapic, vm_now(v->part), guest_tsc);
}

void vcpu_timers(struct vcpu *v)
{
    uint64_t tsc = rdtsc(), guest_tsc = vm_guest_tsc_at(v, tsc);
    bool by_tsc = vlapic_next_tsc_deadline(&v->lapic) <= guest_tsc;

    if (tsc >= v->deadline)
        tracing_vcpu_at(tsc, TRACE_TIMER, v, 0, tsc - v->deadline);
    if (LIKELY(by_tsc))
        vlapic_expire(&v->lapic, 0, guest_tsc);
    else if (vlapic_next_deadline(&v->lapic) != VTIME_NEVER)
        expire_by_time(v, guest_tsc);
    if (v->index == 0 && tsc >= v->part->device_deadline_tsc)
        expire_devices(v->part);
    set_deadline(v);
}

/* ---- injection --------------------------------------------------------------------------------------------------- */

static bool pic_waits(const struct vcpu *v)
{
    return v->index == 0 && vpic_intr(&v->part->pic) && vlapic_accepts_extint(&v->lapic);
}

static void inject(struct vcpu *v, const struct vt_event *e)
{
    uint64_t error = e->has_error_code ? TRACE_INJECT_HAS_ERROR | (uint64_t)e->error_code << 32 : 0;
    tracing_vcpu_at(rdtsc(), TRACE_INJECT, v, e->vector, e->type | error);
    vt.inject(v->vt, e);
}

static void inject_interrupt(struct vcpu *v, uint8_t vector)
{
    struct vt_event e = { .vector = vector, .type = VT_EVENT_INTERRUPT };
    inject(v, &e);
}

static void inject_from_pic(struct vcpu *v)
{
    spin_lock(&v->part->lock);
    bool still = vpic_intr(&v->part->pic);
    uint8_t vector = still ? vpic_ack(&v->part->pic) : 0;
    spin_unlock(&v->part->lock);
    if (still)
        inject_interrupt(v, vector);
}

static __attribute__((noinline)) void update_eoi_exits(struct vcpu *v)
{
    uint64_t bitmap[4];
    if (vlapic_eoi_exits(&v->lapic, bitmap))
        vt.apic_eoi_exits(v->vt, bitmap);
}

/* With virtual-interrupt delivery the CPU itself takes what the register page holds; it only has to be told of what
 * was added, and that is in the vlapic's summary without vlapic_sync(). It keeps SVI and RVI itself for all it knows. */
static inline void update_hardware(struct vcpu *v)
{
    vlapic_collect(&v->lapic);
    if (UNLIKELY(v->lapic.eoi_exits_changed))
        update_eoi_exits(v);
    vt.apic_request(v->vt, (uint8_t)vlapic_highest_irr(&v->lapic));
}

static __attribute__((noinline)) void prepare_software(struct vcpu *v)
{
    pv_eoi_settle(v);
    vlapic_update_ppr(&v->lapic); /* the guest may have changed its TPR by a shadowed MOV CR8 */
    vlapic_collect(&v->lapic);
}

/* Returns whether it still waits for a window. */
static __attribute__((noinline)) bool deliver_nmi(struct vcpu *v)
{
    struct vt_event e = { .vector = EXC_NMI, .type = VT_EVENT_NMI };
    if (!vt.can_take_nmi(v->vt))
        return true;
    v->nmi_pending = false;
    inject(v, &e);
    return false;
}

/* These return whether an interrupt still waits for a window. */

/* Its controller has it in service already, so it goes before what the controllers hold. */
static __attribute__((noinline)) bool deliver_kept(struct vcpu *v)
{
    if (!vt.can_take_interrupt(v->vt))
        return true;
    v->interrupt_kept = false;
    inject_interrupt(v, v->kept_vector);
    return false;
}

static __attribute__((noinline)) bool deliver_from_pic(struct vcpu *v)
{
    if (!vt.can_take_interrupt(v->vt))
        return true;
    inject_from_pic(v);
    return !v->apicv && vlapic_pending(&v->lapic);
}

static __attribute__((noinline)) bool deliver_from_vlapic(struct vcpu *v)
{
    unsigned vector = vlapic_pending(&v->lapic);
    if (!vector)
        return false;
    if (!vt.can_take_interrupt(v->vt))
        return true;
    vlapic_ack(&v->lapic, (uint8_t)vector);
    inject_interrupt(v, (uint8_t)vector);
    if (vlapic_pending(&v->lapic))
        return true;
    pv_eoi_offer(v);
    return false;
}

void vcpu_deliver(struct vcpu *v)
{
    if (v->apicv)
        update_hardware(v);
    else
        prepare_software(v);
    bool nmi_waits = UNLIKELY(v->nmi_pending) && deliver_nmi(v);
    bool kept_waits = UNLIKELY(v->interrupt_kept) && deliver_kept(v);
    bool interrupt_waits = kept_waits || (UNLIKELY(pic_waits(v)) ? deliver_from_pic(v) : !v->apicv && deliver_from_vlapic(v));
    if (UNLIKELY(nmi_waits || interrupt_waits || v->window_wanted)) {
        v->window_wanted = nmi_waits || interrupt_waits;
        vt.request_window(v->vt, interrupt_waits, nmi_waits);
    }
    if (!v->apicv)
        vt.tpr_threshold(v->vt, (uint8_t)vlapic_tpr_threshold(&v->lapic));
}

static bool has_vector(struct vcpu *v)
{
    if (!v->apicv)
        return vlapic_pending(&v->lapic);
    unsigned added = vlapic_highest_irr(&v->lapic), known = vt.apic_requested(v->vt);
    return vlapic_is_above_priority(&v->lapic, MAX(added, known));
}

bool vcpu_has_event(struct vcpu *v)
{
    if (v->nmi_pending)
        return true;
    if (!(vt.get(v->vt, VT_RFLAGS) & RFLAGS_IF))
        return false;
    if (UNLIKELY(v->interrupt_kept))
        return true;
    if (LIKELY(v->apicv))
        vlapic_collect(&v->lapic);
    else
        prepare_software(v);
    return has_vector(v) || pic_waits(v);
}

/* ---- exceptions -------------------------------------------------------------------------------------------------- */

/* An exception came while this was delivered, and is served first. What comes from an instruction or is a fault of one
 * will come again when the instruction is done anew; these two would not. */
static void keep_for_later(struct vcpu *v, const struct vt_event *event)
{
    if (event->type == VT_EVENT_NMI) {
        v->nmi_pending = true;
    } else {
        v->interrupt_kept = true;
        v->kept_vector = event->vector;
    }
    atomic_fetch_or(&v->requests, VCPU_REQ_EVENT);
}

void vcpu_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
    struct vt_event e = { .vector = vector, .type = VT_EVENT_EXCEPTION, .has_error_code = has_error, .error_code = error };
    struct vt_event first;

    if (UNLIKELY(vt.pending_event(v->vt, &first))) {
        if (first.type == VT_EVENT_INTERRUPT || first.type == VT_EVENT_NMI) {
            keep_for_later(v, &first);
        } else if (first.type == VT_EVENT_EXCEPTION && first.vector == EXC_DF) {
            partition_fail(v, "triple fault: %s while delivering #DF", vector == EXC_PF ? "#PF" : "an exception");
            return;
        } else if (first.type == VT_EVENT_EXCEPTION && exc_makes_double_fault(first.vector, vector)) {
            e = (struct vt_event){ .vector = EXC_DF, .type = VT_EVENT_EXCEPTION, .has_error_code = true };
        }
    }
    /* A fault's handler finds RF set, so that a code breakpoint does not fire twice: SDM vol 3, "Instruction-Breakpoint
     * Exception Condition". */
    if (e.vector != EXC_DB && e.vector != EXC_DF)
        vt.set(v->vt, VT_RFLAGS, vt.get(v->vt, VT_RFLAGS) | RFLAGS_RF);
    inject(v, &e);
}
