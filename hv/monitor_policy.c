#include "hv/monitor_policy.h"
#include "arch/x86_64/vt/policy.h"
#include "hv/vm/vm.h"

#define KIND(kind) (UINT64_C(1) << VT_EXIT_##kind)

/* The kinds of exits that a control makes; exceptions have one for all. */
static const uint64_t kinds_of[VT_CONTROL_EXCEPTION] = {
    [VT_CONTROL_DESCRIPTOR_TABLES] = KIND(DESCRIPTOR), [VT_CONTROL_RDTSC] = KIND(RDTSC), [VT_CONTROL_RDPMC] = KIND(RDPMC),
    [VT_CONTROL_CR0_WRITE] = KIND(CR_WRITE) | KIND(CR_INSN), [VT_CONTROL_CR0_READ] = KIND(CR_READ) | KIND(CR_INSN),
    [VT_CONTROL_CR3] = KIND(CR_WRITE) | KIND(CR_READ) | KIND(CR_INSN),
    [VT_CONTROL_CR4_WRITE] = KIND(CR_WRITE) | KIND(CR_INSN), [VT_CONTROL_CR4_READ] = KIND(CR_READ) | KIND(CR_INSN),
    [VT_CONTROL_CR8] = KIND(CR_WRITE) | KIND(CR_READ) | KIND(CR_INSN), [VT_CONTROL_MOV_DR] = KIND(DR_ACCESS),
    [VT_CONTROL_INVLPG] = KIND(INVLPG) | KIND(INVPCID), [VT_CONTROL_WBINVD] = KIND(WBINVD), [VT_CONTROL_PAUSE] = KIND(PAUSE),
    [VT_CONTROL_HLT] = KIND(HLT), [VT_CONTROL_MWAIT] = KIND(MWAIT), [VT_CONTROL_RDRAND] = KIND(RDRAND),
    [VT_CONTROL_RDSEED] = KIND(RDRAND), [VT_CONTROL_IO] = KIND(IO), [VT_CONTROL_MSR] = KIND(RDMSR) | KIND(WRMSR),
    [VT_CONTROL_PUSHF] = KIND(FLAGS), [VT_CONTROL_POPF] = KIND(FLAGS),
};

static struct partition *find(size_t index)
{
    return index < partition_count ? partitions[index] : NULL;
}

static uint64_t kinds_by(unsigned control)
{
    return control < VT_CONTROL_EXCEPTION ? kinds_of[control] : KIND(EXCEPTION);
}

static bool others_make(uint64_t kinds, uint64_t others)
{
    for (unsigned c = 0; c < VT_CONTROLS; c++)
        if (others >> c & 1 && kinds_by(c) & kinds)
            return true;
    return false;
}

bool monitor_control_state(void *ctx, size_t index, unsigned control, struct shell_control *out)
{
    const struct vt_features *f = vt.features();
    const struct partition *p = find(index);
    if (!p)
        return false;
    uint64_t kinds = kinds_by(control), policy = atomic_load(&p->policy);
    bool on = policy >> control & 1;
    *out = (struct shell_control){
        .shared = others_make(kinds, (f->controls_fixed | (policy & f->controls_switched)) & ~(UINT64_C(1) << control)),
        .state = f->controls_fixed >> control & 1       ? SHELL_CONTROL_ALWAYS
                 : !(f->controls_switched >> control & 1) ? SHELL_CONTROL_NONE
                 : on                                     ? SHELL_CONTROL_ON
                                                          : SHELL_CONTROL_OFF,
    };
    for (unsigned i = 0; i < p->vcpu_count; i++)
        for (unsigned k = 0; k < VT_EXIT_KINDS; k++)
            if (kinds >> k & 1) {
                out->exits += p->vcpus[i]->exit_count[k];
                out->ticks += p->vcpus[i]->exit_ticks[k];
            }
    return true;
}

const char *monitor_switch_controls(void *ctx, size_t index, uint64_t on, uint64_t off)
{
    const struct vt_features *f = vt.features();
    struct partition *p = find(index);
    if (!p)
        return "it could not be created; `log` says why";
    uint64_t before = atomic_load(&p->policy), after = (before | on) & ~off;
    uint32_t state = atomic_load(&p->state);
    if (state != PART_RUNNING && state != PART_PAUSED)
        return "it is stopped, and its next start begins with what `exits` in trapeze.cfg says";
    if (!((before ^ after) & f->controls_switched))
        return "nothing to switch: it is so already, or always";
    partition_set_policy(p, after);
    return NULL;
}
