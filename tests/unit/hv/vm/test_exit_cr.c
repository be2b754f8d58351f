/* Accesses to control registers and XCR0, on a scripted CPU: what the manual allows is done as a whole, and what it does not
 * raises #GP(0) and changes nothing. SDM vol 2, "MOV-Move to/from Control Registers", "LMSW", "SMSW", "CLTS", "XSETBV". */
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
static bool start(void)
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

static void finish(void)
{
    gmem_destroy(&part.mem);
    arena_end();
}

/* 64-bit code, or PAE paging. */
static bool start_long(void)
{
    bool ok = start();
    field[VT_CR0] = PAGED;
    field[VT_CR4] = CR4_PAE;
    field[VT_EFER] = EFER_LME | EFER_LMA;
    field[VT_ACCESS + VT_CS] = VT_ACCESS_L;
    return ok;
}

static bool start_pae(void)
{
    bool ok = start();
    field[VT_CR0] = PAGED;
    field[VT_CR4] = CR4_PAE;
    return ok;
}

static void pdpte(unsigned i, uint64_t value)
{
    if (gmem_write_u64(&part.mem, GPA(PDPTES + 8 * i), value) != GMEM_OK)
        test_failed(__FILE__, __LINE__, "pdpte");
}

/* True: done; false: #GP, and nothing is changed. */
static bool finished(enum vcpu_next next)
{
    if (next != VCPU_RESUME || skipped + faulted != 1)
        test_failed(__FILE__, __LINE__, "an access is finished or faults");
    if (faulted && (memcmp(before, field, sizeof field) || flushed))
        test_failed(__FILE__, __LINE__, "an access that faults changes nothing");
    return skipped;
}

static void begin(void)
{
    skipped = faulted = flushed = 0;
    memcpy(before, field, sizeof field);
}

static bool mov_to(unsigned cr, uint64_t value)
{
    const struct vt_exit exit = { .kind = VT_EXIT_CR_WRITE, .cr = { .cr = (uint8_t)cr, .gpr = VT_RDI, .how = VT_CR_MOV } };
    begin();
    cpu.gpr[VT_RDI] = value;
    return finished(exit_cr_write(&v, &exit));
}

static uint64_t mov_from(unsigned cr)
{
    const struct vt_exit exit = { .kind = VT_EXIT_CR_READ, .cr = { .cr = (uint8_t)cr, .gpr = VT_R8, .how = VT_CR_MOV } };
    begin();
    cpu.gpr[VT_R8] = UINT64_MAX;
    return finished(exit_cr_read(&v, &exit)) ? cpu.gpr[VT_R8] : UINT64_MAX;
}

/* ---- CR0 ----------------------------------------------------------------------------------------------------------- */

TEST(cr0_with_bits_that_contradict_each_other_is_refused)
{
    CHECK(start());
    CHECK(!mov_to(0, CR0_PG));
    CHECK(!mov_to(0, CR0_PE | CR0_NW));
    CHECK(mov_to(0, CR0_PE | CR0_NW | CR0_CD));
    finish();
    CHECK(start_long());
    CHECK(!mov_to(0, PAGED | UINT64_C(1) << 32));
    CHECK(!mov_to(0, PAGED | CR0_NW)); /* where nothing else changes, too */
    CHECK(mov_to(0, PAGED | CR0_CD));
    finish();
}

TEST(cr0_s_reserved_bits_stay_0)
{
    CHECK(start());
    CHECK(mov_to(0, CR0_PE | CR0_ET | UINT64_C(1) << 10 | UINT64_C(1) << 28));
    CHECK_EQ(field[VT_CR0], CR0_PE | CR0_ET);
    finish();
}

