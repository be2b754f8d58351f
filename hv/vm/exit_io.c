/* IN and OUT, INS and OUTS: to the partition's bus. */
#include "hv/lib/log.h"
#include "hv/vm/emulate.h"
#include "hv/vm/exits.h"

/* A port that nobody answers reads as ones, as on a PC; said once per port, since it may explain a guest's trouble. */
static void log_unclaimed(struct partition *p, uint16_t port, bool in)
{
    for (unsigned i = 0; i < p->logged_port_count; i++)
        if (p->logged_ports[i] == port)
            return;
    if (p->logged_port_count == ARRAY_SIZE(p->logged_ports))
        return;
    p->logged_ports[p->logged_port_count++] = port;
    log_line("%s: %s port 0x%x: no device there, %s%s", p->name, in ? "reads" : "writes", port,
             in ? "gets all ones" : "nothing happens",
             p->logged_port_count == ARRAY_SIZE(p->logged_ports) ? " (further ports are not reported)" : "");
}

uint32_t vcpu_port_in(struct vcpu *v, uint16_t port, unsigned size)
{
    struct partition *p = v->part;
    uint32_t value;
    spin_lock(&p->lock);
    bool claimed = bus_io_read(&p->bus, port, size, vm_now(p), &value);
    if (UNLIKELY(!claimed))
        log_unclaimed(p, port, true);
    partition_timers_changed(p);
    spin_unlock(&p->lock);
    return value;
}

void vcpu_port_out(struct vcpu *v, uint16_t port, unsigned size, uint32_t value)
{
    struct partition *p = v->part;
    spin_lock(&p->lock);
    bool claimed = bus_io_write(&p->bus, port, size, value, vm_now(p));
    if (UNLIKELY(!claimed))
        log_unclaimed(p, port, false);
    partition_timers_changed(p);
    spin_unlock(&p->lock);
}

enum vcpu_next exit_io(struct vcpu *v, const struct vt_exit *exit)
{
    uint64_t *rax = &v->vt->gpr[VT_RAX];
    unsigned size = exit->io.size;

    if (UNLIKELY(exit->io.string))
        return vcpu_emulate(v, exit);
    /* RIP first: a write to a reset port ends the partition, and then nothing of it may be touched any more. */
    vt.skip(v->vt);
    uint64_t mask = size == 4 ? UINT32_MAX : (UINT64_C(1) << size * 8) - 1;
    if (exit->io.in) {
        uint32_t value = vcpu_port_in(v, exit->io.port, size);
        /* A 32-bit destination clears the upper half, smaller ones leave the rest: SDM vol 1, "General-Purpose
         * Registers in 64-Bit Mode". */
        *rax = size == 4 ? value : (*rax & ~mask) | (value & mask);
    } else {
        vcpu_port_out(v, exit->io.port, size, (uint32_t)(*rax & mask));
    }
    return VCPU_RESUME;
}
