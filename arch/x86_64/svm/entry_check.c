#include "arch/x86_64/svm/entry_check.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"

#define ATTRIBUTE_L  (1u << 9)
#define ATTRIBUTE_DB (1u << 10)
#define EFER_KNOWN   (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_LMSLE | EFER_FFXSR | EFER_TCE)
#define CR4_KNOWN    UINT64_C(0x00f70fff) /* up to CET; not VMXE, SMXE, PCIDE's neighbours that AMD reserves */

struct check {
    const struct vmcb *c;
    unsigned physical_bits;
    struct svm_entry_violation *out;
    unsigned max, count;
};

static void require(struct check *k, bool holds, const char *field, uint64_t value, const char *rule)
{
    if (holds)
        return;
    if (k->count < k->max)
        k->out[k->count] = (struct svm_entry_violation){ field, value, rule };
    k->count++;
}

static bool fits_physical(const struct check *k, uint64_t address)
{
    return address >> k->physical_bits == 0;
}

static void check_controls(struct check *k)
{
    const struct vmcb *c = k->c;
    require(k, c->intercept_2 & INTERCEPT_VMRUN, "intercepts 2", c->intercept_2, "the VMRUN intercept must be set");
    require(k, c->guest_asid != 0, "GUEST_ASID", c->guest_asid, "must not be 0, which is the host's");
    require(k, !(c->iopm_base_pa & 0xfff) && fits_physical(k, c->iopm_base_pa + IOPM_SIZE - 1), "IOPM_BASE_PA",
            c->iopm_base_pa, "the whole map must be page-aligned and below the physical-address width");
    require(k, !(c->msrpm_base_pa & 0xfff) && fits_physical(k, c->msrpm_base_pa + MSRPM_SIZE - 1), "MSRPM_BASE_PA",
            c->msrpm_base_pa, "the whole map must be page-aligned and below the physical-address width");
    if (!(c->np_enable & VMCB_NP_ENABLE))
        return;
    require(k, !(c->n_cr3 & 0xfff) && fits_physical(k, c->n_cr3), "N_CR3", c->n_cr3,
            "the root of the nested tables must be page-aligned and below the physical-address width");
    bool types = true;
    for (unsigned i = 0; i < 64; i += 8)
        types = types && !(c->g_pat >> i & 0xf8) && (0xf3 >> (c->g_pat >> i & 7) & 1);
    require(k, types, "G_PAT", c->g_pat, "each byte must be a memory type: 0, 1, 4, 5, 6 or 7");
}

static void check_registers(struct check *k)
{
    const struct vmcb *c = k->c;
    require(k, c->efer & EFER_SVME, "EFER", c->efer, "SVME must be 1");
    require(k, !(c->efer & ~EFER_KNOWN), "EFER", c->efer, "reserved bits must be 0");
    require(k, (c->cr0 & CR0_CD) || !(c->cr0 & CR0_NW), "CR0", c->cr0, "NW must be 0 while CD is 0");
    require(k, !(c->cr0 >> 32), "CR0", c->cr0, "bits 63:32 must be 0");
    require(k, fits_physical(k, c->cr3), "CR3", c->cr3, "bits above the physical-address width must be 0");
    require(k, !(c->cr4 & ~CR4_KNOWN), "CR4", c->cr4, "reserved bits must be 0");
    require(k, !(c->dr6 >> 32), "DR6", c->dr6, "bits 63:32 must be 0");
    require(k, !(c->dr7 >> 32), "DR7", c->dr7, "bits 63:32 must be 0");
}

static void check_long_mode(struct check *k)
{
    const struct vmcb *c = k->c;
    if (!(c->efer & EFER_LME) || !(c->cr0 & CR0_PG))
        return;
    require(k, c->cr4 & CR4_PAE, "CR4", c->cr4, "PAE must be 1 with EFER.LME and CR0.PG");
    require(k, c->cr0 & CR0_PE, "CR0", c->cr0, "PE must be 1 with EFER.LME and CR0.PG");
    require(k, (c->cs.attributes & (ATTRIBUTE_L | ATTRIBUTE_DB)) != (ATTRIBUTE_L | ATTRIBUTE_DB), "CS attributes",
            c->cs.attributes, "L and D must not both be 1 in long mode");
}

static void check_event(struct check *k)
{
    uint64_t e = k->c->eventinj;
    unsigned type = (unsigned)EVENT_TYPE(e);
    if (!(e & EVENT_VALID))
        return;
    require(k, type == EVENT_INTR || type == EVENT_NMI || type == EVENT_EXCEPTION || type == EVENT_SOFT_INTERRUPT, "EVENTINJ",
            e, "the type must be 0 (interrupt), 2 (NMI), 3 (exception) or 4 (INT n)");
    require(k, type != EVENT_EXCEPTION || (EVENT_VECTOR(e) < 32 && EVENT_VECTOR(e) != EXC_NMI), "EVENTINJ", e,
            "an exception's vector must be one of 0 to 31 and not 2");
}

unsigned svm_entry_check(const struct vmcb *c, unsigned physical_bits, struct svm_entry_violation *out, unsigned max)
{
    struct check k = { .c = c, .physical_bits = physical_bits, .out = out, .max = max };
    check_controls(&k);
    check_registers(&k);
    check_long_mode(&k);
    check_event(&k);
    return k.count;
}
