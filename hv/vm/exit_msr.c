/* RDMSR and WRMSR of what the guest does not own: one sorted table, and the x2APIC's range. An MSR without a row, and a
 * value that the manual forbids, raise #GP(0) as on hardware. */
#include "arch/x86_64/cpu/guest_state.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/tsc.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/log.h"
#include "hv/vm/exits.h"
#include "hv/vm/pv.h"

typedef bool (*msr_read_t)(struct vcpu *v, uint32_t msr, uint64_t *value);
typedef bool (*msr_write_t)(struct vcpu *v, uint32_t msr, uint64_t value);

struct msr_row {
    uint32_t first, last;
    msr_read_t read;   /* NULL: #GP */
    msr_write_t write; /* NULL: #GP */
};

/* ---- simple ones ------------------------------------------------------------------------------------------------- */

static bool read_zero(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = 0;
    return true;
}

static bool write_ignored(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return true;
}

static bool write_zero_only(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return value == 0;
}

/* Those of AMD's that its kernels touch without asking CPUID: nothing is switched on, and nothing can be. */
static bool read_amd_zero(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = 0;
    return cpuid_is_amd(&v->cpuid);
}

static bool write_amd_ignored(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return cpuid_is_amd(&v->cpuid);
}

/* LFENCE serializes: what kernels would set here. */
static bool read_de_cfg(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = DE_CFG_LFENCE_SERIALIZE;
    return cpuid_is_amd(&v->cpuid);
}

static bool read_vm_cr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = VM_CR_SVMDIS | VM_CR_LOCK; /* as a PC with AMD-V switched off */
    return cpuid_is_amd(&v->cpuid);
}

static bool read_feature_control(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = FEATURE_CONTROL_LOCK; /* locked, and no VMX: as a PC with VT-x switched off */
    return true;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static void set_tsc_adjust(struct vcpu *v, uint64_t adjust)
{
    v->tsc_adjust = adjust;
    vt.set_tsc_offset(v->vt, atomic_load(&v->part->tsc_offset) + adjust);
    vcpu_apic_timer_changed(v);
    pv_clock_update(v);
}

static bool read_tsc(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = vm_guest_tsc(v);
    return true;
}

static bool write_tsc(struct vcpu *v, uint32_t msr, uint64_t value)
{
    set_tsc_adjust(v, v->tsc_adjust + value - vm_guest_tsc(v));
    return true;
}

static bool read_tsc_adjust(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->tsc_adjust;
    return true;
}

static bool write_tsc_adjust(struct vcpu *v, uint32_t msr, uint64_t value)
{
    set_tsc_adjust(v, value);
    return true;
}

static bool read_tsc_deadline(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = vlapic_read_tsc_deadline(&v->lapic);
    return true;
}

static bool write_tsc_deadline(struct vcpu *v, uint32_t msr, uint64_t value)
{
    vlapic_write_tsc_deadline(&v->lapic, value);
    vcpu_apic_timer_changed(v);
    return true;
}

/* ---- the local APIC ---------------------------------------------------------------------------------------------- */

static bool read_apic_base(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->lapic.base_msr;
    return true;
}

static bool write_apic_base(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (v->apicv)
        vlapic_sync(&v->lapic);
    if (vlapic_write_base(&v->lapic, value) != VLAPIC_OK)
        return false;
    vcpu_apic_changed(v);
    return true;
}

static bool read_x2apic(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    if (v->apicv)
        vlapic_sync(&v->lapic);
    else
        pv_eoi_settle(v); /* else ISR and PPR show a vector that the guest has finished */
    return vlapic_read_msr(&v->lapic, msr, value, vm_now(v->part)) == VLAPIC_OK;
}

/* The commonest write of a guest whose CPU has no APIC virtualization: only what already waits can follow it. */
static bool write_x2apic_eoi(struct vcpu *v)
{
    vlapic_write_eoi(&v->lapic);
    if (v->lapic.irr_summary)
        atomic_fetch_or_explicit(&v->requests, VCPU_REQ_EVENT, memory_order_relaxed);
    return true;
}

static bool write_x2apic(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (msr == IA32_X2APIC_EOI && !value && !v->apicv && !v->pv_eoi_set && vlapic_in_x2apic(&v->lapic))
        return write_x2apic_eoi(v);
    if (v->apicv)
        vlapic_sync(&v->lapic);
    if (vlapic_write_msr(&v->lapic, msr, value, vm_now(v->part)) != VLAPIC_OK)
        return false;
    if (UNLIKELY(v->apicv && msr == IA32_X2APIC_EOI)) /* exits by policy only, and the CPU has its own note of what is in service */
        vt.apic_set_status(v->vt, vlapic_interrupt_status(&v->lapic));
    if (UNLIKELY(vlapic_is_timer_register((uint64_t)(msr - IA32_X2APIC_FIRST) * 16)))
        vcpu_apic_timer_changed(v);
    atomic_fetch_or_explicit(&v->requests, VCPU_REQ_EVENT, memory_order_relaxed);
    return true;
}

/* ---- modes and memory types -------------------------------------------------------------------------------------- */

/* SDM vol 4, IA32_EFER: LMA is the CPU's, LME may not change while paging is on. */
static bool write_efer(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t old = vt.get(v->vt, VT_EFER);
    if (value & ~(cpuid_efer_allowed(&v->cpuid) | EFER_LMA))
        return false;
    if (((old ^ value) & EFER_LME) && (vt.get(v->vt, VT_CR0) & CR0_PG))
        return false;
    vt.set(v->vt, VT_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
    return true;
}

static bool read_efer(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = vt.get(v->vt, VT_EFER);
    return true;
}

static bool read_pat(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = vt.get(v->vt, VT_PAT);
    return true;
}

static bool is_memory_type(uint64_t type)
{
    return type == MEMORY_UC || type == MEMORY_WC || type == MEMORY_WT || type == MEMORY_WP || type == MEMORY_WB;
}

static bool all_bytes_are_types(uint64_t value, bool uc_minus)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t type = (value >> i) & 0xff;
        if (!is_memory_type(type) && !(uc_minus && type == MEMORY_UC_MINUS))
            return false;
    }
    return true;
}

