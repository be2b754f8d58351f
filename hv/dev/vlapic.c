#include "hv/dev/vlapic_private.h"
#include "hv/lib/str.h"

#define VERSION_VALUE UINT32_C(0x00050014) /* integrated APIC, last LVT entry 5; no EOI-broadcast suppression */

/* ---- state ------------------------------------------------------------------------------------------------------- */

void vlapic_mask_all_lvts(struct vlapic *v)
{
    for (unsigned lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
        vlapic_store(v, lvt, vlapic_register(v, lvt) | APIC_LVT_MASKED);
}

void vlapic_show_identity(struct vlapic *v)
{
    uint32_t id = v->config.id;
    if (vlapic_in_x2apic(v)) {
        vlapic_store(v, APIC_ID, id);
        vlapic_store(v, APIC_LDR, (id >> 4) << 16 | UINT32_C(1) << (id & 15));
    } else {
        vlapic_store(v, APIC_ID, id << 24);
    }
}

/* SDM, "Local APIC State After Power-Up or Reset". */
static void reset_registers(struct vlapic *v)
{
    memset(v->config.page, 0, PAGE_SIZE);
    vlapic_store(v, APIC_VERSION, VERSION_VALUE);
    vlapic_store(v, APIC_DFR, 0xffffffff);
    vlapic_store(v, APIC_SVR, 0xff);
    vlapic_mask_all_lvts(v);
    vlapic_show_identity(v);
    v->irr_summary = v->isr_summary = 0;
    v->software_enabled = false;
    v->eoi_exits_changed = true;
    v->divide_shift = 1;
    v->timer_mode = 0;
    v->esr_pending = 0;
    vlapic_timer_stop(v);
    atomic_store(&v->posted.outstanding, 0);
    for (unsigned i = 0; i < 4; i++)
        atomic_store(&v->posted.requests[i], 0);
}

void vlapic_power_up(struct vlapic *v)
{
    v->base_msr = APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (v->config.bsp ? APIC_BASE_BSP : 0);
    v->lint_level = 0;
    reset_registers(v);
}

void vlapic_init(struct vlapic *v, const struct vlapic_config *config)
{
    memset(v, 0, sizeof *v);
    v->config = *config;
    vlapic_power_up(v);
}

void vlapic_reset_init(struct vlapic *v)
{
    reset_registers(v);
}

void vlapic_set_virtual_wire(struct vlapic *v)
{
    vlapic_store(v, APIC_SVR, APIC_SVR_ENABLE | 0xff);
    vlapic_store(v, APIC_LVT_LINT0, APIC_EXTINT << 8);
    vlapic_store(v, APIC_LVT_LINT1, APIC_NMI << 8);
    v->software_enabled = true;
}

/* SDM, "x2APIC State Transitions": x2APIC is entered only from xAPIC mode and left only to disabled. */
static bool base_change_is_legal(const struct vlapic *v, uint64_t value)
{
    uint64_t modes = v->config.x2apic ? APIC_BASE_ENABLE | APIC_BASE_X2APIC : APIC_BASE_ENABLE;
    uint64_t address = ALIGN_DOWN((UINT64_C(1) << v->config.physical_bits) - 1, PAGE_SIZE);
    if (value & ~(address | modes | APIC_BASE_BSP))
        return false;
    bool enable = value & APIC_BASE_ENABLE, x2apic = value & APIC_BASE_X2APIC;
    if (x2apic)
        return enable && vlapic_enabled(v);
    return !enable || !vlapic_in_x2apic(v);
}

enum vlapic_result vlapic_write_base(struct vlapic *v, uint64_t value)
{
    if (!base_change_is_legal(v, value))
        return VLAPIC_FAULT;
    uint64_t changed = v->base_msr ^ value;
    v->base_msr = value;
    if (changed & APIC_BASE_ENABLE) {
        reset_registers(v); /* a disabled APIC keeps nothing */
    } else if (changed & APIC_BASE_X2APIC) {
        vlapic_store(v, APIC_ICR_HIGH, 0);
        vlapic_store(v, APIC_ICR + 4, 0);
        vlapic_show_identity(v);
    }
    return VLAPIC_OK;
}

/* ---- priorities -------------------------------------------------------------------------------------------------- */

/* Highest bit set in a 256-bit register; dwords found empty leave the summary. */
static inline unsigned highest_vector(const struct vlapic *v, unsigned bank, uint8_t *summary)
{
    while (*summary) {
        unsigned word = 31u ^ (unsigned)__builtin_clz(*summary);
        uint32_t bits = vlapic_register(v, bank + word * 16);
        if (LIKELY(bits))
            return word * 32 + (31u ^ (unsigned)__builtin_clz(bits));
        *summary &= (uint8_t)~(1u << word);
    }
    return 0;
}

unsigned vlapic_highest_irr(struct vlapic *v)
{
    return highest_vector(v, APIC_IRR, &v->irr_summary);
}

unsigned vlapic_highest_isr(struct vlapic *v)
{
    return highest_vector(v, APIC_ISR, &v->isr_summary);
}

/* SDM, "Task and Processor Priorities". */
static inline void store_ppr(struct vlapic *v, unsigned in_service)
{
    uint32_t tpr = vlapic_register(v, APIC_TPR) & 0xff, class = in_service & 0xf0;
    vlapic_store(v, APIC_PPR, (tpr & 0xf0) >= class ? tpr : class);
}

void vlapic_update_ppr(struct vlapic *v)
{
    store_ppr(v, vlapic_highest_isr(v));
}

void vlapic_write_cr8(struct vlapic *v, uint64_t cr8)
{
    vlapic_store(v, APIC_TPR, (uint32_t)(cr8 & 15) << 4);
    vlapic_update_ppr(v);
}

uint64_t vlapic_read_cr8(const struct vlapic *v)
{
    return (vlapic_register(v, APIC_TPR) >> 4) & 15;
}

uint16_t vlapic_interrupt_status(struct vlapic *v)
{
    return (uint16_t)(vlapic_highest_isr(v) << 8 | vlapic_highest_irr(v));
}

uint32_t vlapic_tpr_threshold(struct vlapic *v)
{
    uint32_t waiting = vlapic_highest_irr(v) >> 4, tpr = (vlapic_register(v, APIC_TPR) >> 4) & 15;
    return waiting <= tpr ? waiting : 0;
}

/* ---- a vector's life: accepted, taken, finished ------------------------------------------------------------------ */

static inline void set_trigger_mode(struct vlapic *v, unsigned vector, bool level)
{
    if (LIKELY(vlapic_vector_is_level(v, vector) == level))
        return;
    unsigned offset = VECTOR_OFFSET(APIC_TMR, vector);
    vlapic_store(v, offset, vlapic_register(v, offset) ^ VECTOR_BIT(vector));
    v->eoi_exits_changed = true;
}

void vlapic_accept(struct vlapic *v, uint8_t vector, bool level)
{
    if (UNLIKELY(!v->software_enabled))
        return;
    if (UNLIKELY(vector < 16)) {
        vlapic_raise_error(v, APIC_ESR_RECEIVE_ILLEGAL_VECTOR);
        return;
    }
    unsigned offset = VECTOR_OFFSET(APIC_IRR, vector);
    vlapic_store(v, offset, vlapic_register(v, offset) | VECTOR_BIT(vector));
    v->irr_summary |= (uint8_t)(1u << (vector >> 5));
    set_trigger_mode(v, vector, level);
}

void vlapic_ack(struct vlapic *v, uint8_t vector)
{
    unsigned irr = VECTOR_OFFSET(APIC_IRR, vector), isr = VECTOR_OFFSET(APIC_ISR, vector);
    uint8_t word = (uint8_t)(1u << (vector >> 5));
    uint32_t left = vlapic_register(v, irr) & ~VECTOR_BIT(vector);
    vlapic_store(v, irr, left);
    if (!left)
        v->irr_summary &= (uint8_t)~word;
    vlapic_store(v, isr, vlapic_register(v, isr) | VECTOR_BIT(vector));
    v->isr_summary |= word;
    store_ppr(v, vector); /* it was above the priority, so it is the highest in service */
}

void vlapic_write_eoi(struct vlapic *v)
{
    unsigned vector = highest_vector(v, APIC_ISR, &v->isr_summary);
    if (UNLIKELY(!vector))
        return; /* a spurious EOI: SDM, "Signaling Interrupt Servicing Completion", ignored */
    unsigned isr = VECTOR_OFFSET(APIC_ISR, vector);
    uint32_t left = vlapic_register(v, isr) & ~VECTOR_BIT(vector);
    vlapic_store(v, isr, left);
    if (LIKELY(!left))
        v->isr_summary &= (uint8_t)~(1u << (vector >> 5));
    store_ppr(v, LIKELY(!v->isr_summary) ? 0 : vlapic_highest_isr(v));
    if (UNLIKELY(vlapic_vector_is_level(v, vector)))
        vlapic_eoi_done(v, (uint8_t)vector);
}

void vlapic_eoi_done(struct vlapic *v, uint8_t vector)
{
    for (unsigned pin = 0; pin < 2; pin++) {
        unsigned offset = APIC_LVT_LINT0 + pin * 16;
        uint32_t lvt = vlapic_register(v, offset);
        if (!(lvt & APIC_LVT_REMOTE_IRR) || (lvt & 0xff) != vector)
            continue;
        vlapic_store(v, offset, lvt & ~APIC_LVT_REMOTE_IRR);
        vlapic_retry_lint(v, pin);
    }
    if (vlapic_vector_is_level(v, vector))
        v->config.ops->eoi(v->config.ctx, vector);
}

bool vlapic_may_skip_eoi(struct vlapic *v)
{
    unsigned vector = vlapic_highest_isr(v);
    return vector && !vlapic_vector_is_level(v, vector) && !vlapic_highest_irr(v);
}

bool vlapic_eoi_exits(struct vlapic *v, uint64_t bitmap[4])
{
    if (LIKELY(!v->eoi_exits_changed))
        return false;
    v->eoi_exits_changed = false;
    for (unsigned i = 0; i < 4; i++)
        bitmap[i] = vlapic_register(v, APIC_TMR + i * 32) | (uint64_t)vlapic_register(v, APIC_TMR + i * 32 + 16) << 32;
    return true;
}

/* ---- from other CPUs --------------------------------------------------------------------------------------------- */

bool vlapic_post(struct vlapic *v, uint8_t vector, bool level)
{
    unsigned word = vector >> 6;
    uint64_t bit = UINT64_C(1) << (vector & 63);
    if (level)
        atomic_fetch_or(&v->posted_level[word], bit);
    else if (atomic_load(&v->posted_level[word]) & bit)
        atomic_fetch_and(&v->posted_level[word], ~bit);
    atomic_fetch_or(&v->posted.requests[word], bit);
    return !(atomic_exchange(&v->posted.outstanding, 1) & 1);
}

bool vlapic_holds(const struct vlapic *v, uint8_t vector)
{
    bool posted = atomic_load(&v->posted.requests[vector >> 6]) >> (vector & 63) & 1;
    return posted || (vlapic_register(v, VECTOR_OFFSET(APIC_IRR, vector)) & VECTOR_BIT(vector));
}

void vlapic_collect_posted(struct vlapic *v)
{
    atomic_exchange(&v->posted.outstanding, 0); /* first: a request posted from here on sets it again */
    for (unsigned word = 0; word < 4; word++) {
        if (!atomic_load_explicit(&v->posted.requests[word], memory_order_relaxed))
            continue;
        uint64_t level = atomic_load(&v->posted_level[word]);
        for (uint64_t bits = atomic_exchange(&v->posted.requests[word], 0); bits; bits &= bits - 1) {
            unsigned n = (unsigned)__builtin_ctzll(bits);
            vlapic_accept(v, (uint8_t)(word * 64 + n), level >> n & 1);
        }
    }
}

bool vlapic_matches(const struct vlapic *v, uint32_t dest, bool logical)
{
    if (!vlapic_enabled(v))
        return false;
    if (dest == APIC_DEST_ALL)
        return true;
    uint32_t ldr = vlapic_register(v, APIC_LDR);
    if (vlapic_in_x2apic(v))
        return logical ? dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff) : dest == v->config.id;
    if (!logical)
        return dest == (v->config.id & 0xff);
    ldr >>= 24;
    switch (vlapic_register(v, APIC_DFR) >> 28) {
    case 0xf: /* flat */
        return dest <= 0xff && (dest & ldr);
    case 0:   /* cluster; cluster 15 is all of them */
        return dest <= 0xff && (dest >> 4 == 15 || dest >> 4 == ldr >> 4) && (dest & ldr & 15);
    default:
        return false;
    }
}

