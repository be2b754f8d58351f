/* Raw exit reasons to neutral exits: one row per reason, a decoder only where there is something to read. */
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/vmx_exits.h"
#include "arch/x86_64/vmx/insn.h"
#include "arch/x86_64/vmx/vmx.h"

static void set_nmi_blocking(bool blocked)
{
    uint64_t state = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & ~(uint64_t)VT_SHADOW_NMI;
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, state | (blocked ? VT_SHADOW_NMI : 0));
}

/* Delivery of an event may have been cut short by these exits: keep it, so that it is repeated. */
static void keep_vectoring(struct vmx_vcpu *v)
{
    uint64_t info = vmread(VMCS_IDT_VECTORING_INFORMATION);
    if (LIKELY(!(info & INTERRUPTION_VALID)))
        return;
    v->vectoring = info;
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFORMATION, info & ~(uint64_t)INTERRUPTION_NMI_UNBLOCKING);
    vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
    if (info & INTERRUPTION_ERROR_CODE)
        vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, vmread(VMCS_IDT_VECTORING_ERROR_CODE));
    if (INTERRUPTION_TYPE(info) == INTERRUPTION_NMI) {
        set_nmi_blocking(false);
        v->nmi_injected = true;
    }
}

/* Bochs quirk: an NMI exit leaves blocking by NMI set in the guest. It can be true only after an injected NMI, until the
 * guest's IRET. */
static void settle_nmi_blocking(struct vmx_vcpu *v)
{
    if (!(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & VT_SHADOW_NMI))
        v->nmi_injected = false;
    else if (!v->nmi_injected)
        set_nmi_blocking(false);
}

static uint32_t decode_exception(struct vmx_vcpu *v, struct vt_exit *exit)
{
    uint64_t info = vmread(VMCS_EXIT_INTERRUPTION_INFORMATION);
    exit->qualification = vmread(VMCS_EXIT_QUALIFICATION);
    exit->exception.vector = (uint8_t)info;
    exit->exception.type = (uint8_t)INTERRUPTION_TYPE(info);
    exit->exception.has_error_code = info & INTERRUPTION_ERROR_CODE;
    exit->exception.error_code =
        exit->exception.has_error_code ? (uint32_t)vmread(VMCS_EXIT_INTERRUPTION_ERROR_CODE) : 0;
    exit->kind = INTERRUPTION_TYPE(info) == INTERRUPTION_NMI ? VT_EXIT_NMI : VT_EXIT_EXCEPTION;
    if (exit->kind == VT_EXIT_NMI)
        settle_nmi_blocking(v);
    keep_vectoring(v); /* of an IRET that faulted the guest gets the exception, and NMIs are open: no need to block them */
    return exit->kind;
}

static uint32_t decode_interrupt(struct vmx_vcpu *v, struct vt_exit *exit)
{
    exit->interrupt.vector = (uint8_t)vmread(VMCS_EXIT_INTERRUPTION_INFORMATION);
    return exit->kind = VT_EXIT_INTERRUPT;
}

/* The low 6 bits of the qualification, taken apart: SDM vol 3, "Exit Qualification for I/O Instructions". */
#define IO_ROW(q) { .size = ((q) & 7) + 1, .in = ((q) & QUALIFICATION_IO_IN) != 0, \
                    .string = ((q) & QUALIFICATION_IO_STRING) != 0, .rep = ((q) & QUALIFICATION_IO_REP) != 0 }
#define IO_ROWS(q) IO_ROW(q), IO_ROW((q) + 1), IO_ROW((q) + 2), IO_ROW((q) + 3), \
                   IO_ROW((q) + 4), IO_ROW((q) + 5), IO_ROW((q) + 6), IO_ROW((q) + 7)
static const struct vt_io io_rows[64] = {
    IO_ROWS(0), IO_ROWS(8), IO_ROWS(16), IO_ROWS(24), IO_ROWS(32), IO_ROWS(40), IO_ROWS(48), IO_ROWS(56),
};

static uint32_t decode_io(struct vmx_vcpu *v, struct vt_exit *exit)
{
    uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
    exit->qualification = q;
    exit->io = io_rows[q & 63];
    exit->io.port = (uint16_t)(q >> 16);
    return exit->kind = VT_EXIT_IO;
}

