/* Debug registers: MOV to and from them, where it exits by policy, and what a debug exception leaves in them. */
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/vm/exits.h"
#include "hv/vm/operand.h"

/* Did an instruction breakpoint fire? Enabled, of kind "execution", and among the causes. */
static bool is_code_breakpoint(uint64_t dr7, uint64_t causes)
{
    for (unsigned i = 0; i < 4; i++)
        if (causes >> i & 1 && dr7 >> (2 * i) & 3 && !(dr7 >> (DR7_RW_SHIFT + 4 * i) & 3))
            return true;
    return false;
}

/* What the CPU would have written before the handler runs, and did not because of the exit: SDM vol 3, "Debug
 * Exceptions". A trap that comes in the shadow of STI or MOV SS leaves a state that only a pending single step explains:
 * "Checks on Guest Non-Register State". */
void vcpu_record_debug_exception(struct vcpu *v, uint64_t causes)
{
    uint64_t dr6 = vt.get(v->vt, VT_DR6), dr7 = vt.get(v->vt, VT_DR7), control = vt.get(v->vt, VT_DEBUGCTL);
    vt.set(v->vt, VT_DR6, (dr6 & ~(uint64_t)(DR6_B0 | DR6_B1 | DR6_B2 | DR6_B3)) | causes);
    vt.set(v->vt, VT_DR7, dr7 & ~DR7_GD);
    /* Bochs quirk: RF is not in the saved flags, without which the breakpoint would fire for ever. */
    if (is_code_breakpoint(dr7, causes))
        vt.set(v->vt, VT_RFLAGS, vt.get(v->vt, VT_RFLAGS) | RFLAGS_RF);
    if (vt.get(v->vt, VT_INTERRUPT_SHADOW) & (VT_SHADOW_STI | VT_SHADOW_MOV_SS) &&
        vt.get(v->vt, VT_RFLAGS) & RFLAGS_TF && !(control & DEBUGCTL_BTF))
        vt.set(v->vt, VT_PENDING_DEBUG, vt.get(v->vt, VT_PENDING_DEBUG) | DR6_BS);
    if (control & (DEBUGCTL_BTF | DEBUGCTL_LBR))
        vt.set(v->vt, VT_DEBUGCTL, control & ~(uint64_t)(DEBUGCTL_BTF | DEBUGCTL_LBR));
}

/* In the order of the CPU's checks: SDM vol 2, "MOV - Move to/from Debug Registers". True: it faulted. */
static bool dr_access_faults(struct vcpu *v, unsigned number)
{
    uint64_t dr7 = vt.get(v->vt, VT_DR7);
    if (number > 7 || ((number == 4 || number == 5) && vt.get(v->vt, VT_CR4) & CR4_DE)) {
        vcpu_ud(v);
    } else if (vcpu_cpl(v) != 0) {
        vcpu_gp(v);
    } else if (dr7 & DR7_GD) {
        vcpu_record_debug_exception(v, DR6_BD);
        vcpu_exception(v, EXC_DB, false, 0);
    } else {
        return false;
    }
    return true;
}

/* False: #GP. */
static bool write_dr(struct vcpu *v, unsigned number, uint64_t value)
{
    bool long_mode = vcpu_insn_mode(v) == INSN_MODE_64;
    value = long_mode ? value : (uint32_t)value;
    if (number >= 6 && value >> 32)
        return false;
    if (number == 7)
        vt.set(v->vt, VT_DR7, (value & DR7_WRITABLE) | DR7_RESET);
    else if (number == 6)
        vt.set(v->vt, VT_DR6, (value & DR6_WRITABLE) | DR6_RESET);
    else
        vt.set(v->vt, VT_DR0 + number, value);
    return true;
}

/* The general register, if the hardware does not tell; false: nothing more is to be done. */
static bool find_register(struct vcpu *v, const struct vt_exit *exit, unsigned *gpr)
{
    const struct insn *in = operand_decode(v);
    if (!in)
        return false;
    *gpr = in->rm & 15;
    if (in->op == (exit->dr.read ? INSN_MOV_FROM_DR : INSN_MOV_TO_DR) && in->reg == exit->dr.number)
        return true;
    (void)operand_retry(v);
    return false;
}

enum vcpu_next exit_dr_access(struct vcpu *v, const struct vt_exit *exit)
{
    unsigned number = exit->dr.number, gpr = exit->dr.gpr;
    if (dr_access_faults(v, number))
        return VCPU_RESUME;
    if (gpr == VT_GPR_COUNT && !find_register(v, exit, &gpr))
        return VCPU_RESUME;
    number = number == 4 || number == 5 ? number + 2 : number; /* with CR4.DE clear they are DR6 and DR7 */
    enum vt_field field = number == 7 ? VT_DR7 : number == 6 ? VT_DR6 : VT_DR0 + number;
    uint64_t rsp = vt.get(v->vt, VT_RSP_);
    uint64_t *reg = gpr == VT_RSP ? &rsp : &v->vt->gpr[gpr];
    if (exit->dr.read)
        *reg = vt.get(v->vt, field);
    else if (!write_dr(v, number, *reg))
        return fault_gp(v);
    vt.set(v->vt, VT_RSP_, rsp);
    vt.skip(v->vt);
    return VCPU_RESUME;
}