/* ---- local sources ----------------------------------------------------------------------------------------------- */

void vlapic_raise_error(struct vlapic *v, uint32_t esr_bit)
{
    v->esr_pending |= esr_bit;
    uint32_t lvt = vlapic_register(v, APIC_LVT_ERROR);
    if ((lvt & 0xff) < 16)
        v->esr_pending |= lvt & APIC_LVT_MASKED ? 0 : APIC_ESR_RECEIVE_ILLEGAL_VECTOR;
    else
        vlapic_fire_lvt(v, APIC_LVT_ERROR);
}

void vlapic_fire_lvt(struct vlapic *v, unsigned lvt_offset)
{
    uint32_t lvt = vlapic_register(v, lvt_offset);
    if (lvt & APIC_LVT_MASKED)
        return;
    if (LIKELY(!(lvt >> 8 & 7))) { /* APIC_FIXED */
        vlapic_accept(v, (uint8_t)lvt, lvt & APIC_LVT_REMOTE_IRR);
        return;
    }
    switch ((lvt >> 8) & 7) {
    case APIC_NMI:
    case APIC_SMI:
    case APIC_INIT:
        v->config.ops->local(v->config.ctx, (enum apic_mode)((lvt >> 8) & 7));
        break;
    default: /* ExtINT: the PIC is asked through vlapic_accepts_extint() */
        break;
    }
}

