/* walk_any knows all rules; it records the entries used, to set their accessed and dirty bits at the end, when the
 * permissions (the AND of all levels) are known to suffice. walk_plain is tried first: it gives up on anything but a
 * 4-level walk that needs no such bit and that no finer rule could refuse, which nearly all walks are. */
#include "arch/x86_64/mmu/guest_walk.h"

#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/mmu/pt_entry.h"

#define BITS(high, low) ((UINT64_MAX >> (63 - (high))) & (UINT64_MAX << (low)))

#define MAX_LEVELS 5
/* Another vCPU that keeps changing its entries must not keep this CPU here. */
#define MAX_RESTARTS 32

enum step { STEP_OK = 0, STEP_NOT_PRESENT, STEP_RESERVED, STEP_NO_MEMORY };

struct walk {
    const struct guest_paging *paging;
    const struct guest_walk_mem *mem;
    void *ctx;
    uint64_t address;
    struct guest_window window;
    unsigned seen_count; /* the entries used, for their accessed and dirty bits */
    struct { uint64_t at, value; } seen[MAX_LEVELS];
};

/* Where a descent ended. rights: AND of all entries, with NX inverted, so that 1 allows in every bit. */
struct leaf {
    uint64_t at, value, rights, frame;
    unsigned shift;
};

static const void *entry_at(struct walk *w, uint64_t at)
{
    if (at - w->window.gpa >= w->window.size && !w->mem->window(w->ctx, GPA(at), &w->window))
        return NULL;
    return w->window.host + (at - w->window.gpa);
}

static void note(struct walk *w, uint64_t at, uint64_t value)
{
    w->seen[w->seen_count].at = at;
    w->seen[w->seen_count++].value = value;
}

/* A large page: which levels may have one, and which address bits must then be 0. */
static bool large_is_valid(const struct guest_paging *p, uint64_t value, unsigned shift)
{
    bool allowed = shift == 21 || (shift == 30 && p->huge_pages);
    return allowed && !(value & BITS(shift - 1, 13));
}

/* 64-bit entries from `table`, whose entries cover 1 << shift bytes, on down. */
static enum step descend64(struct walk *w, uint64_t table, unsigned shift, uint64_t reserved, struct leaf *leaf)
{
    leaf->rights = UINT64_MAX;
    for (;; shift -= 9) {
        leaf->at = table + (w->address >> (shift - 3) & 0xff8);
        const uint64_t *entry = entry_at(w, leaf->at);
        if (!entry)
            return STEP_NO_MEMORY;
        uint64_t value = __atomic_load_n(entry, __ATOMIC_RELAXED);
        if (!(value & PTE_P))
            return STEP_NOT_PRESENT;
        if (value & reserved)
            return STEP_RESERVED;
        note(w, leaf->at, value);
        leaf->rights &= value ^ PTE_NX;
        leaf->value = value;
        leaf->shift = shift;
        table = leaf->frame = value & PTE_ADDRESS;
        if (shift == PAGE_SHIFT)
            return STEP_OK;
        if (value & PTE_PS)
            return large_is_valid(w->paging, value, shift) ? STEP_OK : STEP_RESERVED;
    }
}

static uint64_t reserved64(const struct guest_paging *p)
{
    uint64_t reserved = BITS(51, 0) & (UINT64_MAX << p->physical_bits);
    return p->efer & EFER_NXE ? reserved : reserved | PTE_NX;
}

/* The entry of the page-directory-pointer table: a register on VT-x, memory on AMD-V. */
static enum step pae_directory(struct walk *w, uint64_t *directory)
{
    const struct guest_paging *p = w->paging;
    uint64_t reserved = BITS(63, 52) | BITS(8, 5) | BITS(2, 1) | (BITS(51, 0) & (UINT64_MAX << p->physical_bits));
    unsigned i = (unsigned)(w->address >> 30) & 3;
    uint64_t value = p->pdpte[i];
    if (!p->pdptes_loaded) {
        const uint64_t *entry = entry_at(w, (p->cr3 & BITS(31, 5)) + i * sizeof(*entry));
        if (!entry)
            return STEP_NO_MEMORY;
        value = __atomic_load_n(entry, __ATOMIC_RELAXED);
        reserved &= ~(uint64_t)PTE_A; /* QEMU quirk: its TCG marks this entry accessed, too, and then does not mind */
    }
    *directory = value & PTE_ADDRESS;
    if (!(value & PTE_P))
        return STEP_NOT_PRESENT;
    return value & reserved ? STEP_RESERVED : STEP_OK;
}

