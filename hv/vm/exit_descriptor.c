/* SGDT, SIDT, LGDT, LIDT, SLDT, STR, LLDT and LTR, where they exit by policy: done as the CPU would. Intel SDM vol 2, the
 * instructions' pages; vol 3, "System Descriptor Types". */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/segment.h"
#include "hv/vm/exits.h"
#include "hv/vm/linear.h"
#include "hv/vm/operand.h"
#include "hv/vm/task_segment.h"

enum { ACCESS_TYPE = 0xf, ACCESS_S = 1u << 4, ACCESS_P = 1u << 7, TYPE_BUSY = 2, ACCESS_AT = 5 /* the byte with the type */ };

/* True: the instruction is done. */
typedef bool (*action_t)(struct vcpu *v, const struct insn *in, unsigned field);

static bool fault(struct vcpu *v, uint8_t vector, uint32_t error)
{
    vcpu_exception(v, vector, true, error);
    return false;
}

/* ---- GDTR and IDTR: a limit and a base in memory ------------------------------------------------------------------- */

static bool store_table(struct vcpu *v, const struct insn *in, unsigned base)
{
    const struct descriptor_table t = { .limit = (uint16_t)vt.get(v->vt, base + 1), .base = vt.get(v->vt, base) };
    return operand_store(v, in, &t, in->memsize);
}

static bool load_table(struct vcpu *v, const struct insn *in, unsigned base)
{
    struct descriptor_table t = { 0 };
    if (!operand_load(v, in, &t, in->memsize))
        return false;
    if (in->mode != INSN_MODE_64) /* with a 16-bit operand 24 bits count */
        t.base &= (in->mode == INSN_MODE_16) != !!(in->flags & INSN_OPSIZE) ? 0xffffff : UINT32_MAX;
    else if (!operand_is_canonical(v, t.base))
        return fault(v, EXC_GP, 0);
    vt.set(v->vt, base, t.base);
    vt.set(v->vt, base + 1, t.limit);
    return true;
}

/* ---- LDTR and TR: a selector ---------------------------------------------------------------------------------------- */

static bool store_selector(struct vcpu *v, const struct insn *in, unsigned seg)
{
    uint16_t selector = (uint16_t)vt.get(v->vt, VT_SELECTOR + seg);
    if (in->flags & INSN_MEM)
        return operand_store(v, in, &selector, sizeof selector);
    operand_set_register(v, in->rm, in->opsize, selector);
    return true;
}

/* Where the selector's system descriptor is, and what it says; 16 bytes in 64-bit mode. */
struct descriptor {
    struct guest_paging paging;
    uint64_t at, low, high;
};

static bool fetch(struct vcpu *v, const struct insn *in, uint16_t selector, struct descriptor *d)
{
    uint32_t offset = selector & ~(uint32_t)(SEL_RPL | SEL_TI), size = in->mode == INSN_MODE_64 ? 16 : 8;
    struct vt_event event;
    uint64_t raw[2] = { 0 };
    if ((selector & SEL_TI) || offset + size - 1 > vt.get(v->vt, VT_GDTR_LIMIT))
        return fault(v, EXC_GP, offset | (selector & SEL_TI));
    vcpu_paging(v, &d->paging);
    d->at = vt.get(v->vt, VT_GDTR_BASE) + offset;
    if (in->mode != INSN_MODE_64)
        d->at = (uint32_t)d->at;
    switch (linear_read(v, &d->paging, d->at, raw, size, &event)) {
    case LINEAR_OK:
        d->low = raw[0];
        d->high = raw[1];
        return true;
    case LINEAR_FAULT:
        vcpu_exception(v, event.vector, event.has_error_code, event.error_code);
        return false;
    case LINEAR_OUTSIDE:
        break;
    }
    partition_fail(v, "LLDT or LTR needs the GDT at 0x%lx, where there is no RAM", d->at);
    return false;
}

static bool read_selector(struct vcpu *v, const struct insn *in, uint16_t *selector)
{
    if (in->flags & INSN_MEM)
        return operand_load(v, in, selector, sizeof *selector);
    *selector = (uint16_t)operand_register(v, in->rm);
    return true;
}

