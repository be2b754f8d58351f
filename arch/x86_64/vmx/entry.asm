; VM entry and exit: the hot path. Every instruction here is paid at every exit.
;
; vmx_run(struct vmx_vcpu *v /* rdi */, uint64_t ticks /* rsi */): arm the preemption timer, enter, and after the exit go
; on in vmx_decode(v, reason), whose result is returned in EAX. If the CPU refused to enter: in vmx_not_entered(v).
; vmx_launch(v): the same by VMLAUNCH, with the timer as it is. Interrupts stay off throughout. Of the caller's registers
; only RSP is kept: vt_enter() tells the compiler so.
;
; HOST_RSP is the vCPU itself, so that after an exit its registers can be stored before any is free. Nothing is pushed
; there: interrupts are off, #MC and #DF have stacks of their own, and the NMI stub, which otherwise moves to the
; interrupted stack, stays on its own where it finds RIP in section .text.no_stack.

%include "arch/x86_64/vmx/vmx_offsets.inc"
%include "arch/x86_64/vt/gpr.inc"
%include "arch/x86_64/vt/returns.inc"

section .text
global vmx_run
global vmx_launch
global vmx_run_swapping
global vmx_exit_entry
global vmx_exit_one_call
global vmx_exit_refill
global vmx_exit_swap
extern mitigation_spec_ctrl
extern vmx_decode
extern vmx_not_entered
extern vmx_no_vmcs

%macro enter_guest 1            ; VMRESUME or VMLAUNCH
    mov [rdi + OFF_VCPU_HOST_RSP], rsp
    mov rax, [rdi + OFF_GPR_RAX]
    load_guest_registers
    %1
    jmp not_entered
%endmacro

vmx_run:                        ; The timer ends every stay in the guest in time, whatever RFLAGS.IF says. It is set anew at
    mov ecx, [rdi + OFF_VCPU_TIMER_SHIFT] ; each entry: its saved value would leave out the time spent outside of the guest.
    shr rsi, cl
    mov eax, [rdi + OFF_VCPU_TIMER_FIELD]
    vmwrite rax, rsi
    enter_guest vmresume

vmx_launch:
    enter_guest vmlaunch

not_entered:                    ; CF: VMfailInvalid, ZF: VMfailValid
    jc vmx_no_vmcs
    mov eax, OFF_VMCS_HOST_RSP
    vmread rdi, rax
    jmp vmx_not_entered

; In the place of vmx_run() once a guest has an IA32_SPEC_CTRL of its own. No indirect branch of the hypervisor's comes between
; that and the entry; an NMI's handler does with the hypervisor's value what it does (idt.c).
vmx_run_swapping:
    cmp byte [rdi + OFF_VCPU_SPEC_CTRL_PASSED], 0
    je vmx_run
    mov rax, [rdi + OFF_VCPU_SPEC_CTRL]
    cmp rax, [rel mitigation_spec_ctrl]
    je vmx_run
    mov rdx, rax
    shr rdx, 32
    mov ecx, OFF_MSR_SPEC_CTRL
    wrmsr
    jmp vmx_run

section .text.no_stack progbits alloc exec nowrite align=16
%macro leave_guest 0            ; RSP: the vCPU
    mov [rsp + OFF_GPR_RAX], rax
    mov [rsp + OFF_GPR_RDI], rdi
    save_guest_registers rsp
    mov rdi, rsp
    mov rsp, [rdi + OFF_VCPU_HOST_RSP]
%endmacro

vmx_exit_swap:
    leave_guest
    mov ecx, OFF_MSR_SPEC_CTRL
    rdmsr
    mov [rdi + OFF_VCPU_SPEC_CTRL], eax
    mov [rdi + OFF_VCPU_SPEC_CTRL + 4], edx
    mov rax, [rel mitigation_spec_ctrl]
    cmp rax, [rdi + OFF_VCPU_SPEC_CTRL]
    je .same
    xor edx, edx
    wrmsr
.same:                          ; the LFENCE that follows ends speculation that took the wrong way
    returns_one_call
    jmp exited

vmx_exit_refill:
    leave_guest
    returns_refill
    jmp exited

vmx_exit_one_call:
    leave_guest
    returns_one_call
    jmp exited

vmx_exit_entry:
    leave_guest
exited:
    mov eax, OFF_VMCS_GUEST_RIP
    vmread [rdi + OFF_VCPU_EXIT_RIP], rax
    mov eax, OFF_VMCS_EXIT_REASON
    vmread rsi, rax
    jmp vmx_decode

section .note.GNU-stack noalloc noexec nowrite progbits
