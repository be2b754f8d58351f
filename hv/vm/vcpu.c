/* Life of a vCPU: made, reset, INIT and start-up IPI. */
#include "hv/vm/vm.h"
#include "arch/x86_64/cpu/guest_state.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/tsc.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/mmu/host.h"
#include "hv/lib/str.h"
#include "hv/part/partition_config.h"
#include "hv/trace/record.h"
#include "hv/vm/emulate.h"
#include "hv/vm/exits.h"
#include "hv/vm/lab.h"

#define LAPIC_BUS_NS 1 /* a 1 GHz bus clock: one timer tick is one nanosecond of virtual time */

/* Access rights after power-up: SDM vol 3, "Processor State After Reset" (VMX layout). */
#define ACCESS_CODE16 0x9b
#define ACCESS_DATA16 0x93
#define ACCESS_LDT    0x82
#define ACCESS_TSS    0x8b

void vcpu_destroy(struct vcpu *v)
{
    struct page_allocator *pages = v->part->mem.pages;
    if (v->vt)
        vt.vcpu_destroy(v->vt);
    if (v->apic_page.raw)
        page_free(pages, v->apic_page);
    page_free(pages, ptr_to_hpa(v));
}

static struct cpuid_regs host_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf)
{
    return cpuid(leaf, subleaf);
}

static void build_cpuid(struct vcpu *v)
{
    const struct vt_features *f = vt.features();
    const struct partition_config *config = v->part->config;
    const struct cpuid_spec spec = {
        .vcpus = v->part->vcpu_count,
        .apic_id = v->index,
        .tsc_khz = (uint32_t)(tsc_scale.hz / 1000),
        .apic_timer_hz = 1000000000 / LAPIC_BUS_NS,
        .offers = CPUID_OFFER_TSC_DEADLINE | CPUID_OFFER_TSC_ADJUST | CPUID_OFFER_INVARIANT_TSC | CPUID_OFFER_UMIP |
                  (config->apic == PARTITION_APIC_X2APIC ? CPUID_OFFER_X2APIC : 0u) |
                  (f->rdtscp && guest_state_has_msr(GUEST_TSC_AUX) ? CPUID_OFFER_RDTSCP : 0u) |
                  (f->invpcid ? CPUID_OFFER_INVPCID : 0u) |
                  (guest_state_has_msr(GUEST_SPEC_CTRL) ? CPUID_OFFER_SPEC_CTRL : 0u),
        .kvm_features = CPUID_KVM_CLOCKSOURCE | CPUID_KVM_CLOCKSOURCE2 | CPUID_KVM_CLOCKSOURCE_STABLE |
                        CPUID_KVM_NOP_IO_DELAY | CPUID_KVM_PV_EOI,
        .xcr0 = guest_state_xcr0_mask(),
        .physical_bits = 48,
    };
    cpuid_build(&v->cpuid, &spec, host_cpuid, NULL);
}

static void init_lapic(struct vcpu *v)
{
    struct vlapic_config c = {
        .page = hpa_to_ptr(v->apic_page),
        .id = v->index,
        .bsp = v->index == 0,
        .x2apic = cpuid_offers_x2apic(&v->cpuid),
        .physical_bits = (uint8_t)cpuid_physical_bits(&v->cpuid),
        .bus_ns = LAPIC_BUS_NS,
        .ops = &vcpu_lapic_ops,
        .ctx = v,
    };
    vlapic_init(&v->lapic, &c);
}

bool vcpu_create(struct partition *p, unsigned index)
{
    hpa_t self;
    if (page_alloc(p->mem.pages, page_order(sizeof(struct vcpu)), PAGE_OWNER_CPU, &self) != PAGE_OK)
        return false;
    struct vcpu *v = hpa_to_ptr(self);
    v->part = p;
    v->index = index;
    v->trace_exit = TRACE_WHO(TRACE_EXIT, p->index, index);
    v->handlers = p->config->lab ? lab_handlers : exit_handlers;
    v->deadline = VM_TSC_NEVER;
    v->exits_at_deadline = vt.features()->preemption_timer;
    v->timer_slack = v->exits_at_deadline ? vt.features()->timer_granularity : 0;
    v->parked = true;
    if (page_alloc(p->mem.pages, 0, PAGE_OWNER_CPU, &v->apic_page) != PAGE_OK) {
        v->apic_page.raw = 0;
        vcpu_destroy(v);
        return false;
    }
    build_cpuid(v);
    v->cr4_allowed = cpuid_cr4_allowed(&v->cpuid);
    struct vt_vcpu_config config = {
        .nested_root = p->nested.root,
        .apic_page = hpa_to_ptr(v->apic_page),
        .apic_page_hpa = v->apic_page,
        .apic_access_hpa = p->apic_access,
        .spec_ctrl = guest_state_has_msr(GUEST_SPEC_CTRL),
        .cr4_allowed = v->cr4_allowed & ~CR4_OSXSAVE, /* CPUID shows it: see cpuid_1 */
        .insn_length = vcpu_insn_length,
        .ctx = v,
    };
    if (vt.vcpu_create(&config, &v->vt) != VT_OK) {
        v->vt = NULL;
        vcpu_destroy(v);
        return false;
    }
    p->vcpus[index] = v;
    return true;
}

