#include "hv/vm/cpuid.h"

#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/str.h"

enum { SPECIAL_NONE, SPECIAL_FEATURES, SPECIAL_CACHE, SPECIAL_EXT_FEATURES, SPECIAL_TOPOLOGY, SPECIAL_XSTATE,
       SPECIAL_AMD_FEATURES };

enum { MAX_BASIC = 0x16, MAX_BASIC_TOPOLOGY_V2 = 0x1f };

/* Legacy and header part of an XSAVE area: SDM vol 1, "XSAVE Area". */
#define XSAVE_BASE_SIZE 576u
/* Sizes of the components are architectural ("XSAVE-Managed State Components"); only where they lie in the standard format
 * is the CPU's choice. Bochs 2.7 claims 64 bytes for PKRU, writes 8, and Linux then gives up XSAVE altogether. */
static const uint16_t component_size[CPUID_COMPONENTS] = { [2] = 256, [5] = 64, [6] = 512, [7] = 1024, [9] = 8 };
#define XCR0_SWITCHABLE (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

/* ---- the allow-lists ------------------------------------------------------------------------------------------------ */

#define ALLOW_1_ECX                                                                                                     \
    (CPUID_1_ECX_SSE3 | CPUID_1_ECX_PCLMULQDQ | CPUID_1_ECX_SSSE3 | CPUID_1_ECX_CMPXCHG16B | CPUID_1_ECX_PCID |          \
     CPUID_1_ECX_SSE4_1 | CPUID_1_ECX_SSE4_2 | CPUID_1_ECX_MOVBE | CPUID_1_ECX_POPCNT | CPUID_1_ECX_AES |                \
     CPUID_1_ECX_RDRAND)
#define AVX_1_ECX (CPUID_1_ECX_FMA | CPUID_1_ECX_AVX | CPUID_1_ECX_F16C)

#define ALLOW_1_EDX                                                                                                     \
    (CPUID_1_EDX_FPU | CPUID_1_EDX_VME | CPUID_1_EDX_DE | CPUID_1_EDX_PSE | CPUID_1_EDX_TSC | CPUID_1_EDX_MSR |          \
     CPUID_1_EDX_PAE | CPUID_1_EDX_MCE | CPUID_1_EDX_CX8 | CPUID_1_EDX_SEP | CPUID_1_EDX_MTRR | CPUID_1_EDX_PGE |        \
     CPUID_1_EDX_MCA | CPUID_1_EDX_CMOV | CPUID_1_EDX_PAT | CPUID_1_EDX_PSE36 | CPUID_1_EDX_CLFSH | CPUID_1_EDX_MMX |    \
     CPUID_1_EDX_FXSR | CPUID_1_EDX_SSE | CPUID_1_EDX_SSE2 | CPUID_1_EDX_SS)

#define ALLOW_7_EBX                                                                                                     \
    (CPUID_7_EBX_FSGSBASE | CPUID_7_EBX_BMI1 | CPUID_7_EBX_FDP_EXCPTN | CPUID_7_EBX_SMEP | CPUID_7_EBX_BMI2 |            \
     CPUID_7_EBX_ERMS | CPUID_7_EBX_FCS_FDS | CPUID_7_EBX_RDSEED | CPUID_7_EBX_ADX | CPUID_7_EBX_SMAP |                  \
     CPUID_7_EBX_CLFLUSHOPT | CPUID_7_EBX_CLWB | CPUID_7_EBX_SHA)
#define AVX512_7_EBX                                                                                                    \
    (CPUID_7_EBX_AVX512F | CPUID_7_EBX_AVX512DQ | CPUID_7_EBX_AVX512_IFMA | CPUID_7_EBX_AVX512CD | CPUID_7_EBX_AVX512BW | \
     CPUID_7_EBX_AVX512VL)
