/* VT-x: every port and every MSR of both ranges, bit by bit, against what a guest may touch by itself. The code under test
 * is included, over a VMCS that is an array. */
#define ARCH_VMX_INSN_H /* in place of the instructions */
#include <stdlib.h>
#include <string.h>
#include "arch/x86_64/cpu/idt.h"
#include "arch/x86_64/isa/vmcs.h"
#include "arch/x86_64/isa/vmx_controls.h"
#include "arch/x86_64/vmx/vmx.h"
#include "hv/dev/vlapic.h"
#include "tests/unit/test.h"

static uint64_t vmcs[0x8000];
static uint64_t vmread(uint32_t field) { return vmcs[field & 0x7fff]; }
static void vmwrite(uint32_t field, uint64_t value) { vmcs[field & 0x7fff] = value; }

#include "arch/x86_64/vmx/apicv.c"
#include "arch/x86_64/vmx/controls.c"

struct vt_env vmx_env;
struct vmx_caps vmx_caps;
static bool has_tsc_aux;
bool guest_state_has_msr(enum guest_msr which) { return which == GUEST_TSC_AUX && has_tsc_aux; }
uint64_t idt_base(void) { abort(); }
void vmx_exit_entry(void) { abort(); }
void vmx_exit_one_call(void) { abort(); }
void vmx_exit_refill(void) { abort(); }
void vmx_exit_swap(void) { abort(); }
uint32_t vmx_run_swapping(struct vt_vcpu *vcpu, uint64_t ticks) { (void)vcpu, (void)ticks; abort(); }
uint64_t mitigation_spec_ctrl;
static struct speculation_policy policy;
const struct speculation_policy *mitigation_policy(void) { return &policy; }

static hpa_t image_hpa(const void *global) { return HPA((uint64_t)(uintptr_t)global); }

static _Alignas(4096) uint8_t bits[PAGE_SIZE];
static struct vmx_vcpu v;

/* SDM vol 3, "MSR-Bitmap Address", said again: 1 KiB each for reads low, reads high, writes low, writes high. */
static bool exits(uint32_t msr, bool write)
{
    unsigned part = (write ? 2u : 0u) + (msr >= 0xc0000000 ? 1u : 0u);
    return bits[part * 1024 + (msr & 0x1fff) / 8] >> (msr & 7) & 1;
}

/* What the VMCS or guest_state.c switches, so that neither the next guest nor the hypervisor sees it. */
static bool may_pass(uint32_t msr, bool write, bool tsc_aux, bool spec_ctrl)
{
    switch (msr) {
    case IA32_SYSENTER_CS: case IA32_SYSENTER_ESP: case IA32_SYSENTER_EIP: case IA32_FS_BASE: case IA32_GS_BASE:
    case IA32_KERNEL_GS_BASE: case IA32_STAR: case IA32_LSTAR: case IA32_CSTAR: case IA32_FMASK:
        return true;
    case IA32_EFER: case IA32_PAT: return !write;
    case IA32_TSC_AUX: return tsc_aux;
    case IA32_SPEC_CTRL: return spec_ctrl;
    default: return false;
    }
}

/* With x2APIC accesses virtualized: what the hardware serves from the page as vlapic.c would, and nothing that it would not. */
static bool apic_may_pass(uint32_t msr, bool write)
{
    return write ? vlapic_msr_write_is_virtualized(msr) : vlapic_msr_read_is_plain(msr);
}

