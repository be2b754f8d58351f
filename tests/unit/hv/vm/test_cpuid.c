#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/vm/cpuid.h"
#include "tests/unit/test.h"

#include <string.h>

/* ---- scripted hosts -------------------------------------------------------------------------------------------------- */

struct host_row { uint32_t leaf, subleaf; struct cpuid_regs regs; };
struct host { const struct host_row *rows; unsigned count; struct cpuid_regs other; };

static struct cpuid_regs host_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf)
{
    const struct host *h = ctx;
    for (unsigned i = 0; i < h->count; i++)
        if (h->rows[i].leaf == leaf && h->rows[i].subleaf == subleaf)
            return h->rows[i].regs;
    return h->other;
}

#define INTEL 0x756e6547, 0x6c65746e, 0x49656e69
#define AMD   0x68747541, 0x444d4163, 0x69746e65

/* Everything set that could be: nothing may leak through. */
static const struct host_row greedy_rows[] = {
    { 0, 0, { 0x20, INTEL } },
    { 7, 0, { 2, 0xffffffff, 0xffffffff, 0xffffffff } },
    { 4, 0, { 0xfc004121, 1, 2, 3 } }, { 4, 1, { 0xfc004143, 1, 2, 3 } }, { 4, 2, { 0xfc1fc163, 4, 5, 6 } }, { 4, 3, { 0 } },
    { 0xd, 0, { 0xffffffff, 1, 2, 0 } },
    { 0xd, 2, { 256, 576, 0, 0 } }, { 0xd, 5, { 64, 1088, 0, 0 } }, { 0xd, 6, { 512, 1152, 0, 0 } },
    { 0xd, 7, { 1024, 1664, 0, 0 } }, { 0xd, 9, { 64, 2688, 2, 9 } }, /* 64: as Bochs */
    { 0x80000000, 0, { 0x8000001f, 0, 0, 0 } },
    { 0x80000008, 0, { 46 | 57 << 8, 0xffffffff, 0xffffffff, 0xffffffff } },
};
static struct host greedy = { greedy_rows, sizeof greedy_rows / sizeof greedy_rows[0],
                              { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff } };

/* A Haswell: highest leaf Dh, no AVX-512, no XSAVES; nothing else answers. */
static const struct host_row haswell_rows[] = {
    { 0, 0, { 0xd, INTEL } },
    { 1, 0, { 0x306c3, 0x00100800, 0x7ffafbff, 0xbfebfbff } },
    { 7, 0, { 0, 0x27ab, 0, 0 } },
    { 0xd, 0, { 7, 832, 832, 0 } }, { 0xd, 1, { 1, 0, 0, 0 } }, { 0xd, 2, { 256, 576, 0, 0 } },
    { 0x80000000, 0, { 0x80000008, 0, 0, 0 } },
    { 0x80000001, 0, { 0, 0, 0x21, 0x2c100800 } },
    { 0x80000002, 0, { 0x11111111, 2, 3, 4 } },
    { 0x80000008, 0, { 39 | 48 << 8, 0, 0, 0 } },
};
static struct host haswell = { haswell_rows, sizeof haswell_rows / sizeof haswell_rows[0], { 0 } };

static const struct host_row amd_rows[] = {
    { 0, 0, { 0xd, AMD } },
    { 1, 0, { 0x800f12, 0x00100800, 0x7ed8320b, 0x178bfbff } },
    { 0x80000000, 0, { 0x8000001f, 0, 0, 0 } },
    { 0x80000001, 0, { 0, 0, 0x35c233ff, 0x2fd3fbff } },
    { 0x80000008, 0, { 48 | 48 << 8, 0, 0, 0 } },
};
static struct host amd = { amd_rows, sizeof amd_rows / sizeof amd_rows[0], { 0 } };

/* ---- the guest -------------------------------------------------------------------------------------------------------- */

#define ALL_OFFERS 0x3ffu
#define ALL_XCR0   (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

static struct cpuid_table t;
static struct cpuid_state state;