#define ALLOW_7_ECX (CPUID_7_ECX_GFNI | CPUID_7_ECX_MOVDIRI | CPUID_7_ECX_MOVDIR64B)
#define AVX_7_ECX   (CPUID_7_ECX_VAES | CPUID_7_ECX_VPCLMULQDQ)
#define AVX512_7_ECX                                                                                                    \
    (CPUID_7_ECX_AVX512_VBMI | CPUID_7_ECX_AVX512_VBMI2 | CPUID_7_ECX_AVX512_VNNI | CPUID_7_ECX_AVX512_BITALG |          \
     CPUID_7_ECX_AVX512_VPOPCNTDQ)
#define ALLOW_7_EDX     (CPUID_7_EDX_FSRM | CPUID_7_EDX_MD_CLEAR | CPUID_7_EDX_SERIALIZE)
#define AVX512_7_EDX    (CPUID_7_EDX_AVX512_VP2INTERSECT | CPUID_7_EDX_AVX512_FP16)
#define SPEC_CTRL_7_EDX (CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP | CPUID_7_EDX_SSBD)

#define ALLOW_80000001_ECX                                                                                              \
    (CPUID_80000001_ECX_LAHF | CPUID_80000001_ECX_ABM | CPUID_80000001_ECX_SSE4A | CPUID_80000001_ECX_MISALIGNSSE |      \
     CPUID_80000001_ECX_PREFETCHW | CPUID_80000001_ECX_TBM)
#define AVX_80000001_ECX (CPUID_80000001_ECX_XOP | CPUID_80000001_ECX_FMA4)
#define ALLOW_80000001_EDX                                                                                              \
    (CPUID_80000001_EDX_SYSCALL | CPUID_80000001_EDX_NX | CPUID_80000001_EDX_MMXEXT | CPUID_80000001_EDX_PAGE1GB |       \
     CPUID_80000001_EDX_LM)
#define AMD_COPIED_EDX UINT32_C(0x0183f3ff) /* AMD repeats these bits of leaf 1 in leaf 80000001h */
#define SPEC_CTRL_80000008_EBX                                                                                          \
    (CPUID_80000008_EBX_IBPB | CPUID_80000008_EBX_IBRS | CPUID_80000008_EBX_STIBP | CPUID_80000008_EBX_SSBD)

enum { OUT_1_ECX, OUT_1_EDX, OUT_7_EBX, OUT_7_ECX, OUT_7_EDX, OUT_7_1_EAX, OUT_X1_ECX, OUT_X1_EDX, OUT_X8_EBX, OUT_WORDS };

/* Bits that depend on something: on an offer (the host must have them, too), on a state component, on both or none. */
struct rule {
    uint8_t word;
    uint32_t offer;
    uint64_t xcr0;
    uint32_t bits;
};

static const struct rule rules[] = {
    { OUT_1_ECX, 0, 0, ALLOW_1_ECX },
    { OUT_1_ECX, 0, XCR0_SSE, CPUID_1_ECX_XSAVE },
    { OUT_1_ECX, 0, XCR0_AVX, AVX_1_ECX },
    { OUT_1_EDX, 0, 0, ALLOW_1_EDX },
    { OUT_7_EBX, 0, 0, ALLOW_7_EBX },
    { OUT_7_EBX, 0, XCR0_AVX, CPUID_7_EBX_AVX2 },
    { OUT_7_EBX, 0, XCR0_AVX512, AVX512_7_EBX },
    { OUT_7_EBX, CPUID_OFFER_INVPCID, 0, CPUID_7_EBX_INVPCID },
    { OUT_7_ECX, 0, 0, ALLOW_7_ECX },
    { OUT_7_ECX, 0, XCR0_AVX, AVX_7_ECX },
    { OUT_7_ECX, 0, XCR0_AVX512, AVX512_7_ECX },
    { OUT_7_ECX, 0, XCR0_PKRU, CPUID_7_ECX_PKU },
    { OUT_7_ECX, CPUID_OFFER_RDTSCP, 0, CPUID_7_ECX_RDPID },
    { OUT_7_ECX, CPUID_OFFER_UMIP, 0, CPUID_7_ECX_UMIP },
    { OUT_7_EDX, 0, 0, ALLOW_7_EDX },
    { OUT_7_EDX, 0, XCR0_AVX512, AVX512_7_EDX },
    { OUT_7_EDX, CPUID_OFFER_SPEC_CTRL, 0, SPEC_CTRL_7_EDX },
    { OUT_7_EDX, CPUID_OFFER_ARCH_CAPABILITIES, 0, CPUID_7_EDX_ARCH_CAPABILITIES },
    { OUT_7_1_EAX, 0, XCR0_AVX, CPUID_7_1_EAX_AVX_VNNI },
    { OUT_7_1_EAX, 0, XCR0_AVX512, CPUID_7_1_EAX_AVX512_BF16 },
    { OUT_X1_ECX, 0, 0, ALLOW_80000001_ECX },
    { OUT_X1_ECX, 0, XCR0_AVX, AVX_80000001_ECX },
    { OUT_X1_EDX, 0, 0, ALLOW_80000001_EDX },
    { OUT_X1_EDX, CPUID_OFFER_RDTSCP, 0, CPUID_80000001_EDX_RDTSCP },
    { OUT_X8_EBX, CPUID_OFFER_SPEC_CTRL, 0, SPEC_CTRL_80000008_EBX },
};

