/* Control registers: only what the guest may not do by itself arrives here (vmx/controls.c: the masks). */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/vm/emulate.h"
#include "hv/vm/exits.h"
#include "hv/vm/operand.h"

/* PAE paging keeps the four top entries in registers: SDM vol 3, "PDPTE Registers". False: #GP. */
static bool load_pdptes(struct vcpu *v, uint64_t cr3)
{
    uint64_t entry[4];
    for (unsigned i = 0; i < 4; i++) {
        if (gmem_read_u64(&v->part->mem, GPA((cr3 & 0xffffffe0) + 8 * i), &entry[i]) != GMEM_OK)
            entry[i] = 0;
        uint64_t reserved = UINT64_C(0x1e6) | ~((UINT64_C(1) << cpuid_physical_bits(&v->cpuid)) - 1);
        if ((entry[i] & 1) && (entry[i] & reserved))
            return false;
    }
    for (unsigned i = 0; i < 4; i++)
        vt.set(v->vt, VT_PDPTE0 + i, entry[i]);
    return true;
}

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

/* SDM vol 2, "MOV-Move to/from Control Registers": what raises #GP(0). */
static bool cr0_is_consistent(uint64_t value)
{
    if (value >> 32 || ((value & CR0_NW) && !(value & CR0_CD)))
        return false;
    return !(value & CR0_PG) || (value & CR0_PE);
}

static bool paging_may_change(struct vcpu *v, uint64_t value, uint64_t cr4, uint64_t efer, uint64_t old)
{
    bool code64 = vt.get(v->vt, VT_ACCESS + VT_CS) & VT_ACCESS_L;
    if ((value & CR0_PG) && !(old & CR0_PG) && (efer & EFER_LME) && (!(cr4 & CR4_PAE) || code64))
        return false;
    if (!(value & CR0_PG) && (old & CR0_PG) && ((cr4 & CR4_PCIDE) || ((efer & EFER_LMA) && code64)))
        return false;
    return true;
}

static __attribute__((noinline)) bool load_cr0_mode(struct vcpu *v, uint64_t value, uint64_t old)
{
    uint64_t changed = old ^ value, efer = vt.get(v->vt, VT_EFER), cr4 = vt.get(v->vt, VT_CR4);
    if (!cr0_is_consistent(value))
        return false;
    if (!paging_may_change(v, value, cr4, efer, old))
        return false;
    if (changed & CR0_PG) {
        uint64_t lma = (value & CR0_PG) && (efer & EFER_LME) ? EFER_LMA : 0;
        efer = (efer & ~EFER_LMA) | lma;
    }
    if ((changed & (CR0_PG | CR0_CD | CR0_NW)) && pae_paging(value, cr4, efer) &&
        !load_pdptes(v, vt.get(v->vt, VT_CR3)))
        return false;
    if (changed & CR0_PG)
        vt.set(v->vt, VT_EFER, efer);
    vt.set(v->vt, VT_CR0, value & CR0_DEFINED);
    if (changed & (CR0_PG | CR0_PE | CR0_WP))
        vt.flush_linear(v->vt);
    return true;
}

static inline bool load_cr0(struct vcpu *v, uint64_t value)
{
    uint64_t old = vt.get(v->vt, VT_CR0);
    /* Caching and NE: nothing that the translation of addresses depends on, but PAE paging reads its entries anew. */
    if (UNLIKELY((old ^ value) & ~(CR0_CD | CR0_NW | CR0_NE)) || UNLIKELY(!(vt.get(v->vt, VT_EFER) & EFER_LMA)))
        return load_cr0_mode(v, value, old);
    if (UNLIKELY((value & (CR0_CD | CR0_NW)) == CR0_NW))
        return false;
    vt.set(v->vt, VT_CR0, value);
    return true;
}

static __attribute__((noinline)) bool load_cr4_mode(struct vcpu *v, uint64_t value, uint64_t changed)
{
    uint64_t efer = vt.get(v->vt, VT_EFER), cr3 = vt.get(v->vt, VT_CR3);
    if ((efer & EFER_LMA) && (changed & (CR4_LA57 | CR4_PAE)) )
        return false;
    if ((changed & value & CR4_PCIDE) && (!(efer & EFER_LMA) || (cr3 & CR3_PCID)))
        return false;
    if ((changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP)) && pae_paging(vt.get(v->vt, VT_CR0), value, efer) &&
        !load_pdptes(v, cr3))
        return false;
    vt.set(v->vt, VT_CR4, value);
    if (changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_PCIDE | CR4_LA57))
        vt.flush_linear(v->vt);
    return true;
}

