#include "hv/vm/linear.h"
#include "arch/x86_64/isa/exception.h"
#include "hv/lib/str.h"
#include "hv/vm/emulate.h"

enum what { READ, WRITE, PROBE };

struct access {
    struct vcpu *v;
    const struct guest_paging *paging;
    enum what what;
    unsigned rights;        /* enum guest_access */
    struct vt_event *fault;
};

static enum linear_result translate(const struct access *a, uint64_t linear, gpa_t *gpa)
{
    struct guest_translation t;
    enum guest_walk_result r = guest_walk(a->paging, &gmem_walk, &a->v->part->mem, GVA(linear), a->rights, &t);
    if (LIKELY(r == GUEST_WALK_OK)) {
        *gpa = t.gpa;
        return LINEAR_OK;
    }
    *a->fault = (struct vt_event){ .type = VT_EVENT_EXCEPTION, .has_error_code = true };
    switch (r) {
    case GUEST_WALK_FAULT:
        a->fault->vector = EXC_PF;
        a->fault->error_code = t.error_code;
        vt.set(a->v->vt, VT_CR2, linear);
        return LINEAR_FAULT;
    case GUEST_WALK_NON_CANONICAL:
        a->fault->vector = EXC_GP;
        return LINEAR_FAULT;
    default:
        return LINEAR_OUTSIDE;
    }
}

/* In pieces of the sizes that devices' registers have, as the CPU accesses a descriptor table: its limit, then its base. */
static void pass_device(const struct access *a, gpa_t gpa, uint8_t *buffer, size_t size)
{
    for (size_t piece; size && a->what != PROBE; size -= piece, gpa.raw += piece, buffer += piece) {
        uint64_t value = 0;
        piece = MIN(size & -size, sizeof value);
        if (a->what == READ) {
            value = vcpu_mmio_read(a->v, gpa, (unsigned)piece);
            memcpy(buffer, &value, piece);
        } else {
            memcpy(&value, buffer, piece);
            vcpu_mmio_write(a->v, gpa, (unsigned)piece, value);
        }
    }
}

/* Within a page. Only an instruction's own operand may be in a device's memory. */
static enum linear_result pass_part(const struct access *a, uint64_t linear, uint8_t *buffer, size_t size)
{
    struct gmem *mem = &a->v->part->mem;
    gpa_t gpa;
    uint8_t byte;
    enum linear_result r = translate(a, linear, &gpa);
    if (r != LINEAR_OK)
        return r;
    enum gmem_result m = a->what == READ    ? gmem_read(mem, gpa, buffer, size)
                         : a->what == WRITE ? gmem_write(mem, gpa, buffer, size)
                                            : gmem_read(mem, gpa, &byte, 1);
    if (LIKELY(m == GMEM_OK) || m == GMEM_READ_ONLY) /* a ROM ignores writes */
        return LINEAR_OK;
    if (a->rights & GUEST_IMPLICIT)
        return LINEAR_OUTSIDE;
    pass_device(a, gpa, buffer, size);
    return LINEAR_OK;
}

static enum linear_result pass(const struct access *a, uint64_t linear, uint8_t *buffer, size_t size)
{
    for (size_t part; size; size -= part, linear += part) {
        part = linear_in_page(linear, size);
        enum linear_result r = pass_part(a, linear, buffer, part);
        if (r != LINEAR_OK)
            return r;
        if (a->what != PROBE) /* then there is no buffer */
            buffer += part;
    }
    return LINEAR_OK;
}

/* Nothing is touched before all of it may be: reading from a device changes it, too. */
static inline enum linear_result pass_whole(struct access *a, uint64_t linear, uint8_t *buffer, size_t size)
{
    const enum what what = a->what;
    if (LIKELY(linear_in_page(linear, size) == size))
        return pass_part(a, linear, buffer, size);
    a->what = PROBE;
    enum linear_result r = pass(a, linear, NULL, size);
    a->what = what;
    return r == LINEAR_OK ? pass(a, linear, buffer, size) : r;
}

enum linear_result linear_read(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, void *buffer,
                               size_t size, struct vt_event *fault)
{
    struct access a = { v, paging, READ, GUEST_READ | GUEST_IMPLICIT, fault };
    return pass_whole(&a, linear, buffer, size);
}

enum linear_result linear_write(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, const void *buffer,
                                size_t size, struct vt_event *fault)
{
    struct access a = { v, paging, WRITE, GUEST_WRITE | GUEST_IMPLICIT, fault };
    return pass_whole(&a, linear, (uint8_t *)(uintptr_t)buffer, size);
}

enum linear_result linear_probe(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, size_t size,
                                struct vt_event *fault)
{
    const struct access a = { v, paging, PROBE, GUEST_WRITE | GUEST_IMPLICIT, fault };
    return pass(&a, linear, NULL, size);
}

enum linear_result linear_load(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, void *buffer,
                               size_t size, struct vt_event *fault)
{
    struct access a = { v, paging, READ, GUEST_READ, fault };
    return pass_whole(&a, linear, buffer, size);
}

enum linear_result linear_store(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, const void *buffer,
                                size_t size, struct vt_event *fault)
{
    struct access a = { v, paging, WRITE, GUEST_WRITE, fault };
    return pass_whole(&a, linear, (uint8_t *)(uintptr_t)buffer, size);
}

/* In the aligned four bytes around it, which lie in its page. */
enum linear_result linear_cmpxchg(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, uint8_t expected,
                                  uint8_t desired, bool *swapped, struct vt_event *fault)
{
    const struct access a = { v, paging, WRITE, GUEST_WRITE | GUEST_IMPLICIT, fault };
    gpa_t gpa;
    uint32_t old;
    enum linear_result r = translate(&a, linear, &gpa);
    if (r != LINEAR_OK)
        return r;
    unsigned shift = 8 * (unsigned)(gpa.raw & 3);
    gpa.raw &= ~UINT64_C(3);
    if (gmem_read(&v->part->mem, gpa, &old, sizeof old) != GMEM_OK)
        return LINEAR_OUTSIDE;
    *swapped = (uint8_t)(old >> shift) == expected;
    if (!*swapped)
        return LINEAR_OK;
    uint32_t fresh = (old & ~(UINT32_C(0xff) << shift)) | (uint32_t)desired << shift;
    (void)gmem_walk.cmpxchg(&v->part->mem, gpa, sizeof old, old, fresh, swapped); /* false: a ROM, which ignores writes */
    return LINEAR_OK;
}
