/* One local APIC: Intel SDM vol 3, chapter "Advanced Programmable Interrupt Controller (APIC)".
 *
 * The registers live in a 4 KiB page with the hardware's layout, so that a CPU with APIC-register virtualization and
 * virtual-interrupt delivery can work on the same page. The model belongs to the CPU that runs its vCPU; only
 * vlapic_post(), vlapic_matches() and vlapic_priority() may be called from elsewhere. `now` is virtual time in ns.
 * No vector below 16 is ever deliverable, so a vector of 0 means "none". */
#ifndef HV_DEV_VLAPIC_H
#define HV_DEV_VLAPIC_H

#include <stdatomic.h>

#include "hv/dev/apic_message.h"
#include "hv/dev/dev.h"
#include "hv/lib/types.h"

/* Register offsets in the page; the x2APIC MSR is 800h + offset / 16. */
enum vlapic_register {
    APIC_ID = 0x020, APIC_VERSION = 0x030, APIC_TPR = 0x080, APIC_APR = 0x090, APIC_PPR = 0x0a0, APIC_EOI = 0x0b0,
    APIC_RRD = 0x0c0, APIC_LDR = 0x0d0, APIC_DFR = 0x0e0, APIC_SVR = 0x0f0, APIC_ISR = 0x100, APIC_TMR = 0x180,
    APIC_IRR = 0x200, APIC_ESR = 0x280, APIC_LVT_CMCI = 0x2f0, APIC_ICR = 0x300, APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320, APIC_LVT_THERMAL = 0x330, APIC_LVT_PERF = 0x340, APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370, APIC_TIMER_INITIAL = 0x380, APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0, APIC_SELF_IPI = 0x3f0,
};

#define APIC_SVR_ENABLE      (UINT32_C(1) << 8)
#define APIC_LVT_MASKED      (UINT32_C(1) << 16)
#define APIC_LVT_LEVEL       (UINT32_C(1) << 15)
#define APIC_LVT_REMOTE_IRR  (UINT32_C(1) << 14)
#define APIC_TIMER_PERIODIC  (UINT32_C(1) << 17)
#define APIC_TIMER_DEADLINE  (UINT32_C(2) << 17)
#define APIC_ESR_SEND_ILLEGAL_VECTOR    (UINT32_C(1) << 5)
#define APIC_ESR_RECEIVE_ILLEGAL_VECTOR (UINT32_C(1) << 6)
#define APIC_ESR_ILLEGAL_REGISTER       (UINT32_C(1) << 7)

/* IA32_APIC_BASE (MSR 1Bh) */
#define APIC_BASE_BSP     (UINT64_C(1) << 8)
#define APIC_BASE_X2APIC  (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE  (UINT64_C(1) << 11)
#define APIC_BASE_DEFAULT UINT64_C(0xfee00000)

#define VLAPIC_MSR_FIRST UINT32_C(0x800)
#define VLAPIC_MSR_LAST  UINT32_C(0x8ff)
#define VLAPIC_NO_DEADLINE UINT64_MAX

enum vlapic_result { VLAPIC_OK, VLAPIC_FAULT /* the guest gets #GP(0) */ };

struct vlapic_ops {
    /* An IPI for other vCPUs, or INIT, NMI, ... for any; a fixed IPI to itself is handled inside. */
    void (*send_ipi)(void *ctx, const struct apic_message *message);
    /* A level-triggered vector was finished: the IOAPICs must hear of it. */
    void (*eoi)(void *ctx, uint8_t vector);
    /* A local source (LINT1, performance counter, ...) is programmed for NMI, SMI, INIT or ExtINT: deliver to this vCPU. */
    void (*local)(void *ctx, enum apic_mode mode);
};

struct vlapic_config {
    uint8_t *page;            /* 4 KiB, aligned; owned by the caller */
    uint32_t id;
    bool bsp;
    bool x2apic;              /* the guest's CPUID offers x2APIC */
    uint8_t physical_bits;    /* of the guest: what IA32_APIC_BASE accepts */
    uint32_t bus_ns;          /* one tick of the timer's clock before division, in ns (1: a 1 GHz bus) */
    const struct vlapic_ops *ops;
    void *ctx;
};

/* Interrupts sent from other CPUs, laid out as the hardware's posted-interrupt descriptor. */
struct vlapic_posted {
    _Atomic uint64_t requests[4];
    _Atomic uint64_t outstanding; /* bit 0; pairs with the exchange in vlapic_collect() */
    uint64_t reserved[3];
} __attribute__((aligned(64)));
HW_SIZE(struct vlapic_posted, 64);
HW_OFFSET(struct vlapic_posted, outstanding, 32);