static bool write_pat(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!all_bytes_are_types(value, true))
        return false;
    vt.set(v->vt, VT_PAT, value);
    return true;
}

/* Addresses that the guest writes by itself, but on a CPU that leaves the check to us. */
static enum vt_field address_field(uint32_t msr)
{
    switch (msr) {
    case IA32_SYSENTER_ESP: return VT_SYSENTER_ESP;
    case IA32_SYSENTER_EIP: return VT_SYSENTER_EIP;
    case IA32_LSTAR: return VT_LSTAR;
    case IA32_CSTAR: return VT_CSTAR;
    case IA32_FS_BASE: return VT_BASE + VT_FS;
    case IA32_GS_BASE: return VT_BASE + VT_GS;
    default: return VT_KERNEL_GS_BASE;
    }
}

static bool write_address(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if ((uint64_t)((int64_t)(value << 16) >> 16) != value) /* 48 bits: 5-level paging is not offered */
        return false;
    vt.set(v->vt, address_field(msr), value);
    return true;
}

static bool read_address(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = vt.get(v->vt, address_field(msr));
    return true;
}

/* Registers without a rule, which only exit if the policy has every MSR exit. */
static bool plain_field(struct vcpu *v, uint32_t msr, enum vt_field *field)
{
    switch (msr) {
    case IA32_SYSENTER_CS: *field = VT_SYSENTER_CS; return true;
    case IA32_STAR: *field = VT_STAR; return true;
    case IA32_FMASK: *field = VT_SFMASK; return true;
    case IA32_TSC_AUX: *field = VT_TSC_AUX; return vt.features()->rdtscp && guest_state_has_msr(GUEST_TSC_AUX);
    default: *field = VT_SPEC_CTRL; return cpuid_spec_ctrl_allowed(&v->cpuid) != 0;
    }
}

static bool read_plain(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    enum vt_field field;
    if (!plain_field(v, msr, &field))
        return false;
    *value = vt.get(v->vt, field);
    return true;
}