/* What INIT and RESET have in common: SDM vol 3, table "IA-32 and Intel 64 Processor States Following Power-up, Reset,
 * or INIT". */
static void reset_registers(struct vcpu *v)
{
    static const struct { enum vt_field field; uint64_t value; } rows[] = {
        { VT_CR0, CR0_CD | CR0_NW | CR0_ET }, { VT_CR3, 0 }, { VT_CR4, 0 }, { VT_EFER, 0 }, { VT_RIP, 0xfff0 },
        { VT_RSP_, 0 }, { VT_RFLAGS, RFLAGS_ONE }, { VT_CR2, 0 }, { VT_DR0, 0 }, { VT_DR1, 0 }, { VT_DR2, 0 },
        { VT_DR3, 0 }, { VT_DR6, DR6_RESET }, { VT_DR7, DR7_RESET }, { VT_GDTR_BASE, 0 }, { VT_GDTR_LIMIT, 0xffff },
        { VT_IDTR_BASE, 0 }, { VT_IDTR_LIMIT, 0xffff }, { VT_INTERRUPT_SHADOW, 0 }, { VT_PENDING_DEBUG, 0 },
        { VT_DEBUGCTL, 0 },
    };
    vt.drop_event(v->vt);
    memset(v->vt->gpr, 0, sizeof v->vt->gpr);
    v->vt->gpr[VT_RDX] = v->cpuid.leaf[1].eax;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        vt.set(v->vt, rows[i].field, rows[i].value);
    for (unsigned seg = VT_ES; seg <= VT_GS; seg++)
        vcpu_set_segment(v, seg, 0, 0, 0xffff, ACCESS_DATA16);
    vcpu_set_segment(v, VT_CS, 0xf000, 0xffff0000, 0xffff, ACCESS_CODE16);
    vcpu_set_segment(v, VT_LDTR, 0, 0, 0xffff, ACCESS_LDT);
    vcpu_set_segment(v, VT_TR, 0, 0, 0xffff, ACCESS_TSS);
    v->nmi_pending = v->interrupt_kept = false;
    v->fetch_cache = (struct fetch_cache){ 0 };
    memset(v->device_pages, 0xff, sizeof v->device_pages);
    v->cpuid_1_valid = false;
    vt.flush_linear(v->vt);
}

/* Nothing is written to the guest's memory for a CPU that starts anew. */
static void reset_pv(struct vcpu *v)
{
    v->pvclock_gpa = v->pv_eoi_gpa = 0;
    v->pv_eoi_set = false;
}

void vcpu_reset(struct vcpu *v)
{
    static const enum vt_field zeroed[] = {
        VT_SYSENTER_CS, VT_SYSENTER_ESP, VT_SYSENTER_EIP, VT_STAR, VT_LSTAR, VT_CSTAR, VT_SFMASK, VT_KERNEL_GS_BASE,
        VT_TSC_AUX, VT_SPEC_CTRL,
    };
    reset_registers(v);
    for (size_t i = 0; i < ARRAY_SIZE(zeroed); i++)
        vt.set(v->vt, zeroed[i], 0);
    vt.reset_extended(v->vt);
    vt.set(v->vt, VT_PAT, PAT_RESET);
    init_lapic(v);
    v->tsc_adjust = 0;
    reset_pv(v);
    v->msr = (struct vcpu_msrs){ .misc_enable = MISC_ENABLE_FAST_STRING };
    atomic_store(&v->requests, VCPU_REQ_EVENT | VCPU_REQ_TIMER | VCPU_REQ_POLICY);
    vcpu_apic_changed(v);
}

void vcpu_init_signal(struct vcpu *v)
{
    reset_registers(v);
    reset_pv(v);
    vlapic_reset_init(&v->lapic);
    vcpu_apic_changed(v);
}

/* SDM vol 3, "MP Initialization Protocol Algorithm": the vector is the page that the code is in. */
void vcpu_start_at(struct vcpu *v, uint8_t sipi_vector)
{
    vt.set(v->vt, VT_SELECTOR + VT_CS, (uint64_t)sipi_vector << 8);
    vt.set(v->vt, VT_BASE + VT_CS, (uint64_t)sipi_vector << 12);
    vt.set(v->vt, VT_RIP, 0);
}

void partition_set_policy(struct partition *p, uint64_t controls)
{
    atomic_store(&p->policy, controls);
    for (unsigned i = 0; i < p->vcpu_count; i++)
        vcpu_kick(p->vcpus[i], VCPU_REQ_POLICY);
}
