/* The register table, and the three ways in: the xAPIC page, the x2APIC MSRs, and stores done by hardware. */
#include "hv/dev/vlapic_private.h"

enum {
    XR = 1, XW = 2,       /* xAPIC: may be read, written */
    MR = 4, MW = 8,       /* x2APIC */
    RW = XR | XW | MR | MW, RO = XR | MR, WO = XW | MW,
};

struct apic_register {
    uint8_t access;
    uint32_t writable; /* bits that a write changes */
    uint32_t valid;    /* x2APIC: any other bit set gives #GP */
    void (*write)(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now);
};

#define LVT_STATUS   (UINT32_C(1) << 12)
#define ICR_PENDING  (UINT32_C(1) << 12)
#define ICR_WRITABLE UINT32_C(0x000ccfff)

/* ---- what a write does: `value` holds writable bits only ---------------------------------------------------------- */

static void write_plain(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_store(v, offset, value);
}

static void write_id(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_show_identity(v); /* read-only here; hardware may already have stored over it */
}

static void write_tpr(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_store(v, offset, value);
    vlapic_update_ppr(v);
}

static void write_eoi(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_write_eoi(v);
}

static void write_dfr(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_store(v, offset, value | 0x0fffffff);
}

static void write_svr(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_store(v, offset, value);
    v->software_enabled = value & APIC_SVR_ENABLE;
    if (!v->software_enabled)
        vlapic_mask_all_lvts(v);
}

/* SDM, "Error Handling": a write moves what was collected into the register. */
static void write_esr(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_store(v, offset, v->esr_pending);
    v->esr_pending = 0;
}

static void write_lvt(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_store(v, offset, v->software_enabled ? value : value | APIC_LVT_MASKED);
}

static void write_lvt_lint(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    uint32_t remote_irr = value & APIC_LVT_LEVEL ? vlapic_register(v, offset) & APIC_LVT_REMOTE_IRR : 0;
    write_lvt(v, offset, value | remote_irr, now);
    vlapic_retry_lint(v, (offset - APIC_LVT_LINT0) / 16);
}

static void write_lvt_timer(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    write_lvt(v, offset, value, now);
    vlapic_timer_write_lvt(v, value);
}

static void write_initial(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_timer_write_initial(v, value, now);
}

static void write_divide(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_timer_write_divide(v, value, now);
    vlapic_store(v, offset, value);
}

static inline void send_to_self(struct vlapic *v, uint8_t vector)
{
    if (UNLIKELY(vector < 16))
        vlapic_raise_error(v, APIC_ESR_SEND_ILLEGAL_VECTOR);
    else
        vlapic_accept(v, vector, false);
}

static void write_self_ipi(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    send_to_self(v, (uint8_t)value);
}

static void send_icr(struct vlapic *v, uint32_t icr, uint32_t dest)
{
    struct apic_message m = {
        .dest = dest, .vector = (uint8_t)icr, .mode = (icr >> 8) & 7, .shorthand = (icr >> 18) & 3,
        .logical = icr >> 11 & 1, .level = icr >> 14 & 1,
    };
    bool has_vector = m.mode == APIC_FIXED || m.mode == APIC_LOWEST_PRIORITY;
    if (has_vector && m.shorthand == APIC_TO_SELF) {
        send_to_self(v, m.vector);
        return;
    }
    if (has_vector && m.vector < 16) {
        vlapic_raise_error(v, APIC_ESR_SEND_ILLEGAL_VECTOR);
        return;
    }
    bool init_deassert = m.mode == APIC_INIT && !m.level && icr >> 15 & 1; /* does nothing since the Pentium 4 */
    if (!init_deassert && m.mode != APIC_RESERVED_MODE && m.mode != APIC_EXTINT)
        v->config.ops->send_ipi(v->config.ctx, &m);
}

static void write_icr_xapic(struct vlapic *v, unsigned offset, uint32_t value, vtime_t now)
{
    vlapic_store(v, offset, value);
    uint32_t dest = vlapic_register(v, APIC_ICR_HIGH) >> 24;
    bool logical = value >> 11 & 1;
    send_icr(v, value, dest == 0xff && !logical ? APIC_DEST_ALL : dest);
}