static bool write_plain(struct vcpu *v, uint32_t msr, uint64_t value)
{
    enum vt_field field;
    bool wide = msr == IA32_STAR || msr == IA32_FMASK;
    if (!plain_field(v, msr, &field) || (msr == IA32_TSC_AUX && value >> 32) ||
        (msr == IA32_SPEC_CTRL && value & ~cpuid_spec_ctrl_allowed(&v->cpuid)))
        return false;
    vt.set(v->vt, field, wide ? value : (uint32_t)value);
    return true;
}

#define MTRR_VARIABLE 8 /* pairs */

static bool read_mtrr_cap(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = MTRR_VARIABLE | MTRRCAP_FIX | MTRRCAP_WC;
    return true;
}

/* Position in vcpu_msrs.mtrr_fixed[]: one of 64 KiB, two of 16 KiB, eight of 4 KiB. */
static unsigned fixed_index(uint32_t msr)
{
    return msr == IA32_MTRR_FIX64K_00000 ? 0 : msr <= IA32_MTRR_FIX16K_A0000 ? 1 + (msr & 1) : 3 + (msr & 7);
}

static bool read_mtrr_fixed(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->msr.mtrr_fixed[fixed_index(msr)];
    return true;
}

static bool write_mtrr_fixed(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!all_bytes_are_types(value, false))
        return false;
    v->msr.mtrr_fixed[fixed_index(msr)] = value;
    return true;
}

static bool read_mtrr_variable(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->msr.mtrr_var[msr - IA32_MTRR_PHYSBASE0];
    return true;
}

static bool write_mtrr_variable(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t address = ((UINT64_C(1) << cpuid_physical_bits(&v->cpuid)) - 1) & ~(PAGE_SIZE - 1);
    uint64_t other = msr & 1 ? MTRR_PHYSMASK_V : 0xff;
    if ((value & ~(address | other)) || (!(msr & 1) && !is_memory_type(value & 0xff)))
        return false;
    v->msr.mtrr_var[msr - IA32_MTRR_PHYSBASE0] = value;
    return true;
}

static bool read_mtrr_default(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->msr.mtrr_def_type;
    return true;
}

static bool write_mtrr_default(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if ((value & ~(MTRR_DEF_TYPE | MTRR_DEF_FE | MTRR_DEF_E)) || !is_memory_type(value & MTRR_DEF_TYPE))
        return false;
    v->msr.mtrr_def_type = value;
    return true;
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static bool read_misc_enable(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->msr.misc_enable | MISC_ENABLE_BTS_UNAVAIL | MISC_ENABLE_PEBS_UNAVAIL;
    return true;
}

static bool write_misc_enable(struct vcpu *v, uint32_t msr, uint64_t value)
{
    v->msr.misc_enable = value & (MISC_ENABLE_FAST_STRING | MISC_ENABLE_EIST);
    return true;
}

static bool read_debugctl(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = vt.get(v->vt, VT_DEBUGCTL);
    return true;
}

static bool write_debugctl(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (value & ~(DEBUGCTL_BTF | DEBUGCTL_LBR))
        return false;
    vt.set(v->vt, VT_DEBUGCTL, value & DEBUGCTL_BTF); /* last-branch records are not offered: the bit has no effect */
    return true;
}

/* The ratio of the TSC to the 100 MHz bus clock: kernels without CPUID leaf 15h take the TSC's frequency from here. */
static bool read_platform_info(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = MAX(tsc_scale.hz / 100000000, UINT64_C(1)) << PLATFORM_INFO_RATIO_SHIFT;
    return true;
}

static bool read_mcg_status(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = v->msr.mcg_status;
    return true;
}

static bool write_mcg_status(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (value)
        return false; /* SDM vol 3, "IA32_MCG_STATUS MSR": writing anything but 0 raises #GP */
    v->msr.mcg_status = 0;
    return true;
}

static bool write_pred_cmd(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!cpuid_spec_ctrl_allowed(&v->cpuid) || (value & ~PRED_CMD_IBPB))
        return false;
    if (value)
        wrmsr(msr, value);
    return true;
}