static inline bool load_cr4(struct vcpu *v, uint64_t value)
{
    if (UNLIKELY(value & ~v->cr4_allowed))
        return false;
    v->cpuid_1_valid = false;
    uint64_t changed = vt.get(v->vt, VT_CR4) ^ value;
    if (UNLIKELY(changed & ~(CR4_MCE | CR4_OSXSAVE)))
        return load_cr4_mode(v, value, changed);
    vt.set(v->vt, VT_CR4, value);
    return true;
}

__attribute__((noinline)) bool vcpu_load_cr3(struct vcpu *v, uint64_t value)
{
    bool keep = (value & CR3_NO_FLUSH) && (vt.get(v->vt, VT_CR4) & CR4_PCIDE);
    if (pae_paging(vt.get(v->vt, VT_CR0), vt.get(v->vt, VT_CR4), vt.get(v->vt, VT_EFER)) && !load_pdptes(v, value))
        return false;
    vt.set(v->vt, VT_CR3, value & ~CR3_NO_FLUSH);
    if (!keep)
        vt.flush_linear(v->vt);
    return true;
}

/* Beyond MAXPHYADDR, and bit 63 without PCIDs: SDM vol 2, "MOV-Move to/from Control Registers". */
static bool cr3_is_legal(struct vcpu *v, uint64_t value)
{
    if (vt.get(v->vt, VT_CR4) & CR4_PCIDE)
        value &= ~CR3_NO_FLUSH;
    return !(value >> cpuid_physical_bits(&v->cpuid));
}

static __attribute__((noinline)) bool load_cr8(struct vcpu *v, uint64_t value)
{
    if (value & ~CR8_TPR)
        return false;
    vlapic_write_cr8(&v->lapic, value);
    atomic_fetch_or(&v->requests, VCPU_REQ_EVENT);
    return true;
}

static inline __attribute__((always_inline)) uint64_t gpr_value(struct vcpu *v, unsigned gpr)
{
    uint64_t value = gpr == VT_RSP ? vt.get(v->vt, VT_RSP_) : v->vt->gpr[gpr];
    return LIKELY(!(value >> 32)) || vcpu_insn_mode(v) == INSN_MODE_64 ? value : (uint32_t)value;
}

static bool write_cr(struct vcpu *v, unsigned cr, uint64_t value)
{
    switch (cr) {
    case 0: return load_cr0(v, value);
    case 3: return cr3_is_legal(v, value) && vcpu_load_cr3(v, value);
    case 4: return load_cr4(v, value);
    case 8: return load_cr8(v, value);
    default: return false;
    }
}

static __attribute__((noinline)) bool write_parts_of_cr0(struct vcpu *v, const struct vt_exit *exit)
{
    uint64_t cr0 = vt.get(v->vt, VT_CR0);
    if (exit->cr.how == VT_CR_CLTS)
        return load_cr0(v, cr0 & ~CR0_TS);
    return load_cr0(v, (cr0 & ~UINT64_C(0xe)) | (exit->cr.lmsw_value & 0xf)); /* LMSW sets PE but never clears it */
}

enum vcpu_next exit_cr_write(struct vcpu *v, const struct vt_exit *exit)
{
    bool ok = LIKELY(exit->cr.how == VT_CR_MOV) ? write_cr(v, exit->cr.cr, gpr_value(v, exit->cr.gpr))
                                                : write_parts_of_cr0(v, exit);
    if (UNLIKELY(!ok))
        return fault_gp(v);
    vt.skip(v->vt);
    return VCPU_RESUME;
}

enum vcpu_next exit_cr_read(struct vcpu *v, const struct vt_exit *exit)
{
    uint64_t value = exit->cr.cr == 8 ? vlapic_read_cr8(&v->lapic)
                                      : vt.get(v->vt, exit->cr.cr == 3 ? VT_CR3 : exit->cr.cr == 4 ? VT_CR4 : VT_CR0);
    if (exit->cr.gpr == VT_RSP)
        vt.set(v->vt, VT_RSP_, value);
    else
        v->vt->gpr[exit->cr.gpr] = value;
    vt.skip(v->vt);
    return VCPU_RESUME;
}

