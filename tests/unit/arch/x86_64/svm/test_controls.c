/* AMD-V: every port and every MSR of the three ranges, bit by bit, against what a guest may touch by itself. The code under
 * test is included. */
#include <string.h>
#include "arch/x86_64/svm/svm.h"
#include "tests/unit/test.h"

#include "arch/x86_64/svm/controls.c"

struct vt_env svm_env;
struct svm_caps svm_caps;
static bool has_tsc_aux;
bool guest_state_has_msr(enum guest_msr which) { return which == GUEST_TSC_AUX && has_tsc_aux; }

static hpa_t image_hpa(const void *global) { return HPA((uint64_t)(uintptr_t)global); }

static _Alignas(4096) uint8_t bits[MSRPM_SIZE];
static _Alignas(4096) struct vmcb vmcb;
static struct svm_vcpu v;

/* APM vol 2, "MSR Intercepts", said again: two bits per MSR (read, write), 2 KiB per range. */
static bool exits(unsigned range, uint32_t n, bool write)
{
    uint32_t bit = n * 2 + write;
    return bits[range * 2048 + bit / 8] >> (bit & 7) & 1;
}

static bool is_address(uint32_t msr)
{
    return msr == IA32_SYSENTER_ESP || msr == IA32_SYSENTER_EIP || msr == IA32_FS_BASE || msr == IA32_GS_BASE ||
           msr == IA32_KERNEL_GS_BASE || msr == IA32_LSTAR || msr == IA32_CSTAR;
}

/* What the VMCB or guest_state.c switches. An emulator that takes any address leaves the check of those to us. */
static bool may_pass(uint32_t msr, bool write, bool spec_ctrl)
{
    if (is_address(msr))
        return !(write && svm_caps.lenient);
    switch (msr) {
    case IA32_SYSENTER_CS: case IA32_STAR: case IA32_FMASK: return true;
    case IA32_TSC_AUX: return has_tsc_aux;
    case IA32_SPEC_CTRL: return spec_ctrl;
    default: return false;
    }
}

TEST(every_msr_exits_but_those_that_are_switched)
{
    static const uint32_t bases[] = { 0, 0xc0000000, 0xc0010000 };
    for (unsigned i = 0; i < 8; i++) {
        unsigned passed = 0;
        svm_caps.lenient = i & 4;
        has_tsc_aux = i & 1;
        memset(bits, 0x5a, sizeof bits);
        v = (struct svm_vcpu){ .vmcb = &vmcb, .msr_bits = bits, .msrpm = HPA(0x2000), .config = { .spec_ctrl = i & 2 } };
        svm_env = (struct vt_env){ .image_hpa = image_hpa };
        svm_controls_setup(&v);
        for (unsigned range = 0; range < 3; range++)
            for (uint32_t n = 0; n < 0x2000; n++)
                for (unsigned write = 0; write < 2; write++) {
                    bool want = !may_pass(bases[range] + n, write, i & 2);
                    passed += !want;
                    if (exits(range, n, write) != want)
                        printf("  MSR %x, %s\n", bases[range] + n, write ? "written" : "read");
                    CHECK_EQ(exits(range, n, write), want);
                }
        CHECK(passed >= 13);
        CHECK_EQ(vmcb.msrpm_base_pa, 0x2000);
        CHECK(vmcb.intercept_1 & INTERCEPT_MSR_PROT);
    }
}

/* 65,536 ports, and the three beyond them that a wide access at FFFFh would touch. */
TEST(every_port_exits)
{
    svm_env = (struct vt_env){ .image_hpa = image_hpa };
    v = (struct svm_vcpu){ .vmcb = &vmcb, .msr_bits = bits };
    svm_controls_setup(&v);
    const uint8_t *map = (const uint8_t *)(uintptr_t)vmcb.iopm_base_pa;
    CHECK(vmcb.intercept_1 & INTERCEPT_IOIO_PROT);
    for (unsigned port = 0; port < 65536 + 3; port++)
        CHECK_EQ(map[port / 8] >> (port & 7) & 1, 1);
}