static void walk(bool tsc_aux, bool spec_ctrl, bool x2apic)
{
    static const uint32_t bases[] = { 0, 0xc0000000 };
    unsigned passed = 0;
    memset(bits, 0x5a, sizeof bits);
    v = (struct vmx_vcpu){ .msr_bits = bits, .msr_bitmap = HPA(0x1000), .config = { .spec_ctrl = spec_ctrl } };
    has_tsc_aux = tsc_aux;
    setup_msr_bitmap(&v);
    if (x2apic)
        vmx_apic_mode(&v.vt, true, true);
    for (unsigned half = 0; half < 2; half++)
        for (uint32_t msr = bases[half]; msr < bases[half] + 0x2000; msr++)
            for (unsigned write = 0; write < 2; write++) {
                bool apic = msr >= 0x800 && msr <= 0x8ff;
                bool want = apic ? !(x2apic && apic_may_pass(msr, write)) : !may_pass(msr, write, tsc_aux, spec_ctrl);
                passed += !want;
                if (exits(msr, write) != want)
                    printf("  MSR %x, %s\n", msr, write ? "written" : "read");
                CHECK_EQ(exits(msr, write), want);
            }
    CHECK(passed >= 22);
    CHECK_EQ(vmcs[VMCS_MSR_BITMAP_ADDRESS & 0x7fff], 0x1000);
}

TEST(every_msr_exits_but_those_that_are_switched)
{
    for (unsigned i = 0; i < 4; i++)
        walk(i & 1, i & 2, false);
}

TEST(with_x2apic_virtualization_just_the_registers_that_the_hardware_serves_as_the_model_would_pass)
{
    walk(true, true, true);
}

TEST(where_the_hypervisor_has_its_own_spec_ctrl_a_guest_passes_only_from_its_first_use_on)
{
    struct vt_ops ops = { .run = NULL };
    vmx_env = (struct vt_env){ .ops = &ops };
    mitigation_spec_ctrl = 1;
    walk(true, false, false); /* as if guests were not to have it */
    v.config.spec_ctrl = true;
    setup_msr_bitmap(&v);
    CHECK(exits(IA32_SPEC_CTRL, false) && exits(IA32_SPEC_CTRL, true));
    policy.returns = RETURNS_ONE_CALL;
    CHECK_EQ(exit_door(&v), (uintptr_t)vmx_exit_one_call);
    vmx_pass_spec_ctrl(&v);
    CHECK(!exits(IA32_SPEC_CTRL, false) && !exits(IA32_SPEC_CTRL, true));
    CHECK_EQ(vmcs[VMCS_HOST_RIP & 0x7fff], (uintptr_t)vmx_exit_swap);
    CHECK(ops.run == vmx_run_swapping);
    mitigation_spec_ctrl = 0;
}

TEST(the_place_where_exits_arrive_clears_the_return_stack_as_this_cpu_needs)
{
    v = (struct vmx_vcpu){ .spec_ctrl_passed = false };
    policy.returns = RETURNS_AS_THEY_ARE;
    CHECK_EQ(exit_door(&v), (uintptr_t)vmx_exit_entry);
    policy.returns = RETURNS_REFILL;
    CHECK_EQ(exit_door(&v), (uintptr_t)vmx_exit_refill);
}

TEST(leaving_x2apic_mode_takes_its_msrs_back)
{
    static uint8_t before[sizeof bits];
    walk(true, true, false);
    memcpy(before, bits, sizeof bits);
    vmx_apic_mode(&v.vt, true, true);
    CHECK(memcmp(before, bits, sizeof bits) != 0);
    vmx_apic_mode(&v.vt, true, false);
    CHECK(!memcmp(before, bits, sizeof bits));
    vmx_apic_mode(&v.vt, false, false);
    CHECK(!memcmp(before, bits, sizeof bits));
}

/* Two pages: ports 0-7FFFh and 8000h-FFFFh. */
TEST(every_port_exits)
{
    vmx_env = (struct vt_env){ .image_hpa = image_hpa };
    setup_io_bitmaps();
    const uint8_t *a = (const uint8_t *)(uintptr_t)vmcs[VMCS_IO_BITMAP_A_ADDRESS & 0x7fff];
    const uint8_t *b = (const uint8_t *)(uintptr_t)vmcs[VMCS_IO_BITMAP_B_ADDRESS & 0x7fff];
    for (unsigned port = 0; port < 65536; port++) {
        const uint8_t *map = port < 0x8000 ? a : b;
        CHECK_EQ(map[(port & 0x7fff) / 8] >> (port & 7) & 1, 1);
    }
}
