#include "hv/vm/task_segment.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/segment.h"

/* Access rights in VMX layout. */
enum { ACCESS_TYPE = 0xf, ACCESS_S = 1u << 4, ACCESS_P = 1u << 7, ACCESS_G = 1u << 15, ACCESS_ALL = 0xf0ff };
enum { VM86_DATA = 0xf3, DUMMY_CODE = 0x9b, DUMMY_DATA = 0x93, DPL_SHIFT = 5 };

/* What the loading of one register needs. */
struct loader {
    struct vcpu *v;
    struct guest_paging paging;
    const struct task_segments *s;
    struct vt_event *fault;
    unsigned cpl;
};

struct task_descriptor task_descriptor_of(uint64_t raw)
{
    uint32_t limit = (uint32_t)(raw & 0xffff) | ((uint32_t)(raw >> 48) & 0xf) << 16;
    uint32_t access = (uint32_t)(raw >> DESC_TYPE_SHIFT) & ACCESS_ALL;
    return (struct task_descriptor){
        .base = ((raw >> 16) & 0xffffff) | ((raw >> 56) & 0xff) << 24,
        .limit = access & ACCESS_G ? limit << 12 | 0xfff : limit,
        .access = access,
    };
}

static enum linear_result refuse(struct loader *l, unsigned vector, uint16_t selector)
{
    *l->fault = (struct vt_event){ .vector = (uint8_t)vector, .type = VT_EVENT_EXCEPTION, .has_error_code = true,
                                   .error_code = (selector & ~(uint32_t)SEL_RPL) | l->s->external };
    return LINEAR_FAULT;
}

/* The selector's 8 bytes in the GDT or the LDT just loaded; *at is where they are. */
static enum linear_result fetch(struct loader *l, uint16_t selector, uint64_t *raw, uint64_t *at)
{
    bool local = selector & SEL_TI;
    uint64_t base = vt.get(l->v->vt, local ? VT_BASE + VT_LDTR : VT_GDTR_BASE);
    uint64_t limit = vt.get(l->v->vt, local ? VT_LIMIT + VT_LDTR : VT_GDTR_LIMIT);
    uint32_t offset = selector & ~(uint32_t)(SEL_RPL | SEL_TI);
    if (offset + 7 > limit || (local && (vt.get(l->v->vt, VT_ACCESS + VT_LDTR) & VT_ACCESS_UNUSABLE)))
        return refuse(l, EXC_TS, selector);
    *at = (uint32_t)(base + offset);
    return linear_read(l->v, &l->paging, *at, raw, sizeof *raw, l->fault);
}

static enum linear_result load_ldtr(struct loader *l)
{
    uint16_t selector = l->s->ldt;
    uint64_t raw, at;
    vcpu_set_segment(l->v, VT_LDTR, selector, 0, 0, VT_ACCESS_UNUSABLE);
    if (!(selector & ~SEL_RPL))
        return LINEAR_OK;
    if (selector & SEL_TI)
        return refuse(l, EXC_TS, selector);
    enum linear_result r = fetch(l, selector, &raw, &at);
    if (r != LINEAR_OK)
        return r;
    struct task_descriptor d = task_descriptor_of(raw);
    if ((d.access & (ACCESS_S | ACCESS_TYPE)) != SYS_LDT || !(d.access & ACCESS_P))
        return refuse(l, EXC_TS, selector);
    vcpu_set_segment(l->v, VT_LDTR, selector, d.base, d.limit, d.access);
    return LINEAR_OK;
}

static bool is_code(uint32_t access)
{
    return (access & ACCESS_S) && (access & SEG_TYPE_CODE);
}

static bool is_conforming(uint32_t access)
{
    return is_code(access) && (access & SEG_TYPE_EXPAND_DOWN);
}

/* Does type and privilege of the descriptor fit the register? */
static bool fits(const struct loader *l, unsigned seg, uint16_t selector, uint32_t access)
{
    unsigned rpl = selector & SEL_RPL, dpl = VT_ACCESS_DPL(access);
    if (!(access & ACCESS_S))
        return false;
    if (seg == VT_CS)
        return is_code(access) && (is_conforming(access) ? dpl <= rpl : dpl == rpl);
    if (seg == VT_SS)
        return !is_code(access) && (access & SEG_TYPE_WRITABLE) && dpl == l->cpl && rpl == l->cpl;
    if (is_code(access) && !(access & SEG_TYPE_WRITABLE))
        return false; /* execute-only */
    return is_conforming(access) || (dpl >= l->cpl && dpl >= rpl);
}

static enum linear_result load_one(struct loader *l, unsigned seg)
{
    uint16_t selector = l->s->selector[seg];
    uint64_t raw, at;
    if (!(selector & ~SEL_RPL)) {
        if (seg == VT_CS || seg == VT_SS)
            return refuse(l, EXC_TS, selector);
        vcpu_set_segment(l->v, seg, selector, 0, 0, VT_ACCESS_UNUSABLE);
        return LINEAR_OK;
    }
    enum linear_result r = fetch(l, selector, &raw, &at);
    if (r != LINEAR_OK)
        return r;
    struct task_descriptor d = task_descriptor_of(raw);
    if (!fits(l, seg, selector, d.access))
        return refuse(l, EXC_TS, selector);
    if (!(d.access & ACCESS_P))
        return refuse(l, seg == VT_SS ? EXC_SS : EXC_NP, selector);
    if (!(raw & DESC_ACCESSED)) {
        uint8_t type = (uint8_t)(raw >> DESC_TYPE_SHIFT) | SEG_TYPE_ACCESSED;
        r = linear_write(l->v, &l->paging, at + 5, &type, 1, l->fault);
        if (r != LINEAR_OK)
            return r;
    }
    vcpu_set_segment(l->v, seg, selector, d.base, d.limit, d.access | SEG_TYPE_ACCESSED);
    return LINEAR_OK;
}

/* All selectors are loaded before any descriptor is looked at: the handler of a fault finds them in place. */
static void load_selectors(struct loader *l)
{
    for (unsigned seg = VT_ES; seg <= VT_GS; seg++)
        vcpu_set_segment(l->v, seg, l->s->selector[seg], 0, 0, VT_ACCESS_UNUSABLE);
    vcpu_set_segment(l->v, VT_CS, l->s->selector[VT_CS], 0, 0xffff, DUMMY_CODE | l->cpl << DPL_SHIFT);
    vcpu_set_segment(l->v, VT_SS, l->s->selector[VT_SS], 0, 0xffff, DUMMY_DATA | l->cpl << DPL_SHIFT);
}

enum linear_result task_load_segments(struct vcpu *v, const struct task_segments *s, struct vt_event *fault)
{
    static const uint8_t order[] = { VT_CS, VT_SS, VT_ES, VT_DS, VT_FS, VT_GS };
    struct loader l = { .v = v, .s = s, .fault = fault, .cpl = s->vm86 ? 3 : s->selector[VT_CS] & SEL_RPL };

    load_selectors(&l);
    vcpu_paging(v, &l.paging);
    enum linear_result r = load_ldtr(&l);
    for (unsigned i = 0; r == LINEAR_OK && i < ARRAY_SIZE(order); i++) {
        unsigned seg = order[i];
        if (s->vm86)
            vcpu_set_segment(v, seg, s->selector[seg], (uint64_t)s->selector[seg] << 4, 0xffff, VM86_DATA);
        else
            r = load_one(&l, seg);
    }
    return r;
}