static struct cpuid_spec spec(void)
{
    state = (struct cpuid_state){ .cr4 = 0, .xcr0 = XCR0_X87, .apic_enabled = true };
    return (struct cpuid_spec){ .vcpus = 3, .apic_id = 2, .tsc_khz = 2893213, .apic_timer_hz = 1000000000,
                                .offers = ALL_OFFERS, .kvm_features = CPUID_KVM_CLOCKSOURCE2, .xcr0 = ALL_XCR0,
                                .physical_bits = 40 };
}

static void build(struct host *h)
{
    struct cpuid_spec s = spec();
    cpuid_build(&t, &s, host_cpuid, h);
}

static struct cpuid_regs ask(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    cpuid_lookup(&t, leaf, subleaf, cpuid_needs_state(leaf) ? &state : NULL, &r);
    return r;
}

static bool is_zero(struct cpuid_regs r) { return !(r.eax | r.ebx | r.ecx | r.edx); }

TEST(no_forbidden_feature_leaks_from_a_host_that_has_everything)
{
    build(&greedy);
    struct cpuid_regs one = ask(1, 0), seven = ask(7, 0), x1 = ask(0x80000001, 0);
    CHECK_EQ(one.ecx & (CPUID_1_ECX_VMX | CPUID_1_ECX_SMX | CPUID_1_ECX_MONITOR | CPUID_1_ECX_EIST | CPUID_1_ECX_TM2 |
                        CPUID_1_ECX_PDCM | CPUID_1_ECX_DTES64 | CPUID_1_ECX_SDBG | CPUID_1_ECX_OSXSAVE), 0);
    CHECK_EQ(one.edx & (CPUID_1_EDX_DS | CPUID_1_EDX_ACPI | CPUID_1_EDX_TM | CPUID_1_EDX_PBE | CPUID_1_EDX_PSN), 0);
    CHECK_EQ(seven.ebx & (CPUID_7_EBX_SGX | CPUID_7_EBX_HLE | CPUID_7_EBX_RTM | CPUID_7_EBX_MPX | CPUID_7_EBX_PT |
                          CPUID_7_EBX_RDT_A | CPUID_7_EBX_RDT_M), 0);
    CHECK_EQ(seven.ecx & (CPUID_7_ECX_WAITPKG | CPUID_7_ECX_CET_SS | CPUID_7_ECX_LA57 | CPUID_7_ECX_PKS | CPUID_7_ECX_KL |
                          CPUID_7_ECX_ENQCMD | CPUID_7_ECX_OSPKE | CPUID_7_ECX_TME), 0);
    CHECK_EQ(seven.edx & (CPUID_7_EDX_UINTR | CPUID_7_EDX_PCONFIG | CPUID_7_EDX_LBR | CPUID_7_EDX_CET_IBT |
                          CPUID_7_EDX_AMX_TILE | CPUID_7_EDX_HYBRID | CPUID_7_EDX_CORE_CAPABILITIES), 0);
    CHECK_EQ(x1.ecx & (CPUID_80000001_ECX_SVM | CPUID_80000001_ECX_SKINIT | CPUID_80000001_ECX_IBS), 0);
    const uint8_t empty[] = { 3, 5, 8, 9, 0xa, 0xc, 0xe, 0xf, 0x10, 0x12, 0x14, 0x16, 0x18, 0x19, 0x1d };
    for (unsigned i = 0; i < sizeof empty; i++)
        CHECK(is_zero(ask(empty[i], 0)));
    struct cpuid_regs power = ask(6, 0);
    CHECK(power.eax == CPUID_6_EAX_ARAT && !power.ebx && !power.ecx && !power.edx);
}

TEST(virtualized_features_are_there_whatever_the_host_has)
{
    build(&haswell);
    struct cpuid_regs one = ask(1, 0);
    CHECK((one.ecx & (CPUID_1_ECX_HYPERVISOR | CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE)) ==
          (CPUID_1_ECX_HYPERVISOR | CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE));
    CHECK(ask(7, 0).ebx & CPUID_7_EBX_TSC_ADJUST);
    CHECK(ask(0x80000007, 0).edx & CPUID_80000007_EDX_INVARIANT_TSC);
    CHECK(cpuid_offers_x2apic(&t));
}

