#include "hv/vm/look.h"

#include "arch/x86_64/emul/show.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/vm/linear.h"

#define UNDECODED_BYTES 8

unsigned look_bytes(struct gmem *mem, const struct guest_paging *paging, uint64_t linear, unsigned access,
                    uint8_t bytes[INSN_MAX_LENGTH])
{
    unsigned n = 0;
    while (n < INSN_MAX_LENGTH) {
        struct guest_translation t;
        size_t part = linear_in_page(linear + n, INSN_MAX_LENGTH - n);
        if (guest_walk(paging, &gmem_walk, mem, GVA(linear + n), access | GUEST_PROBE, &t) != GUEST_WALK_OK ||
            gmem_read(mem, t.gpa, bytes + n, part) != GMEM_OK)
            break;
        n += (unsigned)part;
    }
    return n;
}

void look_at(struct vcpu *v, uint64_t rip, struct look *out)
{
    vcpu_paging(v, &out->paging);
    out->mode = vcpu_insn_mode(v);
    out->cs = (uint16_t)vt.get(v->vt, VT_SELECTOR + VT_CS);
    out->rip = rip;
    out->linear = out->mode == INSN_MODE_64 ? rip : (uint32_t)(vt.get(v->vt, VT_BASE + VT_CS) + rip);
    out->fetched = look_bytes(&v->part->mem, &out->paging, out->linear, GUEST_FETCH, out->bytes);
    out->status = insn_decode(&out->insn, out->bytes, out->fetched, out->mode);
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