/* Is it of a type that the register takes, and sound? Else the guest gets its exception. */
static bool is_fit(struct vcpu *v, unsigned seg, uint16_t selector, const struct descriptor *d, uint32_t access)
{
    uint32_t type = access & (ACCESS_S | ACCESS_TYPE), error = selector & ~(uint32_t)SEL_RPL;
    bool fits = seg == VT_LDTR ? type == SYS_LDT
                               : type == SYS_TSS_AVAILABLE || (type == SYS_TSS16_AVAILABLE && !(vt.get(v->vt, VT_EFER) & EFER_LMA));
    uint64_t base = (d->high & UINT32_MAX) << 32 | task_descriptor_of(d->low).base;
    if (!fits || (d->high >> 40 & 0x1f) || !operand_is_canonical(v, base))
        return fault(v, EXC_GP, error);
    return access & ACCESS_P ? true : fault(v, EXC_NP, error);
}

/* The descriptor in memory becomes busy, of two CPUs by one only: the other tries again, and finds it busy. */
static bool mark_busy(struct vcpu *v, const struct descriptor *d)
{
    uint8_t access = (uint8_t)(d->low >> DESC_TYPE_SHIFT);
    struct vt_event event;
    bool swapped;
    switch (linear_cmpxchg(v, &d->paging, d->at + ACCESS_AT, access, access | TYPE_BUSY, &swapped, &event)) {
    case LINEAR_OK:
        return swapped;
    case LINEAR_FAULT:
        vcpu_exception(v, event.vector, event.has_error_code, event.error_code);
        return false;
    case LINEAR_OUTSIDE:
        break;
    }
    partition_fail(v, "LTR marks a descriptor at 0x%lx as busy, where there is no RAM", d->at);
    return false;
}

static bool load_selector(struct vcpu *v, const struct insn *in, unsigned seg)
{
    uint16_t selector = 0;
    struct descriptor d;
    if (!read_selector(v, in, &selector))
        return false;
    if (!(selector & ~SEL_RPL)) {
        if (seg == VT_TR)
            return fault(v, EXC_GP, 0);
        vcpu_set_segment(v, seg, selector, 0, 0, VT_ACCESS_UNUSABLE);
        return true;
    }
    if (!fetch(v, in, selector, &d))
        return false;
    struct task_descriptor parts = task_descriptor_of(d.low);
    if (!is_fit(v, seg, selector, &d, parts.access) || (seg == VT_TR && !mark_busy(v, &d)))
        return false;
    vcpu_set_segment(v, seg, selector, (d.high & UINT32_MAX) << 32 | parts.base, parts.limit,
                     parts.access | (seg == VT_TR ? TYPE_BUSY : 0));
    return true;
}

/* ---- which ----------------------------------------------------------------------------------------------------------- */

static const struct row { action_t action; unsigned field; uint8_t op; bool load; } rows[] = {
    { store_table, VT_GDTR_BASE, INSN_SGDT, false }, { store_table, VT_IDTR_BASE, INSN_SIDT, false },
    { load_table, VT_GDTR_BASE, INSN_LGDT, true },   { load_table, VT_IDTR_BASE, INSN_LIDT, true },
    { store_selector, VT_LDTR, INSN_SLDT, false },   { store_selector, VT_TR, INSN_STR, false },
    { load_selector, VT_LDTR, INSN_LLDT, true },     { load_selector, VT_TR, INSN_LTR, true },
};

static const struct row *find(uint8_t op)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].op == op)
            return &rows[i];
    return NULL;
}

enum vcpu_next exit_descriptor(struct vcpu *v, const struct vt_exit *exit)
{
    const struct insn *in = operand_decode(v);
    if (!in)
        return VCPU_RESUME;
    const struct row *r = find(in->op);
    if (!r)
        return operand_retry(v);
    const struct insn copy = *in; /* the cache's is another's as soon as something else is decoded */
    bool selector = r->action == store_selector || r->action == load_selector;
    if (selector && !operand_in_protected_mode(v))
        vcpu_ud(v);
    else if (vcpu_cpl(v) != 0 && (r->load || vt.get(v->vt, VT_CR4) & CR4_UMIP))
        vcpu_gp(v);
    else if (r->action(v, &copy, r->field))
        return operand_done(v, &copy);
    return VCPU_RESUME;
}