static uint32_t allowed_bits(unsigned word, const struct cpuid_spec *spec, uint64_t xcr0)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
        const struct rule *r = &rules[i];
        if (r->word == word && (spec->offers & r->offer) == r->offer && (xcr0 & r->xcr0) == r->xcr0)
            bits |= r->bits;
    }
    return bits;
}

/* ---- building ------------------------------------------------------------------------------------------------------- */

struct builder {
    struct cpuid_table *t;
    const struct cpuid_spec *spec;
    cpuid_host_t host;
    void *ctx;
    uint32_t host_max_basic, host_max_extended;
    bool amd;
};

static struct cpuid_regs host_leaf(const struct builder *b, uint32_t leaf, uint32_t subleaf)
{
    uint32_t max = leaf >= CPUID_EXT_MAX ? b->host_max_extended : b->host_max_basic;
    return leaf <= max ? b->host(b->ctx, leaf, subleaf) : (struct cpuid_regs){ 0 };
}

static struct cpuid_regs *extended_slot(struct cpuid_table *t, uint32_t leaf)
{
    return &t->leaf[CPUID_SLOT_EXTENDED + (leaf - CPUID_EXT_MAX)];
}

/* Bits needed to number n things. */
static uint32_t id_width(uint32_t n)
{
    return n > 1 ? 32u - (uint32_t)__builtin_clz(n - 1) : 0;
}

static void copy_text(struct cpuid_regs *r, const char *ebx_ecx_edx)
{
    memcpy(&r->ebx, ebx_ecx_edx, 4);
    memcpy(&r->ecx, ebx_ecx_edx + 4, 4);
    memcpy(&r->edx, ebx_ecx_edx + 8, 4);
}

/* SDM vol 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features": what XSETBV accepts comes in groups. */
static uint64_t usable_xcr0(uint64_t xcr0)
{
    xcr0 &= XCR0_SWITCHABLE;
    if ((xcr0 & (XCR0_X87 | XCR0_SSE)) != (XCR0_X87 | XCR0_SSE))
        return 0;
    if (!(xcr0 & XCR0_AVX) || (xcr0 & XCR0_AVX512) != XCR0_AVX512)
        xcr0 &= ~XCR0_AVX512;
    return xcr0;
}

/* A component whose size or place the CPU does not tell cannot be saved by the guest; Bochs 2.7 does so for PKRU. */
static uint64_t described_components(const struct builder *b, uint64_t xcr0)
{
    for (unsigned n = 2; n < CPUID_COMPONENTS; n++) {
        struct cpuid_regs r = host_leaf(b, CPUID_XSTATE, n);
        if ((xcr0 >> n & 1) && (!r.eax || !r.ebx))
            xcr0 &= ~(UINT64_C(1) << n);
    }
    return xcr0;
}

