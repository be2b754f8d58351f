/* Starting a partition: reset, load, set the boot vCPU's registers. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/part/acpi_tables.h"
#include "hv/part/bios_area.h"
#include "hv/part/load.h"
#include "hv/part/partition.h"
#include "hv/vm/apic_page.h"
#include "hv/vm/dispatch.h"
#include "hv/vm/tracing.h"
#include "hv/vm/watchdog.h"

#define ZERO_PIECE MiB(4)

static bool write_memory(void *ctx, gpa_t gpa, const void *data, uint64_t len)
{
    return gmem_load(&((struct partition *)ctx)->mem, gpa, data, len) == GMEM_OK;
}

static bool zero_memory(void *ctx, gpa_t gpa, uint64_t len)
{
    return gmem_load_fill(&((struct partition *)ctx)->mem, gpa, 0, len) == GMEM_OK;
}

/* ---- the image --------------------------------------------------------------------------------------------------- */

static struct load_file file_named(const struct partition *p, const char *name, const char *args)
{
    struct load_file f = { .name = name, .args = args };
    if (name[0] && !p->files->find(p->files->ctx, name, &f.data, &f.size))
        f.data = NULL;
    return f;
}

static bool load(struct partition *p, struct load_result *result)
{
    const struct partition_config *c = p->config;
    const struct guest_memory_ops memory = { write_memory, zero_memory, p };
    const struct acpi_request acpi = { .cpu_count = p->vcpu_count };
    struct load_file modules[PARTITION_MAX_MODULES];
    struct acpi_result tables;
    char error[200];

    for (unsigned i = 0; i < c->module_count; i++)
        modules[i] = file_named(p, c->modules[i].file, c->modules[i].args);
    if (!bios_area_build(p->vcpu_count, &memory) || !acpi_tables_build(&acpi, &memory, &tables)) {
        log_line("%s: cannot be started: its firmware tables do not fit below 1 MiB", p->name);
        return false;
    }
    const struct load_request request = {
        .kernel = file_named(p, c->image[0] ? c->image : c->kernel, NULL),
        .flat = c->image[0],
        .flat_address = c->address,
        .initrd = file_named(p, c->initrd, NULL),
        .modules = modules,
        .module_count = c->module_count,
        .cmdline = c->cmdline,
        .layout = &p->layout,
        .rsdp_gpa = tables.rsdp_gpa,
        .rsdp = &tables.rsdp,
    };
    if (load_image(&request, &memory, result, error, sizeof error) != LOAD_OK) {
        log_line("%s: cannot be started: %s", p->name, error);
        return false;
    }
    log_line("%s: %s loaded at 0x%lx (%lu KiB), %lu MiB of memory, %u vCPU%s", p->name, load_kind_name(result->kind),
             result->image_base, result->image_size >> 10, c->memory >> 20, p->vcpu_count,
             p->vcpu_count == 1 ? "" : "s");
    return true;
}

/* ---- the boot vCPU's registers ----------------------------------------------------------------------------------- */

/* Access rights in VMX layout: SDM vol 3, "Format of Access Rights". */
enum {
    FLAT_CODE32 = 0xc09b, FLAT_CODE64 = 0xa09b, FLAT_DATA = 0xc093, REAL_CODE = 0x9b, REAL_DATA = 0x93, BUSY_TSS = 0x8b,
};

static void set_segments(struct vcpu *v, const struct load_cpu *c)
{
    bool real = c->mode == LOAD_MODE_REAL16;
    uint32_t code = real ? REAL_CODE : c->mode == LOAD_MODE_LONG64 ? FLAT_CODE64 : FLAT_CODE32;
    uint32_t limit = real ? 0xffff : UINT32_MAX;
    vcpu_set_segment(v, VT_CS, c->cs, real ? (uint64_t)c->cs << 4 : 0, limit, code);
    for (unsigned seg = VT_ES; seg <= VT_GS; seg++)
        if (seg != VT_CS)
            vcpu_set_segment(v, seg, c->data, real ? (uint64_t)c->data << 4 : 0, limit, real ? REAL_DATA : FLAT_DATA);
    vcpu_set_segment(v, VT_TR, 0, 0, 0xffff, BUSY_TSS);
    vt.set(v->vt, VT_GDTR_BASE, c->gdt_base);
    vt.set(v->vt, VT_GDTR_LIMIT, real ? 0xffff : c->gdt_limit);
    vt.set(v->vt, VT_IDTR_LIMIT, real ? 0x3ff : 0);
}

static void set_registers(struct vcpu *v, const struct load_cpu *c)
{
    uint64_t *g = v->vt->gpr;
    g[VT_RAX] = c->rax;
    g[VT_RBX] = c->rbx;
    g[VT_RCX] = c->rcx;
    g[VT_RDX] = c->rdx;
    g[VT_RSI] = c->rsi;
    g[VT_RDI] = c->rdi;
    g[VT_RBP] = c->rbp;
    vt.set(v->vt, VT_RSP_, c->rsp);
    vt.set(v->vt, VT_RIP, c->rip);
    set_segments(v, c);
    switch (c->mode) {
    case LOAD_MODE_REAL16:
        vt.set(v->vt, VT_CR0, CR0_ET);
        break;
    case LOAD_MODE_PROTECTED32:
        vt.set(v->vt, VT_CR0, CR0_PE | CR0_ET);
        break;
    case LOAD_MODE_LONG64:
        vt.set(v->vt, VT_CR3, c->cr3);
        vt.set(v->vt, VT_CR4, CR4_PAE);
        vt.set(v->vt, VT_EFER, EFER_LME | EFER_LMA);
        vt.set(v->vt, VT_CR0, CR0_PE | CR0_PG | CR0_ET);
        break;
    }
}

