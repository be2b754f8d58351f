/* The CPUID that a guest sees: an allow-list over the host's, a topology of its own vCPUs, KVM's paravirtual leaves and
 * Trapeze's. Pure: the host's CPUID comes by callback. Intel SDM vol 2, "CPUID-CPU Identification"; KVM's leaves:
 * Linux, Documentation/virt/kvm/x86/cpuid.rst.
 *
 * A feature is shown only if its row in cpuid.c names it: it needs no support from us, or it is virtualized or its state
 * switched (then an offer says so). What is unknown is hidden. */
#ifndef HV_VM_CPUID_H
#define HV_VM_CPUID_H

#include "arch/x86_64/isa/cpuid.h"
#include "hv/lib/types.h"

typedef struct cpuid_regs (*cpuid_host_t)(void *ctx, uint32_t leaf, uint32_t subleaf);

/* What the hypervisor stands behind besides the plain instructions. Each is shown only if the host has it, too, unless
 * marked "ours": those are virtualized without the host's help. */
enum cpuid_offer {
    CPUID_OFFER_X2APIC        = 1u << 0, /* ours */
    CPUID_OFFER_TSC_DEADLINE  = 1u << 1, /* ours */
    CPUID_OFFER_TSC_ADJUST    = 1u << 2, /* ours: MSR 3Bh */
    CPUID_OFFER_INVARIANT_TSC = 1u << 3, /* ours: the host's TSC was found constant */
    CPUID_OFFER_RDTSCP        = 1u << 4, /* RDTSCP and RDPID: the control is set, TSC_AUX switched */
    CPUID_OFFER_INVPCID       = 1u << 5, /* the control is set */
    CPUID_OFFER_XSAVES        = 1u << 6, /* the control is set; no supervisor state is offered: XSS stays 0 */
    CPUID_OFFER_SPEC_CTRL     = 1u << 7, /* IA32_SPEC_CTRL switched, PRED_CMD passed */
    CPUID_OFFER_ARCH_CAPABILITIES = 1u << 8,
    CPUID_OFFER_UMIP          = 1u << 9,
};

/* KVM's feature bits, leaf 40000001h EAX. */
enum cpuid_kvm_feature {
    CPUID_KVM_CLOCKSOURCE    = 1u << 0,
    CPUID_KVM_NOP_IO_DELAY   = 1u << 1,
    CPUID_KVM_CLOCKSOURCE2   = 1u << 3,
    CPUID_KVM_STEAL_TIME     = 1u << 5,
    CPUID_KVM_PV_EOI         = 1u << 6,
    CPUID_KVM_CLOCKSOURCE_STABLE = 1u << 24,
};

struct cpuid_spec {
    uint32_t vcpus;         /* in this partition, at least 1; each is a core of its own */
    uint32_t apic_id;       /* this vCPU's, below vcpus */
    uint32_t tsc_khz;       /* measured */
    uint32_t apic_timer_hz; /* input clock of the local APIC's timer, before division: 10^9 / vlapic_config.bus_ns */
    uint32_t offers;        /* enum cpuid_offer */
    uint32_t kvm_features;  /* enum cpuid_kvm_feature; 0: KVM's leaves are absent */
    uint64_t xcr0;          /* user state components that are switched; 0: no XSAVE */
    uint8_t physical_bits;  /* at most; the host's if smaller */
};

#define CPUID_BASIC_LEAVES    0x20u
#define CPUID_KVM_LEAVES      0x11u /* 40000000h .. 40000010h */
#define CPUID_TRAPEZE_LEAVES  2u    /* 40000100h, 40000101h */
#define CPUID_EXTENDED_LEAVES 9u    /* 80000000h .. 80000008h */
#define CPUID_TRAPEZE_BASE    UINT32_C(0x40000100)
#define CPUID_TRAPEZE_VERSION 1u
#define CPUID_CACHES          6u
#define CPUID_COMPONENTS      10u   /* XCR0 bits 0..9 */

enum cpuid_slots {
    CPUID_SLOT_KVM = CPUID_BASIC_LEAVES,
    CPUID_SLOT_TRAPEZE = CPUID_SLOT_KVM + CPUID_KVM_LEAVES,
    CPUID_SLOT_EXTENDED = CPUID_SLOT_TRAPEZE + CPUID_TRAPEZE_LEAVES,
    CPUID_SLOT_ZERO = CPUID_SLOT_EXTENDED + CPUID_EXTENDED_LEAVES,
    CPUID_SLOTS,
};

struct cpuid_table {
    struct cpuid_regs leaf[CPUID_SLOTS];
    uint8_t special[CPUID_SLOTS];  /* not 0: has sub-leaves or depends on the vCPU's state */
    uint32_t max_basic;
    bool kvm, out_of_range_is_highest; /* Intel: beyond the last leaf the last basic one answers; AMD: zeroes */
    uint32_t vcpus, apic_id;
    uint64_t xcr0;
    struct cpuid_regs cache[CPUID_CACHES];
    struct cpuid_regs ext_features_1;            /* leaf 7, sub-leaf 1 */
    struct cpuid_regs xstate_1;                  /* leaf Dh, sub-leaf 1 */
    struct cpuid_regs component[CPUID_COMPONENTS]; /* leaf Dh, sub-leaf n: size, offset, flags */
};

/* What the answer depends on besides the table. */
struct cpuid_state {
    uint64_t cr4, xcr0;
    bool apic_enabled; /* IA32_APIC_BASE.EN */
};

void cpuid_build(struct cpuid_table *t, const struct cpuid_spec *spec, cpuid_host_t host, void *ctx);

/* How often the partition was started, this time included: leaf 40000101h, ECX. */
void cpuid_set_starts(struct cpuid_table *t, uint32_t starts);

/* Only for these leaves does cpuid_lookup() look at the state: 1, 7, Dh, 80000001h. */
static inline bool cpuid_needs_state(uint32_t leaf)
{
    return (leaf < 32 && (UINT32_C(0x2082) >> leaf & 1)) || leaf == UINT32_C(0x80000001);
}
/* `state` may be NULL if !cpuid_needs_state(leaf). */
void cpuid_lookup(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf, const struct cpuid_state *state,
                  struct cpuid_regs *out);

/* The answer for a leaf that depends on nothing, which is most of them; NULL: ask cpuid_lookup(). */
static inline const struct cpuid_regs *cpuid_plain(const struct cpuid_table *t, uint32_t leaf)
{
    return leaf <= t->max_basic && !t->special[leaf] ? &t->leaf[leaf] : NULL;
}

/* What follows from the table for the rest of the virtual CPU. */
bool cpuid_offers_x2apic(const struct cpuid_table *t);
uint8_t cpuid_physical_bits(const struct cpuid_table *t);
uint64_t cpuid_xcr0_allowed(const struct cpuid_table *t);  /* 0: no XSAVE; XSETBV of other bits is #GP */
uint64_t cpuid_cr4_allowed(const struct cpuid_table *t);   /* other bits are reserved: #GP */
uint64_t cpuid_efer_allowed(const struct cpuid_table *t);
bool cpuid_offers_huge_pages(const struct cpuid_table *t); /* 1 GiB pages in the guest's own tables */
bool cpuid_is_amd(const struct cpuid_table *t); /* by the vendor that the guest is shown */
uint64_t cpuid_spec_ctrl_allowed(const struct cpuid_table *t); /* bits of IA32_SPEC_CTRL; 0: no such MSR, and no PRED_CMD */

#endif