static enum vlapic_result write_icr_x2apic(struct vlapic *v, uint64_t value)
{
    uint32_t low = (uint32_t)value;
    if (low & ~(ICR_WRITABLE | ICR_PENDING))
        return VLAPIC_FAULT;
    vlapic_store(v, APIC_ICR, low & ICR_WRITABLE);
    vlapic_store(v, APIC_ICR + 4, (uint32_t)(value >> 32)); /* hardware keeps all 64 bits at 300h */
    send_icr(v, low, (uint32_t)(value >> 32));
    return VLAPIC_OK;
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

#define R(offset) [(offset) >> 4]
#define READ_ONLY_8(offset) \
    R(offset) = { .access = RO }, R((offset) + 0x10) = { .access = RO }, R((offset) + 0x20) = { .access = RO }, \
    R((offset) + 0x30) = { .access = RO }, R((offset) + 0x40) = { .access = RO }, R((offset) + 0x50) = { .access = RO }, \
    R((offset) + 0x60) = { .access = RO }, R((offset) + 0x70) = { .access = RO }

static const struct apic_register registers[64] = {
    R(APIC_ID)            = { RO | XW, 0, 0, write_id },
    R(APIC_VERSION)       = { .access = RO },
    R(APIC_TPR)           = { RW, 0xff, 0xff, write_tpr },
    R(APIC_APR)           = { .access = XR },
    R(APIC_PPR)           = { .access = RO },
    R(APIC_EOI)           = { WO, 0, 0, write_eoi },
    R(APIC_RRD)           = { .access = XR },
    R(APIC_LDR)           = { RO | XW, 0xff000000, 0, write_plain },
    R(APIC_DFR)           = { XR | XW, 0xf0000000, 0, write_dfr },
    R(APIC_SVR)           = { RW, 0x3ff, 0x3ff, write_svr },
    READ_ONLY_8(APIC_ISR),
    READ_ONLY_8(APIC_TMR),
    READ_ONLY_8(APIC_IRR),
    R(APIC_ESR)           = { RW, 0, 0, write_esr },
    R(APIC_ICR)           = { RW, ICR_WRITABLE, 0, write_icr_xapic },
    R(APIC_ICR_HIGH)      = { XR | XW, 0xff000000, 0, write_plain },
    R(APIC_LVT_TIMER)     = { RW, 0x700ff, 0x700ff | LVT_STATUS, write_lvt_timer },
    R(APIC_LVT_THERMAL)   = { RW, 0x107ff, 0x107ff | LVT_STATUS, write_lvt },
    R(APIC_LVT_PERF)      = { RW, 0x107ff, 0x107ff | LVT_STATUS, write_lvt },
    R(APIC_LVT_LINT0)     = { RW, 0x1a7ff, 0x1a7ff | LVT_STATUS | APIC_LVT_REMOTE_IRR, write_lvt_lint },
    R(APIC_LVT_LINT1)     = { RW, 0x1a7ff, 0x1a7ff | LVT_STATUS | APIC_LVT_REMOTE_IRR, write_lvt_lint },
    R(APIC_LVT_ERROR)     = { RW, 0x100ff, 0x100ff | LVT_STATUS, write_lvt },
    R(APIC_TIMER_INITIAL) = { RW, 0xffffffff, 0xffffffff, write_initial },
    R(APIC_TIMER_CURRENT) = { .access = RO },
    R(APIC_TIMER_DIVIDE)  = { RW, 0xb, 0xb, write_divide },
    R(APIC_SELF_IPI)      = { MW, 0xff, 0xff, write_self_ipi },
};

static uint32_t read_register(struct vlapic *v, unsigned offset, vtime_t now)
{
    return offset == APIC_TIMER_CURRENT ? vlapic_timer_current(v, now) : vlapic_register(v, offset);
}

/* ---- xAPIC --------------------------------------------------------------------------------------------------------- */

/* SDM, "Local APIC Register Address Map": registers are the first dword of each 16 bytes; other accesses are
 * undefined. Here a narrow read gives that part of the register, the gap reads 0, and a write that is not a whole
 * aligned register does nothing. */
uint64_t vlapic_read(struct vlapic *v, uint64_t offset, unsigned size, vtime_t now)
{
    unsigned start = (unsigned)offset & 0xff0, byte = (unsigned)offset & 15;
    if (offset >= 0x400 || !registers[start >> 4].access || registers[start >> 4].access == MW) {
        vlapic_raise_error(v, APIC_ESR_ILLEGAL_REGISTER);
        return 0;
    }
    if (byte >= 4 || !(registers[start >> 4].access & XR))
        return 0;
    uint64_t value = read_register(v, start, now) >> (8 * byte);
    return size < 4 ? value & ((UINT64_C(1) << (8 * size)) - 1) : value;
}

void vlapic_write(struct vlapic *v, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    if (UNLIKELY(size != 4 || offset & 15))
        return;
    if (UNLIKELY(offset >= 0x400 || !registers[offset >> 4].access || registers[offset >> 4].access == MW)) {
        vlapic_raise_error(v, APIC_ESR_ILLEGAL_REGISTER);
        return;
    }
    const struct apic_register *r = &registers[offset >> 4];
    if (r->access & XW)
        r->write(v, (unsigned)offset, (uint32_t)value & r->writable, now);
}

void vlapic_written(struct vlapic *v, uint32_t offset, vtime_t now)
{
    const struct apic_register *r = &registers[(offset & 0x3f0) >> 4];
    if (offset >= 0x400 || !r->write)
        return;
    uint32_t value = vlapic_register(v, offset & 0x3f0);
    if (vlapic_in_x2apic(v) && (offset & 0x3f0) == APIC_ICR)
        send_icr(v, value, vlapic_register(v, APIC_ICR + 4));
    else
        r->write(v, offset & 0x3f0, value & r->writable, now);
}

/* ---- x2APIC: SDM, "x2APIC Register Availability" and "Reserved Bit Checking" ---------------------------------------- */

enum vlapic_result vlapic_read_msr(struct vlapic *v, uint32_t msr, uint64_t *value, vtime_t now)
{
    uint32_t index = msr - VLAPIC_MSR_FIRST;
    if (!vlapic_in_x2apic(v) || index >= ARRAY_SIZE(registers) || !(registers[index].access & MR))
        return VLAPIC_FAULT;
    *value = read_register(v, index << 4, now);
    if (index << 4 == APIC_ICR)
        *value |= (uint64_t)vlapic_register(v, APIC_ICR + 4) << 32;
    return VLAPIC_OK;
}

enum vlapic_result vlapic_write_msr(struct vlapic *v, uint32_t msr, uint64_t value, vtime_t now)
{
    uint32_t index = msr - VLAPIC_MSR_FIRST;
    if (UNLIKELY(!vlapic_in_x2apic(v) || index >= ARRAY_SIZE(registers)))
        return VLAPIC_FAULT;
    const struct apic_register *r = &registers[index];
    if (index << 4 == APIC_ICR)
        return write_icr_x2apic(v, value);
    if (UNLIKELY(!(r->access & MW) || (value & ~(uint64_t)r->valid)))
        return VLAPIC_FAULT;
    r->write(v, index << 4, (uint32_t)value & r->writable, now);
    return VLAPIC_OK;
}

bool vlapic_msr_read_is_plain(uint32_t msr)
{
    uint32_t index = msr - VLAPIC_MSR_FIRST;
    return index < ARRAY_SIZE(registers) && (registers[index].access & MR) && index << 4 != APIC_TIMER_CURRENT;
}

/* SDM, "Virtualizing MSR-Based APIC Accesses": TPR always, EOI and SELF IPI with virtual-interrupt delivery. */
bool vlapic_msr_write_is_virtualized(uint32_t msr)
{
    uint32_t offset = (msr - VLAPIC_MSR_FIRST) << 4;
    return offset == APIC_TPR || offset == APIC_EOI || offset == APIC_SELF_IPI;
}
