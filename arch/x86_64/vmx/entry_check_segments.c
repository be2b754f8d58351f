/* SDM, "Checks on Guest Segment Registers". */
#include "arch/x86_64/vmx/entry_check_private.h"

enum { DATA_RW_ACCESSED = SEG_DATA_RW_ACCESSED, DATA_RW_DOWN_ACCESSED = SEG_DATA_RW_ACCESSED | SEG_TYPE_EXPAND_DOWN };

struct segment {
    unsigned index; /* enum vmcs_segment */
    uint64_t selector, base, limit, rights;
    unsigned type, dpl, rpl;
    bool usable;
};

static struct segment load(const struct check *c, unsigned index)
{
    struct segment s = { .index = index, .selector = field(c, VMCS_GUEST_SELECTOR(index)), .base = field(c, VMCS_GUEST_BASE(index)),
                         .limit = field(c, VMCS_GUEST_LIMIT(index)), .rights = field(c, VMCS_GUEST_ACCESS_RIGHTS(index)) };
    s.type = (unsigned)s.rights & VMCS_AR_TYPE;
    s.dpl = (unsigned)(s.rights & VMCS_AR_DPL) >> VMCS_AR_DPL_SHIFT;
    s.rpl = (unsigned)s.selector & SEL_RPL;
    s.usable = !(s.rights & VMCS_AR_UNUSABLE);
    return s;
}

static void rights_rule(struct check *c, const struct segment *s, bool holds, const char *rule)
{
    check_require(c, holds, VMCS_GUEST_ACCESS_RIGHTS(s->index), rule);
}

/* What every usable segment obeys. */
static void check_common_rights(struct check *c, const struct segment *s, bool system)
{
    rights_rule(c, s, !(s->rights & VMCS_AR_S) == system, system ? "S (bit 4) must be 0 for a system segment"
                                                                 : "S (bit 4) must be 1 for code and data");
    rights_rule(c, s, s->rights & VMCS_AR_PRESENT, "P (bit 7) must be 1");
    rights_rule(c, s, (s->rights & VMCS_AR_RESERVED_LO) == 0 && s->rights >> 17 == 0, "bits 11:8 and 31:17 must be 0");
    bool g = s->rights & VMCS_AR_G;
    rights_rule(c, s, !g || (s->limit & 0xfff) == 0xfff, "G (bit 15) must be 0 if limit bits 11:0 are not all 1");
    rights_rule(c, s, g || s->limit >> 20 == 0, "G (bit 15) must be 1 if limit bits 31:20 are not all 0");
}

/* ---- virtual-8086 mode ------------------------------------------------------------------------------------------------- */

static void check_v8086(struct check *c, const struct segment *s)
{
    check_require(c, s->base == s->selector << 4, VMCS_GUEST_BASE(s->index), "in virtual-8086 mode the base must be the selector times 16");
    check_require(c, s->limit == 0xffff, VMCS_GUEST_LIMIT(s->index), "in virtual-8086 mode the limit must be ffffh");
    rights_rule(c, s, s->rights == 0xf3, "in virtual-8086 mode the access rights must be f3h");
}

/* ---- code, stack, data ------------------------------------------------------------------------------------------------- */

static void check_code(struct check *c, const struct segment *cs, const struct segment *ss)
{
    bool data = cs->type == DATA_RW_ACCESSED && c->unrestricted, code = (cs->type & 9) == 9;
    rights_rule(c, cs, data || code, "CS must be accessed code (type 9, 11, 13, 15; 3 also with \"unrestricted guest\")");
    rights_rule(c, cs, !data || cs->dpl == 0, "CS.DPL must be 0 with type 3");
    if (code && cs->type & SEG_TYPE_EXPAND_DOWN) /* conforming */
        rights_rule(c, cs, cs->dpl <= ss->dpl, "DPL of conforming code must not exceed SS.DPL");
    else if (code)
        rights_rule(c, cs, cs->dpl == ss->dpl, "DPL of non-conforming code must equal SS.DPL");
    rights_rule(c, cs, !c->ia32e || !(cs->rights & VMCS_AR_L) || !(cs->rights & VMCS_AR_DB), "D/B must be 0 for 64-bit code (L = 1)");
    check_common_rights(c, cs, false);
}

