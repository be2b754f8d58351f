#include "hv/vm/delivery.h"

#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/segment.h"

#define FRAME_BYTES 48 /* SS, RSP, RFLAGS, CS, RIP and an error code */

struct check {
    struct vcpu *v;
    const struct guest_paging *paging;
    struct delivery *out;
    bool long_mode, protected_mode;
    uint64_t stack; /* where the frame goes: its end */
};

static bool fault(struct check *c, uint8_t vector, const char *problem)
{
    c->out->result = DELIVERY_FAULT;
    c->out->fault = vector;
    c->out->problem = problem;
    return false;
}

/* An address that cannot be used: which fault that is, or none. */
static bool bad_address(struct check *c, enum guest_walk_result result, uint64_t address, unsigned access,
                        const char *problem)
{
    c->out->has_address = true;
    c->out->address = address;
    c->out->access = access;
    if (result == GUEST_WALK_FAULT)
        return fault(c, EXC_PF, problem);
    if (result == GUEST_WALK_NON_CANONICAL)
        return fault(c, access & GUEST_WRITE ? EXC_SS : EXC_GP, problem);
    c->out->result = DELIVERY_OUTSIDE;
    c->out->problem = problem;
    return false;
}

/* `size` bytes of a table, 16 at the most; they may cross a page. */
static bool read_table(struct check *c, uint64_t linear, uint8_t *to, unsigned size, const char *problem)
{
    for (unsigned i = 0; i < size; i++) {
        struct guest_translation t;
        enum guest_walk_result r =
            guest_walk(c->paging, &gmem_walk, &c->v->part->mem, GVA(linear + i), GUEST_IMPLICIT | GUEST_PROBE, &t);
        if (r == GUEST_WALK_OK && gmem_read(&c->v->part->mem, t.gpa, to + i, 1) != GMEM_OK)
            r = GUEST_WALK_NO_MEMORY;
        if (r != GUEST_WALK_OK)
            return bad_address(c, r, linear + i, GUEST_IMPLICIT, problem);
    }
    return true;
}

static uint64_t reg(const struct check *c, unsigned field)
{
    return vt.get(c->v->vt, field);
}

/* ---- the gate ------------------------------------------------------------------------------------------------------ */

static bool read_gate(struct check *c, uint8_t gate[16])
{
    unsigned size = !c->protected_mode ? 4 : c->long_mode ? 16 : 8;
    uint64_t offset = (uint64_t)c->out->vector * size;
    if (offset + size - 1 > reg(c, VT_IDTR_LIMIT))
        return fault(c, EXC_GP, "its gate lies beyond the IDT's limit");
    return read_table(c, reg(c, VT_IDTR_BASE) + offset, gate, size, "its gate in the IDT cannot be read");
}

static bool gate_is_valid(struct check *c, const uint8_t gate[16])
{
    unsigned type = gate[5] & 0x1f; /* with the S bit, which has to be 0 */
    bool ok = type == SYS_INTERRUPT_GATE || type == SYS_TRAP_GATE;
    if (!c->long_mode)
        ok |= type == SYS_INTERRUPT_GATE16 || type == SYS_TRAP_GATE16 || type == SYS_TASK_GATE;
    if (!ok)
        return fault(c, EXC_GP, "what stands in the IDT is no gate");
    if (!(gate[5] & IDT_GATE_P))
        return fault(c, EXC_NP, "its gate is not present");
    return true;
}

/* ---- the handler's code segment ------------------------------------------------------------------------------------ */

