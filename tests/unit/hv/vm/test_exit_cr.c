/* MOV to and from control registers, and CLTS: what the manual allows is done as a whole, and what it does not raises #GP(0) and
 * changes nothing. SDM vol 2, "MOV-Move to/from Control Registers", "CLTS". */
#include "tests/unit/hv/vm/cr_machine.h"

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