static enum step descend_pae(struct walk *w, struct leaf *leaf)
{
    uint64_t directory;
    leaf->at = w->paging->cr3 & BITS(31, 5);
    enum step step = pae_directory(w, &directory);
    if (step != STEP_OK)
        return step;
    return descend64(w, directory, 21, reserved64(w->paging) | BITS(62, 52), leaf);
}

/* A 4 MiB page has physical address bits 39:32 in bits 20:13, as far as MAXPHYADDR goes ("PSE-36"). */
static enum step leaf_4m(const struct guest_paging *p, uint64_t value, struct leaf *leaf)
{
    unsigned physical = MIN(p->physical_bits, 40u);
    uint64_t reserved = BITS(21, 13) & (UINT64_MAX << (physical - 19));
    leaf->shift = 22;
    leaf->frame = (value & BITS(31, 22)) | (value & BITS(20, 13)) << 19;
    return value & reserved ? STEP_RESERVED : STEP_OK;
}

static enum step descend32(struct walk *w, struct leaf *leaf)
{
    uint64_t table = w->paging->cr3 & BITS(31, 12);
    leaf->rights = UINT64_MAX;
    for (unsigned shift = 22;; shift -= 10) {
        leaf->at = table + (w->address >> shift & 0x3ff) * sizeof(uint32_t);
        const uint32_t *entry = entry_at(w, leaf->at);
        if (!entry)
            return STEP_NO_MEMORY;
        leaf->value = __atomic_load_n(entry, __ATOMIC_RELAXED);
        if (!(leaf->value & PTE_P))
            return STEP_NOT_PRESENT;
        note(w, leaf->at, leaf->value);
        leaf->rights &= leaf->value | PTE_NX; /* no such bit here: all may be executed */
        leaf->shift = shift;
        table = leaf->frame = leaf->value & BITS(31, 12);
        if (shift == PAGE_SHIFT)
            return STEP_OK;
        if ((leaf->value & PTE_PS) && (w->paging->cr4 & CR4_PSE))
            return leaf_4m(w->paging, leaf->value, leaf);
    }
}

static enum step descend(struct walk *w, struct leaf *leaf)
{
    const struct guest_paging *p = w->paging;
    if (p->efer & EFER_LMA)
        return descend64(w, p->cr3 & PTE_ADDRESS, p->cr4 & CR4_LA57 ? 48 : 39, reserved64(p), leaf);
    return p->cr4 & CR4_PAE ? descend_pae(w, leaf) : descend32(w, leaf);
}

static bool is_user(const struct guest_paging *p, unsigned access)
{
    return p->cpl == 3 && !(access & GUEST_IMPLICIT);
}

/* The bits of the error code that tell the access, whatever is wrong with it. */
static uint32_t access_bits(const struct guest_paging *p, unsigned access)
{
    uint32_t bits = 0;
    if (access & GUEST_WRITE)
        bits |= PF_W;
    if (is_user(p, access))
        bits |= PF_U;
    bool reports_fetch = (p->cr4 & CR4_SMEP) || ((p->cr4 & CR4_PAE) && (p->efer & EFER_NXE));
    if ((access & GUEST_FETCH) && reports_fetch)
        bits |= PF_I;
    return bits;
}

/* SDM vol 3, "Determination of Access Rights". */
static bool rights_allow(const struct guest_paging *p, unsigned access, uint64_t rights)
{
    bool user_page = rights & PTE_U;
    if ((access & GUEST_FETCH) && !(rights & PTE_NX))
        return false;
    if (is_user(p, access))
        return user_page && (!(access & GUEST_WRITE) || (rights & PTE_W));
    if (user_page) {
        if (access & GUEST_FETCH)
            return !(p->cr4 & CR4_SMEP);
        if ((p->cr4 & CR4_SMAP) && ((access & GUEST_IMPLICIT) || !(p->rflags & RFLAGS_AC)))
            return false;
    }
    return !(access & GUEST_WRITE) || (rights & PTE_W) || !(p->cr0 & CR0_WP);
}

