/* Why the CPU refused an entry, in words; and the VMCS by its fields' names. What this CPU does not have is left out. */
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/fixup.h"
#include "arch/x86_64/vmx/entry_check.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"
#include "hv/lib/fmt.h"

#define MAX_VIOLATIONS 16

static const struct { uint32_t field; const char *name; } fields[] = {
#define FIELD_TITLE(name, encoding, width, title) { encoding, title },
    VMCS_FIELDS(FIELD_TITLE)
#undef FIELD_TITLE
};

static uint64_t read_field(void *ctx, uint32_t field)
{
    uint64_t value = 0;
    return vmread_try(field, &value) ? value : 0;
}

static uint64_t read_msr(void *ctx, uint32_t msr)
{
    uint64_t value;
    return rdmsr_safe(msr, &value) ? value : 0;
}

void vmx_dump(struct vt_vcpu *vt, void (*field)(void *ctx, const struct vt_hw_field *f), void *ctx)
{
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        struct vt_hw_field f = { .name = fields[i].name, .where = fields[i].field };
        if (vmread_try(fields[i].field, &f.value))
            field(ctx, &f);
    }
}

unsigned vmx_explain_entry(struct vt_vcpu *vt, void (*line)(void *ctx, const char *text), void *ctx)
{
    struct vmx_vcpu *v = vmx_of(vt);
    struct entry_check_cpu cpu;
    struct entry_violation found[MAX_VIOLATIONS];
    char text[240];

    entry_check_read_cpu(&cpu, read_msr, NULL, cpu_features.physical_bits, cpu_features.linear_bits,
                         cpu_features.lam);
    const struct entry_check_input input = { &cpu, read_field, NULL, v->config.apic_page };
    unsigned count = entry_check(&input, found, MAX_VIOLATIONS);
    for (unsigned i = 0; i < MIN(count, (unsigned)MAX_VIOLATIONS); i++) {
        entry_violation_print(text, sizeof text, &found[i]);
        line(ctx, text);
    }
    return count;
}
