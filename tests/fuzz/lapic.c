/* Three local APICs and any sequence of accesses, messages, interrupts and time: the page always says what the model
 * means, priorities are kept, and nothing but legal messages leaves.
 * covers: hv/dev/vlapic.c hv/dev/vlapic_registers.c hv/dev/vlapic_timer.c hv/dev/apic_route.c
 * max_len: 80 */
#include "hv/dev/apic_route.h"
#include "hv/dev/vlapic.h"
#include "tests/fuzz/fuzz.h"

#define APICS 3u

static _Alignas(4096) uint8_t pages[APICS][4096];
static struct vlapic apics[APICS];
static struct vlapic *const all[APICS] = { &apics[0], &apics[1], &apics[2] };
static unsigned depth;
static vtime_t now;
static uint64_t tsc;

static void on_ipi(void *ctx, const struct apic_message *m)
{
    unsigned sender = (unsigned)((struct vlapic *)ctx - apics);
    bool has_vector = m->mode == APIC_FIXED || m->mode == APIC_LOWEST_PRIORITY;
    FUZZ_CHECK(m->mode != APIC_RESERVED_MODE && m->mode != APIC_EXTINT && m->shorthand <= APIC_TO_OTHERS);
    FUZZ_CHECK(!has_vector || m->vector >= 16);
    uint64_t targets = apic_route(m, all, APICS, sender);
    FUZZ_CHECK(!(targets >> APICS) && (m->mode != APIC_LOWEST_PRIORITY || !(targets & (targets - 1))));
    FUZZ_CHECK(m->shorthand != APIC_TO_OTHERS || !(targets >> sender & 1));
    for (unsigned n = 0; n < APICS; n++)
        if (has_vector && (targets >> n & 1))
            (void)vlapic_post(&apics[n], m->vector, m->trigger);
}

/* As the IOAPIC may: a line that is still asserted interrupts again at once. */
static void on_eoi(void *ctx, uint8_t vector)
{
    FUZZ_CHECK(vector >= 16);
    if (!depth++ && vector & 1)
        (void)vlapic_post(ctx, vector, true);
    depth--;
}

static void on_local(void *ctx, enum apic_mode mode)
{
    (void)ctx;
    FUZZ_CHECK(mode == APIC_NMI || mode == APIC_SMI || mode == APIC_INIT);
}

static const struct vlapic_ops ops = { on_ipi, on_eoi, on_local };

static unsigned highest(const struct vlapic *v, unsigned bank)
{
    unsigned found = 0;
    for (unsigned word = 0; word < 8; word++) {
        uint32_t bits = vlapic_register(v, bank + word * 16);
        found = bits ? word * 32 + 31 - (unsigned)__builtin_clz(bits) : found;
    }
    return found;
}