static void build_xcr0(struct builder *b)
{
    struct cpuid_regs xstate = host_leaf(b, CPUID_XSTATE, 0);
    bool host_has = host_leaf(b, CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE;
    b->t->xcr0 = host_has ? usable_xcr0(described_components(b, b->spec->xcr0 & (xstate.eax | (uint64_t)xstate.edx << 32))) : 0;
}

static void build_features(struct builder *b)
{
    const struct cpuid_spec *spec = b->spec;
    struct cpuid_regs *r = &b->t->leaf[CPUID_FEATURES];
    *r = host_leaf(b, CPUID_FEATURES, 0);
    r->ebx = (r->ebx & 0xff00) | (UINT32_C(1) << id_width(spec->vcpus) & 0xff) << CPUID_1_EBX_COUNT_SHIFT |
             spec->apic_id << CPUID_1_EBX_APIC_ID_SHIFT;
    r->ecx &= allowed_bits(OUT_1_ECX, spec, b->t->xcr0);
    r->ecx |= CPUID_1_ECX_HYPERVISOR;
    r->ecx |= spec->offers & CPUID_OFFER_X2APIC ? CPUID_1_ECX_X2APIC : 0;
    r->ecx |= spec->offers & CPUID_OFFER_TSC_DEADLINE ? CPUID_1_ECX_TSC_DEADLINE : 0;
    r->edx &= allowed_bits(OUT_1_EDX, spec, b->t->xcr0);
    r->edx |= spec->vcpus > 1 ? CPUID_1_EDX_HTT : 0;
    b->t->special[CPUID_FEATURES] = SPECIAL_FEATURES;
}

/* Each vCPU is a core with caches of its own; the last-level cache belongs to all. */
static void build_caches(struct builder *b)
{
    uint32_t cores = (UINT32_C(1) << id_width(b->spec->vcpus)) - 1;
    b->t->leaf[CPUID_CACHE_DESC] = host_leaf(b, CPUID_CACHE_DESC, 0);
    for (unsigned n = 0; n < CPUID_CACHES && !b->amd; n++) {
        struct cpuid_regs r = host_leaf(b, CPUID_CACHE, n);
        if (!(r.eax & 0x1f))
            break;
        uint32_t level = (r.eax >> 5) & 7, sharing = level >= 3 ? cores : 0;
        r.eax = (r.eax & 0x3fff) | (sharing & 0xfff) << 14 | (cores & 0x3f) << 26;
        b->t->cache[n] = r;
    }
    b->t->special[CPUID_CACHE] = SPECIAL_CACHE;
}

static void build_ext_features(struct builder *b)
{
    const struct cpuid_spec *spec = b->spec;
    struct cpuid_regs host = host_leaf(b, CPUID_EXT_FEATURES, 0), *r = &b->t->leaf[CPUID_EXT_FEATURES];
    r->ebx = host.ebx & allowed_bits(OUT_7_EBX, spec, b->t->xcr0);
    r->ebx |= spec->offers & CPUID_OFFER_TSC_ADJUST ? CPUID_7_EBX_TSC_ADJUST : 0;
    r->ecx = host.ecx & allowed_bits(OUT_7_ECX, spec, b->t->xcr0);
    r->edx = host.edx & allowed_bits(OUT_7_EDX, spec, b->t->xcr0);
    if (host.eax >= 1) {
        r->eax = 1;
        b->t->ext_features_1.eax = host_leaf(b, CPUID_EXT_FEATURES, 1).eax & allowed_bits(OUT_7_1_EAX, spec, b->t->xcr0);
    }
    b->t->special[CPUID_EXT_FEATURES] = SPECIAL_EXT_FEATURES;
}

/* Offsets are the host's, since XSAVE runs on it; the totals are computed at look-up. */
static void build_xstate(struct builder *b)
{
    struct cpuid_table *t = b->t;
    t->special[CPUID_XSTATE] = SPECIAL_XSTATE;
    if (!t->xcr0)
        return;
    for (unsigned n = 2; n < CPUID_COMPONENTS; n++)
        if (t->xcr0 >> n & 1) {
            t->component[n] = host_leaf(b, CPUID_XSTATE, n);
            t->component[n].eax = component_size[n];
            t->component[n].ecx &= CPUID_D_N_ECX_ALIGN64;
            t->component[n].edx = 0;
        }
    uint32_t allowed = CPUID_D_1_EAX_XSAVEOPT | CPUID_D_1_EAX_XSAVEC | CPUID_D_1_EAX_XGETBV_1;
    allowed |= b->spec->offers & CPUID_OFFER_XSAVES ? CPUID_D_1_EAX_XSAVES : 0;
    t->xstate_1.eax = host_leaf(b, CPUID_XSTATE, 1).eax & allowed;
}

/* TSC = crystal * EBX / EAX. The crystal also clocks the local APIC's timer, as Linux assumes. Linux multiplies kHz by
 * EBX in 32 bits, which bounds EBX; within that the fraction nearest to the measured frequency is searched. */
static void build_tsc(struct builder *b)
{
    uint64_t crystal_khz = b->spec->apic_timer_hz / 1000, tsc_khz = b->spec->tsc_khz, best = UINT64_MAX;
    if (!crystal_khz || !tsc_khz)
        return;
    uint64_t most = MIN(UINT32_MAX / crystal_khz * crystal_khz / tsc_khz, UINT64_C(4096));
    struct cpuid_regs *r = &b->t->leaf[CPUID_TSC];
    for (uint64_t denominator = 1; denominator <= most && best; denominator++) {
        uint64_t numerator = (tsc_khz * denominator + crystal_khz / 2) / crystal_khz;
        uint64_t wanted = tsc_khz * denominator, got = crystal_khz * numerator;
        uint64_t error = ((wanted > got ? wanted - got : got - wanted) << 16) / denominator; /* as a share of TSC */
        if (!numerator || error >= best)
            continue;
        best = error;
        *r = (struct cpuid_regs){ (uint32_t)denominator, (uint32_t)numerator, b->spec->apic_timer_hz, 0 };
    }
}

static void build_basic(struct builder *b)
{
    struct cpuid_table *t = b->t;
    t->leaf[CPUID_VENDOR] = host_leaf(b, CPUID_VENDOR, 0);
    t->max_basic = b->host_max_basic >= MAX_BASIC_TOPOLOGY_V2 ? MAX_BASIC_TOPOLOGY_V2 : MAX_BASIC;
    t->leaf[CPUID_VENDOR].eax = t->max_basic;
    build_features(b);
    build_caches(b);
    t->leaf[CPUID_POWER].eax = CPUID_6_EAX_ARAT; /* the virtual timer runs in every sleep */
    build_ext_features(b);
    t->special[CPUID_TOPOLOGY] = t->special[CPUID_TOPOLOGY_V2] = SPECIAL_TOPOLOGY;
    build_xstate(b);
    build_tsc(b);
}

static void build_extended(struct builder *b)
{
    struct cpuid_table *t = b->t;
    const struct cpuid_spec *spec = b->spec;
    extended_slot(t, CPUID_EXT_MAX)->eax = CPUID_ADDRESS_SIZES;
    if (b->amd) /* AMD repeats the vendor here; Intel reserves it */
        copy_text(extended_slot(t, CPUID_EXT_MAX), "AuthcAMDenti");
    struct cpuid_regs host = host_leaf(b, CPUID_EXT_FEATURES_2, 0), *r = extended_slot(t, CPUID_EXT_FEATURES_2);
    uint32_t copied = b->amd ? AMD_COPIED_EDX & ALLOW_1_EDX : 0;
    r->ecx = host.ecx & allowed_bits(OUT_X1_ECX, spec, t->xcr0);
    r->edx = host.edx & (allowed_bits(OUT_X1_EDX, spec, t->xcr0) | copied);
    if (b->amd)
        t->special[CPUID_SLOT_EXTENDED + 1] = SPECIAL_AMD_FEATURES;
    for (uint32_t leaf = CPUID_BRAND_0; leaf <= CPUID_L2; leaf++)
        *extended_slot(t, leaf) = host_leaf(b, leaf, 0);
    extended_slot(t, CPUID_POWER_EXT)->edx = spec->offers & CPUID_OFFER_INVARIANT_TSC ? CPUID_80000007_EDX_INVARIANT_TSC : 0;

    struct cpuid_regs sizes = host_leaf(b, CPUID_ADDRESS_SIZES, 0), *out = extended_slot(t, CPUID_ADDRESS_SIZES);
    uint32_t physical = sizes.eax & 0xff ? sizes.eax & 0xff : 36;
    physical = spec->physical_bits ? MIN(physical, spec->physical_bits) : physical;
    out->eax = physical | 48u << 8; /* 5-level paging is not offered */
    out->ebx = sizes.ebx & allowed_bits(OUT_X8_EBX, spec, t->xcr0);
    out->ecx = b->amd ? id_width(spec->vcpus) << 12 | (spec->vcpus - 1) : 0;
}

static void build_paravirtual(struct builder *b)
{
    struct cpuid_table *t = b->t;
    struct cpuid_regs *kvm = &t->leaf[CPUID_SLOT_KVM], *own = &t->leaf[CPUID_SLOT_TRAPEZE];
    t->kvm = b->spec->kvm_features != 0;
    if (t->kvm) {
        kvm[0].eax = CPUID_HYPERVISOR_BASE + CPUID_KVM_LEAVES - 1;
        copy_text(&kvm[0], "KVMKVMKVM\0\0");
        kvm[1].eax = b->spec->kvm_features;
        kvm[0x10].eax = b->spec->tsc_khz;
        kvm[0x10].ebx = b->spec->apic_timer_hz / 1000;
    }
    own[0].eax = CPUID_TRAPEZE_BASE + CPUID_TRAPEZE_LEAVES - 1;
    copy_text(&own[0], "TrapezeTrap");
    own[1] = (struct cpuid_regs){ .eax = CPUID_TRAPEZE_VERSION, .ebx = b->spec->vcpus };
}

void cpuid_set_starts(struct cpuid_table *t, uint32_t starts)
{
    t->leaf[CPUID_SLOT_TRAPEZE + 1].ecx = starts;
}

void cpuid_build(struct cpuid_table *t, const struct cpuid_spec *spec, cpuid_host_t host, void *ctx)
{
    memset(t, 0, sizeof *t);
    struct cpuid_regs vendor = host(ctx, CPUID_VENDOR, 0);
    struct builder b = { t, spec, host, ctx, vendor.eax, host(ctx, CPUID_EXT_MAX, 0).eax, false };
    b.amd = vendor.ecx == UINT32_C(0x444d4163); /* "cAMD" */
    t->out_of_range_is_highest = !b.amd;
    t->vcpus = spec->vcpus;
    t->apic_id = spec->apic_id;
    build_xcr0(&b);
    build_basic(&b);
    build_extended(&b);
    build_paravirtual(&b);
}

/* ---- looking up ----------------------------------------------------------------------------------------------------- */

static inline unsigned slot_of(const struct cpuid_table *t, uint32_t *leaf)
{
    if (LIKELY(*leaf <= t->max_basic))
        return *leaf;
    if (*leaf - CPUID_HYPERVISOR_BASE < CPUID_KVM_LEAVES && t->kvm)
        return CPUID_SLOT_KVM + (*leaf - CPUID_HYPERVISOR_BASE);
    if (*leaf - CPUID_TRAPEZE_BASE < CPUID_TRAPEZE_LEAVES)
        return CPUID_SLOT_TRAPEZE + (*leaf - CPUID_TRAPEZE_BASE);
    if (*leaf - CPUID_EXT_MAX < CPUID_EXTENDED_LEAVES)
        return CPUID_SLOT_EXTENDED + (*leaf - CPUID_EXT_MAX);
    if (*leaf >> 28 == CPUID_HYPERVISOR_BASE >> 28 || !t->out_of_range_is_highest)
        return CPUID_SLOT_ZERO;
    *leaf = t->max_basic; /* SDM, CPUID: a leaf beyond the last one gives the data of the highest basic leaf */
    return t->max_basic;
}

static void topology(const struct cpuid_table *t, uint32_t subleaf, struct cpuid_regs *out)
{
    *out = (struct cpuid_regs){ .ecx = subleaf & 0xff, .edx = t->apic_id };
    if (subleaf == 0) {
        out->ebx = 1;
        out->ecx |= CPUID_TOPOLOGY_SMT << 8;
    } else if (subleaf == 1) {
        out->eax = id_width(t->vcpus);
        out->ebx = t->vcpus;
        out->ecx |= CPUID_TOPOLOGY_CORE << 8;
    }
}

static uint32_t xsave_size(const struct cpuid_table *t, uint64_t components)
{
    uint32_t size = XSAVE_BASE_SIZE;
    for (unsigned n = 2; n < CPUID_COMPONENTS; n++)
        if (components >> n & 1)
            size = MAX(size, t->component[n].ebx + t->component[n].eax);
    return size;
}

static uint32_t xsave_compacted_size(const struct cpuid_table *t, uint64_t components)
{
    uint32_t size = XSAVE_BASE_SIZE;
    for (unsigned n = 2; n < CPUID_COMPONENTS; n++)
        if (components >> n & 1) {
            if (t->component[n].ecx & CPUID_D_N_ECX_ALIGN64)
                size = (size + 63) & ~UINT32_C(63);
            size += t->component[n].eax;
        }
    return size;
}

static void xstate(const struct cpuid_table *t, uint32_t subleaf, const struct cpuid_state *state, struct cpuid_regs *out)
{
    *out = (struct cpuid_regs){ 0 };
    if (!t->xcr0)
        return;
    if (subleaf == 0) {
        *out = (struct cpuid_regs){ (uint32_t)t->xcr0, xsave_size(t, state->xcr0), xsave_size(t, t->xcr0),
                                    (uint32_t)(t->xcr0 >> 32) };
    } else if (subleaf == 1) {
        *out = t->xstate_1;
        if (out->eax & (CPUID_D_1_EAX_XSAVEC | CPUID_D_1_EAX_XSAVES))
            out->ebx = xsave_compacted_size(t, state->xcr0);
    } else if (subleaf < CPUID_COMPONENTS) {
        *out = t->component[subleaf];
    }
}

static void answer_special(const struct cpuid_table *t, unsigned kind, uint32_t subleaf, const struct cpuid_state *state,
                           struct cpuid_regs *out)
{
    switch (kind) {
    case SPECIAL_FEATURES:
        out->ecx |= state->cr4 & CR4_OSXSAVE && t->xcr0 ? CPUID_1_ECX_OSXSAVE : 0;
        out->edx |= state->apic_enabled ? CPUID_1_EDX_APIC : 0;
        break;
    case SPECIAL_AMD_FEATURES:
        out->edx |= state->apic_enabled ? CPUID_1_EDX_APIC : 0;
        break;
    case SPECIAL_CACHE:
        *out = subleaf < CPUID_CACHES ? t->cache[subleaf] : (struct cpuid_regs){ 0 };
        break;
    case SPECIAL_EXT_FEATURES:
        if (subleaf)
            *out = subleaf == 1 ? t->ext_features_1 : (struct cpuid_regs){ 0 };
        else
            out->ecx |= state->cr4 & CR4_PKE && out->ecx & CPUID_7_ECX_PKU ? CPUID_7_ECX_OSPKE : 0;
        break;
    case SPECIAL_TOPOLOGY:
        topology(t, subleaf, out);
        break;
    case SPECIAL_XSTATE:
        xstate(t, subleaf, state, out);
        break;
    }
}

void cpuid_lookup(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf, const struct cpuid_state *state,
                  struct cpuid_regs *out)
{
    unsigned slot = slot_of(t, &leaf);
    *out = t->leaf[slot];
    if (UNLIKELY(t->special[slot]))
        answer_special(t, t->special[slot], subleaf, state, out);
}

/* ---- what follows from the table ------------------------------------------------------------------------------------- */

bool cpuid_offers_x2apic(const struct cpuid_table *t)
{
    return t->leaf[CPUID_FEATURES].ecx & CPUID_1_ECX_X2APIC;
}

uint8_t cpuid_physical_bits(const struct cpuid_table *t)
{
    return (uint8_t)t->leaf[CPUID_SLOT_EXTENDED + 8].eax;
}

uint64_t cpuid_xcr0_allowed(const struct cpuid_table *t)
{
    return t->xcr0;
}

uint64_t cpuid_efer_allowed(const struct cpuid_table *t)
{
    uint32_t edx = t->leaf[CPUID_SLOT_EXTENDED + 1].edx;
    return (edx & CPUID_80000001_EDX_SYSCALL ? EFER_SCE : 0) | (edx & CPUID_80000001_EDX_LM ? EFER_LME | EFER_LMA : 0) |
           (edx & CPUID_80000001_EDX_NX ? EFER_NXE : 0);
}

/* SDM vol 3, "Control Registers": the CPUID bit that makes a CR4 bit writable. */
enum { WORD_1_ECX, WORD_1_EDX, WORD_7_EBX, WORD_7_ECX };
static const struct { uint8_t word; uint32_t feature; uint64_t cr4; } cr4_rows[] = {
    { WORD_1_EDX, CPUID_1_EDX_VME, CR4_VME | CR4_PVI },
    { WORD_1_EDX, CPUID_1_EDX_TSC, CR4_TSD },
    { WORD_1_EDX, CPUID_1_EDX_DE, CR4_DE },
    { WORD_1_EDX, CPUID_1_EDX_PSE, CR4_PSE },
    { WORD_1_EDX, CPUID_1_EDX_PAE, CR4_PAE },
    { WORD_1_EDX, CPUID_1_EDX_MCE, CR4_MCE },
    { WORD_1_EDX, CPUID_1_EDX_PGE, CR4_PGE },
    { WORD_1_EDX, CPUID_1_EDX_FXSR, CR4_OSFXSR },
    { WORD_1_EDX, CPUID_1_EDX_SSE, CR4_OSXMMEXCPT },
    { WORD_1_ECX, CPUID_1_ECX_PCID, CR4_PCIDE },
    { WORD_1_ECX, CPUID_1_ECX_XSAVE, CR4_OSXSAVE },
    { WORD_7_EBX, CPUID_7_EBX_FSGSBASE, CR4_FSGSBASE },
    { WORD_7_EBX, CPUID_7_EBX_SMEP, CR4_SMEP },
    { WORD_7_EBX, CPUID_7_EBX_SMAP, CR4_SMAP },
    { WORD_7_ECX, CPUID_7_ECX_UMIP, CR4_UMIP },
    { WORD_7_ECX, CPUID_7_ECX_PKU, CR4_PKE },
};

uint64_t cpuid_cr4_allowed(const struct cpuid_table *t)
{
    const struct cpuid_regs *one = &t->leaf[CPUID_FEATURES], *seven = &t->leaf[CPUID_EXT_FEATURES];
    const uint32_t words[] = { one->ecx, one->edx, seven->ebx, seven->ecx };
    uint64_t allowed = CR4_PCE; /* since the Pentium MMX, without a CPUID bit */
    for (unsigned i = 0; i < ARRAY_SIZE(cr4_rows); i++)
        if (words[cr4_rows[i].word] & cr4_rows[i].feature)
            allowed |= cr4_rows[i].cr4;
    return allowed;
}

bool cpuid_offers_huge_pages(const struct cpuid_table *t)
{
    return t->leaf[CPUID_SLOT_EXTENDED + 1].edx & CPUID_80000001_EDX_PAGE1GB;
}

uint64_t cpuid_spec_ctrl_allowed(const struct cpuid_table *t)
{
    uint32_t edx = t->leaf[7].edx;
    if (!(edx & CPUID_7_EDX_SPEC_CTRL))
        return 0;
    return SPEC_CTRL_IBRS | (edx & CPUID_7_EDX_STIBP ? SPEC_CTRL_STIBP : 0) | (edx & CPUID_7_EDX_SSBD ? SPEC_CTRL_SSBD : 0);
}

bool cpuid_is_amd(const struct cpuid_table *t)
{
    return t->leaf[CPUID_SLOT_EXTENDED].ebx != 0; /* Intel does not repeat its name there */
}
