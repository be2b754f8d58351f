/* Hardware task switches: SDM vol 3, "Task Management". VT-x does not let a guest do them, so each one exits. Only
 * 32-bit and 16-bit guests have them; the usual one today is a #DF that enters a task gate, for a good stack. */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/segment.h"
#include "hv/lib/str.h"
#include "hv/vm/exits.h"
#include "hv/vm/task_segment.h"

/* Where things are: figures "32-Bit Task-State Segment (TSS)" and "16-Bit TSS Format". The eight general registers
 * and the segment registers stand in the order of enum vt_gpr and enum vt_seg. */
struct tss_format {
    uint8_t width;            /* of each field, in bytes */
    uint8_t size;             /* what a switch uses; the limit may not be less than size - 1 */
    uint8_t ip, flags, gpr, seg, seg_count, ldt;
    uint8_t cr3, trap;        /* 0: none */
    uint8_t saved_end;        /* a switch away writes from ip up to here */
};
#define TSS_SIZE_MAX 104

static const struct tss_format tss32 = { .width = 4, .size = 104, .cr3 = 0x1c, .ip = 0x20, .flags = 0x24, .gpr = 0x28,
                                         .seg = 0x48, .seg_count = 6, .saved_end = 0x60, .ldt = 0x60, .trap = 0x64 };
static const struct tss_format tss16 = { .width = 2, .size = 44, .ip = 0x0e, .flags = 0x10, .gpr = 0x12, .seg = 0x22,
                                         .seg_count = 4, .saved_end = 0x2a, .ldt = 0x2a };

#define DESC_BUSY (UINT64_C(2) << DESC_TYPE_SHIFT)

struct switching {
    struct vcpu *v;
    const struct vt_exit *exit;
    struct guest_paging paging;
    const struct tss_format *from, *to;
    uint64_t old_base, new_base;           /* linear */
    uint64_t old_descriptor_at, new_descriptor_at;
    uint64_t new_raw;                      /* descriptor */
    uint8_t tss[TSS_SIZE_MAX];             /* the new task's */
    bool external;
    struct vt_event fault;
};

static const struct tss_format *format_of(uint32_t access)
{
    return access & 8 ? &tss32 : &tss16;
}

static uint32_t field(const uint8_t *tss, const struct tss_format *f, unsigned offset)
{
    uint32_t value = 0;
    memcpy(&value, tss + offset, f->width);
    return value;
}

static void put(uint8_t *tss, const struct tss_format *f, unsigned offset, uint32_t value)
{
    memcpy(tss + offset, &value, f->width);
}

static enum linear_result refuse(struct switching *s, unsigned vector)
{
    uint32_t selector = s->exit->task.selector & ~(uint32_t)SEL_RPL;
    s->fault = (struct vt_event){ .vector = (uint8_t)vector, .type = VT_EVENT_EXCEPTION, .has_error_code = true,
                                  .error_code = selector | s->external };
    return LINEAR_FAULT;
}

/* ---- before the point of no return ------------------------------------------------------------------------------- */

/* The CPU has made most of these checks before the exit (SDM vol 3, "Treatment of Task Switches"); memory may have
 * changed since. */
static enum linear_result find_new_task(struct switching *s)
{
    struct vt_vcpu *c = s->v->vt;
    uint16_t selector = s->exit->task.selector;
    unsigned source = s->exit->task.source;
    unsigned wrong_type = source == VT_TASK_IRET ? EXC_TS : EXC_GP;
    uint32_t offset = selector & ~(uint32_t)(SEL_RPL | SEL_TI);
    if ((selector & SEL_TI) || !offset || offset + 7 > vt.get(c, VT_GDTR_LIMIT))
        return refuse(s, wrong_type);
    s->new_descriptor_at = (uint32_t)(vt.get(c, VT_GDTR_BASE) + offset);
    enum linear_result r = linear_read(s->v, &s->paging, s->new_descriptor_at, &s->new_raw, 8, &s->fault);
    if (r != LINEAR_OK)
        return r;
    struct task_descriptor d = task_descriptor_of(s->new_raw);
    bool busy = d.access & 2;
    if ((d.access & 0x15) != SYS_TSS16_AVAILABLE || busy != (source == VT_TASK_IRET))
        return refuse(s, wrong_type);
    if (!(s->new_raw & DESC_P))
        return refuse(s, EXC_NP);
    s->to = format_of(d.access);
    if (d.limit < s->to->size - 1u)
        return refuse(s, EXC_TS);
    s->new_base = d.base;
    return linear_read(s->v, &s->paging, s->new_base, s->tss, s->to->size, &s->fault);
}