static void check(struct vlapic *v)
{
    unsigned irr = highest(v, APIC_IRR), isr = highest(v, APIC_ISR), pending = vlapic_pending(v);
    uint32_t tpr = vlapic_register(v, APIC_TPR) & 0xff, ppr = vlapic_register(v, APIC_PPR);
    FUZZ_CHECK(vlapic_highest_irr(v) == irr && vlapic_highest_isr(v) == isr);
    FUZZ_CHECK(ppr == ((tpr & 0xf0) >= (isr & 0xf0) ? tpr : (isr & 0xf0)));
    FUZZ_CHECK(pending == ((irr & 0xf0) > (ppr & 0xf0) ? irr : 0));
    FUZZ_CHECK(!(vlapic_register(v, APIC_IRR) & 0xffff) && !(vlapic_register(v, APIC_ISR) & 0xffff));
    FUZZ_CHECK(vlapic_enabled(v) || (!irr && !isr));
    FUZZ_CHECK(!vlapic_in_x2apic(v) || vlapic_enabled(v));
    FUZZ_CHECK(v->software_enabled == !!(vlapic_register(v, APIC_SVR) & APIC_SVR_ENABLE));
    for (unsigned lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
        FUZZ_CHECK(v->software_enabled || (vlapic_register(v, lvt) & APIC_LVT_MASKED));
    FUZZ_CHECK(v->timer_due == VTIME_NEVER || v->tsc_deadline == VLAPIC_NO_DEADLINE);
    FUZZ_CHECK(vlapic_register(v, APIC_VERSION) == 0x50014);
    FUZZ_CHECK(vlapic_register(v, APIC_ID) == (vlapic_in_x2apic(v) ? v->config.id : v->config.id << 24));
    FUZZ_CHECK(vlapic_interrupt_status(v) == (isr << 8 | irr) && vlapic_read_cr8(v) == tpr >> 4);
    FUZZ_CHECK(vlapic_tpr_threshold(v) <= tpr >> 4);
    FUZZ_CHECK(!vlapic_may_skip_eoi(v) || (isr && !irr));
}

/* The due time moves on, or a guest could keep this CPU in here. */
static void expire(struct vlapic *v)
{
    vlapic_expire(v, now, tsc);
    FUZZ_CHECK(v->timer_due > now && v->tsc_deadline > tsc);
}

static void access_msr(struct vlapic *v, uint8_t op, struct fuzz_input *in)
{
    uint32_t msr = VLAPIC_MSR_FIRST + fuzz_u8(in);
    uint64_t value = 0;
    enum vlapic_result result = op & 1 ? vlapic_write_msr(v, msr, fuzz_take(in, 4) | (uint64_t)(op >> 6) << 32, now)
                                       : vlapic_read_msr(v, msr, &value, now);
    FUZZ_CHECK(vlapic_in_x2apic(v) || result == VLAPIC_FAULT);
    FUZZ_CHECK(!vlapic_msr_read_is_plain(msr) || !vlapic_in_x2apic(v) || vlapic_read_msr(v, msr, &value, now) == VLAPIC_OK);
    FUZZ_CHECK(result == VLAPIC_FAULT || msr < VLAPIC_MSR_FIRST + 64);
    FUZZ_CHECK(!vlapic_msr_write_is_virtualized(msr) || msr < VLAPIC_MSR_FIRST + 64);
}

static void access_page(struct vlapic *v, uint8_t op, struct fuzz_input *in)
{
    uint64_t offset = (uint64_t)fuzz_u8(in) << 4 | (op & 64 ? op >> 3 & 7 : 0);
    unsigned size = op & 128 ? 1u << (op >> 4 & 3) : 4;
    if (!vlapic_mmio_base(v))
        return;
    if (op & 1)
        vlapic_write(v, offset, size, fuzz_take(in, 4), now);
    else
        FUZZ_CHECK(size == 8 || !(vlapic_read(v, offset, size, now) >> (8 * size)));
}

/* What hardware with APIC-register virtualization does: it stores, then tells. */
static void hardware_store(struct vlapic *v, struct fuzz_input *in)
{
    static const uint16_t stored[] = { APIC_ID, APIC_TPR, APIC_LDR, APIC_DFR, APIC_SVR, APIC_ESR, APIC_ICR, APIC_LVT_TIMER,
                                       APIC_LVT_LINT0, APIC_LVT_ERROR, APIC_TIMER_INITIAL, APIC_TIMER_DIVIDE, APIC_EOI };
    uint8_t choice = fuzz_u8(in);
    unsigned offset = stored[choice % ARRAY_SIZE(stored)];
    uint32_t value = fuzz_u32(in);
    if (!vlapic_enabled(v) || (vlapic_in_x2apic(v) && offset != APIC_ICR))
        return;
    if (choice == 255) /* what it does not store is none of ours */
        vlapic_written(v, value & 0xc00 ? value & 0xff0 : APIC_VERSION, now);
    if (vlapic_in_x2apic(v))
        memcpy(v->config.page + offset + 4, &(uint32_t){ value >> 24 }, sizeof value);
    memcpy(v->config.page + offset, &value, sizeof value);
    vlapic_written(v, offset, now);
    vlapic_sync(v);
    vlapic_update_ppr(v);
}

/* From the IOAPIC, a device, or a sender that is not among the APICs: any destination. */
static void message(struct fuzz_input *in)
{
    uint8_t choice = fuzz_u8(in);
    const struct apic_message m = { .dest = choice & 1 ? fuzz_u32(in) : fuzz_u8(in), .vector = fuzz_u8(in), .logical = choice & 2,
                                    .mode = choice & 4 ? APIC_LOWEST_PRIORITY : APIC_FIXED, .shorthand = choice >> 3 & 3 };
    unsigned count = choice & 128 ? APICS : choice >> 5 & 3;
    uint64_t targets = apic_route(&m, all, count, choice & 32 ? 64 : 1);
    FUZZ_CHECK(!(targets >> count) && (m.mode != APIC_LOWEST_PRIORITY || !(targets & (targets - 1))));
    for (unsigned n = 0; n < count; n++)
        FUZZ_CHECK(!(targets >> n & 1) || (vlapic_enabled(&apics[n]) && (m.shorthand || vlapic_matches(&apics[n], m.dest, m.logical))));
}

static void interrupt(struct vlapic *v, uint8_t op, struct fuzz_input *in)
{
    uint64_t exits[4];
    uint8_t vector = fuzz_u8(in);
    switch (op >> 4 & 7) {
    case 0: vlapic_accept(v, vector, op >> 7); break;
    case 1: (void)vlapic_post(v, vector, op >> 7); break;
    case 2:
        vector = (uint8_t)vlapic_pending(v);
        if (vector)
            vlapic_ack(v, vector);
        break;
    case 3: vlapic_write_eoi(v); break;
    case 4: vlapic_set_lint(v, vector & 1, vector >> 1 & 1); break;
    case 5: (void)vlapic_eoi_exits(v, exits); break;
    case 6: vlapic_write_cr8(v, vector); break;
    default:
        FUZZ_CHECK(vlapic_accepts_extint(v) || vlapic_enabled(v));
        message(in);
    }
}

static void change_mode(struct vlapic *v, uint8_t op, struct fuzz_input *in)
{
    uint64_t base = APIC_BASE_DEFAULT | (uint64_t)(op >> 4) << 8, before = v->base_msr;
    switch (op >> 4 & 7) {
    case 6: vlapic_reset_init(v); break;
    case 7: vlapic_power_up(v), vlapic_set_virtual_wire(v); break;
    default:
        if (vlapic_write_base(v, base | (fuzz_u8(in) & 0x80 ? UINT64_C(1) << 40 : 0)) == VLAPIC_FAULT)
            FUZZ_CHECK(v->base_msr == before);
    }
}

static void pass_time(struct vlapic *v, uint8_t op, struct fuzz_input *in)
{
    if (op & 128)
        vlapic_write_tsc_deadline(v, fuzz_take(in, 3));
    FUZZ_CHECK(!vlapic_read_tsc_deadline(v) || v->timer_due == VTIME_NEVER);
    now += UINT64_C(1) << (op >> 3 & 15) * 2;
    tsc += UINT64_C(3) << (op >> 3 & 15) * 2;
    for (unsigned n = 0; n < APICS; n++)
        expire(&apics[n]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t setup = fuzz_u8(&in);
    now = depth = 0;
    tsc = 1;
    for (unsigned n = 0; n < APICS; n++)
        vlapic_init(&apics[n], &(struct vlapic_config){ .page = pages[n], .id = n * (setup >> 4), .bsp = !n, .x2apic = setup & 1,
                                                        .physical_bits = 39, .bus_ns = 1, .ops = &ops, .ctx = &apics[n] });
    while (in.left) {
        uint8_t op = fuzz_u8(&in);
        struct vlapic *v = &apics[(op >> 1 & 3) % APICS];
        switch (fuzz_u8(&in) % 6) {
        case 0: access_msr(v, op, &in); break;
        case 1: access_page(v, op, &in); break;
        case 2: hardware_store(v, &in); break;
        case 3: interrupt(v, op, &in); break;
        case 4: change_mode(v, op, &in); break;
        default: pass_time(v, op, &in); break;
        }
        for (unsigned n = 0; n < APICS; n++) {
            vlapic_collect(&apics[n]);
            check(&apics[n]);
        }
    }
    return 0;
}
