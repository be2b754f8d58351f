/* The exits with little to do. */
#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/machine_check.h"
#include "arch/x86_64/cpu/panic.h"
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/lib/log.h"
#include "hv/vm/dispatch.h"
#include "hv/vm/exits.h"
#include "hv/vm/hw_fields.h"
#include "hv/vm/operand.h"

static inline enum vcpu_next answer_cpuid(struct vcpu *v, const struct cpuid_regs *r)
{
    uint64_t *g = v->vt->gpr;
    g[VT_RAX] = r->eax;
    g[VT_RBX] = r->ebx;
    g[VT_RCX] = r->ecx;
    g[VT_RDX] = r->edx;
    vt.skip(v->vt);
    return VCPU_RESUME;
}

static __attribute__((noinline)) enum vcpu_next cpuid_by_state(struct vcpu *v)
{
    const uint64_t *g = v->vt->gpr;
    struct cpuid_regs r;
    const struct cpuid_state state = { vt.get(v->vt, VT_CR4), vt.get(v->vt, VT_XCR0), vlapic_enabled(&v->lapic) };
    cpuid_lookup(&v->cpuid, (uint32_t)g[VT_RAX], (uint32_t)g[VT_RCX], &state, &r);
    if ((uint32_t)g[VT_RAX] == CPUID_FEATURES) {
        v->cpuid_1 = r;
        v->cpuid_1_valid = true;
    }
    return answer_cpuid(v, &r);
}

enum vcpu_next exit_cpuid(struct vcpu *v, const struct vt_exit *exit)
{
    uint32_t leaf = (uint32_t)v->vt->gpr[VT_RAX];
    const struct cpuid_regs *r = cpuid_plain(&v->cpuid, leaf);
    if (LIKELY(r != NULL))
        return answer_cpuid(v, r);
    if (LIKELY(leaf == CPUID_FEATURES && v->cpuid_1_valid))
        return answer_cpuid(v, &v->cpuid_1);
    return cpuid_by_state(v);
}

static inline enum vcpu_next after_interrupt(struct vcpu *v, const struct vt_exit *exit)
{
    if (LIKELY(v->exits_at_deadline))
        return dispatch_should_yield() ? VCPU_YIELD : VCPU_RESUME;
    /* It may have been the APIC timer. If the deadline is not the reason, or it came early, it is set again; else after
     * the deadline has been: one set to what has passed would end the next stay at once. */
    v->armed = VM_TSC_NEVER;
    if (v->vt->exit_tsc < v->deadline)
        vcpu_set_slice(v, v->slice_end);
    return exit_timer(v, exit);
}

enum vcpu_next exit_interrupt(struct vcpu *v, const struct vt_exit *exit)
{
    irq_dispatch(exit->interrupt.vector);
    return after_interrupt(v, exit);
}

enum vcpu_next exit_host_event(struct vcpu *v, const struct vt_exit *exit)
{
    irq_poll();
    return after_interrupt(v, exit);
}

enum vcpu_next exit_timer(struct vcpu *v, const struct vt_exit *exit)
{
    uint64_t now = v->vt->exit_tsc;
    if (now >= v->deadline) {
        vcpu_timers(v);
        vcpu_deliver(v);
    }
    return now >= v->slice_end || dispatch_should_yield() ? VCPU_YIELD : VCPU_RESUME;
}

enum vcpu_next exit_window(struct vcpu *v, const struct vt_exit *exit)
{
    vcpu_deliver(v);
    return VCPU_RESUME;
}

enum vcpu_next exit_hlt(struct vcpu *v, const struct vt_exit *exit)
{
    vt.skip(v->vt);
    if (vcpu_has_event(v)) {
        vcpu_deliver(v);
        return VCPU_RESUME;
    }
    if (UNLIKELY(vt.get(v->vt, VT_PENDING_DEBUG)))
        return VCPU_RESUME; /* a single step ends the halt, too */
    atomic_store(&v->state, VCPU_HALTED);
    return VCPU_BLOCK;
}

enum vcpu_next exit_pause(struct vcpu *v, const struct vt_exit *exit)
{
    vt.skip(v->vt);
    return VCPU_YIELD;
}

/* Nothing is known of the state that the error hit, so the guest ends even where it could go on. */
static enum vcpu_next machine_check(struct vcpu *v)
{
    machine_check_log(log_line);
    if (!machine_check_recover())
        panic("machine check while %s ran: this CPU cannot go on", v->part->name);
    partition_fail(v, "machine check while it ran: the hardware reports an error (see the log)");
    return VCPU_RESUME;
}

/* #DB and #AC are intercepted so that a guest cannot keep the CPU in their delivery for ever, the others by policy; it gets
 * them all the same. */
enum vcpu_next exit_exception(struct vcpu *v, const struct vt_exit *exit)
{
    uint8_t vector = exit->exception.vector;
    if (UNLIKELY(vector == EXC_MC))
        return machine_check(v);
    if (vector == EXC_DB)
        vcpu_record_debug_exception(v, exit->qualification);
    if (vector == EXC_PF)
        vt.set(v->vt, VT_CR2, exit->qualification);
    if (exit->exception.type >= VT_EVENT_PRIV_SOFT_EXCEPTION) { /* INT1, INT3, INTO: the handler returns behind it */
        const struct vt_event e = { .vector = vector, .type = exit->exception.type };
        vt.inject(v->vt, &e);
        return VCPU_RESUME;
    }
    vcpu_exception(v, vector, exit->exception.has_error_code, exit->exception.error_code);
    return VCPU_RESUME;
}

