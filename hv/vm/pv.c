#include "hv/vm/pv.h"
#include "arch/x86_64/cpu/tsc.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/vm/exits.h"

#define ENABLED UINT64_C(1)

/* KVM's ABI. Little-endian, natural alignment; the version is odd while the fields change. */
struct pvclock_time {
    uint32_t version, pad;
    uint64_t tsc_timestamp, system_time; /* ns */
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad2[2];
};
HW_SIZE(struct pvclock_time, 32);
HW_OFFSET(struct pvclock_time, tsc_to_system_mul, 24);
#define PVCLOCK_TSC_STABLE 1

struct pvclock_wall {
    uint32_t version, sec, nsec;
};
HW_SIZE(struct pvclock_wall, 12);

/* ns = ((ticks << shift) * mul) >> 32 with mul in [2^31, 2^32): the form the ABI wants. */
static void scale(uint32_t *mul, int8_t *shift)
{
    uint64_t m = tsc_scale.ns_per_tick; /* 32.32 */
    int s = 0;
    while (m >> 32) {
        m >>= 1;
        s++;
    }
    while (m && !(m >> 31)) {
        m <<= 1;
        s--;
    }
    *mul = (uint32_t)m;
    *shift = (int8_t)s;
}

void pv_clock_update(struct vcpu *v)
{
    gpa_t at = GPA(v->pvclock_gpa & ~ENABLED);
    struct pvclock_time t = { .flags = PVCLOCK_TSC_STABLE };
    if (!(v->pvclock_gpa & ENABLED))
        return;
    t.tsc_timestamp = vm_guest_tsc(v);
    t.system_time = tsc_to_ns(t.tsc_timestamp - v->tsc_adjust);
    scale(&t.tsc_to_system_mul, &t.tsc_shift);
    t.version = v->pvclock_version + 1;
    /* Odd before anything else changes: other vCPUs may be reading it, and a copy promises no order. */
    if (gmem_write_u32(&v->part->mem, at, t.version) != GMEM_OK || gmem_write(&v->part->mem, at, &t, sizeof t) != GMEM_OK)
        return; /* checked when it was set; the guest's RAM does not shrink */
    v->pvclock_version += 2;
    (void)!gmem_write_u32(&v->part->mem, at, v->pvclock_version);
}

static bool write_wall_clock(struct vcpu *v, uint64_t gpa)
{
    struct pvclock_wall w = { .version = 2, .sec = (uint32_t)v->part->epoch };
    return gmem_write(&v->part->mem, GPA(gpa), &w, sizeof w) == GMEM_OK;
}

static bool enable_clock(struct vcpu *v, uint64_t value)
{
    uint8_t probe[sizeof(struct pvclock_time)];
    if ((value & ENABLED) && gmem_read(&v->part->mem, GPA(value & ~ENABLED), probe, sizeof probe) != GMEM_OK)
        return false;
    v->pvclock_gpa = value;
    pv_clock_update(v);
    return true;
}

static bool enable_eoi(struct vcpu *v, uint64_t value)
{
    uint8_t probe;
    if (value & 2)
        return false;
    if ((value & ENABLED) && gmem_read_u8(&v->part->mem, GPA(value & ~ENABLED), &probe) != GMEM_OK)
        return false;
    pv_eoi_settle(v); /* an EOI that the guest has given already is in the old place */
    v->pv_eoi_gpa = value;
    return true;
}

bool pv_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_KVM_WALL_CLOCK:
    case MSR_KVM_WALL_CLOCK_NEW:
        *value = 0;
        return true;
    case MSR_KVM_SYSTEM_TIME:
    case MSR_KVM_SYSTEM_TIME_NEW:
        *value = v->pvclock_gpa;
        return true;
    case MSR_KVM_PV_EOI_EN:
        *value = v->pv_eoi_gpa;
        return true;
    default:
        return false;
    }
}

bool pv_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_KVM_WALL_CLOCK:
    case MSR_KVM_WALL_CLOCK_NEW:
        return write_wall_clock(v, value);
    case MSR_KVM_SYSTEM_TIME:
    case MSR_KVM_SYSTEM_TIME_NEW:
        return enable_clock(v, value);
    case MSR_KVM_PV_EOI_EN:
        return enable_eoi(v, value);
    default:
        return false;
    }
}

/* The guest may finish the vector in service by clearing the bit itself; it asks the APIC only if it finds it clear. */
void pv_eoi_offer(struct vcpu *v)
{
    if (!(v->pv_eoi_gpa & ENABLED) || v->pv_eoi_set || !vlapic_may_skip_eoi(&v->lapic))
        return;
    v->pv_eoi_set = gmem_write_u8(&v->part->mem, GPA(v->pv_eoi_gpa & ~ENABLED), 1) == GMEM_OK;
}

void pv_eoi_settle(struct vcpu *v)
{
    uint8_t bit;
    gpa_t at = GPA(v->pv_eoi_gpa & ~ENABLED);
    if (!v->pv_eoi_set)
        return;
    v->pv_eoi_set = false;
    if (gmem_read_u8(&v->part->mem, at, &bit) != GMEM_OK)
        return;
    if (bit & 1)
        (void)!gmem_write_u8(&v->part->mem, at, 0); /* not used: the EOI will come as an exit */
    else
        vlapic_write_eoi(&v->lapic);
}

/* ---- hypercalls -------------------------------------------------------------------------------------------------- */

enum { KVM_HC_KICK_CPU = 5 };
#define KVM_ENOSYS ((uint64_t)-1000)
#define KVM_EPERM  ((uint64_t)-1)

static uint64_t kick_cpu(struct vcpu *v, uint64_t apic_id)
{
    if (vcpu_cpl(v) != 0)
        return KVM_EPERM;
    if (apic_id >= v->part->vcpu_count)
        return KVM_ENOSYS;
    vcpu_kick(v->part->vcpus[apic_id], VCPU_REQ_EVENT);
    return 0;
}

enum vcpu_next exit_hypercall(struct vcpu *v, const struct vt_exit *exit)
{
    uint64_t *g = v->vt->gpr;
    g[VT_RAX] = UNLIKELY(g[VT_RAX] == KVM_HC_KICK_CPU) ? kick_cpu(v, g[VT_RCX]) : KVM_ENOSYS;
    vt.skip(v->vt);
    return VCPU_RESUME;
}
