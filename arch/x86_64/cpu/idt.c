#include "arch/x86_64/cpu/idt.h"
#include "arch/x86_64/cpu/fixup.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/cpu/panic.h"
#include "arch/x86_64/cpu/pcpu.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "arch/x86_64/isa/segment.h"

#define STUB_SIZE 16 /* as in idt.asm */
_Static_assert(EXC_WITH_ERROR_CODE == 0x60227d00, "ERROR_VECTORS in idt.asm");

extern const char idt_stubs[], idt_nmi_stub[];
extern const char cpu_idle_window[], cpu_idle_end[];
extern const char no_stack_start[], no_stack_end[], no_gs_start[], no_gs_end[]; /* image.ld */

/* On a VM exit the CPU sets the limit to 0xffff; vectors above 255 do not exist, so nothing lies behind it. */
static _Alignas(4096) struct idt_gate idt[VECTOR_COUNT];

static const uint8_t ist_of[EXC_COUNT] = {
    [EXC_NMI] = HOST_IST_NMI, [EXC_DF] = HOST_IST_DF, [EXC_MC] = HOST_IST_MC,
};

static const char *const names[EXC_COUNT] = {
    [EXC_DE] = "#DE divide error",
    [EXC_DB] = "#DB debug",
    [EXC_NMI] = "NMI",
    [EXC_BP] = "#BP breakpoint",
    [EXC_OF] = "#OF overflow",
    [EXC_BR] = "#BR bound range exceeded",
    [EXC_UD] = "#UD invalid opcode",
    [EXC_NM] = "#NM device not available",
    [EXC_DF] = "#DF double fault",
    [EXC_TS] = "#TS invalid TSS",
    [EXC_NP] = "#NP segment not present",
    [EXC_SS] = "#SS stack-segment fault",
    [EXC_GP] = "#GP general protection",
    [EXC_PF] = "#PF page fault",
    [EXC_MF] = "#MF x87 floating-point error",
    [EXC_AC] = "#AC alignment check",
    [EXC_MC] = "#MC machine check",
    [EXC_XM] = "#XM SIMD floating-point",
    [EXC_VE] = "#VE virtualization",
    [EXC_CP] = "#CP control protection",
    [EXC_HV] = "#HV hypervisor injection",
    [EXC_VC] = "#VC VMM communication",
    [EXC_SX] = "#SX security",
};

const char *exception_name(unsigned vector)
{
    if (vector >= EXC_COUNT)
        return "interrupt";
    return names[vector] ? names[vector] : "reserved exception";
}

static void gate_set(unsigned vector, const char *stub, uint8_t ist)
{
    uint64_t at = (uint64_t)(uintptr_t)stub;
    idt[vector] = (struct idt_gate){
        .offset_low = (uint16_t)at,
        .selector = HOST_SEL_CODE,
        .ist = ist,
        .type = IDT_GATE_P | SYS_INTERRUPT_GATE,
        .offset_mid = (uint16_t)(at >> 16),
        .offset_high = (uint32_t)(at >> 32),
    };
}

void idt_init(void)
{
    for (unsigned v = 0; v < VECTOR_COUNT; v++)
        gate_set(v, idt_stubs + v * STUB_SIZE, v < EXC_COUNT ? ist_of[v] : HOST_IST_NONE);
    gate_set(EXC_NMI, idt_nmi_stub, HOST_IST_NMI);
}

uint64_t idt_base(void)
{
    return (uint64_t)(uintptr_t)idt;
}

void idt_load(void)
{
    const struct descriptor_table t = { sizeof idt - 1, idt_base() };
    lidt(&t);
}

static bool is_in(const struct trap_frame *frame, const char *start, const char *end)
{
    return frame->rip >= (uint64_t)(uintptr_t)start && frame->rip < (uint64_t)(uintptr_t)end;
}

/* See cpu_idle_wait in idt.asm. */
static void leave_idle_window(struct trap_frame *frame)
{
    if (is_in(frame, cpu_idle_window, cpu_idle_end))
        frame->rip = (uint64_t)(uintptr_t)cpu_idle_end;
}

/* Just after a VM exit, and on AMD-V around VMRUN: the NMI that ended a guest's stay comes there. */
static bool is_at_guest(const struct trap_frame *frame)
{
    return is_in(frame, no_stack_start, no_stack_end) || is_in(frame, no_gs_start, no_gs_end);
}

/* Around an entry it finds the guest's IA32_SPEC_CTRL in force. */
static void take_nmi(const struct trap_frame *frame)
{
    uint64_t found = mitigation_spec_ctrl ? rdmsr(IA32_SPEC_CTRL) : 0;
    if (mitigation_spec_ctrl)
        wrmsr(IA32_SPEC_CTRL, mitigation_spec_ctrl);
    nmi_dispatch(is_at_guest(frame) ? NULL : frame);
    if (mitigation_spec_ctrl)
        wrmsr(IA32_SPEC_CTRL, found);
}

void trap_dispatch(struct trap_frame *frame)
{
    unsigned vector = (unsigned)frame->vector;
    if (vector >= VECTOR_FIRST_IRQ) {
        irq_dispatch(vector);
    } else if (vector == EXC_NMI) {
        take_nmi(frame);
        leave_idle_window(frame);
    } else if (!fixup_apply(frame)) {
        panic_exception(frame);
    }
}