/* Sorted; ranges do not overlap (a unit of tests/emu walks them from a guest). */
static const struct msr_row rows[] = {
    { IA32_P5_MC_ADDR, IA32_P5_MC_TYPE, read_zero, write_zero_only },
    { IA32_TIME_STAMP_COUNTER, IA32_TIME_STAMP_COUNTER, read_tsc, write_tsc },
    { MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK, pv_read, pv_write },
    { MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME, pv_read, pv_write },
    { IA32_PLATFORM_ID, IA32_PLATFORM_ID, read_zero, NULL },
    { IA32_APIC_BASE, IA32_APIC_BASE, read_apic_base, write_apic_base },
    { MSR_EBL_CR_POWERON, MSR_EBL_CR_POWERON, read_zero, write_zero_only },
    { IA32_FEATURE_CONTROL, IA32_FEATURE_CONTROL, read_feature_control, NULL },
    { IA32_TSC_ADJUST, IA32_TSC_ADJUST, read_tsc_adjust, write_tsc_adjust },
    { IA32_SPEC_CTRL, IA32_SPEC_CTRL, read_plain, write_plain },
    { IA32_PRED_CMD, IA32_PRED_CMD, NULL, write_pred_cmd },
    { IA32_BIOS_UPDT_TRIG, IA32_BIOS_UPDT_TRIG, NULL, write_ignored },
    { IA32_BIOS_SIGN_ID, IA32_BIOS_SIGN_ID, read_zero, write_ignored },
    { MSR_PLATFORM_INFO, MSR_PLATFORM_INFO, read_platform_info, NULL },
    { IA32_MTRRCAP, IA32_MTRRCAP, read_mtrr_cap, NULL },
    { IA32_SYSENTER_CS, IA32_SYSENTER_CS, read_plain, write_plain },
    { IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, read_address, write_address },
    { IA32_MCG_CAP, IA32_MCG_CAP, read_zero, NULL },
    { IA32_MCG_STATUS, IA32_MCG_STATUS, read_mcg_status, write_mcg_status },
    { IA32_PERF_STATUS, IA32_PERF_STATUS, read_zero, NULL },
    { IA32_MISC_ENABLE, IA32_MISC_ENABLE, read_misc_enable, write_misc_enable },
    { IA32_DEBUGCTL, IA32_DEBUGCTL, read_debugctl, write_debugctl },
    { IA32_MTRR_PHYSBASE0, IA32_MTRR_PHYSBASE0 + 2 * MTRR_VARIABLE - 1, read_mtrr_variable, write_mtrr_variable },
    { IA32_MTRR_FIX64K_00000, IA32_MTRR_FIX64K_00000, read_mtrr_fixed, write_mtrr_fixed },
    { IA32_MTRR_FIX16K_80000, IA32_MTRR_FIX16K_A0000, read_mtrr_fixed, write_mtrr_fixed },
    { IA32_MTRR_FIX4K_C0000, IA32_MTRR_FIX4K_F8000, read_mtrr_fixed, write_mtrr_fixed },
    { IA32_PAT, IA32_PAT, read_pat, write_pat },
    { IA32_MTRR_DEF_TYPE, IA32_MTRR_DEF_TYPE, read_mtrr_default, write_mtrr_default },
    { IA32_TSC_DEADLINE, IA32_TSC_DEADLINE, read_tsc_deadline, write_tsc_deadline },
    { IA32_X2APIC_FIRST, IA32_X2APIC_LAST, read_x2apic, write_x2apic },
    { MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_PV_EOI_EN, pv_read, pv_write },
    { IA32_EFER, IA32_EFER, read_efer, write_efer },
    { IA32_STAR, IA32_STAR, read_plain, write_plain },
    { IA32_LSTAR, IA32_CSTAR, read_address, write_address },
    { IA32_FMASK, IA32_FMASK, read_plain, write_plain },
    { IA32_FS_BASE, IA32_KERNEL_GS_BASE, read_address, write_address },
    { IA32_TSC_AUX, IA32_TSC_AUX, read_plain, write_plain },
    { MSR_AMD_PERFEVTSEL0, MSR_AMD_PERFCTR3, read_amd_zero, write_amd_ignored },
    { MSR_AMD_SYSCFG, MSR_AMD_SYSCFG, read_amd_zero, NULL },
    { MSR_AMD_HWCR, MSR_AMD_HWCR, read_amd_zero, write_amd_ignored },
    { MSR_AMD_NB_CFG, MSR_AMD_NB_CFG, read_amd_zero, write_amd_ignored },
    { MSR_AMD_PATCH_LOADER, MSR_AMD_PATCH_LOADER, NULL, write_amd_ignored },
    { MSR_AMD_INT_PENDING, MSR_AMD_INT_PENDING, read_amd_zero, write_amd_ignored },
    { MSR_AMD_VM_CR, MSR_AMD_VM_CR, read_vm_cr, NULL },
    { MSR_AMD_LS_CFG, MSR_AMD_LS_CFG, read_amd_zero, write_amd_ignored },
    { MSR_AMD_DE_CFG, MSR_AMD_DE_CFG, read_de_cfg, write_amd_ignored },
};

