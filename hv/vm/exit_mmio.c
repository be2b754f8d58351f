/* Guest-physical addresses that are not RAM: the local APIC, the IOAPIC and what else is on the bus; and the exits by
 * which a CPU with a virtual-APIC page reports accesses to it. */
#include "hv/lib/log.h"
#include "hv/vm/emulate.h"
#include "hv/vm/exits.h"
#include "hv/vm/pv.h"

static void log_unclaimed(struct partition *p, gpa_t gpa, bool write)
{
    if (p->complaints & COMPLAINED_MMIO)
        return;
    p->complaints |= COMPLAINED_MMIO;
    log_line("%s: %s guest-physical 0x%lx: neither RAM nor a device, %s (further such accesses are not reported)",
             p->name, write ? "writes" : "reads", gpa.raw, write ? "nothing happens" : "gets all ones");
}

static inline void unlock(struct partition *p)
{
    if (UNLIKELY(bus_next_deadline(&p->bus) != p->device_deadline))
        partition_timers_changed(p);
    spin_unlock(&p->lock);
}

static bool is_lapic(struct vcpu *v, gpa_t gpa, uint64_t *offset)
{
    uint64_t base = vlapic_mmio_base(&v->lapic);
    *offset = gpa.raw - base;
    return base && *offset < PAGE_SIZE;
}

uint64_t vcpu_mmio_read(struct vcpu *v, gpa_t gpa, unsigned size)
{
    struct partition *p = v->part;
    uint64_t offset, value;
    if (is_lapic(v, gpa, &offset)) {
        if (v->apicv)
            vlapic_sync(&v->lapic);
        else
            pv_eoi_settle(v); /* an EOI given without an exit counts before the guest looks */
        return vlapic_read(&v->lapic, offset, size, vm_now(p));
    }
    spin_lock(&p->lock);
    if (UNLIKELY(!bus_mmio_read(&p->bus, gpa.raw, size, vm_now(p), &value)))
        log_unclaimed(p, gpa, false);
    unlock(p);
    return value;
}

static void lapic_touched(struct vcpu *v, uint64_t offset)
{
    if (vlapic_is_timer_register(offset))
        vcpu_apic_timer_changed(v);
    atomic_fetch_or_explicit(&v->requests, VCPU_REQ_EVENT, memory_order_relaxed);
}

void vcpu_mmio_write(struct vcpu *v, gpa_t gpa, unsigned size, uint64_t value)
{
    struct partition *p = v->part;
    uint64_t offset;
    if (is_lapic(v, gpa, &offset)) {
        if (v->apicv)
            vlapic_sync(&v->lapic);
        vlapic_write(&v->lapic, offset, size, value, vm_now(p));
        if (v->apicv) /* it may have been an EOI, and the CPU has its own note of what is in service */
            vt.apic_set_status(v->vt, vlapic_interrupt_status(&v->lapic));
        lapic_touched(v, offset);
        return;
    }
    spin_lock(&p->lock);
    if (UNLIKELY(!bus_mmio_write(&p->bus, gpa.raw, size, value, vm_now(p))))
        log_unclaimed(p, gpa, true);
    unlock(p);
}

/* The access was not an instruction's: the CPU was looking up or pushing something to deliver an event. Nothing can be
 * emulated, and trying again would never end. */
static enum vcpu_next delivery_failed(struct vcpu *v, const char *where, uint64_t address)
{
    struct vt_event e = { 0 };
    (void)vt.pending_event(v->vt, &e);
    partition_fail(v, "delivering vector %u needed %s 0x%lx, where there is no RAM: check the IDT (0x%lx), the GDT (0x%lx) "
                      "and the stack (0x%lx)", e.vector, where, address, vt.get(v->vt, VT_IDTR_BASE),
                   vt.get(v->vt, VT_GDTR_BASE), vt.get(v->vt, VT_RSP_));
    return VCPU_RESUME;
}

enum vcpu_next exit_mmio(struct vcpu *v, const struct vt_exit *exit)
{
    if (UNLIKELY(!exit->mem.own)) {
        partition_fail(v, "the CPU walked page tables at guest-physical 0x%lx, where there is no RAM: check CR3 (0x%lx)",
                       exit->mem.gpa.raw, vt.get(v->vt, VT_CR3));
        return VCPU_RESUME;
    }
    if (UNLIKELY(exit->mem.fetch)) {
        partition_fail(v, "instruction fetch from guest-physical 0x%lx, where there is no RAM: the guest jumped outside "
                          "of the %lu MiB it was given", exit->mem.gpa.raw, v->part->mem.bytes >> 20);
        return VCPU_RESUME;
    }
    if (UNLIKELY(vt.event_pending(v->vt)))
        return delivery_failed(v, "guest-physical", exit->mem.gpa.raw);
    return vcpu_emulate(v, exit, &(struct known_access){ exit->mem.gpa, .read = true, .write = exit->mem.write });
}

enum vcpu_next exit_apic_access(struct vcpu *v, const struct vt_exit *exit)
{
    if (UNLIKELY(vt.event_pending(v->vt)))
        return delivery_failed(v, "local APIC register", exit->apic.offset);
    if (UNLIKELY(!exit->apic.own)) {
        partition_fail(v, "instruction fetch from, or page tables in, the local APIC's page at guest-physical 0x%lx: the guest "
                          "jumped there, or CR3 (0x%lx) leads there", (uint64_t)APIC_BASE_DEFAULT, vt.get(v->vt, VT_CR3));
        return VCPU_RESUME;
    }
    return vcpu_emulate(v, exit, &(struct known_access){ GPA(APIC_BASE_DEFAULT + exit->apic.offset), .read = true,
                                                        .write = exit->apic.write });
}

/* Trap-like: the register is written already, and RIP is on the next instruction. */
enum vcpu_next exit_apic_write(struct vcpu *v, const struct vt_exit *exit)
{
    vlapic_sync(&v->lapic);
    vlapic_written(&v->lapic, exit->apic.offset, vm_now(v->part));
    lapic_touched(v, exit->apic.offset);
    return VCPU_RESUME;
}

enum vcpu_next exit_apic_eoi(struct vcpu *v, const struct vt_exit *exit)
{
    vlapic_sync(&v->lapic);
    vlapic_eoi_done(&v->lapic, (uint8_t)exit->qualification);
    atomic_fetch_or_explicit(&v->requests, VCPU_REQ_EVENT, memory_order_relaxed);
    return VCPU_RESUME;
}

enum vcpu_next exit_tpr_below(struct vcpu *v, const struct vt_exit *exit)
{
    vlapic_update_ppr(&v->lapic);
    atomic_fetch_or_explicit(&v->requests, VCPU_REQ_EVENT, memory_order_relaxed);
    return VCPU_RESUME;
}