static uint32_t decode_ept_violation(struct vmx_vcpu *v, struct vt_exit *exit)
{
    uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
    exit->qualification = q;
    exit->mem.gpa = GPA(vmread(VMCS_GUEST_PHYSICAL_ADDRESS));
    exit->mem.read = q & QUALIFICATION_EPT_READ;
    exit->mem.write = q & QUALIFICATION_EPT_WRITE;
    exit->mem.fetch = q & QUALIFICATION_EPT_FETCH;
    /* Only an access to the translation of the linear address is the instruction's own; the others are page walks. */
    exit->mem.own = (q & (QUALIFICATION_EPT_LINEAR_VALID | QUALIFICATION_EPT_TRANSLATED)) ==
                    (QUALIFICATION_EPT_LINEAR_VALID | QUALIFICATION_EPT_TRANSLATED);
    /* An IRET that will be done again opened the NMIs already: SDM vol 3, "Resuming Guest Software after Handling an
     * Exception". The bit means nothing if an event was being delivered. */
    if (UNLIKELY(q & QUALIFICATION_EPT_NMI_UNBLOCKING) &&
        !(vmread(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID))
        set_nmi_blocking(true);
    keep_vectoring(v);
    return exit->kind = VT_EXIT_MMIO;
}

static uint32_t decode_ept_misconfiguration(struct vmx_vcpu *v, struct vt_exit *exit)
{
    exit->mem.gpa = GPA(vmread(VMCS_GUEST_PHYSICAL_ADDRESS));
    exit->mem.own = exit->mem.read = exit->mem.write = exit->mem.fetch = false;
    keep_vectoring(v);
    return exit->kind = VT_EXIT_BAD_NESTED_PAGE;
}

static uint32_t decode_cr(struct vmx_vcpu *v, struct vt_exit *exit)
{
    uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
    unsigned access = QUALIFICATION_CR_ACCESS(q);
    exit->qualification = q;
    exit->cr.gpr = (uint8_t)QUALIFICATION_CR_REGISTER(q);
    exit->cr.cr = (uint8_t)QUALIFICATION_CR_NUMBER(q);
    exit->cr.how = VT_CR_MOV;
    if (LIKELY(access == CR_ACCESS_WRITE))
        return exit->kind = VT_EXIT_CR_WRITE;
    if (access == CR_ACCESS_READ)
        return exit->kind = VT_EXIT_CR_READ;
    exit->cr.how = access == CR_ACCESS_CLTS ? VT_CR_CLTS : VT_CR_LMSW;
    exit->cr.lmsw_value = QUALIFICATION_CR_LMSW_SOURCE(q);
    return exit->kind = VT_EXIT_CR_WRITE;
}

static uint32_t decode_dr(struct vmx_vcpu *v, struct vt_exit *exit)
{
    uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
    exit->qualification = q;
    exit->dr.number = (uint8_t)QUALIFICATION_DR_NUMBER(q);
    exit->dr.gpr = (uint8_t)QUALIFICATION_DR_REGISTER(q);
    exit->dr.read = q & QUALIFICATION_DR_READ;
    return exit->kind = VT_EXIT_DR_ACCESS;
}

static uint32_t decode_tsc(struct vmx_vcpu *v, struct vt_exit *exit)
{
    exit->tsc.aux = exit->raw == EXIT_REASON_RDTSCP;
    return exit->kind = VT_EXIT_RDTSC;
}

static uint32_t decode_random(struct vmx_vcpu *v, struct vt_exit *exit)
{
    exit->random.seed = exit->raw == EXIT_REASON_RDSEED;
    return exit->kind = VT_EXIT_RDRAND;
}

static uint32_t decode_qualified(struct vmx_vcpu *v, struct vt_exit *exit)
{
    exit->qualification = vmread(VMCS_EXIT_QUALIFICATION);
    return exit->kind = vmx_exit_rows[exit->raw].kind;
}

static uint32_t decode_sipi(struct vmx_vcpu *v, struct vt_exit *exit)
{
    uint32_t kind = decode_qualified(v, exit);
    /* Bochs quirk: a SIPI exit saves blocking by SMI, with which no entry succeeds; outside SMM it is never true. */
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & ~UINT64_C(4));
    return kind;
}

/* An event that enters a task gate is delivered by the switch, so it is not kept for the next entry. */
static uint32_t decode_task_switch(struct vmx_vcpu *v, struct vt_exit *exit)
{
    uint32_t kind = decode_qualified(v, exit);
    exit->task.selector = QUALIFICATION_TASK_SELECTOR(exit->qualification);
    exit->task.source = (uint8_t)QUALIFICATION_TASK_SOURCE(exit->qualification);
    exit->task.length = 0;
    exit->task.event = (struct vt_event){ 0 };
    if (exit->task.source == VT_TASK_IDT) {
        uint64_t info = vmread(VMCS_IDT_VECTORING_INFORMATION);
        exit->task.event.vector = (uint8_t)INTERRUPTION_VECTOR(info);
        exit->task.event.type = (uint8_t)INTERRUPTION_TYPE(info);
        exit->task.event.has_error_code = info & INTERRUPTION_ERROR_CODE;
        if (info & INTERRUPTION_ERROR_CODE)
            exit->task.event.error_code = (uint32_t)vmread(VMCS_IDT_VECTORING_ERROR_CODE);
        if (exit->task.event.type < VT_EVENT_SOFT_INTERRUPT)
            return kind;
    }
    exit->task.length = (uint8_t)vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
    return kind;
}

