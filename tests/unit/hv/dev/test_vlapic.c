#include "hv/dev/apic_route.h"
#include "hv/dev/vlapic.h"
#include "tests/unit/test.h"

#include <string.h>

/* One APIC and what it sent. */
static _Alignas(4096) uint8_t page[4096];
static struct vlapic v;
static struct apic_message sent;
static unsigned sent_count, eoi_count, local_count;
static uint8_t eoi_vector;
static enum apic_mode local_mode;

static void on_ipi(void *ctx, const struct apic_message *m) { (void)ctx; sent = *m; sent_count++; }
static void on_eoi(void *ctx, uint8_t vector) { (void)ctx; eoi_vector = vector; eoi_count++; }
static void on_local(void *ctx, enum apic_mode mode) { (void)ctx; local_mode = mode; local_count++; }
static const struct vlapic_ops ops = { on_ipi, on_eoi, on_local };

static void start(uint32_t id)
{
    struct vlapic_config config = { .page = page, .id = id, .bsp = true, .x2apic = true, .physical_bits = 39,
                                    .bus_ns = 1, .ops = &ops };
    memset(page, 0xa5, sizeof page);
    sent_count = eoi_count = local_count = 0;
    vlapic_init(&v, &config);
}

static void put(unsigned offset, uint32_t value) { vlapic_write(&v, offset, 4, value, 0); }
static uint32_t get(unsigned offset) { return (uint32_t)vlapic_read(&v, offset, 4, 0); }
static void start_enabled(uint32_t id) { start(id); put(APIC_SVR, 0x1ff); }

static bool start_x2apic(uint32_t id)
{
    start(id);
    return vlapic_write_base(&v, v.base_msr | APIC_BASE_X2APIC) == VLAPIC_OK &&
           vlapic_write_msr(&v, 0x80f, 0x1ff, 0) == VLAPIC_OK;
}
static bool wr_faults(uint32_t msr, uint64_t value) { return vlapic_write_msr(&v, msr, value, 0) == VLAPIC_FAULT; }
static bool rd_faults(uint32_t msr) { uint64_t x; return vlapic_read_msr(&v, msr, &x, 0) == VLAPIC_FAULT; }
static uint64_t rd(uint32_t msr) { uint64_t x = 0; return vlapic_read_msr(&v, msr, &x, 0) == VLAPIC_OK ? x : 0xdead; }

/* ---- state ------------------------------------------------------------------------------------------------------- */

