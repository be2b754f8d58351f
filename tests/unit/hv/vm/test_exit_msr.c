/* RDMSR and WRMSR (included here): both ranges of MSRs, those of hypervisors, and a sample of all others. For each: the
 * instruction is finished or raises #GP, never both; without a row it is #GP; the machine's own MSRs are not touched. */
#include <string.h>
#include "arch/x86_64/cpu/insn.h"
#include "hv/vm/exits.h"
#include "tests/unit/test.h"

static void host_wrmsr(uint32_t msr, uint64_t value);
#define wrmsr(msr, value) host_wrmsr(msr, value)
#include "hv/vm/exit_msr.c"

struct vt_ops vt;
struct tsc_scale tsc_scale = { .hz = 2000000000, .ns_per_tick = UINT64_C(1) << 31, .ticks_per_ns = UINT64_C(2) << 32 };

static unsigned skipped, faulted, host_writes;
static uint64_t fields[VT_FIELD_COUNT];
static _Alignas(4096) uint8_t page[4096];
static struct vcpu v;
static struct vt_vcpu vt_vcpu;
static struct partition p;

static void host_wrmsr(uint32_t msr, uint64_t value)
{
    host_writes++;
    CHECK(msr == IA32_PRED_CMD && value == PRED_CMD_IBPB);
}

static uint64_t on_get(struct vt_vcpu *unused, enum vt_field field) { (void)unused; return fields[field]; }
static void on_set(struct vt_vcpu *unused, enum vt_field field, uint64_t value) { (void)unused; fields[field] = value; }
static void on_skip(struct vt_vcpu *unused) { (void)unused; skipped++; }
static void on_tsc_offset(struct vt_vcpu *unused, uint64_t offset) { (void)unused, (void)offset; }

void vcpu_exception(struct vcpu *unused, uint8_t vector, bool has_error, uint32_t error)
{
    (void)unused;
    CHECK(vector == 13 && has_error && !error);
    faulted++;
}
void vcpu_apic_changed(struct vcpu *unused) { (void)unused; }
void vcpu_apic_timer_changed(struct vcpu *unused) { (void)unused; }
void pv_clock_update(struct vcpu *unused) { (void)unused; }
void pv_eoi_settle(struct vcpu *unused) { (void)unused; }
bool pv_read(struct vcpu *unused, uint32_t msr, uint64_t *value) { (void)unused, (void)msr; *value = 0; return true; }
bool pv_write(struct vcpu *unused, uint32_t msr, uint64_t value) { (void)unused, (void)msr; return value == 0; }

bool guest_state_has_msr(enum guest_msr which) { return which == GUEST_TSC_AUX; }
static const struct vt_features *on_features(void)
{
    static const struct vt_features features = { .rdtscp = true };
    return &features;
}

static void on_ipi(void *ctx, const struct apic_message *m) { (void)ctx, (void)m; }
static void on_eoi(void *ctx, uint8_t vector) { (void)ctx, (void)vector; }
static void on_local(void *ctx, enum apic_mode mode) { (void)ctx, (void)mode; }
static const struct vlapic_ops lapic_ops = { on_ipi, on_eoi, on_local };

static struct cpuid_regs host_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    if (leaf == 0 && *(bool *)ctx)
        return (struct cpuid_regs){ 0xd, 0x68747541, 0x444d4163, 0x69746e65 };
    if (leaf == 0)
        return (struct cpuid_regs){ 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 };
    return leaf == 0x80000000 ? (struct cpuid_regs){ 0x80000008, 0, 0, 0 } : (struct cpuid_regs){ 0 };
}

static void start(bool amd)
{
    const struct cpuid_spec spec = { .vcpus = 1, .tsc_khz = 2000000, .apic_timer_hz = 1000000000, .physical_bits = 39 };
    memset(&v, 0, sizeof v);
    memset(&p, 0, sizeof p);
    memset(fields, 0, sizeof fields);
    v.vt = &vt_vcpu;
    v.part = &p;
    vt.get = on_get, vt.set = on_set, vt.skip = on_skip, vt.set_tsc_offset = on_tsc_offset, vt.features = on_features;
    cpuid_build(&v.cpuid, &spec, host_cpuid, &amd);
    vlapic_init(&v.lapic, &(struct vlapic_config){ .page = page, .x2apic = true, .physical_bits = 39, .bus_ns = 1, .ops = &lapic_ops });
    exit_msr_init();
    p.logged_msr_count = ARRAY_SIZE(p.logged_msrs); /* nothing more is logged */
    host_writes = 0;
}