static enum linear_result find_old_task(struct switching *s)
{
    struct vt_vcpu *c = s->v->vt;
    s->from = format_of((uint32_t)vt.get(c, VT_ACCESS + VT_TR));
    s->old_base = vt.get(c, VT_BASE + VT_TR);
    s->old_descriptor_at =
        (uint32_t)(vt.get(c, VT_GDTR_BASE) + (vt.get(c, VT_SELECTOR + VT_TR) & ~(uint64_t)(SEL_RPL | SEL_TI)));
    if (vt.get(c, VT_LIMIT + VT_TR) < s->from->saved_end - 1u)
        return refuse(s, EXC_TS);
    return linear_probe(s->v, &s->paging, (uint32_t)s->old_base, s->from->saved_end, &s->fault);
}

static enum linear_result probe_writes(struct switching *s)
{
    enum linear_result r = linear_probe(s->v, &s->paging, s->new_descriptor_at, 8, &s->fault);
    if (r == LINEAR_OK)
        r = linear_probe(s->v, &s->paging, s->old_descriptor_at, 8, &s->fault);
    return r == LINEAR_OK ? linear_probe(s->v, &s->paging, s->new_base, s->to->width, &s->fault) : r;
}

/* ---- out of the old task ----------------------------------------------------------------------------------------- */

static enum linear_result save_old_task(struct switching *s)
{
    struct vt_vcpu *c = s->v->vt;
    const struct tss_format *f = s->from;
    uint8_t tss[TSS_SIZE_MAX] = { 0 };
    uint64_t flags = vt.get(c, VT_RFLAGS);

    if (s->exit->task.source == VT_TASK_IRET)
        flags &= ~RFLAGS_NT;
    put(tss, f, f->ip, (uint32_t)(vt.get(c, VT_RIP) + s->exit->task.length));
    put(tss, f, f->flags, (uint32_t)flags);
    for (unsigned i = 0; i < 8; i++)
        put(tss, f, f->gpr + i * f->width, (uint32_t)(i == VT_RSP ? vt.get(c, VT_RSP_) : c->gpr[i]));
    for (unsigned i = 0; i < f->seg_count; i++)
        put(tss, f, f->seg + i * f->width, (uint32_t)vt.get(c, VT_SELECTOR + i));
    return linear_write(s->v, &s->paging, s->old_base + f->ip, tss + f->ip, f->saved_end - f->ip, &s->fault);
}

/* Whatever another CPU makes of the descriptor meanwhile: the switch has begun. One that never leaves it alone must not keep this
 * CPU here, and finds the last write not locked. */
static enum linear_result set_busy(struct switching *s, uint64_t at, bool busy)
{
    enum { TRIES = 32 };
    uint8_t type = 0, wanted = 0;
    bool swapped = false;
    enum linear_result r = LINEAR_OK;
    for (unsigned i = 0; i < TRIES && r == LINEAR_OK && !swapped; i++) {
        r = linear_read(s->v, &s->paging, at + 5, &type, 1, &s->fault);
        wanted = (uint8_t)(busy ? type | 2 : type & ~2);
        if (r == LINEAR_OK)
            r = linear_cmpxchg(s->v, &s->paging, at + 5, type, wanted, &swapped, &s->fault);
    }
    return r != LINEAR_OK || swapped ? r : linear_write(s->v, &s->paging, at + 5, &wanted, 1, &s->fault);
}