static void check_stack(struct check *c, const struct segment *ss, const struct segment *cs)
{
    if (!c->unrestricted) {
        check_require(c, ss->rpl == cs->rpl, VMCS_GUEST_SS_SELECTOR, "SS.RPL must equal CS.RPL");
        rights_rule(c, ss, ss->dpl == ss->rpl, "SS.DPL must equal SS.RPL");
    }
    if (cs->type == DATA_RW_ACCESSED || !(c->cr0 & CR0_PE))
        rights_rule(c, ss, ss->dpl == 0, "SS.DPL must be 0 in real mode or with CS type 3");
    if (!ss->usable)
        return;
    rights_rule(c, ss, ss->type == DATA_RW_ACCESSED || ss->type == DATA_RW_DOWN_ACCESSED, "SS must be writable accessed data (type 3 or 7)");
    check_common_rights(c, ss, false);
}

static void check_data(struct check *c, const struct segment *s)
{
    if (!s->usable)
        return;
    rights_rule(c, s, s->type & SEG_TYPE_ACCESSED, "type bit 0 (accessed) must be 1");
    rights_rule(c, s, !(s->type & SEG_TYPE_CODE) || s->type & SEG_TYPE_WRITABLE, "a code segment used for data must be readable");
    if (!c->unrestricted && s->type <= SEG_CODE_XR_ACCESSED)
        rights_rule(c, s, s->dpl >= s->rpl, "DPL must not be below RPL");
    check_common_rights(c, s, false);
}

static void check_bases(struct check *c, const struct segment *segments)
{
    check_canonical(c, VMCS_GUEST_FS_BASE);
    check_canonical(c, VMCS_GUEST_GS_BASE);
    check_require(c, segments[VMCS_CS].base <= UINT32_MAX, VMCS_GUEST_CS_BASE, "bits 63:32 must be 0");
    static const uint8_t flat[] = { VMCS_SS, VMCS_DS, VMCS_ES };
    for (unsigned i = 0; i < ARRAY_SIZE(flat); i++)
        check_require(c, !segments[flat[i]].usable || segments[flat[i]].base <= UINT32_MAX, VMCS_GUEST_BASE(flat[i]),
                      "bits 63:32 must be 0 in a usable segment");
}

/* ---- TR and LDTR ------------------------------------------------------------------------------------------------------- */

static void check_tr(struct check *c, const struct segment *tr)
{
    check_require(c, !(tr->selector & SEL_TI), VMCS_GUEST_TR_SELECTOR, "TI (bit 2) must be 0");
    check_canonical(c, VMCS_GUEST_TR_BASE);
    rights_rule(c, tr, tr->type == VMCS_TYPE_TSS_BUSY || (tr->type == VMCS_TYPE_TSS16_BUSY && !c->ia32e),
                "TR must be a busy TSS (type 11; 3 also outside IA-32e mode)");
    rights_rule(c, tr, tr->usable, "TR must be usable (bit 16 must be 0)");
    check_common_rights(c, tr, true);
}

static void check_ldtr(struct check *c, const struct segment *ldtr)
{
    if (!ldtr->usable)
        return;
    check_require(c, !(ldtr->selector & SEL_TI), VMCS_GUEST_LDTR_SELECTOR, "TI (bit 2) must be 0");
    check_canonical(c, VMCS_GUEST_LDTR_BASE);
    rights_rule(c, ldtr, ldtr->type == VMCS_TYPE_LDT, "LDTR must be an LDT (type 2)");
    check_common_rights(c, ldtr, true);
}

void check_guest_segments(struct check *c)
{
    c->section = "Checks on Guest Segment Registers";
    struct segment s[VMCS_SEGMENTS];
    for (unsigned i = 0; i < VMCS_SEGMENTS; i++)
        s[i] = load(c, i);
    check_bases(c, s);
    if (c->v8086) {
        for (unsigned i = VMCS_ES; i <= VMCS_GS; i++)
            check_v8086(c, &s[i]);
    } else {
        check_code(c, &s[VMCS_CS], &s[VMCS_SS]);
        check_stack(c, &s[VMCS_SS], &s[VMCS_CS]);
        for (unsigned i = VMCS_ES; i <= VMCS_GS; i++)
            if (i != VMCS_CS && i != VMCS_SS)
                check_data(c, &s[i]);
    }
    check_tr(c, &s[VMCS_TR]);
    check_ldtr(c, &s[VMCS_LDTR]);
}