TEST(paging_begins_long_mode_with_lme_and_pae_outside_of_64_bit_code)
{
    CHECK(start());
    field[VT_EFER] = EFER_LME;
    CHECK(!mov_to(0, PAGED)); /* no PAE */
    field[VT_CR4] = CR4_PAE;
    field[VT_ACCESS + VT_CS] = VT_ACCESS_L;
    CHECK(!mov_to(0, PAGED));
    field[VT_ACCESS + VT_CS] = 0;
    CHECK(mov_to(0, PAGED));
    CHECK_EQ(field[VT_EFER], EFER_LME | EFER_LMA);
    CHECK_EQ(flushed, 1);
    finish();
}

TEST(paging_ends_long_mode_but_not_in_64_bit_code_and_not_with_pcids)
{
    CHECK(start_long());
    CHECK(!mov_to(0, CR0_PE));
    field[VT_ACCESS + VT_CS] = 0;
    field[VT_CR4] |= CR4_PCIDE;
    CHECK(!mov_to(0, CR0_PE));
    field[VT_CR4] &= ~CR4_PCIDE;
    CHECK(mov_to(0, CR0_PE));
    CHECK_EQ(field[VT_EFER], EFER_LME);
    CHECK_EQ(flushed, 1);
    finish();
}

TEST(pae_paging_takes_its_four_entries_when_it_begins)
{
    CHECK(start());
    field[VT_CR4] = CR4_PAE;
    pdpte(0, 0x2001);
    pdpte(3, UINT64_C(0xfff0000000000000) | 0x1e6); /* not present: any bit */
    CHECK(mov_to(0, PAGED));
    CHECK_EQ(field[VT_PDPTE0], 0x2001);
    CHECK_EQ(field[VT_PDPTE0 + 3], UINT64_C(0xfff00000000001e6));
    finish();
}

TEST(an_entry_with_reserved_bits_keeps_pae_paging_from_beginning)
{
    static const uint64_t reserved[] = { 2, 4, 0x20, 0x40, 0x80, 0x100, UINT64_C(1) << PHYSICAL_BITS, UINT64_C(1) << 63 };
    CHECK(start());
    field[VT_CR4] = CR4_PAE;
    for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++) {
        pdpte(2, 1 | reserved[i]);
        CHECK(!mov_to(0, PAGED));
    }
    pdpte(2, 1 | 0x18 | 0xe00); /* PWT, PCD and what software may use */
    CHECK(mov_to(0, PAGED));
    finish();
}

TEST(entries_outside_of_ram_are_not_present)
{
    CHECK(start());
    field[VT_CR4] = CR4_PAE;
    field[VT_CR3] = 0x80000000;
    field[VT_PDPTE0] = 1;
    CHECK(mov_to(0, PAGED));
    CHECK_EQ(field[VT_PDPTE0], 0);
    finish();
}

TEST(clts_clears_ts_alone)
{
    const struct vt_exit exit = { .kind = VT_EXIT_CR_WRITE, .cr = { .how = VT_CR_CLTS } };
    CHECK(start_long());
    field[VT_CR0] |= CR0_TS | CR0_MP;
    begin();
    CHECK(finished(exit_cr_write(&v, &exit)));
    CHECK_EQ(field[VT_CR0], PAGED | CR0_MP);
    CHECK_EQ(flushed, 0);
    finish();
}

TEST(lmsw_writes_four_bits_and_never_leaves_protected_mode)
{
    struct vt_exit exit = { .kind = VT_EXIT_CR_WRITE, .cr = { .how = VT_CR_LMSW, .lmsw_value = 0xfff0 } };
    CHECK(start_long());
    field[VT_CR0] |= CR0_TS | CR0_EM | CR0_MP;
    begin();
    CHECK(finished(exit_cr_write(&v, &exit)));
    CHECK_EQ(field[VT_CR0], PAGED);
    exit.cr.lmsw_value = 0xa;
    begin();
    CHECK(finished(exit_cr_write(&v, &exit)));
    CHECK_EQ(field[VT_CR0], PAGED | CR0_TS | CR0_MP);
    finish();
}

/* ---- CR3, CR4, CR8 ------------------------------------------------------------------------------------------------- */