static bool lint_is_fixed_level(uint32_t lvt)
{
    return (lvt & APIC_LVT_LEVEL) && ((lvt >> 8) & 7) == APIC_FIXED;
}

void vlapic_retry_lint(struct vlapic *v, unsigned pin)
{
    unsigned offset = APIC_LVT_LINT0 + pin * 16;
    uint32_t lvt = vlapic_register(v, offset);
    if (!(v->lint_level >> pin & 1) || !lint_is_fixed_level(lvt) || (lvt & (APIC_LVT_MASKED | APIC_LVT_REMOTE_IRR)))
        return;
    vlapic_store(v, offset, lvt | APIC_LVT_REMOTE_IRR);
    vlapic_fire_lvt(v, offset);
}

void vlapic_set_lint(struct vlapic *v, unsigned pin, bool level)
{
    uint32_t bit = UINT32_C(1) << (pin & 1);
    bool rising = level && !(v->lint_level & bit);
    v->lint_level = level ? v->lint_level | bit : v->lint_level & ~bit;
    if (!vlapic_enabled(v))
        return;
    unsigned offset = APIC_LVT_LINT0 + (pin & 1) * 16;
    if (lint_is_fixed_level(vlapic_register(v, offset)))
        vlapic_retry_lint(v, pin & 1);
    else if (rising)
        vlapic_fire_lvt(v, offset);
}

bool vlapic_accepts_extint(const struct vlapic *v)
{
    if (!vlapic_enabled(v))
        return true; /* without its APIC the CPU has the INTR pin */
    uint32_t lvt = vlapic_register(v, APIC_LVT_LINT0);
    return !(lvt & APIC_LVT_MASKED) && ((lvt >> 8) & 7) == APIC_EXTINT;
}