TEST(what_is_not_offered_is_hidden)
{
    struct cpuid_spec s = spec();
    s.offers = 0;
    s.xcr0 = 0;
    cpuid_build(&t, &s, host_cpuid, &greedy);
    state.cr4 = CR4_OSXSAVE | CR4_PKE;
    struct cpuid_regs one = ask(1, 0), seven = ask(7, 0);
    CHECK_EQ(one.ecx & (CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE | CPUID_1_ECX_XSAVE | CPUID_1_ECX_OSXSAVE |
                        CPUID_1_ECX_AVX | CPUID_1_ECX_FMA | CPUID_1_ECX_F16C), 0);
    CHECK_EQ(seven.ebx & (CPUID_7_EBX_TSC_ADJUST | CPUID_7_EBX_INVPCID | CPUID_7_EBX_AVX2 | CPUID_7_EBX_AVX512F), 0);
    CHECK_EQ(seven.ecx & (CPUID_7_ECX_PKU | CPUID_7_ECX_OSPKE | CPUID_7_ECX_RDPID | CPUID_7_ECX_UMIP | CPUID_7_ECX_VAES), 0);
    CHECK_EQ(seven.edx & (CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_SSBD | CPUID_7_EDX_ARCH_CAPABILITIES), 0);
    CHECK_EQ(ask(0x80000001, 0).edx & CPUID_80000001_EDX_RDTSCP, 0);
    CHECK(is_zero(ask(0xd, 0)) && is_zero(ask(0xd, 1)) && is_zero(ask(0xd, 2)));
    CHECK_EQ(cpuid_xcr0_allowed(&t), 0);
    CHECK_EQ(cpuid_cr4_allowed(&t) & (CR4_OSXSAVE | CR4_PKE | CR4_UMIP | CR4_LA57 | CR4_VMXE), 0);
}

