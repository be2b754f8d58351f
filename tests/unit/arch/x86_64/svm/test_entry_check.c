#include <string.h>
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/svm/entry_check.h"
#include "tests/unit/test.h"

static struct vmcb c;
static struct svm_entry_violation found[4];

static void legal(void)
{
    memset(&c, 0, sizeof c);
    c.intercept_2 = INTERCEPT_VMRUN;
    c.guest_asid = 1;
    c.iopm_base_pa = 0x10000;
    c.msrpm_base_pa = 0x20000;
    c.np_enable = VMCB_NP_ENABLE;
    c.n_cr3 = 0x30000;
    c.g_pat = PAT_RESET;
    c.efer = EFER_SVME;
    c.cr0 = CR0_ET;
    c.cr4 = CR4_MCE;
    c.dr6 = DR6_RESET;
    c.dr7 = DR7_RESET;
}

static unsigned check(void)
{
    memset(found, 0, sizeof found);
    return svm_entry_check(&c, 40, found, 4);
}

static bool only(const char *field)
{
    return check() == 1 && !strcmp(found[0].field, field);
}

TEST(a_vmcb_as_after_reset_is_legal)
{
    legal();
    CHECK_EQ(check(), 0);
}

TEST(each_rule_alone_is_found_and_names_its_field)
{
    legal(); c.intercept_2 = 0; CHECK(only("intercepts 2"));
    legal(); c.guest_asid = 0; CHECK(only("GUEST_ASID"));
    legal(); c.iopm_base_pa = (UINT64_C(1) << 40) - 4096; CHECK(only("IOPM_BASE_PA"));
    legal(); c.msrpm_base_pa = 0x20001; CHECK(only("MSRPM_BASE_PA"));
    legal(); c.n_cr3 = UINT64_C(1) << 40; CHECK(only("N_CR3"));
    legal(); c.g_pat = 2; CHECK(only("G_PAT"));
    legal(); c.efer = 0; CHECK(only("EFER"));
    legal(); c.efer |= UINT64_C(1) << 20; CHECK(only("EFER"));
    legal(); c.cr0 |= CR0_NW; CHECK(only("CR0"));
    legal(); c.cr0 |= UINT64_C(1) << 32; CHECK(only("CR0"));
    legal(); c.cr3 = UINT64_C(1) << 41; CHECK(only("CR3"));
    legal(); c.cr4 |= UINT64_C(1) << 40; CHECK(only("CR4"));
    legal(); c.dr6 |= UINT64_C(1) << 32; CHECK(only("DR6"));
    legal(); c.dr7 |= UINT64_C(1) << 32; CHECK(only("DR7"));
}

TEST(long_mode_needs_pae_and_protected_mode)
{
    legal();
    c.efer |= EFER_LME;
    c.cr0 |= CR0_PG | CR0_PE;
    CHECK(only("CR4"));
    c.cr4 |= CR4_PAE;
    CHECK_EQ(check(), 0);
    c.cs.attributes = 0x600;
    CHECK(only("CS attributes"));
    c.cs.attributes = 0;
    c.cr0 &= ~CR0_PE;
    CHECK(only("CR0"));
}

TEST(an_injected_event_has_a_type_and_a_vector_that_exist)
{
    legal(); c.eventinj = EVENT_VALID | 1 << EVENT_TYPE_SHIFT; CHECK(only("EVENTINJ"));
    legal(); c.eventinj = EVENT_VALID | EVENT_EXCEPTION << EVENT_TYPE_SHIFT | 2; CHECK(only("EVENTINJ"));
    legal(); c.eventinj = EVENT_VALID | EVENT_EXCEPTION << EVENT_TYPE_SHIFT | 14; CHECK_EQ(check(), 0);
    legal(); c.eventinj = 1 << EVENT_TYPE_SHIFT; CHECK_EQ(check(), 0);
}

TEST(more_violations_than_room_are_counted_and_not_stored)
{
    memset(&c, 0, sizeof c);
    c.cr0 = CR0_NW | UINT64_C(1) << 32;
    c.dr6 = c.dr7 = ~UINT64_C(0);
    CHECK(check() > 4);
}