struct vlapic {
    struct vlapic_posted posted;
    _Atomic uint64_t posted_level[4]; /* which of the posted requests are level-triggered */

    struct vlapic_config config;
    uint64_t base_msr;
    /* One bit per dword of IRR and ISR: a clear bit means the dword is 0, a set one that it has to be looked at. */
    uint8_t irr_summary, isr_summary;
    bool software_enabled;  /* shadows of SVR, LVT timer and divide: the page may already hold a newer value */
    bool eoi_exits_changed; /* TMR changed since the last vlapic_eoi_exits() */
    uint8_t divide_shift;
    uint32_t timer_mode;    /* LVT timer bits 18:17, in place */
    uint32_t lint_level;    /* bits 0 and 1: levels of the LINT pins */
    uint32_t esr_pending;   /* errors since the last write to ESR */
    vtime_t timer_due;      /* one-shot and periodic; VTIME_NEVER: stopped */
    uint64_t tsc_deadline;  /* in guest TSC; VLAPIC_NO_DEADLINE: not armed */
};

/* Power-up state: xAPIC mode at FEE00000h, software-disabled, every LVT masked. */
void vlapic_init(struct vlapic *v, const struct vlapic_config *config);
void vlapic_power_up(struct vlapic *v);
/* INIT: as power-up, but mode, address and ID stay. */
void vlapic_reset_init(struct vlapic *v);
/* What firmware leaves on the boot CPU (virtual-wire mode): enabled, LINT0 ExtINT, LINT1 NMI. For guests that are
 * started without firmware. */
void vlapic_set_virtual_wire(struct vlapic *v);

/* ---- the guest's accesses ---------------------------------------------------------------------------------------- */

/* The xAPIC page, offset 0..FFFh. Only answers when vlapic_mmio_base() is not 0. */
uint64_t vlapic_read(struct vlapic *v, uint64_t offset, unsigned size, vtime_t now);
void vlapic_write(struct vlapic *v, uint64_t offset, unsigned size, uint64_t value, vtime_t now);
/* x2APIC MSRs 800h..8FFh. */
enum vlapic_result vlapic_read_msr(struct vlapic *v, uint32_t msr, uint64_t *value, vtime_t now) MUST_CHECK;
enum vlapic_result vlapic_write_msr(struct vlapic *v, uint32_t msr, uint64_t value, vtime_t now) MUST_CHECK;
/* IA32_APIC_BASE; the value to read is base_msr. A change of mode may change CPUID.1:EDX.APIC and mmio_base. */
enum vlapic_result vlapic_write_base(struct vlapic *v, uint64_t value) MUST_CHECK;
/* IA32_TSC_DEADLINE (6E0h): 0 disarms; ignored unless the timer is in TSC-deadline mode. */
void vlapic_write_tsc_deadline(struct vlapic *v, uint64_t guest_tsc);
uint64_t vlapic_read_tsc_deadline(const struct vlapic *v);
/* CR8 */
void vlapic_write_cr8(struct vlapic *v, uint64_t cr8);
uint64_t vlapic_read_cr8(const struct vlapic *v);
void vlapic_write_eoi(struct vlapic *v);

static inline bool vlapic_enabled(const struct vlapic *v) { return v->base_msr & APIC_BASE_ENABLE; }
static inline bool vlapic_in_x2apic(const struct vlapic *v) { return v->base_msr & APIC_BASE_X2APIC; }
/* Where the guest sees the register page; 0: nowhere (disabled, or in x2APIC mode). */
static inline uint64_t vlapic_mmio_base(const struct vlapic *v)
{
    return LIKELY((v->base_msr & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) == APIC_BASE_ENABLE) ? ALIGN_DOWN(v->base_msr, PAGE_SIZE) : 0;
}

/* May a write to the register move the timer's deadline? */
static inline bool vlapic_is_timer_register(uint64_t offset)
{
    return offset == APIC_LVT_TIMER || offset == APIC_TIMER_INITIAL || offset == APIC_TIMER_DIVIDE;
}

/* ---- interrupts -------------------------------------------------------------------------------------------------- */

/* By the owner: the vector becomes pending, unless the APIC is disabled (then it is lost, as on hardware). */
void vlapic_accept(struct vlapic *v, uint8_t vector, bool level);
/* From any CPU. True: the owner has to be told (it has not collected since the last true). */
bool vlapic_post(struct vlapic *v, uint8_t vector, bool level);
/* From any CPU: posted or requested, and not yet taken. */
bool vlapic_holds(const struct vlapic *v, uint8_t vector);
/* By the owner, before it looks at vlapic_pending(): takes in what was posted. */
void vlapic_collect_posted(struct vlapic *v);
static inline void vlapic_collect(struct vlapic *v)
{
    if (UNLIKELY(atomic_load_explicit(&v->posted.outstanding, memory_order_relaxed)))
        vlapic_collect_posted(v);
}

