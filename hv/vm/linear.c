#include "hv/vm/linear.h"
#include "arch/x86_64/isa/exception.h"

enum what { READ, WRITE, PROBE };

static size_t in_page(uint64_t linear, size_t size)
{
    return MIN(size, (size_t)(PAGE_SIZE - (linear & (PAGE_SIZE - 1))));
}

static enum linear_result translate(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, unsigned access,
                                    gpa_t *gpa, struct vt_event *fault)
{
    struct guest_translation t;
    *fault = (struct vt_event){ .type = VT_EVENT_EXCEPTION, .has_error_code = true };
    switch (guest_walk(paging, &gmem_walk, &v->part->mem, GVA(linear), access, &t)) {
    case GUEST_WALK_OK:
        *gpa = t.gpa;
        return LINEAR_OK;
    case GUEST_WALK_FAULT:
        fault->vector = EXC_PF;
        fault->error_code = t.error_code;
        vt.set(v->vt, VT_CR2, linear);
        return LINEAR_FAULT;
    case GUEST_WALK_NON_CANONICAL:
        fault->vector = EXC_GP;
        return LINEAR_FAULT;
    case GUEST_WALK_NO_MEMORY:
        break;
    }
    return LINEAR_OUTSIDE;
}

static enum linear_result pass(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, uint8_t *buffer,
                               size_t size, enum what what, unsigned who, struct vt_event *fault)
{
    for (size_t part; size; size -= part, linear += part) {
        gpa_t gpa;
        uint8_t byte;
        part = in_page(linear, size);
        enum linear_result r = translate(v, paging, linear, who | (what == READ ? GUEST_READ : GUEST_WRITE), &gpa, fault);
        if (r != LINEAR_OK)
            return r;
        enum gmem_result m = what == READ    ? gmem_read(&v->part->mem, gpa, buffer, part)
                             : what == WRITE ? gmem_write(&v->part->mem, gpa, buffer, part)
                                             : gmem_read(&v->part->mem, gpa, &byte, 1);
        if (m != GMEM_OK && m != GMEM_READ_ONLY) /* a ROM ignores writes */
            return LINEAR_OUTSIDE;
        if (what != PROBE)
            buffer += part;
    }
    return LINEAR_OK;
}

enum linear_result linear_read(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, void *buffer,
                               size_t size, struct vt_event *fault)
{
    return pass(v, paging, linear, buffer, size, READ, GUEST_IMPLICIT, fault);
}

enum linear_result linear_probe(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, size_t size,
                                struct vt_event *fault)
{
    return pass(v, paging, linear, NULL, size, PROBE, GUEST_IMPLICIT, fault);
}

enum linear_result linear_write(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, const void *buffer,
                                size_t size, struct vt_event *fault)
{
    enum linear_result r = linear_probe(v, paging, linear, size, fault);
    return r == LINEAR_OK ? pass(v, paging, linear, (uint8_t *)(uintptr_t)buffer, size, WRITE, GUEST_IMPLICIT, fault) : r;
}

enum linear_result linear_load(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, void *buffer,
                               size_t size, struct vt_event *fault)
{
    return pass(v, paging, linear, buffer, size, READ, 0, fault);
}

enum linear_result linear_store(struct vcpu *v, const struct guest_paging *paging, uint64_t linear, const void *buffer,
                                size_t size, struct vt_event *fault)
{
    enum linear_result r = pass(v, paging, linear, NULL, size, PROBE, 0, fault);
    return r == LINEAR_OK ? pass(v, paging, linear, (uint8_t *)(uintptr_t)buffer, size, WRITE, 0, fault) : r;
}