/* SDM vol 3, "Protection Keys": data accesses to user pages of IA-32e paging only. */
static bool key_allows(const struct guest_paging *p, unsigned access, const struct leaf *leaf)
{
    if (!(p->cr4 & CR4_PKE) || !(p->efer & EFER_LMA) || !(leaf->rights & PTE_U) || (access & GUEST_FETCH))
        return true;
    uint32_t key = p->pkru >> (leaf->value >> 59 & 15) * 2;
    bool no_access = key & 1, no_write = key & 2;
    return !no_access && !(no_write && (access & GUEST_WRITE) && (is_user(p, access) || (p->cr0 & CR0_WP)));
}

static enum guest_walk_result fault(struct walk *w, enum step step, unsigned access, const struct leaf *leaf,
                                    struct guest_translation *out)
{
    static const uint32_t bits[] = {
        [STEP_NOT_PRESENT] = 0, [STEP_RESERVED] = PF_P | PF_RSVD, [STEP_NO_MEMORY] = 0,
    };
    out->gpa = GPA(leaf->at);
    out->error_code = bits[step] | access_bits(w->paging, access);
    return step == STEP_NO_MEMORY ? GUEST_WALK_NO_MEMORY : GUEST_WALK_FAULT;
}

/* Permissions at the end of a descent; OK fills *out. */
static enum guest_walk_result finish(struct walk *w, enum step step, unsigned access, const struct leaf *leaf,
                                            struct guest_translation *out)
{
    if (step != STEP_OK)
        return fault(w, step, access, leaf, out);
    bool key_ok = key_allows(w->paging, access, leaf);
    if (!rights_allow(w->paging, access, leaf->rights) || !key_ok) {
        out->gpa = GPA(leaf->at);
        out->error_code = PF_P | access_bits(w->paging, access) | (key_ok ? 0 : PF_PK);
        return GUEST_WALK_FAULT;
    }
    uint64_t size = UINT64_C(1) << leaf->shift;
    out->page_size = size;
    out->gpa = GPA((leaf->frame & -size) | (w->address & (size - 1)));
    return GUEST_WALK_OK;
}

/* Sets what the access sets in the entries used. False if one is no longer what the walk saw. */
static bool mark(struct walk *w, unsigned access)
{
    unsigned width = w->paging->cr4 & CR4_PAE ? sizeof(uint64_t) : sizeof(uint32_t);
    for (unsigned i = 0; i < w->seen_count; i++) {
        uint64_t value = w->seen[i].value, wanted = value | PTE_A;
        bool swapped = true;
        if (i == w->seen_count - 1 && (access & GUEST_WRITE))
            wanted |= PTE_D;
        if (wanted != value && w->mem->cmpxchg(w->ctx, GPA(w->seen[i].at), width, value, wanted, &swapped) && !swapped)
            return false;
    }
    return true;
}