/* One access; true: it was finished, false: it raised #GP. */
static bool access_msr(uint32_t msr, bool write, uint64_t value)
{
    static const struct vt_exit exit;
    skipped = faulted = 0;
    vt_vcpu.gpr[VT_RCX] = msr | UINT64_C(0xdead) << 32; /* the upper half does not count */
    vt_vcpu.gpr[VT_RAX] = value & UINT32_MAX;
    vt_vcpu.gpr[VT_RDX] = value >> 32;
    enum vcpu_next next = write ? exit_wrmsr(&v, &exit) : exit_rdmsr(&v, &exit);
    if (next != VCPU_RESUME || skipped + faulted != 1)
        printf("  MSR %x, %s %llx: skipped %u, faulted %u\n", msr, write ? "written with" : "read", (unsigned long long)value,
               skipped, faulted);
    if (next != VCPU_RESUME || skipped + faulted != 1)
        test_failed(__FILE__, __LINE__, "an access is finished or faults");
    return skipped;
}

/* The row by a look at each, and how many have it. */
static const struct msr_row *plain_find(uint32_t msr, unsigned *count)
{
    const struct msr_row *found = NULL;
    *count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (msr >= rows[i].first && msr <= rows[i].last) {
            found = &rows[i];
            ++*count;
        }
    return found;
}

static void check_msr(uint32_t msr)
{
    static const uint64_t values[] = { 0, 1, UINT32_MAX, UINT64_MAX, UINT64_C(0x0606060606060606), UINT64_C(0xfee00900) };
    unsigned count;
    const struct msr_row *row = plain_find(msr, &count);
    CHECK(count <= 1 && find(msr) == row);
    bool read = access_msr(msr, false, 0);
    CHECK(!read || (row && row->read));
    CHECK(!read || (vt_vcpu.gpr[VT_RAX] <= UINT32_MAX && vt_vcpu.gpr[VT_RDX] <= UINT32_MAX));
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        CHECK(!access_msr(msr, true, values[i]) || (row && row->write));
}

TEST(the_table_is_sorted_and_its_rows_do_not_overlap)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CHECK(rows[i].first <= rows[i].last && (rows[i].read || rows[i].write));
        CHECK(!i || rows[i - 1].last < rows[i].first);
    }
    CHECK(ARRAY_SIZE(rows) < UINT8_MAX); /* row_of[] holds a row's number + 1 */
}

TEST(every_msr_is_finished_or_faults_and_without_a_row_it_faults)
{
    for (unsigned amd = 0; amd < 2; amd++) {
        start(amd);
        for (uint32_t msr = 0; msr < 0x2000; msr++) {
            check_msr(msr);
            check_msr(0xc0000000 + msr);
            check_msr(0xc0010000 + msr);
        }
        for (uint32_t msr = 0; msr < 0x200; msr++) {
            check_msr(0x40000000 + msr);
            check_msr(0x4b564d00 + msr);
        }
        for (unsigned bit = 13; bit < 32; bit++)
            for (uint32_t low = 0; low < 64; low++)
                check_msr((UINT32_C(1) << bit) + low * 37);
        CHECK_EQ(host_writes, 0); /* PRED_CMD is not offered here */
    }
}

/* What would give the machine away, or away with it: VMX capabilities, SMM, machine-check banks, microcode's patch level
 * on Intel aside, performance counters, debug interfaces. */
TEST(the_machines_own_msrs_raise_gp)
{
    static const struct { uint32_t first, last; } ranges[] = {
        { 0x3c, 0x47 }, { 0x9b, 0x9e }, { 0xc1, 0xc8 }, { 0x186, 0x18d }, { 0x280, 0x29f }, { 0x300, 0x3ff },
        { 0x400, 0x47f }, { 0x480, 0x493 }, { 0x560, 0x5ff }, { 0xc80, 0xcff }, { 0xd90, 0xdff }, { 0x1000, 0x1fff },
        { 0xc0000084 + 1, 0xc00000ff }, { 0xc0010117, 0xc0010117 }, { 0xc0010130, 0xc0010131 }, { 0xc0011000, 0xc001101f },
        { 0xc0011021, 0xc0011028 },
    };
    for (unsigned amd = 0; amd < 2; amd++) {
        start(amd);
        for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
            for (uint32_t msr = ranges[i].first; msr <= ranges[i].last; msr++) {
                if (access_msr(msr, false, 0) || access_msr(msr, true, 0))
                    printf("  MSR %x is answered\n", msr);
                CHECK(!access_msr(msr, false, 0) && !access_msr(msr, true, 0));
            }
    }
}

/* The MSR bitmap leaves reading to the CPU: writing has to be handled here. */
TEST(what_passes_for_reading_only_can_be_written_through_the_table)
{
    unsigned count;
    start(false);
    CHECK(plain_find(IA32_EFER, &count) && plain_find(IA32_EFER, &count)->write);
    CHECK(plain_find(IA32_PAT, &count) && plain_find(IA32_PAT, &count)->write);
}
