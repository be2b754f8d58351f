#include "arch/x86_64/vmx/entry_check_private.h"

#include "hv/lib/fmt.h"

static const struct { uint32_t encoding; const char *name; } field_names[] = {
#define NAME_ROW(name, encoding, width, title) { encoding, #name },
    VMCS_FIELDS(NAME_ROW)
#undef NAME_ROW
};

const char *entry_check_field_name(uint32_t encoding)
{
    for (unsigned i = 0; i < ARRAY_SIZE(field_names); i++)
        if (field_names[i].encoding == encoding)
            return field_names[i].name;
    return "unknown field";
}

void check_require(struct check *c, bool holds, uint32_t encoding, const char *rule)
{
    if (holds)
        return;
    if (c->count < c->max)
        c->out[c->count] = (struct entry_violation){
            .field = encoding, .name = entry_check_field_name(encoding), .value = field(c, encoding),
            .rule = rule, .section = c->section,
        };
    c->count++;
}

/* ---- checks that several sections share ------------------------------------------------------------------------------ */

void check_address(struct check *c, uint32_t encoding, uint64_t alignment)
{
    uint64_t address = field(c, encoding);
    check_require(c, (address & (alignment - 1)) == 0, encoding, "the address must be aligned (4 KiB for pages, 64 bytes for the "
                  "posted-interrupt descriptor, 16 bytes for MSR lists)");
    check_require(c, fits_physical(c, address), encoding, "the address must lie below the physical-address width");
}

void check_canonical(struct check *c, uint32_t encoding)
{
    check_require(c, is_canonical(c, field(c, encoding)), encoding, "the address must be canonical");
}

void check_fixed_bits(struct check *c, uint32_t encoding, uint32_t fixed0_msr, uint64_t exempt)
{
    uint64_t value = field(c, encoding), must = capability(c, fixed0_msr) & ~exempt, may = capability(c, fixed0_msr + 1) | exempt;
    check_require(c, (value & must) == must, encoding, "a bit that is 1 in the FIXED0 capability MSR must be 1");
    check_require(c, (value & ~may) == 0, encoding, "a bit that is 0 in the FIXED1 capability MSR must be 0");
}

void check_pat(struct check *c, uint32_t encoding)
{
    uint64_t pat = field(c, encoding);
    bool valid = true;
    for (unsigned i = 0; i < 8; i++)
        valid = valid && (0xf3 >> (pat >> 8 * i & 7) & 1) && (pat >> 8 * i & 0xf8) == 0;
    check_require(c, valid, encoding, "each byte must be a memory type: 0, 1, 4, 5, 6 or 7");
}

void check_efer(struct check *c, uint32_t encoding, bool lma)
{
    uint64_t efer = field(c, encoding);
    check_require(c, (efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)) == 0, encoding, "reserved bits must be 0");
    check_require(c, !(efer & EFER_LMA) == !lma, encoding,
                  "LMA must equal the control \"IA-32e mode guest\" (guest) or \"host address-space size\" (host)");
}

void check_cet(struct check *c, uint32_t s_cet, uint32_t ssp, uint32_t table)
{
    check_canonical(c, s_cet);
    check_require(c, (field(c, s_cet) & 0x3c0) == 0, s_cet, "bits 9:6 must be 0");
    check_require(c, (field(c, s_cet) & 0xc00) != 0xc00, s_cet, "bits 11 and 10 must not both be 1");
    check_require(c, (field(c, ssp) & 3) == 0, ssp, "bits 1:0 must be 0");
    check_canonical(c, table);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------- */

static void load_common(struct check *c)
{
    c->pin = field(c, VMCS_PIN_CONTROLS);
    c->primary = field(c, VMCS_PRIMARY_PROC_CONTROLS);
    c->secondary = c->primary & PROC_ACTIVATE_SECONDARY_CONTROLS ? field(c, VMCS_SECONDARY_PROC_CONTROLS) : 0;
    c->exit = field(c, VMCS_EXIT_CONTROLS);
    c->entry = field(c, VMCS_ENTRY_CONTROLS);
    c->entry_info = field(c, VMCS_ENTRY_INTERRUPTION_INFORMATION);
    c->cr0 = field(c, VMCS_GUEST_CR0);
    c->cr4 = field(c, VMCS_GUEST_CR4);
    c->rflags = field(c, VMCS_GUEST_RFLAGS);
    c->ia32e = c->entry & ENTRY_IA32E_MODE_GUEST;
    c->unrestricted = c->secondary & PROC2_UNRESTRICTED_GUEST;
    c->v8086 = c->rflags & RFLAGS_VM;
}

unsigned entry_check(const struct entry_check_input *input, struct entry_violation *out, unsigned max)
{
    struct check c = { .in = input, .out = out, .max = max };
    load_common(&c);
    check_execution_controls(&c);
    check_exit_and_entry_controls(&c);
    check_host(&c);
    check_guest_registers(&c);
    check_guest_segments(&c);
    check_guest_other(&c);
    return c.count;
}

void entry_check_read_cpu(struct entry_check_cpu *cpu, uint64_t (*rdmsr)(void *ctx, uint32_t msr), void *ctx,
                          unsigned physical_bits, unsigned linear_bits, bool lam)
{
    *cpu = (struct entry_check_cpu){ .physical_bits = (uint8_t)physical_bits, .linear_bits = (uint8_t)linear_bits, .lam = lam };
#define READ(msr) (cpu->capability[(msr) - IA32_VMX_BASIC] = rdmsr(ctx, msr))
    for (uint32_t msr = IA32_VMX_BASIC; msr <= IA32_VMX_VMCS_ENUM; msr++)
        READ(msr);
    if (cpu->capability[0] & VMX_BASIC_TRUE_CONTROLS)
        for (uint32_t msr = IA32_VMX_TRUE_PINBASED_CTLS; msr <= IA32_VMX_TRUE_ENTRY_CTLS; msr++)
            READ(msr);
    uint32_t primary = VMX_CTLS_MAY(cpu->capability[IA32_VMX_PROCBASED_CTLS - IA32_VMX_BASIC]), secondary = 0;
    if (primary & PROC_ACTIVATE_SECONDARY_CONTROLS)
        secondary = VMX_CTLS_MAY(READ(IA32_VMX_PROCBASED_CTLS2));
    if (secondary & (PROC2_ENABLE_EPT | PROC2_ENABLE_VPID))
        READ(IA32_VMX_EPT_VPID_CAP);
    if (secondary & PROC2_ENABLE_VM_FUNCTIONS)
        READ(IA32_VMX_VMFUNC);
    if (primary & PROC_ACTIVATE_TERTIARY_CONTROLS)
        READ(IA32_VMX_PROCBASED_CTLS3);
#undef READ
}

size_t entry_violation_print(char *buf, size_t size, const struct entry_violation *v)
{
    return fmt_print(buf, size, "%s = 0x%lx: %s%s%s (Intel SDM vol 3, \"%s\")", v->name, v->value,
                     v->bit ? v->bit : "", v->bit ? ": " : "", v->rule, v->section);
}