TEST(cr3_beyond_the_physical_addresses_is_refused)
{
    CHECK(start_long());
    CHECK(!mov_to(3, UINT64_C(1) << PHYSICAL_BITS));
    CHECK(!mov_to(3, 0x1000 | CR3_NO_FLUSH)); /* without PCIDs */
    CHECK(mov_to(3, (UINT64_C(1) << PHYSICAL_BITS) - 0x1000));
    CHECK_EQ(flushed, 1);
    CHECK_EQ(mov_from(3), (UINT64_C(1) << PHYSICAL_BITS) - 0x1000);
    finish();
}

TEST(with_pcids_bit_63_of_cr3_keeps_translations_and_is_not_stored)
{
    CHECK(start_long());
    field[VT_CR4] |= CR4_PCIDE;
    CHECK(mov_to(3, 0x5007 | CR3_NO_FLUSH));
    CHECK_EQ(field[VT_CR3], 0x5007);
    CHECK_EQ(flushed, 0);
    CHECK(mov_to(3, 0x5007));
    CHECK_EQ(flushed, 1);
    CHECK(!mov_to(3, 0x5007 | CR3_LAM_U57));
    finish();
}

TEST(cr3_is_refused_with_bad_entries_of_pae_paging)
{
    CHECK(start_pae());
    field[VT_CR3] = 0;
    pdpte(1, 3);
    CHECK(!mov_to(3, PDPTES));
    pdpte(1, 0x3001);
    CHECK(mov_to(3, PDPTES));
    CHECK_EQ(field[VT_PDPTE0 + 1], 0x3001);
    finish();
}

TEST(outside_of_64_bit_code_a_register_has_32_bits)
{
    CHECK(start());
    CHECK(mov_to(3, UINT64_C(0xffffffff00005000)));
    CHECK_EQ(field[VT_CR3], 0x5000);
    finish();
}

TEST(cr4_bits_that_the_guest_was_not_offered_are_refused)
{
    CHECK(start());
    for (unsigned bit = 0; bit < 32; bit++) {
        uint64_t value = UINT64_C(1) << bit;
        field[VT_CR4] = 0;
        CHECK(mov_to(4, value) == ((value & CR4_ALLOWED) && value != CR4_PCIDE)); /* PCIDs: in long mode only */
    }
    finish();
}

TEST(pae_cannot_be_switched_off_in_long_mode)
{
    CHECK(start_long());
    CHECK(!mov_to(4, 0));
    CHECK(mov_to(4, CR4_PAE | CR4_PGE));
    CHECK_EQ(flushed, 1);
    finish();
}

TEST(pcids_begin_in_long_mode_with_a_pcid_of_0)
{
    CHECK(start_long());
    field[VT_CR3] = 0x5001;
    CHECK(!mov_to(4, CR4_PAE | CR4_PCIDE));
    field[VT_CR3] = 0x5000;
    CHECK(mov_to(4, CR4_PAE | CR4_PCIDE));
    field[VT_CR3] = 0x5001;
    CHECK(mov_to(4, CR4_PAE | CR4_PCIDE | CR4_PGE)); /* they are on already */
    finish();
}

TEST(cr4_bits_of_paging_have_pae_paging_read_its_entries)
{
    CHECK(start_pae());
    pdpte(0, 3);
    CHECK(mov_to(4, CR4_PAE | CR4_MCE)); /* none of them */
    CHECK_EQ(flushed, 0);
    CHECK(!mov_to(4, CR4_PAE | CR4_MCE | CR4_PGE));
    CHECK(mov_to(4, CR4_MCE)); /* the end of PAE paging needs none */
    finish();
}

TEST(cr4_is_told_to_cpuid)
{
    CHECK(start());
    v.cpuid_1_valid = true;
    CHECK(mov_to(4, CR4_OSXSAVE));
    CHECK(!v.cpuid_1_valid);
    CHECK_EQ(mov_from(4), CR4_OSXSAVE);
    finish();
}