static uint64_t little_endian(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

static bool code_is_valid(struct check *c, uint64_t d, unsigned cpl)
{
    unsigned dpl = (unsigned)(d >> DESC_DPL_SHIFT) & 3;
    if ((d & (DESC_S | DESC_CODE)) != (DESC_S | DESC_CODE))
        return fault(c, EXC_GP, "its handler's selector is of no code segment");
    if (dpl > cpl)
        return fault(c, EXC_GP, "its handler's code segment has too high a DPL");
    if (!(d & DESC_P))
        return fault(c, EXC_NP, "its handler's code segment is not present");
    if (c->long_mode && (d & (DESC_L | DESC_DB)) != DESC_L)
        return fault(c, EXC_GP, "its handler's code segment is not 64-bit");
    return true;
}

static bool read_code(struct check *c, uint16_t selector, unsigned cpl, uint64_t *descriptor)
{
    bool local = selector & SEL_TI;
    uint64_t base = reg(c, local ? VT_BASE + VT_LDTR : VT_GDTR_BASE);
    uint64_t limit = reg(c, local ? VT_LIMIT + VT_LDTR : VT_GDTR_LIMIT), offset = selector & 0xfff8;
    uint8_t bytes[8];
    if (!(selector & ~SEL_RPL))
        return fault(c, EXC_GP, "its handler's selector is 0");
    if (offset + 7 > limit)
        return fault(c, EXC_GP, "its handler's selector lies beyond the GDT's limit");
    if (!read_table(c, base + offset, bytes, 8, "its handler's descriptor cannot be read"))
        return false;
    *descriptor = little_endian(bytes, 8);
    return code_is_valid(c, *descriptor, cpl);
}

/* ---- the stack ----------------------------------------------------------------------------------------------------- */

/* A field of the TSS that holds a stack pointer. 16-bit TSSs have other places; nobody's handler is there any more. */
static bool stack_from_tss(struct check *c, unsigned offset, unsigned size)
{
    uint8_t bytes[8];
    if (offset + size - 1 > reg(c, VT_LIMIT + VT_TR))
        return fault(c, EXC_TS, "its stack's place lies beyond the TSS's limit");
    if (!read_table(c, reg(c, VT_BASE + VT_TR) + offset, bytes, size, "its stack's place in the TSS cannot be read"))
        return false;
    c->stack = little_endian(bytes, size);
    return true;
}

static bool find_stack(struct check *c, unsigned ist, bool inner)
{
    if (c->long_mode && (ist || inner)) {
        unsigned offset = ist ? (unsigned)offsetof(struct tss64, ist) + 8 * (ist - 1) : (unsigned)offsetof(struct tss64, rsp);
        if (!stack_from_tss(c, offset, 8))
            return false;
    } else if (inner) {
        return stack_from_tss(c, 4, 4);
    } else {
        c->stack = reg(c, VT_RSP_) + (c->long_mode ? 0 : reg(c, VT_BASE + VT_SS));
    }
    if (c->long_mode)
        c->stack &= ~UINT64_C(15);
    else
        c->stack = (uint32_t)c->stack;
    return true;
}

/* Both ends of the frame: it is smaller than a page. */
static bool stack_is_writable(struct check *c)
{
    const unsigned access = GUEST_WRITE | GUEST_IMPLICIT;
    for (unsigned below = 8; below <= FRAME_BYTES; below += FRAME_BYTES - 8) {
        struct guest_translation t;
        uint64_t at = c->stack - below;
        uint8_t byte;
        enum guest_walk_result r = guest_walk(c->paging, &gmem_walk, &c->v->part->mem, GVA(at), access | GUEST_PROBE, &t);
        if (r == GUEST_WALK_OK && gmem_read(&c->v->part->mem, t.gpa, &byte, 1) != GMEM_OK)
            r = GUEST_WALK_NO_MEMORY;
        if (r != GUEST_WALK_OK)
            return bad_address(c, r, at, access, "its stack cannot be written");
    }
    return true;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

static bool check(struct check *c)
{
    uint8_t gate[16];
    uint64_t code = 0;
    unsigned cpl = c->paging->cpl;
    if (!read_gate(c, gate))
        return false;
    if (!c->protected_mode) /* a far address in memory: nothing to check but the stack */
        return find_stack(c, 0, false) && stack_is_writable(c);
    if (!gate_is_valid(c, gate))
        return false;
    if ((gate[5] & 0xf) == SYS_TASK_GATE)
        return true; /* from there on it is a task switch, which exits */
    if (!read_code(c, (uint16_t)little_endian(gate + 2, 2), cpl, &code))
        return false;
    bool inner = !(code & DESC_CONFORMING) && (code >> DESC_DPL_SHIFT & 3) < cpl;
    return find_stack(c, gate[4] & 7, inner) && stack_is_writable(c);
}

void delivery_check(struct vcpu *v, const struct guest_paging *paging, uint8_t vector, struct delivery *out)
{
    struct check c = { .v = v, .paging = paging, .out = out };
    c.long_mode = paging->efer & EFER_LMA;
    c.protected_mode = paging->cr0 & CR0_PE;
    *out = (struct delivery){ .result = DELIVERY_OK, .vector = vector };
    (void)!check(&c);
}

void delivery_chain(struct vcpu *v, const struct guest_paging *paging, uint8_t first, struct delivery_chain *out)
{
    uint8_t vector = first;
    *out = (struct delivery_chain){ 0 };
    while (out->count < DELIVERY_STEPS) {
        struct delivery *d = &out->step[out->count++];
        delivery_check(v, paging, vector, d);
        if (d->result != DELIVERY_FAULT)
            return;
        if (vector == EXC_DF) {
            out->triple_fault = true;
            return;
        }
        vector = exc_makes_double_fault(vector, d->fault) ? EXC_DF : d->fault;
    }
}
