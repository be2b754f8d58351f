/* A scripted CPU for accesses to control registers and XCR0: what of an access has been done, or that it raised #GP(0). Included
 * by one test each. */
#ifndef TESTS_UNIT_HV_VM_CR_MACHINE_H
#define TESTS_UNIT_HV_VM_CR_MACHINE_H

#include <string.h>
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/vm/emulate.h"
#include "hv/vm/exits.h"
#include "hv/vm/operand.h"
#include "tests/unit/hv/mem/arena.h"
#include "tests/unit/test.h"

#define PHYSICAL_BITS 36
#define CR4_ALLOWED   (CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSXSAVE | CR4_PCIDE | CR4_SMEP)
#define PAGED         (CR0_PG | CR0_PE | CR0_NE | CR0_ET)
#define PDPTES        0x1020 /* 32-byte aligned, not more */

struct vt_ops vt;
static uint64_t field[VT_FIELD_COUNT], before[VT_FIELD_COUNT];
static struct vt_vcpu cpu;
static struct partition part;
static struct vcpu v;
static unsigned skipped, faulted, flushed, retried;
static _Alignas(4096) uint8_t page[4096];

static uint64_t get(struct vt_vcpu *c, enum vt_field f) { return field[f]; }
static void set(struct vt_vcpu *c, enum vt_field f, uint64_t value) { field[f] = value; }
static void skip(struct vt_vcpu *c) { skipped++; }
static void flush_linear(struct vt_vcpu *c) { flushed++; }

void vcpu_exception(struct vcpu *unused, uint8_t vector, bool has_error, uint32_t error)
{
    CHECK(vector == 13 && has_error && !error);
    faulted++;
}

/* The operands of an instruction that had to be decoded. */
static const struct insn *decoded;
static bool operand_works;
static uint16_t operand;
static unsigned stored_size;

const struct insn *operand_decode(struct vcpu *unused) { return decoded; }
enum vcpu_next operand_done(struct vcpu *unused, const struct insn *in) { skipped++; return VCPU_RESUME; }
enum vcpu_next operand_retry(struct vcpu *unused) { retried++; return VCPU_RESUME; }
uint64_t operand_register(struct vcpu *unused, unsigned gpr) { return cpu.gpr[gpr]; }

void operand_set_register(struct vcpu *unused, unsigned gpr, unsigned size, uint64_t value)
{
    stored_size = size;
    cpu.gpr[gpr] = value;
}

bool operand_load(struct vcpu *unused, const struct insn *in, void *buffer, size_t size)
{
    if (operand_works)
        memcpy(buffer, &operand, size);
    return operand_works;
}

bool operand_store(struct vcpu *unused, const struct insn *in, const void *buffer, size_t size)
{
    stored_size = (unsigned)size;
    if (operand_works)
        memcpy(&operand, buffer, 2);
    return operand_works;
}

static void on_ipi(void *ctx, const struct apic_message *m) { }
static void on_eoi(void *ctx, uint8_t vector) { }
static void on_local(void *ctx, enum apic_mode mode) { }
static const struct vlapic_ops lapic_ops = { on_ipi, on_eoi, on_local };

/* 32-bit code without paging. */
static inline bool start(void)
{
    static const struct page_range all[] = { { { MiB(16) }, MiB(16) } };
    vt = (struct vt_ops){ .get = get, .set = set, .skip = skip, .flush_linear = flush_linear };
    memset(field, 0, sizeof field);
    memset(&cpu, 0, sizeof cpu);
    memset(&v, 0, sizeof v);
    v.vt = &cpu;
    v.part = &part;
    v.cr4_allowed = CR4_ALLOWED;
    v.cpuid.leaf[CPUID_SLOT_EXTENDED + 8].eax = PHYSICAL_BITS;
    vlapic_init(&v.lapic, &(struct vlapic_config){ .page = page, .x2apic = true, .physical_bits = 39, .bus_ns = 1, .ops = &lapic_ops });
    field[VT_CR0] = CR0_PE | CR0_ET;
    field[VT_CR3] = PDPTES;
    skipped = faulted = flushed = retried = 0;
    return arena_start(MiB(16), all, 1) && gmem_create(&part.mem, &pages) == GMEM_OK && gmem_add_ram(&part.mem, GPA(0), KiB(64)) == GMEM_OK;
}

static inline void finish(void)
{
    gmem_destroy(&part.mem);
    arena_end();
}

/* 64-bit code. */
static inline bool start_long(void)
{
    bool ok = start();
    field[VT_CR0] = PAGED;
    field[VT_CR4] = CR4_PAE;
    field[VT_EFER] = EFER_LME | EFER_LMA;
    field[VT_ACCESS + VT_CS] = VT_ACCESS_L;
    return ok;
}

/* True: done; false: #GP, and nothing is changed. */
static inline bool finished(enum vcpu_next next)
{
    if (next != VCPU_RESUME || skipped + faulted != 1)
        test_failed(__FILE__, __LINE__, "an access is finished or faults");
    if (faulted && (memcmp(before, field, sizeof field) || flushed))
        test_failed(__FILE__, __LINE__, "an access that faults changes nothing");
    return skipped;
}

static inline void begin(void)
{
    skipped = faulted = flushed = 0;
    memcpy(before, field, sizeof field);
}

#endif