TEST(cr8_is_the_apic_s_priority)
{
    CHECK(start_long());
    CHECK(!mov_to(8, 0x10));
    CHECK(!v.requests);
    CHECK(mov_to(8, 9));
    CHECK_EQ(v.requests, VCPU_REQ_EVENT);
    CHECK_EQ(mov_from(8), 9);
    finish();
}

TEST(other_control_registers_are_refused)
{
    CHECK(start_long());
    for (unsigned cr = 0; cr < 16; cr++)
        if (cr != 0 && cr != 3 && cr != 4 && cr != 8)
            CHECK(!mov_to(cr, 0));
    finish();
}

TEST(the_stack_pointer_is_a_register_like_others)
{
    struct vt_exit exit = { .kind = VT_EXIT_CR_READ, .cr = { .cr = 0, .gpr = VT_RSP, .how = VT_CR_MOV } };
    CHECK(start_long());
    begin();
    CHECK(finished(exit_cr_read(&v, &exit)));
    CHECK_EQ(field[VT_RSP_], PAGED);
    exit.cr.cr = 3;
    field[VT_RSP_] = 0x7000;
    begin();
    CHECK(finished(exit_cr_write(&v, &exit)));
    CHECK_EQ(field[VT_CR3], 0x7000);
    finish();
}

/* ---- decoded instructions ------------------------------------------------------------------------------------------ */

static bool insn(unsigned op, unsigned reg, unsigned rm, bool memory)
{
    static struct insn in;
    static const struct vt_exit exit = { .kind = VT_EXIT_CR_INSN };
    in = (struct insn){ .op = (uint8_t)op, .reg = (uint8_t)reg, .rm = (uint8_t)rm, .opsize = 4, .flags = memory ? INSN_MEM : 0 };
    decoded = &in;
    begin();
    return finished(exit_cr_insn(&v, &exit));
}

TEST(decoded_moves_do_what_the_others_do)
{
    CHECK(start_long());
    cpu.gpr[VT_RBX] = 0x6000;
    CHECK(insn(INSN_MOV_TO_CR, 3, VT_RBX, false));
    CHECK_EQ(field[VT_CR3], 0x6000);
    CHECK(insn(INSN_MOV_FROM_CR, 3, VT_RCX, false));
    CHECK_EQ(cpu.gpr[VT_RCX], 0x6000);
    field[VT_CR0] |= CR0_TS;
    CHECK(insn(INSN_CLTS, 0, 0, false));
    CHECK_EQ(field[VT_CR0], PAGED);
    finish();
}

TEST(outside_of_the_kernel_only_smsw_is_carried_out)
{
    static const uint8_t ops[] = { INSN_MOV_TO_CR, INSN_MOV_FROM_CR, INSN_LMSW, INSN_CLTS };
    CHECK(start_long());
    field[VT_ACCESS + VT_SS] = 3 << 5; /* DPL: the CPL */
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        CHECK(!insn(ops[i], 3, VT_RBX, false));
    CHECK(insn(INSN_SMSW, 0, VT_RBX, false));
    CHECK_EQ(cpu.gpr[VT_RBX], PAGED);
    CHECK_EQ(stored_size, 4);
    field[VT_CR4] |= CR4_UMIP;
    CHECK(!insn(INSN_SMSW, 0, VT_RBX, false));
    finish();
}

TEST(smsw_and_lmsw_take_16_bits_of_memory)
{
    CHECK(start_long());
    operand_works = true;
    CHECK(insn(INSN_SMSW, 0, 0, true));
    CHECK_EQ(stored_size, 2);
    CHECK_EQ(operand, PAGED & 0xffff);
    operand = CR0_TS;
    CHECK(insn(INSN_LMSW, 0, 0, true));
    CHECK_EQ(field[VT_CR0], PAGED | CR0_TS);
    cpu.gpr[VT_RDX] = CR0_MP;
    CHECK(insn(INSN_LMSW, 0, VT_RDX, false));
    CHECK_EQ(field[VT_CR0], PAGED | CR0_MP);
    finish();
}

