#include "hv/vm/look.h"

#include "arch/x86_64/emul/show.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

#define UNDECODED_BYTES 8

static void fetch(struct vcpu *v, struct look *l)
{
    for (l->fetched = 0; l->fetched < INSN_MAX_LENGTH; l->fetched++) {
        struct guest_translation t;
        gva_t at = GVA(l->linear + l->fetched);
        if (guest_walk(&l->paging, &gmem_walk, &v->part->mem, at, GUEST_FETCH | GUEST_PROBE, &t) != GUEST_WALK_OK ||
            gmem_read(&v->part->mem, t.gpa, &l->bytes[l->fetched], 1) != GMEM_OK)
            break;
    }
    l->status = insn_decode(&l->insn, l->bytes, l->fetched, l->mode);
}

void look_at(struct vcpu *v, uint64_t rip, struct look *out)
{
    vcpu_paging(v, &out->paging);
    out->mode = vcpu_insn_mode(v);
    out->cs = (uint16_t)vt.get(v->vt, VT_SELECTOR + VT_CS);
    out->rip = rip;
    out->linear = out->mode == INSN_MODE_64 ? rip : (uint32_t)(vt.get(v->vt, VT_BASE + VT_CS) + rip);
    fetch(v, out);
}

void look_text(const struct look *l, char out[LOOK_TEXT_SIZE])
{
    char bytes[3 * INSN_MAX_LENGTH + 1] = "", insn[INSN_TEXT_SIZE] = "not decoded";
    unsigned count = l->status == INSN_OK ? l->insn.length : MIN(l->fetched, (unsigned)UNDECODED_BYTES);
    for (unsigned i = 0; i < count; i++)
        fmt_print(bytes + 3 * i, 4, "%02x ", l->bytes[i]);
    if (l->status == INSN_OK)
        insn_show(&l->insn, l->rip, insn, sizeof insn);
    if (!l->fetched)
        str_copy(insn, sizeof insn, "the instruction cannot be fetched");
    fmt_print(out, LOOK_TEXT_SIZE, "%04x:%lx  %s %s", l->cs, l->rip, bytes, insn);
}