/* What firmware leaves behind: caches on, write-back by default, the first megabyte's holes uncached. */
static void set_firmware_state(struct vcpu *v)
{
    v->msr.mtrr_def_type = MTRR_DEF_E | MTRR_DEF_FE | MEMORY_WB;
    for (unsigned i = 0; i < ARRAY_SIZE(v->msr.mtrr_fixed); i++)
        v->msr.mtrr_fixed[i] = i == 2 ? 0 : UINT64_C(0x0606060606060606);
    if (v->index == 0)
        vlapic_set_virtual_wire(&v->lapic);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static bool spoil_entries;

void partition_spoil_entries(void)
{
    spoil_entries = true;
}

/* By the partition's name: a register that no CPU accepts. */
static const struct {
    const char *name;
    enum vt_field field;
    uint64_t value;
} spoilt[] = {
    { "spoilt_rflags", VT_RFLAGS, 0 },                        /* bit 1 has to be 1 */
    { "spoilt_rip", VT_RIP, UINT64_C(1) << 62 },              /* not canonical */
    { "spoilt_cs", VT_ACCESS + VT_CS, FLAT_CODE64 | VT_ACCESS_DB }, /* L and D */
    { "spoilt_tr", VT_ACCESS + VT_TR, VT_ACCESS_UNUSABLE },
    { "spoilt_cr0", VT_CR0, CR0_PG | CR0_ET },                /* without PE */
    { "spoilt_cr3", VT_CR3, UINT64_C(1) << 52 },              /* no CPU has so many address bits */
    { "spoilt_cr4", VT_CR4, 0 },                              /* long mode without PAE */
    { "spoilt_efer", VT_EFER, EFER_LME | EFER_LMA | 1u << 20 }, /* reserved */
    { "spoilt_dr7", VT_DR7, UINT64_C(1) << 40 },              /* reserved */
};

static void spoil(struct vcpu *v)
{
    for (unsigned i = 0; i < ARRAY_SIZE(spoilt); i++)
        if (!strcmp(v->part->name, spoilt[i].name))
            vt.set(v->vt, spoilt[i].field, spoilt[i].value);
}

static void reset_vcpu(struct vcpu *v, const struct load_cpu *c)
{
    vt.load(v->vt, NULL);
    vcpu_reset(v);
    set_firmware_state(v);
    vt.set_tsc_offset(v->vt, atomic_load(&v->part->tsc_offset));
    cpuid_set_starts(&v->cpuid, v->part->starts);
    if (v->index == 0)
        set_registers(v, c);
    if (UNLIKELY(spoil_entries))
        spoil(v);
    vcpu_apic_changed(v);
    vt.unload(v->vt, false);
    memset(v->exit_count, 0, sizeof v->exit_count);
    memset(v->exit_ticks, 0, sizeof v->exit_ticks);
    v->note = (struct exit_note){ 0 };
    atomic_store(&v->state, v->index == 0 ? VCPU_RUNNABLE : VCPU_WAIT_SIPI);
}

void partition_release(struct partition *p)
{
    atomic_store(&p->active, p->vcpu_count);
    atomic_store(&p->state, PART_RUNNING);
    for (unsigned i = 0; i < p->vcpu_count; i++)
        dispatch_unpark(p->vcpus[i], VCPU_REQ_EVENT | VCPU_REQ_TIMER | VCPU_REQ_CLOCK);
}

/* Of many gigabytes this takes seconds, in an emulator on a busy host of much less. */
static bool zero_all(struct partition *p)
{
    for (unsigned i = 0; i < p->layout.slot_count; i++) {
        const struct layout_slot *s = &p->layout.slots[i];
        for (uint64_t at = 0; at < s->size; at += ZERO_PIECE) {
            if (!zero_memory(p, GPA(s->gpa + at), MIN(ZERO_PIECE, s->size - at)))
                return false;
            watchdog_beat();
        }
    }
    return true;
}

enum partition_result partition_start(struct partition *p)
{
    struct load_result loaded;
    if (!zero_all(p))
        return PARTITION_NO_MEMORY;
    if (!apic_page_map(p))
        return PARTITION_NO_MEMORY;
    if (!load(p, &loaded)) {
        str_copy(p->reason, sizeof p->reason, "its image cannot be loaded");
        atomic_store(&p->state, PART_STOPPED);
        return PARTITION_BAD_IMAGE;
    }
    p->paused_at = 0;
    p->started_at = rdtsc();
    p->epoch = vm_epoch_at(p, p->started_at);
    atomic_store(&p->tsc_offset, -p->started_at);
    spin_lock(&p->lock);
    platform_reset(p);
    spin_unlock(&p->lock);
    atomic_store(&p->policy, p->config->exits); /* what was switched since it was made is gone */
    p->has_status = false;
    p->told = false;
    p->starts++;
    for (unsigned i = 0; i < p->vcpu_count; i++)
        reset_vcpu(p->vcpus[i], &loaded.cpu);
    tracing_partition(TRACE_PARTITION, p, TRACE_START, 0);
    partition_release(p);
    return PARTITION_OK;
}