TEST(an_instruction_whose_bytes_or_operand_cannot_be_had_is_left_to_who_said_so)
{
    static const struct insn smsw = { .op = INSN_SMSW, .flags = INSN_MEM }, lmsw = { .op = INSN_LMSW, .flags = INSN_MEM };
    static const struct vt_exit exit = { .kind = VT_EXIT_CR_INSN };
    const struct insn *const list[] = { NULL, &smsw, &lmsw };
    CHECK(start_long());
    operand_works = false;
    begin();
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        decoded = list[i];
        CHECK_EQ(exit_cr_insn(&v, &exit), VCPU_RESUME);
    }
    CHECK_EQ(skipped + faulted + retried, 0);
    CHECK(!memcmp(before, field, sizeof field));
    finish();
}

TEST(an_instruction_that_cannot_have_exited_is_tried_again)
{
    static const struct insn list[] = { { .op = INSN_MOV }, { .op = INSN_MOV_TO_CR, .reg = 2 }, { .op = INSN_MOV_FROM_CR, .reg = 5 } };
    static const struct vt_exit exit = { .kind = VT_EXIT_CR_INSN };
    CHECK(start_long());
    begin();
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        decoded = &list[i];
        CHECK_EQ(exit_cr_insn(&v, &exit), VCPU_RESUME);
        CHECK_EQ(retried, i + 1);
    }
    field[VT_ACCESS + VT_SS] = before[VT_ACCESS + VT_SS] = 3 << 5;
    decoded = &list[0]; /* at CPL 3, too */
    CHECK_EQ(exit_cr_insn(&v, &exit), VCPU_RESUME);
    CHECK_EQ(retried, ARRAY_SIZE(list) + 1);
    CHECK_EQ(skipped + faulted, 0);
    CHECK(!memcmp(before, field, sizeof field));
    finish();
}

/* ---- XCR0 ---------------------------------------------------------------------------------------------------------- */

static bool set_xcr(uint32_t index, uint64_t value)
{
    static const struct vt_exit exit = { .kind = VT_EXIT_XSETBV };
    begin();
    cpu.gpr[VT_RCX] = index | UINT64_C(0xdead) << 32; /* only ECX, EDX and EAX count */
    cpu.gpr[VT_RAX] = (value & UINT32_MAX) | UINT64_C(0xdead) << 32;
    cpu.gpr[VT_RDX] = value >> 32;
    return finished(exit_xsetbv(&v, &exit));
}

/* SDM vol 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features", one sentence each. */
static bool legal(uint64_t x, uint64_t offered)
{
    unsigned bounds = x >> 3 & 3, avx512 = x >> 5 & 7;
    bool sse = x & 2, avx = x & 4;
    return (x & 1) && !(x & ~offered) && (sse || !avx) && (avx || !avx512) && (avx512 == 0 || avx512 == 7) && bounds != 1 && bounds != 2;
}

TEST(xcr0_takes_each_combination_that_the_manual_allows_and_no_other)
{
    static const uint64_t offered[] = { 0xff, 0xe7, 0x7, 0x2ff };
    CHECK(start_long());
    for (unsigned i = 0; i < ARRAY_SIZE(offered); i++) {
        v.cpuid.xcr0 = offered[i];
        for (uint64_t x = 0; x < 0x400; x++) {
            CHECK_EQ(set_xcr(0, x), legal(x, offered[i]));
            CHECK(!skipped || field[VT_XCR0] == x);
        }
        CHECK(!set_xcr(0, UINT64_C(1) << 63 | 1));
    }
    finish();
}

TEST(xsetbv_is_the_kernel_s_and_knows_one_register)
{
    CHECK(start_long());
    v.cpuid.xcr0 = 7;
    CHECK(!set_xcr(1, 3));
    CHECK(set_xcr(0, 3));
    field[VT_ACCESS + VT_SS] = 3 << 5;
    CHECK(!set_xcr(0, 7));
    finish();
}