/* Busy bits and the link back: table "Effect of a Task Switch on Busy Flag, NT Flag, Previous Task Link Field, and TS
 * Flag". */
static enum linear_result mark_tasks(struct switching *s)
{
    unsigned source = s->exit->task.source;
    uint16_t link = (uint16_t)vt.get(s->v->vt, VT_SELECTOR + VT_TR);
    enum linear_result r = LINEAR_OK;
    if (source == VT_TASK_JMP || source == VT_TASK_IRET)
        r = set_busy(s, s->old_descriptor_at, false);
    if (r == LINEAR_OK && source != VT_TASK_IRET)
        r = set_busy(s, s->new_descriptor_at, true);
    if (r == LINEAR_OK && (source == VT_TASK_CALL || source == VT_TASK_IDT))
        r = linear_write(s->v, &s->paging, s->new_base, &link, sizeof link, &s->fault);
    return r;
}

/* ---- into the new one: from here on a fault is the new task's --------------------------------------------------------- */

static void load_registers(struct switching *s)
{
    struct vt_vcpu *c = s->v->vt;
    const struct tss_format *f = s->to;
    struct task_descriptor d = task_descriptor_of(s->new_raw | DESC_BUSY);
    uint64_t flags = field(s->tss, f, f->flags);

    if (s->exit->task.source == VT_TASK_CALL || s->exit->task.source == VT_TASK_IDT)
        flags |= RFLAGS_NT;
    vt.set(c, VT_SELECTOR + VT_TR, s->exit->task.selector);
    vt.set(c, VT_BASE + VT_TR, d.base);
    vt.set(c, VT_LIMIT + VT_TR, d.limit);
    vt.set(c, VT_ACCESS + VT_TR, d.access);
    vt.set(c, VT_CR0, vt.get(c, VT_CR0) | CR0_TS);
    vt.set(c, VT_DR7, vt.get(c, VT_DR7) & ~UINT64_C(0x155)); /* the local enables are the old task's */
    vt.set(c, VT_RIP, field(s->tss, f, f->ip));
    vt.set(c, VT_RFLAGS, (flags & RFLAGS_DEFINED) | RFLAGS_ONE);
    for (unsigned i = 0; i < 8; i++)
        c->gpr[i] = field(s->tss, f, f->gpr + i * f->width);
    vt.set(c, VT_RSP_, c->gpr[VT_RSP]);
}

static enum linear_result load_segments(struct switching *s)
{
    const struct tss_format *f = s->to;
    struct task_segments segments = {
        .ldt = (uint16_t)field(s->tss, f, f->ldt),
        .vm86 = f == &tss32 && (field(s->tss, f, f->flags) & RFLAGS_VM),
        .external = s->external,
    };
    for (unsigned i = 0; i < f->seg_count; i++)
        segments.selector[i] = (uint16_t)field(s->tss, f, f->seg + i * f->width);
    return task_load_segments(s->v, &segments, &s->fault);
}

/* An exception's error code goes onto the new task's stack, as wide as its TSS. */
static enum linear_result push_error_code(struct switching *s)
{
    struct vt_vcpu *c = s->v->vt;
    struct guest_paging paging;
    if (s->exit->task.source != VT_TASK_IDT || !s->exit->task.event.has_error_code)
        return LINEAR_OK;
    bool wide = vt.get(c, VT_ACCESS + VT_SS) & VT_ACCESS_DB;
    uint64_t mask = wide ? UINT32_MAX : UINT16_MAX, sp = vt.get(c, VT_RSP_);
    uint64_t at = (sp - s->to->width) & mask;
    vcpu_paging(s->v, &paging);
    enum linear_result r = linear_write(s->v, &paging, (uint32_t)(vt.get(c, VT_BASE + VT_SS) + at),
                                        &s->exit->task.event.error_code, s->to->width, &s->fault);
    if (r == LINEAR_OK)
        vt.set(c, VT_RSP_, (sp & ~mask) | at);
    return r;
}