static uint32_t decode_apic_access(struct vmx_vcpu *v, struct vt_exit *exit)
{
    uint32_t kind = decode_qualified(v, exit);
    exit->apic.offset = exit->qualification & 0xfff;
    unsigned type = (exit->qualification >> 12) & 0xf; /* 0: a linear read, 1: a linear write */
    exit->apic.own = type <= 1;
    exit->apic.write = type == 1;
    keep_vectoring(v);
    return kind;
}

static uint32_t decode_apic_write(struct vmx_vcpu *v, struct vt_exit *exit)
{
    uint32_t kind = decode_qualified(v, exit);
    exit->apic.offset = exit->qualification & 0xff0;
    exit->apic.write = true;
    return kind;
}

const struct vmx_exit_row vmx_exit_rows[VMX_EXIT_ROWS] = {
#define ROW(reason, neutral, decoder) [EXIT_REASON_##reason] = { VT_EXIT_##neutral, decoder }
    ROW(EXCEPTION_OR_NMI, EXCEPTION, decode_exception),
    ROW(EXTERNAL_INTERRUPT, INTERRUPT, decode_interrupt),
    ROW(TRIPLE_FAULT, TRIPLE_FAULT, NULL),
    ROW(INIT, INIT, NULL),
    ROW(SIPI, SIPI, decode_sipi),
    ROW(INTERRUPT_WINDOW, INTERRUPT_WINDOW, NULL),
    ROW(NMI_WINDOW, NMI_WINDOW, NULL),
    ROW(TASK_SWITCH, TASK_SWITCH, decode_task_switch),
    ROW(CPUID, CPUID, NULL),
    ROW(GETSEC, UNDEFINED, NULL),
    ROW(HLT, HLT, NULL),
    ROW(INVD, WBINVD, NULL),
    ROW(INVLPG, INVLPG, decode_qualified),
    ROW(RDPMC, RDPMC, NULL),
    ROW(RDTSC, RDTSC, decode_tsc),
    ROW(RSM, UNDEFINED, NULL),
    ROW(VMCALL, HYPERCALL, NULL),
    ROW(VMCLEAR, UNDEFINED, NULL),
    ROW(VMLAUNCH, UNDEFINED, NULL),
    ROW(VMPTRLD, UNDEFINED, NULL),
    ROW(VMPTRST, UNDEFINED, NULL),
    ROW(VMREAD, UNDEFINED, NULL),
    ROW(VMRESUME, UNDEFINED, NULL),
    ROW(VMWRITE, UNDEFINED, NULL),
    ROW(VMXOFF, UNDEFINED, NULL),
    ROW(VMXON, UNDEFINED, NULL),
    ROW(CR_ACCESS, CR_WRITE, decode_cr),
    ROW(MOV_DR, DR_ACCESS, decode_dr),
    ROW(IO_INSTRUCTION, IO, decode_io),
    ROW(RDMSR, RDMSR, NULL),
    ROW(WRMSR, WRMSR, NULL),
    ROW(MWAIT, MWAIT, NULL),
    ROW(MONITOR, MWAIT, NULL),
    ROW(PAUSE, PAUSE, NULL),
    ROW(TPR_BELOW_THRESHOLD, TPR_BELOW, NULL),
    ROW(APIC_ACCESS, APIC_ACCESS, decode_apic_access),
    ROW(VIRTUALIZED_EOI, APIC_EOI, decode_qualified),
    ROW(GDTR_IDTR_ACCESS, DESCRIPTOR, decode_qualified),
    ROW(LDTR_TR_ACCESS, DESCRIPTOR, decode_qualified),
    ROW(EPT_VIOLATION, MMIO, decode_ept_violation),
    ROW(EPT_MISCONFIGURATION, BAD_NESTED_PAGE, decode_ept_misconfiguration),
    ROW(INVEPT, UNDEFINED, NULL),
    ROW(RDTSCP, RDTSC, decode_tsc),
    ROW(PREEMPTION_TIMER, TIMER, NULL),
    ROW(INVVPID, UNDEFINED, NULL),
    ROW(WBINVD, WBINVD, NULL),
    ROW(XSETBV, XSETBV, NULL),
    ROW(APIC_WRITE, APIC_WRITE, decode_apic_write),
    ROW(RDRAND, RDRAND, decode_random),
    ROW(INVPCID, INVPCID, decode_qualified),
    ROW(VMFUNC, UNDEFINED, NULL),
    ROW(ENCLS, UNDEFINED, NULL),
    ROW(RDSEED, RDRAND, decode_random),
    ROW(XSAVES, UNDEFINED, NULL),
    ROW(XRSTORS, UNDEFINED, NULL),
#undef ROW
};