enum vcpu_next exit_nmi(struct vcpu *v, const struct vt_exit *exit)
{
    nmi_dispatch(NULL);
    nmi_unblock();
    return VCPU_RESUME;
}

enum vcpu_next exit_triple_fault(struct vcpu *v, const struct vt_exit *exit)
{
    partition_fail(v, "triple fault: an exception, then one while delivering that, then one while delivering #DF "
                      "(IDT base 0x%lx limit 0x%lx, CR3 0x%lx)", vt.get(v->vt, VT_IDTR_BASE),
                   vt.get(v->vt, VT_IDTR_LIMIT), vt.get(v->vt, VT_CR3));
    return VCPU_RESUME;
}

/* Emulators let the exit win over the privilege check. */
static bool tsc_is_forbidden(struct vcpu *v)
{
    return (vt.get(v->vt, VT_CR4) & CR4_TSD) && (vt.get(v->vt, VT_CR0) & CR0_PE) && vcpu_cpl(v) != 0;
}

enum vcpu_next exit_rdtsc(struct vcpu *v, const struct vt_exit *exit)
{
    if (tsc_is_forbidden(v))
        return fault_gp(v);
    if (exit->tsc.aux)
        v->vt->gpr[VT_RCX] = (uint32_t)vt.get(v->vt, VT_TSC_AUX);
    uint64_t tsc = vm_guest_tsc(v);
    v->vt->gpr[VT_RAX] = (uint32_t)tsc;
    v->vt->gpr[VT_RDX] = tsc >> 32;
    vt.skip(v->vt);
    return VCPU_RESUME;
}

/* The guest's CPUID says that there are no performance counters. */
enum vcpu_next exit_rdpmc(struct vcpu *v, const struct vt_exit *exit)
{
    return fault_gp(v);
}

/* INVD, WBINVD: guests' memory is cached and coherent, and no device bypasses the caches. */
enum vcpu_next exit_ignore(struct vcpu *v, const struct vt_exit *exit)
{
    vt.skip(v->vt);
    return VCPU_RESUME;
}

#define FLAGS_OF_RESULT (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* SDM vol 2, "RDRAND", "RDSEED": CF says that there is a number, the other flags are cleared. */
enum vcpu_next exit_random(struct vcpu *v, const struct vt_exit *exit)
{
    const struct insn *in = operand_decode(v); /* Bochs 2.7 tells a wrong size of 16-bit operands */
    if (!in)
        return VCPU_RESUME;
    if (in->op != (exit->random.seed ? INSN_RDSEED : INSN_RDRAND))
        return operand_retry(v);
    uint64_t value, flags = vt.get(v->vt, VT_RFLAGS) & ~FLAGS_OF_RESULT;
    bool got = exit->random.seed ? cpu_rdseed(&value) : cpu_rdrand(&value);
    operand_set_register(v, in->rm, in->opsize, got ? value : 0);
    vt.set(v->vt, VT_RFLAGS, flags | (got ? RFLAGS_CF : 0));
    return operand_done(v, in);
}

enum vcpu_next exit_undefined(struct vcpu *v, const struct vt_exit *exit)
{
    vcpu_ud(v);
    return VCPU_RESUME;
}

/* INIT and SIPI are virtual for guests; a real one is the firmware's or an emulator's doing, and has no effect. */
enum vcpu_next exit_init_signal(struct vcpu *v, const struct vt_exit *exit)
{
    log_line("cpu: an INIT or start-up signal arrived while %s ran; ignored", v->part->name);
    return VCPU_RESUME;
}

enum vcpu_next exit_bad_nested_page(struct vcpu *v, const struct vt_exit *exit)
{
    struct pt_mapping m;
    bool mapped = pt_lookup(&v->part->nested, exit->mem.gpa.raw, &m) == PT_OK;
    partition_fail(v, "the CPU rejects the nested page table entry for guest-physical 0x%lx (%s): a fault of the "
                      "hypervisor", exit->mem.gpa.raw, mapped ? "mapped" : "not mapped");
    return VCPU_RESUME;
}

static void log_text(void *ctx, const char *text)
{
    log_line("%s:   %s", (const char *)ctx, text);
}

enum vcpu_next exit_entry_failed(struct vcpu *v, const struct vt_exit *exit)
{
    log_line("%s: the CPU refused to enter the guest (reason 0x%x); rules broken:", v->part->name, exit->raw);
    if (!vt.explain_entry(v->vt, log_text, v->part->name)) {
        log_line("%s:   none that Trapeze knows; the whole %s follows", v->part->name, vt.dump_name);
        hw_fields_print_loaded(v, log_text, v->part->name);
    }
    partition_fail(v, "VM entry failed (the broken rules are above)");
    return VCPU_RESUME;
}

enum vcpu_next exit_unknown(struct vcpu *v, const struct vt_exit *exit)
{
    partition_fail(v, "exit with reason %u (%s), which Trapeze does not expect", exit->raw, vt_exit_name(exit->kind));
    return VCPU_RESUME;
}