static const struct msr_row *search(uint32_t msr)
{
    size_t low = 0, high = ARRAY_SIZE(rows);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (msr > rows[mid].last)
            low = mid + 1;
        else if (msr < rows[mid].first)
            high = mid;
        else
            return &rows[mid];
    }
    return NULL;
}

/* The row + 1 of each of the first MSRs, which are the busy ones. */
#define INDEXED 0x900
static uint8_t row_of[INDEXED];

void exit_msr_init(void)
{
    for (uint32_t msr = 0; msr < INDEXED; msr++) {
        const struct msr_row *row = search(msr);
        row_of[msr] = row ? (uint8_t)(row - rows + 1) : 0;
    }
}

static inline const struct msr_row *find(uint32_t msr)
{
    if (LIKELY(msr < INDEXED))
        return row_of[msr] ? &rows[row_of[msr] - 1] : NULL;
    return search(msr);
}

static void log_once(struct vcpu *v, uint32_t msr, bool write, uint64_t value)
{
    struct partition *p = v->part;
    spin_lock(&p->lock);
    bool known = p->logged_msr_count == ARRAY_SIZE(p->logged_msrs);
    for (unsigned i = 0; i < p->logged_msr_count; i++)
        known |= p->logged_msrs[i] == msr;
    if (!known)
        p->logged_msrs[p->logged_msr_count++] = msr;
    spin_unlock(&p->lock);
    if (known)
        return;
    if (write)
        log_line("%s: WRMSR 0x%x = 0x%lx is refused with #GP, as on a CPU without it (reported once)", p->name, msr, value);
    else
        log_line("%s: RDMSR 0x%x is refused with #GP, as on a CPU without it (reported once)", p->name, msr);
}

static enum vcpu_next refuse(struct vcpu *v, uint32_t msr, bool write, uint64_t value)
{
    log_once(v, msr, write, value);
    vcpu_gp(v);
    return VCPU_RESUME;
}

enum vcpu_next exit_rdmsr(struct vcpu *v, const struct vt_exit *exit)
{
    uint64_t *g = v->vt->gpr, value;
    const struct msr_row *row = find((uint32_t)g[VT_RCX]);
    if (UNLIKELY(!row || !row->read || !row->read(v, (uint32_t)g[VT_RCX], &value)))
        return refuse(v, (uint32_t)g[VT_RCX], false, 0);
    g[VT_RAX] = (uint32_t)value;
    g[VT_RDX] = value >> 32;
    vt.skip(v->vt);
    return VCPU_RESUME;
}

enum vcpu_next exit_wrmsr(struct vcpu *v, const struct vt_exit *exit)
{
    const uint64_t *g = v->vt->gpr;
    uint64_t value = (g[VT_RDX] << 32) | (uint32_t)g[VT_RAX];
    const struct msr_row *row = find((uint32_t)g[VT_RCX]);
    if (UNLIKELY(!row || !row->write || !row->write(v, (uint32_t)g[VT_RCX], value)))
        return refuse(v, (uint32_t)g[VT_RCX], true, value);
    vt.skip(v->vt);
    return VCPU_RESUME;
}
