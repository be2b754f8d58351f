#include "hv/vm/fetch.h"
#include "arch/x86_64/isa/exception.h"
#include "hv/vm/vm.h"

enum { WINDOW = 16 }; /* bytes looked at: the longest instruction and one more, two words */

enum exec_access vcpu_translate(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, unsigned access,
                                gpa_t *gpa, struct exec_fault *fault)
{
    struct guest_translation t;
    enum guest_walk_result r = guest_walk(paging, &gmem_walk, &v->part->mem, GVA(linear), access, &t);
    *gpa = t.gpa;
    switch (r) {
    case GUEST_WALK_OK:
        return EXEC_ACCESS_OK;
    case GUEST_WALK_FAULT:
        *fault = (struct exec_fault){ .vector = EXC_PF, .has_error = true, .error = t.error_code, .cr2 = linear };
        break;
    case GUEST_WALK_NON_CANONICAL:
        *fault = (struct exec_fault){ .vector = EXC_GP, .has_error = true };
        break;
    case GUEST_WALK_NO_MEMORY:
        *fault = (struct exec_fault){ 0 };
        break;
    }
    return EXEC_ACCESS_FAULT;
}

/* ---- what is remembered ------------------------------------------------------------------------------------------ */

static enum fetch_move move_of(const struct insn *in)
{
    bool simple = in->op == INSN_MOV && in->flags == INSN_MEM && in->mode == INSN_MODE_64 && in->addrsize == 8 &&
                  in->opsize == 4 && in->seg < INSN_FS && in->index == INSN_REG_NONE &&
                  ((in->base < 16 && in->base != INSN_RSP) || in->base == INSN_REG_NONE);
    if (!simple)
        return FETCH_OTHER;
    if (in->form == INSN_FORM_RM_IMM)
        return FETCH_STORE_IMM;
    if (in->reg == INSN_RSP)
        return FETCH_OTHER;
    return in->form == INSN_FORM_REG_RM ? FETCH_LOAD : in->form == INSN_FORM_RM_REG ? FETCH_STORE : FETCH_OTHER;
}

/* ---- fetching anew ----------------------------------------------------------------------------------------------- */

/* Where the bytes are, if they lie in one page of RAM and the walk to it is a plain one: then it can be remembered. */
static const void *find_code(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, struct guest_trail *trail)
{
    struct guest_translation t;
    struct guest_window w;
    if (PAGE_SIZE - (linear & (PAGE_SIZE - 1)) < WINDOW ||
        !guest_walk_plain(paging, &gmem_walk, &v->part->mem, GVA(linear), GUEST_FETCH, &t, trail) ||
        !gmem_walk.window(&v->part->mem, t.gpa, &w))
        return NULL;
    return w.host + (t.gpa.raw - w.gpa);
}

/* Any case: the number of bytes that could be read, from up to two pages. */
static size_t read_code(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, uint8_t *bytes,
                        struct exec_fault *fault)
{
    size_t done = 0;
    while (done < INSN_MAX_LENGTH) {
        uint64_t at = linear + done;
        size_t part = MIN(INSN_MAX_LENGTH - done, (size_t)(PAGE_SIZE - (at & (PAGE_SIZE - 1))));
        gpa_t gpa;
        /* The second page counts only if the instruction reaches into it: a fault there is found when decoding runs short. */
        if (vcpu_translate(v, paging, at, GUEST_FETCH, &gpa, fault) != EXEC_ACCESS_OK ||
            gmem_read(&v->part->mem, gpa, bytes + done, part) != GMEM_OK)
            break;
        done += part;
    }
    return done;
}

const struct fetch_row *vcpu_fetch_anew(struct vcpu *v, struct fetch_row *row, const struct vt_snapshot *regs,
                                        uint64_t linear, struct fetch_failure *f)
{
    struct guest_paging paging;
    vcpu_paging_of(v, regs, &paging);
    *row = (struct fetch_row){ .linear = linear, .cr0 = regs->cr0, .cr3 = regs->cr3, .cr4 = regs->cr4, .efer = regs->efer,
                               .cpl = regs->cpl };
    row->code = find_code(v, &paging, linear, &row->trail);
    f->fault = (struct exec_fault){ 0 };
    f->length = INSN_MAX_LENGTH;
    if (row->code)
        __builtin_memcpy(row->bytes, row->code, sizeof row->bytes);
    else
        f->length = read_code(v, &paging, linear, (uint8_t *)row->bytes, &f->fault);
    f->status = insn_decode(&row->insn, (const uint8_t *)row->bytes, f->length, vcpu_mode_of(regs));
    if (f->status != INSN_OK) {
        f->bytes[0] = row->bytes[0];
        f->bytes[1] = row->bytes[1];
        return NULL;
    }
    row->move = (uint8_t)move_of(&row->insn);
    row->cs_mode = row->code ? regs->cs_mode : 0;
    return row;
}

uint64_t vcpu_fetch_address(struct vcpu *v, const struct vt_snapshot *regs)
{
    return (uint32_t)(vt.get(v->vt, VT_BASE + VT_CS) + regs->rip);
}