TEST(power_up_state_is_the_manuals)
{
    start(5);
    CHECK_EQ(get(APIC_ID), 5u << 24);
    CHECK_EQ(get(APIC_VERSION), 0x50014);
    CHECK_EQ(get(APIC_SVR), 0xff);
    CHECK_EQ(get(APIC_DFR), 0xffffffff);
    CHECK_EQ(get(APIC_LDR), 0);
    for (unsigned lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
        CHECK_EQ(get(lvt), APIC_LVT_MASKED);
    CHECK_EQ(v.base_msr, 0xfee00900);
    CHECK_EQ(vlapic_mmio_base(&v), 0xfee00000);
    CHECK_EQ(vlapic_pending(&v), 0);
    CHECK_EQ(vlapic_next_deadline(&v), VTIME_NEVER);
}

TEST(init_keeps_mode_and_id)
{
    CHECK(start_x2apic(0x123));
    CHECK(!wr_faults(0x808, 0x20));
    vlapic_reset_init(&v);
    CHECK(vlapic_in_x2apic(&v));
    CHECK_EQ(rd(0x802), 0x123);
    CHECK_EQ(rd(0x80d), 0x12u << 16 | 1u << 3);
    CHECK_EQ(rd(0x808), 0);
    CHECK_EQ(rd(0x80f), 0xff);
}

TEST(apic_base_accepts_only_the_legal_transitions)
{
    const uint64_t off = APIC_BASE_DEFAULT | APIC_BASE_BSP, x1 = off | APIC_BASE_ENABLE, x2 = x1 | APIC_BASE_X2APIC;
    const struct { uint64_t from, to; bool legal; } rows[] = {
        { x1, x1, true },  { x1, x2, true }, { x1, off, true }, { x1, off | APIC_BASE_X2APIC, false },
        { x2, x2, true },  { x2, off, true }, { x2, x1, false }, { x2, off | APIC_BASE_X2APIC, false },
        { off, x1, true }, { off, x2, false }, { off, off, true }, { off, off | APIC_BASE_X2APIC, false },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(0);
        CHECK(vlapic_write_base(&v, rows[i].from) == VLAPIC_OK);
        CHECK_EQ(vlapic_write_base(&v, rows[i].to) == VLAPIC_OK, rows[i].legal);
        CHECK_EQ(v.base_msr, rows[i].legal ? rows[i].to : rows[i].from);
    }
}

TEST(apic_base_reserved_bits_fault)
{
    start(0);
    CHECK(vlapic_write_base(&v, v.base_msr | 1) == VLAPIC_FAULT);
    CHECK(vlapic_write_base(&v, v.base_msr | 1u << 9) == VLAPIC_FAULT);
    CHECK(vlapic_write_base(&v, v.base_msr | UINT64_C(1) << 39) == VLAPIC_FAULT);
    CHECK(vlapic_write_base(&v, v.base_msr ^ 0x10000) == VLAPIC_OK);
    CHECK_EQ(vlapic_mmio_base(&v), 0xfee10000);
    v.config.x2apic = false;
    CHECK(vlapic_write_base(&v, v.base_msr | APIC_BASE_X2APIC) == VLAPIC_FAULT);
}

TEST(a_disabled_apic_loses_its_state_and_accepts_nothing)
{
    start_enabled(0);
    vlapic_accept(&v, 0x40, false);
    CHECK(vlapic_write_base(&v, v.base_msr & ~APIC_BASE_ENABLE) == VLAPIC_OK);
    vlapic_accept(&v, 0x50, false);
    CHECK_EQ(vlapic_pending(&v), 0);
    CHECK_EQ(vlapic_mmio_base(&v), 0);
    CHECK(vlapic_accepts_extint(&v));
    CHECK(!vlapic_matches(&v, 0, false));
    CHECK(vlapic_write_base(&v, v.base_msr | APIC_BASE_ENABLE) == VLAPIC_OK);
    CHECK_EQ(get(APIC_SVR), 0xff);
}

TEST(software_disabling_masks_every_lvt_and_holds_what_is_pending)
{
    start_enabled(0);
    put(APIC_LVT_TIMER, 0x30);
    vlapic_accept(&v, 0x40, false);
    put(APIC_SVR, 0xff);
    CHECK_EQ(get(APIC_LVT_TIMER), APIC_LVT_MASKED | 0x30);
    put(APIC_LVT_TIMER, 0x31);
    CHECK_EQ(get(APIC_LVT_TIMER), APIC_LVT_MASKED | 0x31);
    vlapic_accept(&v, 0x50, false);
    CHECK_EQ(vlapic_pending(&v), 0x40);
}

/* ---- interrupts --------------------------------------------------------------------------------------------------- */

TEST(the_highest_vector_is_taken_first_and_nested_by_priority_class)
{
    start_enabled(0);
    vlapic_accept(&v, 0x41, false);
    vlapic_accept(&v, 0x91, false);
    CHECK_EQ(vlapic_pending(&v), 0x91);
    vlapic_ack(&v, 0x91);
    CHECK_EQ(get(APIC_PPR), 0x90);
    CHECK_EQ(vlapic_pending(&v), 0);
    vlapic_accept(&v, 0x9f, false); /* the same class waits */
    CHECK_EQ(vlapic_pending(&v), 0);
    vlapic_accept(&v, 0xa0, false);
    CHECK_EQ(vlapic_pending(&v), 0xa0);
    vlapic_ack(&v, 0xa0);
    put(APIC_EOI, 0);
    CHECK_EQ(get(APIC_PPR), 0x90);
    put(APIC_EOI, 0);
    CHECK_EQ(vlapic_pending(&v), 0x9f);
    vlapic_ack(&v, 0x9f);
    put(APIC_EOI, 0);
    CHECK_EQ(vlapic_pending(&v), 0x41);
    CHECK_EQ(get(APIC_IRR + 0x20), 2);
    CHECK_EQ(get(APIC_ISR + 0x40), 0);
}

TEST(the_task_priority_blocks_its_class_and_below)
{
    start_enabled(0);
    vlapic_accept(&v, 0x4f, false);
    put(APIC_TPR, 0x45);
    CHECK_EQ(get(APIC_PPR), 0x45);
    CHECK_EQ(vlapic_pending(&v), 0);
    CHECK_EQ(vlapic_tpr_threshold(&v), 4);
    vlapic_write_cr8(&v, 3);
    CHECK_EQ(get(APIC_TPR), 0x30);
    CHECK_EQ(vlapic_read_cr8(&v), 3);
    CHECK_EQ(vlapic_pending(&v), 0x4f);
    CHECK_EQ(vlapic_tpr_threshold(&v), 0);
}

TEST(only_level_triggered_vectors_report_their_eoi)
{
    start_enabled(0);
    vlapic_accept(&v, 0x60, true);
    CHECK_EQ(get(APIC_TMR + 0x30), 1);
    vlapic_ack(&v, 0x60);
    put(APIC_EOI, 0);
    CHECK_EQ(eoi_count, 1);
    CHECK_EQ(eoi_vector, 0x60);
    vlapic_accept(&v, 0x60, false);
    vlapic_ack(&v, 0x60);
    put(APIC_EOI, 0);
    put(APIC_EOI, 0); /* nothing in service: ignored */
    CHECK_EQ(eoi_count, 1);
}

TEST(illegal_vectors_are_reported_in_esr_and_through_its_lvt)
{
    start_enabled(0);
    put(APIC_LVT_ERROR, 0xe0);
    vlapic_accept(&v, 5, false);
    CHECK_EQ(get(APIC_ESR), 0);
    put(APIC_ESR, 0);
    CHECK_EQ(get(APIC_ESR), APIC_ESR_RECEIVE_ILLEGAL_VECTOR);
    CHECK_EQ(vlapic_pending(&v), 0xe0);
    put(APIC_ICR, 0x40000 | 7); /* self, vector 7 */
    (void)get(0x3c0);
    put(APIC_ESR, 0);
    CHECK_EQ(get(APIC_ESR), APIC_ESR_SEND_ILLEGAL_VECTOR | APIC_ESR_ILLEGAL_REGISTER);
    put(APIC_ESR, 0);
    CHECK_EQ(get(APIC_ESR), 0);
}

TEST(an_illegal_error_vector_does_not_recurse)
{
    start_enabled(0);
    put(APIC_LVT_ERROR, 3);
    put(0x400, 0);
    put(APIC_ESR, 0);
    CHECK_EQ(get(APIC_ESR), APIC_ESR_ILLEGAL_REGISTER | APIC_ESR_RECEIVE_ILLEGAL_VECTOR);
}

TEST(posted_interrupts_arrive_when_the_owner_collects)
{
    start_enabled(0);
    CHECK(vlapic_post(&v, 0x31, false));
    CHECK(!vlapic_post(&v, 0xf0, true)); /* the owner knows already */
    CHECK_EQ(vlapic_pending(&v), 0);
    vlapic_collect(&v);
    CHECK_EQ(vlapic_pending(&v), 0xf0);
    CHECK(get(APIC_TMR + 0x70) == 1u << 16);
    CHECK(vlapic_post(&v, 0xf0, false));
    vlapic_collect(&v);
    CHECK_EQ(get(APIC_TMR + 0x70), 0);
    CHECK_EQ(get(APIC_IRR + 0x10), 1u << 17);
}

/* ---- IPIs ---------------------------------------------------------------------------------------------------------- */

TEST(a_self_ipi_never_leaves_the_apic)
{
    start_enabled(0);
    put(APIC_ICR, 0x40000 | 0x77);
    CHECK_EQ(sent_count, 0);
    CHECK_EQ(vlapic_pending(&v), 0x77);
    CHECK_EQ(get(APIC_ICR), 0x40077);
}

TEST(an_xapic_icr_write_sends_the_whole_message)
{
    start_enabled(0);
    put(APIC_ICR_HIGH, 0x03ffffff);
    CHECK_EQ(get(APIC_ICR_HIGH), 0x03000000);
    put(APIC_ICR, 0x4831);
    CHECK_EQ(sent_count, 1);
    CHECK(sent.dest == 3 && sent.vector == 0x31 && sent.mode == APIC_FIXED && sent.logical && sent.level && !sent.trigger);
    put(APIC_ICR_HIGH, 0xff000000);
    put(APIC_ICR, 0x4500);
    CHECK(sent.dest == APIC_DEST_ALL && sent.mode == APIC_INIT);
    put(APIC_ICR, 0x8500); /* INIT level de-assert */
    CHECK_EQ(sent_count, 2);
    put(APIC_ICR, 0xc4608);
    CHECK(sent.mode == APIC_STARTUP && sent.vector == 8 && sent.shorthand == APIC_TO_OTHERS);
}

TEST(an_x2apic_icr_is_one_64_bit_write)
{
    CHECK(start_x2apic(1));
    CHECK(!wr_faults(0x830, UINT64_C(0x12345678000000fd)));
    CHECK(sent.dest == 0x12345678 && sent.vector == 0xfd && !sent.logical);
    CHECK_EQ(rd(0x830), UINT64_C(0x12345678000000fd));
    CHECK(wr_faults(0x830, 1u << 13));
    CHECK(wr_faults(0x830, 1u << 16));
    CHECK(wr_faults(0x830, 1u << 20));
    CHECK(wr_faults(0x831, 0));
    CHECK(!wr_faults(0x83f, 0x44));
    CHECK_EQ(vlapic_pending(&v), 0x44);
    CHECK(wr_faults(0x83f, 0x144));
    CHECK_EQ(sent_count, 1);
}

TEST(x2apic_checks_reserved_bits_and_directions)
{
    CHECK(start_x2apic(1));
    CHECK(wr_faults(0x80b, 1));
    CHECK(!wr_faults(0x80b, 0));
    CHECK(wr_faults(0x808, 0x100));
    CHECK(wr_faults(0x80f, 0x10000));
    CHECK(wr_faults(0x828, 1));
    CHECK(!wr_faults(0x828, 0));
    CHECK(wr_faults(0x832, 0x80000));
    CHECK(wr_faults(0x838, UINT64_C(1) << 32));
    CHECK(wr_faults(0x83e, 4));
    const uint16_t read_only[] = { 0x802, 0x803, 0x80a, 0x80d, 0x810, 0x818, 0x820, 0x839 };
    for (unsigned i = 0; i < 8; i++)
        CHECK(wr_faults(read_only[i], 0) && !rd_faults(read_only[i]));
    const uint16_t absent[] = { 0x800, 0x801, 0x809, 0x80c, 0x80e, 0x82f, 0x831, 0x83a, 0x840, 0x8ff };
    for (unsigned i = 0; i < 10; i++)
        CHECK(wr_faults(absent[i], 0) && rd_faults(absent[i]));
    CHECK(rd_faults(0x80b) && rd_faults(0x83f));
    start(0);
    CHECK(rd_faults(0x802) && wr_faults(0x80b, 0)); /* not in x2APIC mode */
}

TEST(the_page_ignores_odd_accesses)
{
    start_enabled(0);
    vlapic_write(&v, APIC_TPR, 1, 0x50, 0);
    vlapic_write(&v, APIC_TPR + 4, 4, 0x50, 0);
    CHECK_EQ(get(APIC_TPR), 0);
    CHECK_EQ(vlapic_read(&v, APIC_VERSION + 2, 1, 0), 5);
    CHECK_EQ(vlapic_read(&v, APIC_VERSION + 4, 4, 0), 0);
    put(APIC_ID, 0x55000000);
    CHECK_EQ(get(APIC_ID), 0);
    put(APIC_VERSION, 0);
    CHECK_EQ(get(APIC_VERSION), 0x50014);
}

TEST(destinations_match_in_every_mode)
{
    start_enabled(3);
    CHECK(vlapic_matches(&v, 3, false) && vlapic_matches(&v, APIC_DEST_ALL, false) && !vlapic_matches(&v, 2, false));
    put(APIC_LDR, 0x08000000);
    CHECK(vlapic_matches(&v, 0x0c, true) && !vlapic_matches(&v, 0x04, true) && vlapic_matches(&v, 0xff, true));
    put(APIC_DFR, 0);
    CHECK_EQ(get(APIC_DFR), 0x0fffffff);
    put(APIC_LDR, 0x24000000); /* cluster 2, member 2 */
    CHECK(vlapic_matches(&v, 0x24, true) && !vlapic_matches(&v, 0x14, true) && !vlapic_matches(&v, 0x22, true));
    CHECK(vlapic_matches(&v, 0xf4, true) && vlapic_matches(&v, 0xff, true));
    CHECK(start_x2apic(0x25));
    CHECK(vlapic_matches(&v, 0x25, false) && !vlapic_matches(&v, 0x125, false));
    CHECK(vlapic_matches(&v, 0x20020, true) && !vlapic_matches(&v, 0x20010, true) && !vlapic_matches(&v, 0x10020, true));
    CHECK(vlapic_matches(&v, APIC_DEST_ALL, true));
}

/* ---- local sources ------------------------------------------------------------------------------------------------- */

TEST(lint_pins_deliver_as_programmed)
{
    start(0);
    CHECK(!vlapic_accepts_extint(&v));
    vlapic_set_virtual_wire(&v);
    CHECK(vlapic_accepts_extint(&v));
    vlapic_set_lint(&v, 1, true);
    vlapic_set_lint(&v, 1, true);
    CHECK(local_count == 1 && local_mode == APIC_NMI);
    put(APIC_LVT_LINT0, APIC_LVT_LEVEL | 0x55);
    CHECK(!vlapic_accepts_extint(&v));
    vlapic_set_lint(&v, 0, true);
    CHECK_EQ(vlapic_pending(&v), 0x55);
    CHECK(get(APIC_LVT_LINT0) & APIC_LVT_REMOTE_IRR);
    vlapic_ack(&v, 0x55);
    put(APIC_EOI, 0);
    CHECK_EQ(vlapic_pending(&v), 0x55); /* still asserted */
    vlapic_ack(&v, 0x55);
    vlapic_set_lint(&v, 0, false);
    put(APIC_EOI, 0);
    CHECK_EQ(vlapic_pending(&v), 0);
    CHECK(!(get(APIC_LVT_LINT0) & APIC_LVT_REMOTE_IRR));
}

TEST(a_one_shot_timer_counts_down_and_fires_once)
{
    start_enabled(0);
    put(APIC_LVT_TIMER, 0x30);
    put(APIC_TIMER_DIVIDE, 3); /* by 16 */
    vlapic_write(&v, APIC_TIMER_INITIAL, 4, 100, 1000);
    CHECK_EQ(vlapic_next_deadline(&v), 1000 + 1600);
    CHECK_EQ(vlapic_read(&v, APIC_TIMER_CURRENT, 4, 1000), 100);
    CHECK_EQ(vlapic_read(&v, APIC_TIMER_CURRENT, 4, 1000 + 800), 50);
    CHECK_EQ(vlapic_read(&v, APIC_TIMER_CURRENT, 4, 9999), 0);
    vlapic_expire(&v, 2599, 0);
    CHECK_EQ(vlapic_pending(&v), 0);
    vlapic_expire(&v, 2600, 0);
    CHECK_EQ(vlapic_pending(&v), 0x30);
    CHECK_EQ(vlapic_next_deadline(&v), VTIME_NEVER);
    CHECK_EQ(vlapic_read(&v, APIC_TIMER_CURRENT, 4, 2600), 0);
}

TEST(a_periodic_timer_merges_what_was_missed_and_keeps_its_phase)
{
    start_enabled(0);
    put(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
    put(APIC_LVT_TIMER, 0x30 | APIC_TIMER_PERIODIC);
    vlapic_write(&v, APIC_TIMER_INITIAL, 4, 100000, 0);
    vlapic_expire(&v, 350000, 0);
    CHECK_EQ(vlapic_next_deadline(&v), 400000);
    vlapic_ack(&v, 0x30);
    vlapic_write_eoi(&v);
    CHECK_EQ(vlapic_pending(&v), 0);
    CHECK_EQ(vlapic_read(&v, APIC_TIMER_CURRENT, 4, 360000), 40000);
    CHECK_EQ(vlapic_read(&v, APIC_TIMER_CURRENT, 4, 410000), 90000);
    put(APIC_TIMER_INITIAL, 0);
    CHECK_EQ(vlapic_next_deadline(&v), VTIME_NEVER);
}

TEST(a_tiny_period_leaves_the_guest_time_to_run)
{
    start_enabled(0);
    put(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
    put(APIC_LVT_TIMER, 0x30 | APIC_TIMER_PERIODIC);
    vlapic_write(&v, APIC_TIMER_INITIAL, 4, 7, 0);
    CHECK_EQ(vlapic_next_deadline(&v), 7);
    vlapic_expire(&v, 10, 0);
    CHECK(vlapic_next_deadline(&v) > 10 + VLAPIC_MIN_PERIOD_NS);
    CHECK(vlapic_next_deadline(&v) <= 10 + VLAPIC_MIN_PERIOD_NS + 7);
    CHECK_EQ(vlapic_next_deadline(&v) % 7, 0);
    CHECK_EQ(vlapic_read(&v, APIC_TIMER_CURRENT, 4, 13), 1);
    CHECK_EQ(vlapic_read(&v, APIC_TIMER_CURRENT, 4, 14), 7);
    CHECK_EQ(vlapic_pending(&v), 0x30);
}

TEST(a_new_divisor_keeps_the_count)
{
    start_enabled(0);
    put(APIC_TIMER_DIVIDE, 0xb);
    vlapic_write(&v, APIC_TIMER_INITIAL, 4, 1000, 0);
    vlapic_write(&v, APIC_TIMER_DIVIDE, 4, 0, 400); /* by 2, 600 left */
    CHECK_EQ(vlapic_next_deadline(&v), 1600);
}

TEST(tsc_deadline_fires_at_the_guests_tsc_and_disarms)
{
    start_enabled(0);
    vlapic_write_tsc_deadline(&v, 500);
    CHECK_EQ(vlapic_read_tsc_deadline(&v), 0); /* not in TSC-deadline mode */
    put(APIC_LVT_TIMER, 0x30 | APIC_TIMER_DEADLINE);
    vlapic_write_tsc_deadline(&v, 500);
    CHECK_EQ(vlapic_next_tsc_deadline(&v), 500);
    put(APIC_TIMER_INITIAL, 5);
    CHECK_EQ(vlapic_next_deadline(&v), VTIME_NEVER);
    vlapic_expire(&v, 0, 499);
    CHECK_EQ(vlapic_pending(&v), 0);
    vlapic_expire(&v, 0, 500);
    CHECK_EQ(vlapic_pending(&v), 0x30);
    CHECK_EQ(vlapic_read_tsc_deadline(&v), 0);
    vlapic_write_tsc_deadline(&v, 900);
    vlapic_write_tsc_deadline(&v, 0);
    CHECK_EQ(vlapic_next_tsc_deadline(&v), VLAPIC_NO_DEADLINE);
    vlapic_write_tsc_deadline(&v, 900);
    put(APIC_LVT_TIMER, 0x30);
    CHECK_EQ(vlapic_next_tsc_deadline(&v), VLAPIC_NO_DEADLINE);
}

TEST(a_masked_timer_runs_without_interrupting)
{
    start_enabled(0);
    put(APIC_LVT_TIMER, 0x30 | APIC_LVT_MASKED);
    vlapic_write(&v, APIC_TIMER_INITIAL, 4, 10, 0);
    vlapic_expire(&v, 100, 0);
    CHECK_EQ(vlapic_pending(&v), 0);
    CHECK_EQ(vlapic_next_deadline(&v), VTIME_NEVER);
}

/* ---- hardware acceleration ------------------------------------------------------------------------------------------ */

static void hardware_sets(unsigned offset, uint32_t value) { memcpy(page + offset, &value, 4); }

TEST(what_hardware_changed_is_seen_after_sync)
{
    start_enabled(0);
    hardware_sets(APIC_IRR + 0x70, 1);      /* e0 */
    hardware_sets(APIC_ISR + 0x40, 1);      /* 80 */
    vlapic_sync(&v);
    vlapic_update_ppr(&v);
    CHECK_EQ(vlapic_interrupt_status(&v), 0x80e0);
    CHECK_EQ(vlapic_pending(&v), 0xe0);
    hardware_sets(APIC_IRR + 0x70, 0);      /* a stale summary bit corrects itself */
    CHECK_EQ(vlapic_pending(&v), 0);
}

TEST(the_eoi_exit_bitmap_holds_the_level_triggered_vectors)
{
    uint64_t bitmap[4];
    start_enabled(0);
    CHECK(vlapic_eoi_exits(&v, bitmap));
    CHECK(!(bitmap[0] | bitmap[1] | bitmap[2] | bitmap[3]));
    vlapic_accept(&v, 0x31, false);
    CHECK(!vlapic_eoi_exits(&v, bitmap));
    vlapic_accept(&v, 0xa5, true);
    CHECK(vlapic_eoi_exits(&v, bitmap));
    CHECK_EQ(bitmap[2], UINT64_C(1) << 37);
    vlapic_eoi_done(&v, 0xa5);
    CHECK_EQ(eoi_count, 1);
}

TEST(an_apic_write_exit_acts_on_what_the_page_holds)
{
    start_enabled(0);
    put(APIC_LVT_TIMER, 0x30);
    hardware_sets(APIC_TIMER_INITIAL, 50);
    vlapic_written(&v, APIC_TIMER_INITIAL, 1000);
    CHECK_EQ(vlapic_next_deadline(&v), 1100);
    hardware_sets(APIC_ICR, 0xffffffff & ~0x700u);
    hardware_sets(APIC_ICR_HIGH, 0x02000000);
    vlapic_written(&v, APIC_ICR, 0);
    CHECK_EQ(sent_count, 1);
    CHECK_EQ(get(APIC_ICR) & (1u << 12), 0);
    hardware_sets(APIC_SVR, 0xff);
    vlapic_written(&v, APIC_SVR, 0);
    CHECK_EQ(get(APIC_LVT_TIMER), APIC_LVT_MASKED | 0x30);
    hardware_sets(APIC_ID, 0x7f000000);
    vlapic_written(&v, APIC_ID, 0);
    CHECK_EQ(get(APIC_ID), 0);
    vlapic_written(&v, 0xfff, 0);
}

TEST(msr_bitmap_hints_leave_the_current_count_and_eoi_reads_to_us)
{
    CHECK(vlapic_msr_read_is_plain(0x802) && !vlapic_msr_read_is_plain(0x839) && !vlapic_msr_read_is_plain(0x80b));
    CHECK(!vlapic_msr_read_is_plain(0x7ff) && !vlapic_msr_read_is_plain(0x840));
    CHECK(vlapic_msr_write_is_virtualized(0x80b) && !vlapic_msr_write_is_virtualized(0x830));
}

TEST(pv_eoi_is_offered_only_for_a_lone_edge_vector)
{
    start_enabled(0);
    CHECK(!vlapic_may_skip_eoi(&v));
    vlapic_accept(&v, 0x40, false);
    vlapic_ack(&v, 0x40);
    CHECK(vlapic_may_skip_eoi(&v));
    vlapic_accept(&v, 0x30, false);
    CHECK(!vlapic_may_skip_eoi(&v));
    vlapic_write_eoi(&v);
    vlapic_accept(&v, 0x30, true);
    vlapic_ack(&v, 0x30);
    CHECK(!vlapic_may_skip_eoi(&v));
}

/* ---- routing -------------------------------------------------------------------------------------------------------- */

TEST(messages_reach_the_right_apics)
{
    static _Alignas(4096) uint8_t pages[4][4096];
    static struct vlapic apics[4];
    struct vlapic *list[4];
    for (unsigned i = 0; i < 4; i++) {
        struct vlapic_config c = { .page = pages[i], .id = i, .x2apic = true, .physical_bits = 39, .bus_ns = 1, .ops = &ops };
        vlapic_init(&apics[i], &c);
        vlapic_write(&apics[i], APIC_SVR, 4, 0x1ff, 0);
        vlapic_write(&apics[i], APIC_LDR, 4, UINT32_C(0x01000000) << i, 0);
        list[i] = &apics[i];
    }
    struct apic_message m = { .dest = 2, .vector = 0x40 };
    CHECK_EQ(apic_route(&m, list, 4, 0), 4);
    m.dest = APIC_DEST_ALL;
    CHECK_EQ(apic_route(&m, list, 4, 0), 15);
    m.shorthand = APIC_TO_OTHERS;
    CHECK_EQ(apic_route(&m, list, 4, 1), 13);
    m.shorthand = APIC_TO_SELF;
    CHECK_EQ(apic_route(&m, list, 4, 1), 2);
    m = (struct apic_message){ .dest = 0x0e, .logical = true, .vector = 0x40, .mode = APIC_LOWEST_PRIORITY };
    uint64_t one = apic_route(&m, list, 4, APIC_ROUTE_NO_SENDER);
    CHECK(one && !(one & (one - 1)) && !(one & ~UINT64_C(14)));
    vlapic_write(&apics[1], APIC_TPR, 4, 0x20, 0);
    vlapic_write(&apics[3], APIC_TPR, 4, 0x20, 0);
    CHECK_EQ(apic_route(&m, list, 4, APIC_ROUTE_NO_SENDER), 4);
    m.dest = 0x10;
    CHECK_EQ(apic_route(&m, list, 4, APIC_ROUTE_NO_SENDER), 0);
}

/* ---- invariants over random sequences ------------------------------------------------------------------------------ */

static uint64_t seed = 1;
static uint32_t draw(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

static unsigned slow_highest(unsigned bank)
{
    for (unsigned vector = 255; vector; vector--)
        if (vlapic_register(&v, bank + vector / 32 * 16) >> vector % 32 & 1)
            return vector;
    return 0;
}

static bool invariants_hold(void)
{
    unsigned isr = slow_highest(APIC_ISR) & 0xf0, tpr = vlapic_register(&v, APIC_TPR), irr = slow_highest(APIC_IRR);
    unsigned ppr = (tpr & 0xf0) >= isr ? tpr : isr;
    return vlapic_register(&v, APIC_PPR) == ppr && vlapic_pending(&v) == ((irr & 0xf0) > (ppr & 0xf0) ? irr : 0);
}

TEST(random_sequences_keep_priority_and_pending_consistent)
{
    start_enabled(0);
    vtime_t now = 0;
    for (unsigned i = 0; i < 200000; i++) {
        now += draw(100);
        unsigned vector = vlapic_pending(&v);
        switch (draw(9)) {
        case 0: vlapic_accept(&v, (uint8_t)draw(256), draw(2)); break;
        case 1: if (vector) vlapic_ack(&v, (uint8_t)vector); break;
        case 2: vlapic_write_eoi(&v); break;
        case 3: put(APIC_TPR, draw(256)); break;
        case 4: vlapic_write(&v, draw(64) * 16, 4, draw(UINT32_MAX), now); break;
        case 5: vlapic_post(&v, (uint8_t)draw(256), draw(2)); vlapic_collect(&v); break;
        case 6: vlapic_expire(&v, now, now); break;
        case 7: (void)vlapic_read(&v, draw(0x1010), 1u << draw(4), now); break;
        case 8: put(APIC_SVR, draw(8) ? 0x1ff : 0xff); break;
        }
        CHECK(invariants_hold());
        CHECK(vlapic_next_deadline(&v) == VTIME_NEVER || vlapic_next_tsc_deadline(&v) == VLAPIC_NO_DEADLINE);
    }
}

TEST(random_msr_traffic_never_escapes_the_model)
{
    CHECK(start_x2apic(7));
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t value = draw(2) ? draw(256) : (uint64_t)draw(UINT32_MAX) << draw(33);
        uint32_t msr = 0x7f0 + draw(0x120);
        uint64_t out;
        if (vlapic_write_msr(&v, msr, value, i) == VLAPIC_OK)
            CHECK(msr >= 0x808 && msr <= 0x83f);
        if (vlapic_read_msr(&v, msr, &out, i) == VLAPIC_OK)
            CHECK(msr >= 0x802 && msr <= 0x83e);
        CHECK(invariants_hold());
        CHECK_EQ(rd(0x802), 7);
    }
}