static bool is_canonical(const struct guest_paging *p, uint64_t address)
{
    unsigned unused = 64 - CR4_LINEAR_BITS(p->cr4);
    return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

/* Any mode, any access, any outcome. */
static __attribute__((noinline)) enum guest_walk_result
walk_any(const struct guest_paging *paging, const struct guest_walk_mem *mem, void *ctx, uint64_t address,
         unsigned access, struct guest_translation *out)
{
    struct walk w = { .paging = paging, .mem = mem, .ctx = ctx, .address = address };
    if (!(paging->efer & EFER_LMA))
        w.address = (uint32_t)address;
    else if (!is_canonical(paging, address))
        return GUEST_WALK_NON_CANONICAL;
    if (!(paging->cr0 & CR0_PG)) {
        out->gpa = GPA(w.address);
        out->page_size = PAGE_SIZE;
        return GUEST_WALK_OK;
    }
    for (unsigned restarts = 0;; restarts++) {
        struct leaf leaf = { 0 };
        w.seen_count = 0;
        enum step step = descend(&w, &leaf);
        enum guest_walk_result result = finish(&w, step, access, &leaf, out);
        if (result != GUEST_WALK_OK || (access & GUEST_PROBE) || mark(&w, access) || restarts == MAX_RESTARTS)
            return result;
    }
}

/* Is this a plain success: allowed whatever the finer rules say, and no bit to be set? If in doubt, no. */
static inline bool is_plain(const struct guest_paging *p, unsigned access, uint64_t all, uint64_t any, uint64_t leaf)
{
    if (!(all & PTE_A))
        return false;
    if ((access & GUEST_WRITE) && (!(all & PTE_W) || !(leaf & PTE_D)))
        return false;
    if ((access & GUEST_FETCH) && (any & PTE_NX))
        return false;
    if (all & PTE_U)
        return !(p->cr4 & (CR4_PKE | CR4_SMEP | CR4_SMAP)) || (p->cpl == 3 && !(p->cr4 & CR4_PKE) && !(access & GUEST_IMPLICIT));
    return p->cpl != 3 || (access & GUEST_IMPLICIT);
}

static void leave_trail(struct guest_trail *trail, unsigned first, const uint64_t *entry, uint64_t value)
{
    for (unsigned i = first; i < ARRAY_SIZE(trail->at); i++) {
        trail->at[i] = entry;
        trail->value[i] = value;
    }
}

/* The common case, in as few instructions as can be: 4 levels, a plain success. False: leave it to walk_any. */
static inline bool walk_plain(const struct guest_paging *p, const struct guest_walk_mem *mem, void *ctx, uint64_t address,
                              unsigned access, struct guest_translation *out, struct guest_trail *trail)
{
    uint64_t checked = reserved64(p) | PTE_P, table = p->cr3 & PTE_ADDRESS, all = UINT64_MAX, any = 0, value = 0;
    struct guest_window window = { 0 }, fresh; /* two, so that the one in use can live in registers */
    unsigned shift;
    if (!(p->efer & EFER_LMA) || (p->cr4 & CR4_LA57) || (uint64_t)((int64_t)(address << 16) >> 16) != address)
        return false;
#pragma GCC unroll 4
    for (shift = 39; shift >= PAGE_SHIFT; shift -= 9) {
        uint64_t at = table + (address >> (shift - 3) & 0xff8);
        if (UNLIKELY(at - window.gpa >= window.size)) {
            if (!mem->window(ctx, GPA(at), &fresh))
                return false;
            window = fresh;
        }
        const uint64_t *entry = (const void *)(window.host + (at - window.gpa));
        value = __atomic_load_n(entry, __ATOMIC_RELAXED);
        if (trail)
            leave_trail(trail, (39 - shift) / 9, entry, value);
        if (UNLIKELY((value & checked) != PTE_P))
            return false;
        all &= value;
        any |= value;
        table = value & PTE_ADDRESS;
        if (shift == PAGE_SHIFT)
            break;
        if (UNLIKELY(value & PTE_PS)) {
            if (!large_is_valid(p, value, shift))
                return false;
            break;
        }
    }
    if (!is_plain(p, access, all, any, value))
        return false;
    uint64_t size = UINT64_C(1) << shift;
    out->page_size = size;
    out->gpa = GPA((table & -size) | (address & (size - 1)));
    return true;
}

enum guest_walk_result guest_walk(const struct guest_paging *paging, const struct guest_walk_mem *mem, void *ctx,
                                  gva_t address, unsigned access, struct guest_translation *out)
{
    if (LIKELY(walk_plain(paging, mem, ctx, address.raw, access, out, NULL)))
        return GUEST_WALK_OK;
    return walk_any(paging, mem, ctx, address.raw, access, out);
}

bool guest_walk_plain(const struct guest_paging *paging, const struct guest_walk_mem *mem, void *ctx, gva_t address,
                      unsigned access, struct guest_translation *out, struct guest_trail *trail)
{
    static const uint64_t none;
    if (paging->cr0 & CR0_PG)
        return walk_plain(paging, mem, ctx, address.raw, access, out, trail);
    leave_trail(trail, 0, &none, 0);
    return walk_any(paging, mem, ctx, address.raw, access, out) == GUEST_WALK_OK;
}