/* ---- without the hardware's help: what those two come with is found by decoding ------------------------------------ */

/* SMSW: to memory always 16 bits, to a register as much of CR0 as it has. */
static enum vcpu_next read_msw(struct vcpu *v, const struct insn *in)
{
    uint64_t cr0 = vt.get(v->vt, VT_CR0);
    if (vcpu_cpl(v) != 0 && vt.get(v->vt, VT_CR4) & CR4_UMIP)
        return fault_gp(v);
    if (!(in->flags & INSN_MEM))
        operand_set_register(v, in->rm, in->opsize, cr0);
    else if (!operand_store(v, in, &cr0, sizeof(uint16_t)))
        return VCPU_RESUME;
    return operand_done(v, in);
}

static enum vcpu_next write_msw(struct vcpu *v, const struct insn *in, struct vt_exit *exit)
{
    exit->cr.how = VT_CR_LMSW;
    if (!(in->flags & INSN_MEM))
        exit->cr.lmsw_value = (uint16_t)operand_register(v, in->rm);
    else if (!operand_load(v, in, &exit->cr.lmsw_value, sizeof exit->cr.lmsw_value))
        return VCPU_RESUME;
    if (write_parts_of_cr0(v, exit))
        return operand_done(v, in);
    return fault_gp(v);
}

/* CR2 never does, and those that do not exist raise #UD. */
static bool cr_may_exit(unsigned cr)
{
    return (1u << 0 | 1u << 3 | 1u << 4 | 1u << 8) >> cr & 1;
}

/* Only SMSW exits at CPL 3: another vCPU may have changed the bytes since, into what its kernel alone may do. */
static __attribute__((noinline)) enum vcpu_next refuse_to_user(struct vcpu *v, const struct insn *in)
{
    if (in->op != INSN_MOV_TO_CR && in->op != INSN_MOV_FROM_CR && in->op != INSN_LMSW && in->op != INSN_CLTS)
        return operand_retry(v);
    return fault_gp(v);
}

enum vcpu_next exit_cr_insn(struct vcpu *v, const struct vt_exit *exit)
{
    const struct insn *in = operand_decode(v);
    struct vt_exit e = *exit;
    if (!in)
        return VCPU_RESUME;
    if (in->op != INSN_SMSW && vcpu_cpl(v) != 0)
        return refuse_to_user(v, in);
    e.cr.cr = in->reg;
    e.cr.gpr = in->rm;
    e.cr.how = VT_CR_MOV;
    switch (in->op) {
    case INSN_MOV_TO_CR:
        return cr_may_exit(in->reg) ? exit_cr_write(v, &e) : operand_retry(v);
    case INSN_MOV_FROM_CR:
        return cr_may_exit(in->reg) ? exit_cr_read(v, &e) : operand_retry(v);
    case INSN_SMSW:
        return read_msw(v, in);
    case INSN_LMSW:
        return write_msw(v, in, &e);
    case INSN_CLTS:
        e.cr.how = VT_CR_CLTS;
        return exit_cr_write(v, &e);
    default:
        return operand_retry(v);
    }
}

/* SDM vol 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features": what XCR0 may hold. */
static bool xcr0_is_legal(const struct vcpu *v, uint64_t x)
{
    if (!(x & XCR0_X87) || (x & ~cpuid_xcr0_allowed(&v->cpuid)))
        return false;
    if ((x & XCR0_AVX) && !(x & XCR0_SSE))
        return false;
    if ((x & XCR0_AVX512) && ((x & XCR0_AVX512) != XCR0_AVX512 || !(x & XCR0_AVX)))
        return false;
    return !(x & XCR0_BNDREG) == !(x & XCR0_BNDCSR);
}

enum vcpu_next exit_xsetbv(struct vcpu *v, const struct vt_exit *exit)
{
    const uint64_t *g = v->vt->gpr;
    uint64_t value = (g[VT_RDX] << 32) | (uint32_t)g[VT_RAX];
    /* Emulators let the exit win over the privilege check. */
    if (vcpu_cpl(v) != 0 || (uint32_t)g[VT_RCX] != 0 || !xcr0_is_legal(v, value))
        return fault_gp(v);
    vt.set(v->vt, VT_XCR0, value);
    vt.skip(v->vt);
    return VCPU_RESUME;
}
