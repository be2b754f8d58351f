/* IN and OUT, INS and OUTS: to the partition's bus. */
#include "hv/lib/log.h"
#include "hv/vm/emulate.h"
#include "hv/vm/exits.h"

enum { LOGGED_PORTS = 16 };

/* A port that nobody answers reads as ones, as on a PC; said once per port, since it may explain a guest's trouble. */
static __attribute__((noinline)) void log_unclaimed(struct partition *p, uint16_t port, bool in)
{
    if (!bus_note_unclaimed(&p->bus, port) || p->logged_port_count == LOGGED_PORTS)
        return;
    p->logged_port_count++;
    log_line("%s: %s port 0x%x: no device there, %s%s", p->name, in ? "reads" : "writes", port,
             in ? "gets all ones" : "nothing happens",
             p->logged_port_count == LOGGED_PORTS ? " (further ports are not reported)" : "");
}

static inline void unlock(struct partition *p)
{
    if (UNLIKELY(bus_next_deadline(&p->bus) != p->device_deadline))
        partition_timers_changed(p);
    spin_unlock(&p->lock);
}

uint32_t vcpu_port_in(struct vcpu *v, uint16_t port, unsigned size)
{
    struct partition *p = v->part;
    uint32_t value;
    spin_lock(&p->lock);
    if (UNLIKELY(!bus_io_read(&p->bus, port, size, vm_now(p), &value)))
        log_unclaimed(p, port, true);
    unlock(p);
    return value;
}

void vcpu_port_out(struct vcpu *v, uint16_t port, unsigned size, uint32_t value)
{
    struct partition *p = v->part;
    spin_lock(&p->lock);
    if (UNLIKELY(!bus_io_write(&p->bus, port, size, value, vm_now(p))))
        log_unclaimed(p, port, false);
    unlock(p);
}

/* ---- the exit ---------------------------------------------------------------------------------------------------- */

static inline uint8_t byte_in(struct partition *p, uint16_t port)
{
    spin_lock(&p->lock);
    int value = bus_io_read_byte(&p->bus, port, vm_now(p));
    if (UNLIKELY(value == BUS_UNCLAIMED))
        log_unclaimed(p, port, true);
    unlock(p);
    return (uint8_t)value;
}

static inline void byte_out(struct partition *p, uint16_t port, uint8_t value)
{
    spin_lock(&p->lock);
    if (UNLIKELY(!bus_io_write_byte(&p->bus, port, value, vm_now(p))))
        log_unclaimed(p, port, false);
    unlock(p);
}

/* 2 and 4 bytes. A 32-bit destination clears the upper half, smaller ones leave the rest: SDM vol 1, "General-Purpose
 * Registers in 64-Bit Mode". */
static __attribute__((noinline)) enum vcpu_next wide(struct vcpu *v, const struct vt_io *io, uint64_t *rax)
{
    uint64_t mask = io->size == 4 ? UINT32_MAX : UINT16_MAX;
    if (!io->in) {
        vcpu_port_out(v, io->port, io->size, (uint32_t)(*rax & mask));
        return VCPU_RESUME;
    }
    uint32_t value = vcpu_port_in(v, io->port, io->size);
    *rax = io->size == 4 ? value : (*rax & ~mask) | (value & mask);
    return VCPU_RESUME;
}

enum vcpu_next exit_io(struct vcpu *v, const struct vt_exit *exit)
{
    static const struct known_access none;
    uint64_t *rax = &v->vt->gpr[VT_RAX];

    if (UNLIKELY(exit->io.string))
        return vcpu_emulate(v, exit, &none);
    /* RIP first: a write to a reset port ends the partition, and then nothing of it may be touched any more. */
    vt.skip(v->vt);
    if (UNLIKELY(exit->io.size != 1))
        return wide(v, &exit->io, rax);
    if (exit->io.in)
        *(uint8_t *)rax = byte_in(v->part, exit->io.port);
    else
        byte_out(v->part, exit->io.port, (uint8_t)*rax);
    return VCPU_RESUME;
}