TEST(of_ia32_spec_ctrl_a_guest_may_set_what_its_cpuid_has)
{
    static struct host_row rows[] = { { 0, 0, { 7, INTEL } }, { 7, 0, { 0, 0, 0, 0 } } };
    static struct host host = { rows, 2, { 0 } };
    static const struct { uint32_t edx; uint64_t allowed; } cases[] = {
        { 0, 0 },
        { CPUID_7_EDX_SSBD | CPUID_7_EDX_STIBP, 0 }, /* no such MSR */
        { CPUID_7_EDX_SPEC_CTRL, SPEC_CTRL_IBRS },
        { CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP, SPEC_CTRL_IBRS | SPEC_CTRL_STIBP },
        { CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_SSBD, SPEC_CTRL_IBRS | SPEC_CTRL_SSBD },
        { UINT32_MAX, SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rows[1].regs.edx = cases[i].edx;
        build(&host);
        CHECK_EQ(cpuid_spec_ctrl_allowed(&t), cases[i].allowed);
    }
}

TEST(topology_agrees_in_every_leaf)
{
    build(&greedy);
    CHECK_EQ(ask(1, 0).ebx >> 24, 2);
    CHECK_EQ(ask(1, 0).ebx >> 16 & 0xff, 4);
    CHECK(ask(1, 0).edx & CPUID_1_EDX_HTT);
    CHECK_EQ(ask(4, 0).eax, 0x121 | 3u << 26);
    CHECK_EQ(ask(4, 2).eax, 0x163 | 3u << 14 | 3u << 26);
    CHECK(is_zero(ask(4, 3)) && is_zero(ask(4, 77)));
    for (uint32_t leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
        struct cpuid_regs smt = ask(leaf, 0), core = ask(leaf, 1), end = ask(leaf, 2);
        CHECK(smt.eax == 0 && smt.ebx == 1 && smt.ecx == 0x100 && smt.edx == 2);
        CHECK(core.eax == 2 && core.ebx == 3 && core.ecx == 0x201 && core.edx == 2);
        CHECK(end.eax == 0 && end.ebx == 0 && end.ecx == 2 && end.edx == 2);
    }
    struct cpuid_spec s = spec();
    s.vcpus = 1;
    s.apic_id = 0;
    cpuid_build(&t, &s, host_cpuid, &greedy);
    CHECK(!(ask(1, 0).edx & CPUID_1_EDX_HTT) && ask(1, 0).ebx >> 16 == 1 && ask(0xb, 1).eax == 0);
}

TEST(state_dependent_bits_follow_the_state)
{
    build(&greedy);
    CHECK(ask(1, 0).edx & CPUID_1_EDX_APIC);
    state.apic_enabled = false;
    state.cr4 = CR4_OSXSAVE | CR4_PKE;
    CHECK(!(ask(1, 0).edx & CPUID_1_EDX_APIC));
    CHECK(ask(1, 0).ecx & CPUID_1_ECX_OSXSAVE);
    CHECK(ask(7, 0).ecx & CPUID_7_ECX_OSPKE);
}

TEST(xsave_sizes_are_computed_from_the_components)
{
    build(&greedy);
    CHECK_EQ(ask(0xd, 0).eax, ALL_XCR0);
    CHECK_EQ(ask(0xd, 0).ebx, 576);
    CHECK_EQ(ask(0xd, 0).ecx, 2696);
    state.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    CHECK_EQ(ask(0xd, 0).ebx, 832);
    CHECK_EQ(ask(0xd, 1).ebx, 832);
    CHECK_EQ(ask(0xd, 1).eax, 0xf);
    CHECK_EQ(ask(0xd, 1).ecx, 0);
    state.xcr0 = ALL_XCR0;
    CHECK_EQ(ask(0xd, 0).ebx, 2696);
    CHECK_EQ(ask(0xd, 1).ebx, 576 + 256 + 64 + 512 + 1024 + 8);
    struct cpuid_regs pkru = ask(0xd, 9);
    CHECK(pkru.eax == 8 && pkru.ebx == 2688 && pkru.ecx == 2 && pkru.edx == 0);
    CHECK(is_zero(ask(0xd, 3)) && is_zero(ask(0xd, 8)) && is_zero(ask(0xd, 63)) && is_zero(ask(0xd, 11)));
    build(&haswell);
    CHECK_EQ(cpuid_xcr0_allowed(&t), 7);
    CHECK_EQ(ask(0xd, 0).ecx, 832);
    CHECK_EQ(ask(0xd, 1).eax, CPUID_D_1_EAX_XSAVEOPT);
}

TEST(avx512_needs_avx_and_all_three_parts)
{
    struct cpuid_spec s = spec();
    s.xcr0 = ALL_XCR0 & ~XCR0_OPMASK;
    cpuid_build(&t, &s, host_cpuid, &greedy);
    CHECK_EQ(cpuid_xcr0_allowed(&t), XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_PKRU);
    CHECK(!(ask(7, 0).ebx & CPUID_7_EBX_AVX512F) && (ask(7, 0).ebx & CPUID_7_EBX_AVX2));
    s.xcr0 = ALL_XCR0 & ~XCR0_AVX;
    cpuid_build(&t, &s, host_cpuid, &greedy);
    CHECK_EQ(cpuid_xcr0_allowed(&t), XCR0_X87 | XCR0_SSE | XCR0_PKRU);
}

TEST(leaf_15_gives_the_measured_frequency_and_fits_linux_arithmetic)
{
    const uint32_t tsc[] = { 50000, 49987, 1000000, 2893213, 3500001, 4200000, 5000000 };
    const uint32_t crystal[] = { 1000000000, 25000000, 100000000 };
    for (unsigned i = 0; i < 7; i++)
        for (unsigned j = 0; j < 3; j++) {
            struct cpuid_spec s = spec();
            s.tsc_khz = tsc[i];
            s.apic_timer_hz = crystal[j];
            cpuid_build(&t, &s, host_cpuid, &haswell);
            struct cpuid_regs r = ask(0x15, 0);
            CHECK(r.eax && r.ebx && r.ecx == crystal[j]);
            CHECK((uint64_t)(r.ecx / 1000) * r.ebx <= UINT32_MAX);
            double khz = (double)r.ecx / 1000 * r.ebx / r.eax, ppm = (khz - tsc[i]) / tsc[i] * 1e6;
            CHECK(ppm < 1 && ppm > -1);
        }
    CHECK(is_zero(ask(0x16, 0)));
}

TEST(hypervisor_leaves_name_kvm_and_trapeze)
{
    build(&haswell);
    struct cpuid_regs r = ask(0x40000000, 0);
    CHECK(r.eax == 0x40000010 && !memcmp(&r.ebx, "KVMK", 4) && !memcmp(&r.ecx, "VMKV", 4) && !memcmp(&r.edx, "M\0\0\0", 4));
    CHECK_EQ(ask(0x40000001, 0).eax, CPUID_KVM_CLOCKSOURCE2);
    CHECK(ask(0x40000010, 0).eax == 2893213 && ask(0x40000010, 0).ebx == 1000000);
    r = ask(0x40000100, 0);
    CHECK(r.eax == 0x40000101 && !memcmp(&r.ebx, "Trap", 4) && !memcmp(&r.ecx, "ezeT", 4) && !memcmp(&r.edx, "rap", 4));
    CHECK_EQ(ask(0x40000101, 0).ebx, 3);
    cpuid_set_starts(&t, 7);
    CHECK_EQ(ask(0x40000101, 0).ecx, 7);
    CHECK(is_zero(ask(0x40000002, 0)) && is_zero(ask(0x40000102, 0)) && is_zero(ask(0x4fffffff, 0)));
    struct cpuid_spec s = spec();
    s.kvm_features = 0;
    cpuid_build(&t, &s, host_cpuid, &haswell);
    CHECK(is_zero(ask(0x40000000, 0)) && is_zero(ask(0x40000001, 0)) && ask(0x40000100, 0).eax);
}

TEST(a_leaf_beyond_the_last_answers_as_the_vendor_does)
{
    build(&greedy);
    CHECK_EQ(ask(0, 0).eax, 0x1f);
    struct cpuid_regs far = ask(0x12345, 1), highest = ask(0x1f, 1);
    CHECK(!memcmp(&far, &highest, sizeof far));
    far = ask(0x80000009, 1);
    CHECK(!memcmp(&far, &highest, sizeof far));
    build(&haswell);
    CHECK_EQ(ask(0, 0).eax, 0x16);
    build(&amd);
    CHECK(is_zero(ask(0x12345, 0)) && is_zero(ask(0x80000009, 0)) && is_zero(ask(0xffffffff, 0)));
}

TEST(extended_leaves_carry_the_hosts_name_and_bounded_addresses)
{
    build(&haswell);
    CHECK_EQ(ask(0x80000000, 0).eax, 0x80000008);
    CHECK_EQ(ask(0x80000002, 0).eax, 0x11111111);
    CHECK_EQ(ask(0x80000008, 0).eax, 39 | 48 << 8);
    CHECK_EQ(cpuid_physical_bits(&t), 39);
    build(&greedy);
    CHECK_EQ(ask(0x80000008, 0).eax, 40 | 48 << 8);
    CHECK_EQ(cpuid_efer_allowed(&t), EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
}

TEST(an_amd_guest_sees_the_copied_bits_and_no_svm)
{
    build(&amd);
    struct cpuid_regs x = ask(0x80000001, 0), one = ask(1, 0);
    CHECK_EQ(x.edx & 0x0183f3ff, one.edx & 0x0183f3ff);
    CHECK(!(x.ecx & CPUID_80000001_ECX_SVM) && !(x.ecx & CPUID_80000001_ECX_TOPOEXT));
    CHECK_EQ(ask(0x80000000, 0).ebx, 0x68747541);
    CHECK_EQ(ask(0x80000008, 0).ecx, 2 << 12 | 2);
}

TEST(cr4_follows_the_features)
{
    build(&haswell);
    uint64_t cr4 = cpuid_cr4_allowed(&t);
    CHECK((cr4 & (CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXSAVE | CR4_SMEP | CR4_FSGSBASE | CR4_PCIDE)) ==
          (CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXSAVE | CR4_SMEP | CR4_FSGSBASE | CR4_PCIDE));
    CHECK_EQ(cr4 & (CR4_SMAP | CR4_VMXE | CR4_SMXE | CR4_LA57 | CR4_CET | CR4_PKS | CR4_PKE), 0);
}