static void set_shadows(struct switching *s)
{
    const struct vt_exit *exit = s->exit;
    uint64_t shadow = vt.get(s->v->vt, VT_INTERRUPT_SHADOW) & ~(uint64_t)(VT_SHADOW_STI | VT_SHADOW_MOV_SS);
    if (exit->task.source == VT_TASK_IRET)
        shadow &= ~(uint64_t)VT_SHADOW_NMI;
    else if (exit->task.source == VT_TASK_IDT && exit->task.event.type == VT_EVENT_NMI)
        shadow |= VT_SHADOW_NMI;
    vt.set(s->v->vt, VT_INTERRUPT_SHADOW, shadow);
    vt.set(s->v->vt, VT_PENDING_DEBUG, 0);
}

static enum linear_result enter_new_task(struct switching *s)
{
    bool paged = (s->paging.cr0 & CR0_PG) && s->to->cr3;
    if (paged && !vcpu_load_cr3(s->v, field(s->tss, s->to, s->to->cr3)))
        return refuse(s, EXC_TS);
    load_registers(s);
    set_shadows(s);
    enum linear_result r = load_segments(s);
    if (r == LINEAR_OK)
        r = push_error_code(s);
    if (r == LINEAR_OK && vt.get(s->v->vt, VT_RIP) > vt.get(s->v->vt, VT_LIMIT + VT_CS)) {
        s->fault = (struct vt_event){ .vector = EXC_GP, .type = VT_EVENT_EXCEPTION, .has_error_code = true };
        r = LINEAR_FAULT;
    }
    if (r == LINEAR_OK && s->to->trap && (s->tss[s->to->trap] & 1)) {
        vt.set(s->v->vt, VT_DR6, vt.get(s->v->vt, VT_DR6) | DR6_BT);
        vcpu_exception(s->v, EXC_DB, false, 0);
    }
    return r;
}

/* ---- the exit ---------------------------------------------------------------------------------------------------- */

static enum vcpu_next give_up(struct switching *s, enum linear_result r, bool event)
{
    if (r == LINEAR_OUTSIDE) {
        partition_fail(s->v, "hardware task switch to TSS selector 0x%x: a task-state segment or descriptor (TSS at linear "
                             "0x%lx, GDT at 0x%lx) is not in its memory", s->exit->task.selector, s->new_base,
                       vt.get(s->v->vt, VT_GDTR_BASE));
        return VCPU_RESUME;
    }
    if (event) /* the event that was on its way is still in delivery: a second fault may make it a double one */
        vt.inject(s->v->vt, &s->exit->task.event);
    vcpu_exception(s->v, s->fault.vector, s->fault.has_error_code, s->fault.error_code);
    return VCPU_RESUME;
}

enum vcpu_next exit_task_switch(struct vcpu *v, const struct vt_exit *exit)
{
    const struct vt_event *event = &exit->task.event;
    bool in_delivery = exit->task.source == VT_TASK_IDT && event->type < VT_EVENT_SOFT_INTERRUPT;
    struct switching s = { .v = v, .exit = exit, .external = in_delivery };

    vcpu_paging(v, &s.paging);
    enum linear_result r = find_new_task(&s);
    if (r == LINEAR_OK)
        r = find_old_task(&s);
    if (r == LINEAR_OK)
        r = probe_writes(&s);
    if (r == LINEAR_OK)
        r = save_old_task(&s);
    if (r == LINEAR_OK)
        r = mark_tasks(&s);
    if (r != LINEAR_OK)
        return give_up(&s, r, in_delivery);
    r = enter_new_task(&s);
    return r == LINEAR_OK ? VCPU_RESUME : give_up(&s, r, false);
}
