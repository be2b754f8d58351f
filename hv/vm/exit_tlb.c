/* INVLPG and INVPCID, where they exit by policy. All of the guest's translations go: more than asked for is allowed. */
#include "arch/x86_64/isa/cr.h"
#include "hv/vm/exits.h"
#include "hv/vm/operand.h"

enum vcpu_next exit_invlpg(struct vcpu *v, const struct vt_exit *exit)
{
    vt.flush_linear(v->vt);
    vt.skip(v->vt);
    return VCPU_RESUME;
}

/* SDM vol 2, "INVPCID": what raises #GP(0). */
static bool is_legal(struct vcpu *v, uint64_t type, const uint64_t descriptor[2])
{
    if (descriptor[0] & ~CR3_PCID)
        return false;
    if (type <= INVPCID_CONTEXT && descriptor[0] && !(vt.get(v->vt, VT_CR4) & CR4_PCIDE))
        return false;
    return type != INVPCID_ADDRESS || operand_is_canonical(v, descriptor[1]);
}

enum vcpu_next exit_invpcid(struct vcpu *v, const struct vt_exit *exit)
{
    uint64_t descriptor[2];
    const struct insn *in = operand_decode(v);
    if (!in)
        return VCPU_RESUME;
    if (in->op != INSN_INVPCID)
        return operand_retry(v);
    uint64_t type = operand_register(v, in->reg & 15);
    type = in->mode == INSN_MODE_64 ? type : (uint32_t)type;
    if (vcpu_cpl(v) != 0 || type > INVPCID_ALL) /* emulators let the exit win over the privilege check */
        return fault_gp(v);
    if (!operand_load(v, in, descriptor, sizeof descriptor))
        return VCPU_RESUME;
    if (!is_legal(v, type, descriptor))
        return fault_gp(v);
    vt.flush_linear(v->vt);
    return operand_done(v, in);
}
