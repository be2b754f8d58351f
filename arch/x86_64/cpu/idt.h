/* The interrupt descriptor table, common to all CPUs, and the frame every stub builds.
 * The hypervisor runs with interrupts off but in cpu_idle(); exceptions end in panic() unless fixup.h knows the
 * instruction. NMIs may come anywhere: their stub leaves the IST stack at once for the interrupted one, so that a
 * nested NMI (an exception's IRET ends the blocking of NMIs) cannot destroy the first one's frame. Only where RSP is no
 * stack, just after a VM exit, it stays: so while guests run, no NMI handler may cause an exception that fixup.h
 * mends. */
#ifndef ARCH_X86_64_CPU_IDT_H
#define ARCH_X86_64_CPU_IDT_H

#include "hv/lib/types.h"

/* As idt.asm pushes it, on top of what the CPU pushes. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector;
    uint64_t error_code; /* 0 where the vector has none */
    uint64_t rip, cs, rflags, rsp, ss;
};
HW_SIZE(struct trap_frame, 22 * 8);
HW_OFFSET(struct trap_frame, vector, 15 * 8);

/* Build the table; once, before the first pcpu_load(). */
void idt_init(void);
void idt_load(void);

/* For the VMCS host-state area. */
uint64_t idt_base(void);

/* Called by idt.asm. */
void trap_dispatch(struct trap_frame *frame);

/* The mnemonic and name of an exception: "#GP general protection"; "interrupt" above the exceptions. */
const char *exception_name(unsigned vector);

#endif
