#include "arch/x86_64/mmu/guest_path.h"

#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/mmu/pt_entry.h"

struct level {
    const char *name;
    uint8_t shift;   /* one entry covers 1 << shift bytes */
    bool large;      /* bit 7 makes it a page */
};

/* Of each paging mode, from the top; the last has shift 12. */
static const struct level long_mode[] = {
    { "PML5E", 48, false }, { "PML4E", 39, false }, { "PDPTE", 30, true }, { "PDE", 21, true }, { "PTE", 12, false },
};
static const struct level pae[] = { { "PDPTE", 30, false }, { "PDE", 21, true }, { "PTE", 12, false } };
static const struct level legacy[] = { { "PDE", 22, true }, { "PTE", 12, false } };

static bool read_entry(const struct guest_walk_mem *mem, void *ctx, struct guest_path_step *s, unsigned width)
{
    struct guest_window w;
    if (!mem->window(ctx, GPA(s->at), &w))
        return false;
    const uint8_t *host = w.host + (s->at - w.gpa);
    s->value = 0;
    for (unsigned i = width; i; i--)
        s->value = s->value << 8 | host[i - 1];
    return true;
}

static void descend(const struct guest_paging *p, const struct guest_walk_mem *mem, void *ctx, uint64_t address,
                    struct guest_path *out)
{
    bool lma = p->efer & EFER_LMA, is_pae = !lma && (p->cr4 & CR4_PAE), wide = lma || is_pae;
    const struct level *l = is_pae ? pae : !lma ? legacy : p->cr4 & CR4_LA57 ? long_mode : long_mode + 1;
    uint64_t table = lma ? p->cr3 & PTE_ADDRESS : p->cr3 & (is_pae ? 0xffffffe0 : 0xfffff000);
    unsigned width = wide ? 8 : 4;
    uint64_t slots = wide ? 0x1ff : 0x3ff, frame = wide ? PTE_ADDRESS : 0xfffff000;

    for (;; l++) {
        struct guest_path_step *s = &out->step[out->count++];
        uint64_t slot = address >> l->shift & (l == pae ? 3 : slots);
        *s = (struct guest_path_step){ .name = l->name, .at = table + slot * width };
        s->in_register = l == pae && p->pdptes_loaded;
        if (s->in_register)
            s->value = p->pdpte[slot];
        s->known = s->in_register || read_entry(mem, ctx, s, width);
        bool page = l->shift == PAGE_SHIFT || (l->large && (s->value & PTE_PS) && (wide || (p->cr4 & CR4_PSE)));
        if (!s->known || !(s->value & PTE_P) || page)
            return;
        table = s->value & frame;
    }
}

/* The first step that lacks a right; `forbids` says which value of the bit does. */
static bool blame(struct guest_path *out, uint64_t bit, bool forbids, const char *problem)
{
    for (unsigned i = 0; i < out->count; i++)
        if (((out->step[i].value & bit) != 0) == forbids && !out->step[i].in_register) {
            out->blamed = i;
            out->problem = problem;
            return true;
        }
    return false;
}

static void find_blamed(struct guest_path *out)
{
    uint32_t error = out->translation.error_code;
    const struct guest_path_step *last = &out->step[out->count - 1];
    out->blamed = out->count - 1;
    if (!last->known)
        out->problem = "lies outside of its memory";
    else if (!(last->value & PTE_P))
        out->problem = "is not present";
    else if (error & PF_RSVD)
        out->problem = "has a reserved bit set";
    else if ((error & PF_PK) || (!((error & PF_U) && blame(out, PTE_U, false, "is for the supervisor only")) &&
                                          !((error & PF_W) && blame(out, PTE_W, false, "is not writable")) &&
                                          !blame(out, PTE_NX, true, "is not executable")))
        out->problem = "is refused by SMEP, SMAP or a protection key";
}

void guest_path_find(const struct guest_paging *paging, const struct guest_walk_mem *mem, void *ctx, gva_t address,
                     unsigned access, struct guest_path *out)
{
    *out = (struct guest_path){ 0 };
    out->result = guest_walk(paging, mem, ctx, address, access | GUEST_PROBE, &out->translation);
    if (out->result != GUEST_WALK_NON_CANONICAL && (paging->cr0 & CR0_PG))
        descend(paging, mem, ctx, paging->efer & EFER_LMA ? address.raw : (uint32_t)address.raw, out);
    out->blamed = out->count;
    if (out->result == GUEST_WALK_NON_CANONICAL)
        out->problem = "is not canonical";
    else if (out->result != GUEST_WALK_OK && out->count)
        find_blamed(out);
}