/* Highest pending vector and highest in service, whatever the priority; 0 is none. */
unsigned vlapic_highest_irr(struct vlapic *v);
unsigned vlapic_highest_isr(struct vlapic *v);
static inline uint32_t vlapic_register(const struct vlapic *v, unsigned offset)
{
    return *(const uint32_t *)(const void *)(v->config.page + offset);
}
static inline bool vlapic_is_above_priority(const struct vlapic *v, unsigned vector)
{
    return (vector & 0xf0) > (vlapic_register(v, APIC_PPR) & 0xf0);
}
/* The vector that the CPU would take now, 0 is none: pending, and above the processor priority. */
static inline unsigned vlapic_pending(struct vlapic *v)
{
    if (LIKELY(!v->irr_summary))
        return 0;
    unsigned vector = vlapic_highest_irr(v);
    return vlapic_is_above_priority(v, vector) ? vector : 0;
}
/* The CPU took `vector` (what vlapic_pending() said): it is in service until EOI. */
void vlapic_ack(struct vlapic *v, uint8_t vector);

/* True if the PIC's INTR output reaches this CPU: the APIC is disabled, or LINT0 is unmasked in ExtINT mode. */
bool vlapic_accepts_extint(const struct vlapic *v);
/* Pin 0 or 1 of LINT changes its level; fixed and NMI modes are delivered (ExtINT is asked for as above). */
void vlapic_set_lint(struct vlapic *v, unsigned pin, bool level);

/* Does a message for `dest` concern this APIC? */
bool vlapic_matches(const struct vlapic *v, uint32_t dest, bool logical);
/* Processor priority, for lowest-priority arbitration. */
static inline uint32_t vlapic_priority(const struct vlapic *v) { return vlapic_register(v, APIC_PPR) & 0xff; }

/* ---- the timer --------------------------------------------------------------------------------------------------- */

/* When vlapic_expire() is due: in ns of virtual time, or (TSC-deadline mode) in guest TSC; at most one is armed. */
static inline vtime_t vlapic_next_deadline(const struct vlapic *v) { return v->timer_due; }
static inline uint64_t vlapic_next_tsc_deadline(const struct vlapic *v) { return v->tsc_deadline; }
/* Periods shorter than VLAPIC_MIN_PERIOD_NS expire less often, in phase, so that the guest gets to run in between. */
#define VLAPIC_MIN_PERIOD_NS 20000
void vlapic_expire(struct vlapic *v, vtime_t now, uint64_t guest_tsc);

/* ---- hardware acceleration on the same page ---------------------------------------------------------------------- */

/* The hardware may have changed IRR, ISR and PPR: call before any other function here after such a guest ran. */
static inline void vlapic_sync(struct vlapic *v) { v->irr_summary = v->isr_summary = 0xff; }
/* Guest interrupt status: RVI (highest IRR) in the low byte, SVI (highest ISR) in the high one. */
uint16_t vlapic_interrupt_status(struct vlapic *v);
/* Recompute the priority in the page from TPR and ISR. */
void vlapic_update_ppr(struct vlapic *v);
/* EOI-exit bitmap: vectors whose EOI has to reach an IOAPIC. False: unchanged since the last call. */
bool vlapic_eoi_exits(struct vlapic *v, uint64_t bitmap[4]);
/* "Virtualized EOI" exit: the hardware finished `vector`, only the broadcast is left. */
void vlapic_eoi_done(struct vlapic *v, uint8_t vector);
/* "APIC write" exit: the hardware stored a register at `offset`; do what the store means. */
void vlapic_written(struct vlapic *v, uint32_t offset, vtime_t now);
/* Can a read (a write) of this x2APIC MSR be left to hardware that virtualizes x2APIC mode? For the MSR bitmap. */
bool vlapic_msr_read_is_plain(uint32_t msr);
bool vlapic_msr_write_is_virtualized(uint32_t msr);
/* TPR threshold for a CPU with only a TPR shadow: 0 if nothing waits for the guest to lower its TPR. */
uint32_t vlapic_tpr_threshold(struct vlapic *v);

/* KVM's paravirtual EOI: may the guest finish the vector in service by clearing a bit in memory instead of an exit?
 * Yes if it is edge-triggered and nothing else waits. If the bit was found cleared, call vlapic_write_eoi(). */
bool vlapic_may_skip_eoi(struct vlapic *v);

#endif
