#include "hv/vm/why.h"

#include "hv/lib/fmt.h"
#include "hv/vm/dispatch.h"
#include "hv/vm/exits.h"
#include "hv/vm/look.h"

static struct vcpu *most_recent(struct partition *p)
{
    struct vcpu *latest = NULL;
    for (unsigned i = 0; i < p->vcpu_count; i++) {
        struct vcpu *v = p->vcpus[i];
        uint64_t exits = 0;
        for (unsigned k = 0; k < VT_EXIT_KINDS; k++)
            exits += v->exit_count[k];
        if (exits && (!latest || v->vt->exit_tsc > latest->vt->exit_tsc))
            latest = v;
    }
    return latest;
}

/* What is at RIP. */
static const char *const places[] = {
    [EXIT_BY_INSTRUCTION] = "at", [EXIT_CAUSE_UNKNOWN] = "at",
    [EXIT_BEHIND_INSTRUCTION] = "the instruction that led to it is over; the next one is at",
    [EXIT_BY_HOST] = "the machine's, not from an instruction of the guest; the next one is at",
};

struct seen {
    uint64_t rip;
    struct look look;
};

static void look_there(struct vcpu *v, void *ctx)
{
    struct seen *s = ctx;
    look_at(v, s->rip, &s->look);
}

/* The exit is copied before the vCPU is looked into, which may itself make it exit. It may run meanwhile, so the copy is
 * not trusted: exit_detail() checks what it uses as an index. */
unsigned why_print(struct partition *p, void (*line)(void *ctx, const char *text), void *ctx)
{
    struct vcpu *v = most_recent(p);
    char text[LOOK_TEXT_SIZE + 80], detail[EXIT_DETAIL_SIZE], insn[LOOK_TEXT_SIZE];
    if (!v)
        return VT_EXIT_KINDS;
    const struct vt_exit exit = v->vt->exit;
    struct seen seen = { .rip = exit.rip };
    exit_detail(&exit, (uint32_t)v->vt->gpr[VT_RCX], detail);
    fmt_print(text, sizeof text, "%s: vCPU %u, last exit: %s (code 0x%x)", p->name, v->index, vt_exit_name(exit.kind),
              exit.raw);
    line(ctx, text);
    if (detail[0]) {
        fmt_print(text, sizeof text, "  %s", detail);
        line(ctx, text);
    }
    if (!dispatch_inspect(v, look_there, &seen)) {
        fmt_print(text, sizeof text, "  at %lx; its pCPU is busy, so the instruction cannot be read now", exit.rip);
        line(ctx, text);
        return exit.kind;
    }
    look_text(&seen.look, insn);
    fmt_print(text, sizeof text, "  %s %s", places[exit_cause(exit.kind)], insn);
    line(ctx, text);
    return exit.kind;
}
