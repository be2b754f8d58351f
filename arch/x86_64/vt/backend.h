/* The functions of struct vt_ops that every backend has: one list, from which vmx.h and svm.h declare theirs (vmx_get, svm_get)
 * and backend.c fills its table. The comments say in which file of the backend they are; vt.h says what they do. */
#ifndef ARCH_X86_64_VT_BACKEND_H
#define ARCH_X86_64_VT_BACKEND_H

#include "arch/x86_64/vt/vt.h"

#define VT_BACKEND(X, b) \
    /* caps.c */ \
    X(b, enum vt_status, init, (const struct vt_env *env)) \
    /* cpu.c */ \
    X(b, enum vt_status, cpu_enable, (unsigned cpu)) \
    X(b, void, cpu_disable, (void)) \
    X(b, void, nested_flush, (hpa_t nested_root)) \
    /* vcpu.c */ \
    X(b, enum vt_status, vcpu_create, (const struct vt_vcpu_config *config, struct vt_vcpu **out)) \
    X(b, void, vcpu_destroy, (struct vt_vcpu *v)) \
    X(b, void, load, (struct vt_vcpu *v, struct vt_vcpu *previous)) \
    X(b, void, unload, (struct vt_vcpu *v, bool stays)) \
    X(b, void, reset_extended, (struct vt_vcpu *v)) \
    /* entry.asm */ \
    X(b, uint32_t, run, (struct vt_vcpu *v, uint64_t ticks)) \
    /* controls.c, apicv.c */ \
    X(b, void, set_tsc_offset, (struct vt_vcpu *v, uint64_t offset)) \
    X(b, void, tpr_threshold, (struct vt_vcpu *v, uint8_t class)) \
    /* policy.c */ \
    X(b, void, set_policy, (struct vt_vcpu *v, uint64_t controls)) \
    /* field.c */ \
    X(b, uint64_t, get, (struct vt_vcpu *v, enum vt_field field)) \
    X(b, void, set, (struct vt_vcpu *v, enum vt_field field, uint64_t value)) \
    X(b, void, skip, (struct vt_vcpu *v)) \
    X(b, void, advance, (struct vt_vcpu *v, uint64_t rip)) \
    X(b, unsigned, insn_length, (struct vt_vcpu *v)) \
    X(b, uint32_t, pkru, (struct vt_vcpu *v)) \
    X(b, void, flush_linear, (struct vt_vcpu *v)) \
    X(b, void, snapshot, (struct vt_vcpu *v, struct vt_snapshot *out)) \
    /* inject.c */ \
    X(b, void, inject, (struct vt_vcpu *v, const struct vt_event *event)) \
    X(b, void, drop_event, (struct vt_vcpu *v)) \
    X(b, bool, event_pending, (struct vt_vcpu *v)) \
    X(b, bool, pending_event, (struct vt_vcpu *v, struct vt_event *event)) \
    X(b, bool, can_take_interrupt, (struct vt_vcpu *v)) \
    X(b, bool, can_take_nmi, (struct vt_vcpu *v)) \
    X(b, void, request_window, (struct vt_vcpu *v, bool interrupt, bool nmi)) \
    /* explain.c */ \
    X(b, unsigned, explain_entry, (struct vt_vcpu *v, void (*line)(void *ctx, const char *text), void *ctx)) \
    X(b, void, dump, (struct vt_vcpu *v, void (*field)(void *ctx, const struct vt_hw_field *f), void *ctx))

#define VT_DECLARE(b, type, name, parameters) type b##_##name parameters;
#define VT_MEMBER(b, type, name, parameters) .name = b##_##name,

#endif
