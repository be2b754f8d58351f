#include "hv/vm/lab.h"

/* RAX of the hypercall; results in RAX (0, or an error as KVM's) and other registers. */
enum { LAST_EXIT = 0x54500001, SET_POLICY = 0x54500002 };
#define NOT_PERMITTED ((uint64_t)-1)

static bool has_length(uint32_t kind)
{
    return kind != VT_EXIT_EXCEPTION && kind != VT_EXIT_TASK_SWITCH && kind != VT_EXIT_TRIPLE_FAULT;
}

static void note(struct vcpu *v, const struct vt_exit *exit)
{
    struct exit_note *n = &v->note;
    n->count++;
    n->kind = exit->kind;
    n->raw = exit->raw;
    n->qualification = VT_EXITS_QUALIFIED >> exit->kind & 1 ? exit->qualification : 0;
    n->rip = vt.get(v->vt, VT_RIP);
    n->length = has_length(exit->kind) ? (uint8_t)vt.insn_length(v->vt) : 0;
}

static enum vcpu_next tell_last_exit(struct vcpu *v)
{
    const struct exit_note *n = &v->note;
    uint64_t *g = v->vt->gpr;
    g[VT_RAX] = 0;
    g[VT_RBX] = n->kind | (uint64_t)n->length << 32;
    g[VT_RCX] = n->raw;
    g[VT_RDX] = n->qualification;
    g[VT_RSI] = n->rip;
    g[VT_RDI] = n->count;
    vt.skip(v->vt);
    return VCPU_RESUME;
}

static enum vcpu_next set_policy(struct vcpu *v)
{
    const struct vt_features *f = vt.features();
    uint64_t *g = v->vt->gpr;
    if (vcpu_cpl(v) != 0) {
        g[VT_RAX] = NOT_PERMITTED;
    } else {
        partition_set_policy(v->part, g[VT_RBX]);
        g[VT_RAX] = 0;
        g[VT_RBX] &= f->controls_switched;
        g[VT_RCX] = f->controls_switched;
        g[VT_RDX] = f->controls_fixed;
    }
    vt.skip(v->vt);
    return VCPU_RESUME;
}

static enum vcpu_next hypercall(struct vcpu *v, const struct vt_exit *exit)
{
    switch (v->vt->gpr[VT_RAX]) {
    case LAST_EXIT: return tell_last_exit(v);
    case SET_POLICY: return set_policy(v);
    default: break;
    }
    note(v, exit);
    return exit_hypercall(v, exit);
}

static enum vcpu_next handle(struct vcpu *v, const struct vt_exit *exit)
{
    const uint64_t nobodys = UINT64_C(1) << VT_EXIT_INTERRUPT | UINT64_C(1) << VT_EXIT_HOST_EVENT | UINT64_C(1) << VT_EXIT_TIMER |
                             UINT64_C(1) << VT_EXIT_INTERRUPT_WINDOW | UINT64_C(1) << VT_EXIT_NMI_WINDOW |
                             UINT64_C(1) << VT_EXIT_NMI | UINT64_C(1) << VT_EXIT_INIT | UINT64_C(1) << VT_EXIT_SIPI;
    if (exit->kind == VT_EXIT_HYPERCALL)
        return hypercall(v, exit);
    if (!(nobodys >> exit->kind & 1))
        note(v, exit);
    return exit_handlers[exit->kind](v, exit);
}

const exit_handler_t lab_handlers[VT_EXIT_KINDS] = { [0 ... VT_EXIT_KINDS - 1] = handle };
_Static_assert(VT_EXIT_KINDS <= 64, "a bit for each kind");
