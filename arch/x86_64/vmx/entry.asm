; VM entry and exit: the hot path. Every instruction here is paid at every exit.
;
; uint32_t vmx_run(struct vmx_vcpu *v /* rdi */, uint64_t ticks /* rsi */), vmx_launch: arm the preemption
; timer, enter, and after the exit go on in vmx_decode(v, reason), whose result is returned. If the CPU refused to
; enter: in vmx_not_entered(v, valid). Interrupts stay off throughout.

%include "arch/x86_64/vmx/vmx_offsets.inc"

section .text
global vmx_run
global vmx_launch
global vmx_exit_entry
extern vmx_decode
extern vmx_not_entered

%macro arm_timer 0              ; it ends every stay in the guest in time, whatever RFLAGS.IF says; set anew at each entry,
    mov [rdi + OFF_VCPU_TICKS], rsi ; since its saved value would leave out the time spent outside of the guest
    mov ecx, [rdi + OFF_VCPU_TIMER_SHIFT]
    shr rsi, cl
    mov eax, [rdi + OFF_VCPU_TIMER_FIELD]
    vmwrite rax, rsi
%endmacro

%macro enter_guest 1            ; VMRESUME or VMLAUNCH
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    push rdi
    arm_timer
    cmp rsp, [rdi + OFF_VCPU_HOST_RSP]
    je %%rsp_known              ; the loop's stack depth hardly ever changes
    mov [rdi + OFF_VCPU_HOST_RSP], rsp
    mov eax, OFF_VMCS_HOST_RSP
    vmwrite rax, rsp
%%rsp_known:
    mov rax, [rdi + OFF_GPR_RAX]
    mov rcx, [rdi + OFF_GPR_RCX]
    mov rdx, [rdi + OFF_GPR_RDX]
    mov rbx, [rdi + OFF_GPR_RBX]
    mov rbp, [rdi + OFF_GPR_RBP]
    mov rsi, [rdi + OFF_GPR_RSI]
    mov r8,  [rdi + OFF_GPR_R8]
    mov r9,  [rdi + OFF_GPR_R9]
    mov r10, [rdi + OFF_GPR_R10]
    mov r11, [rdi + OFF_GPR_R11]
    mov r12, [rdi + OFF_GPR_R12]
    mov r13, [rdi + OFF_GPR_R13]
    mov r14, [rdi + OFF_GPR_R14]
    mov r15, [rdi + OFF_GPR_R15]
    mov rdi, [rdi + OFF_GPR_RDI]
    %1
    jmp not_entered
%endmacro

%macro pop_callee_saved 0
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
%endmacro

vmx_run:
    enter_guest vmresume

vmx_launch:
    enter_guest vmlaunch

not_entered:                    ; CF: VMfailInvalid, ZF: VMfailValid
    setz sil
    movzx esi, sil
    pop rdi
    pop_callee_saved
    jmp vmx_not_entered

vmx_exit_entry:                 ; RSP = HOST_RSP: the vCPU pointer is on top
    push rdi
    mov rdi, [rsp + 8]
    mov [rdi + OFF_GPR_RAX], rax
    mov [rdi + OFF_GPR_RDX], rdx
    rdtsc
    mov [rdi + OFF_GPR_RCX], rcx
    mov [rdi + OFF_GPR_RBX], rbx
    mov [rdi + OFF_GPR_RBP], rbp
    mov [rdi + OFF_GPR_RSI], rsi
    mov [rdi + OFF_GPR_R8],  r8
    mov [rdi + OFF_GPR_R9],  r9
    mov [rdi + OFF_GPR_R10], r10
    mov [rdi + OFF_GPR_R11], r11
    mov [rdi + OFF_GPR_R12], r12
    mov [rdi + OFF_GPR_R13], r13
    mov [rdi + OFF_GPR_R14], r14
    mov [rdi + OFF_GPR_R15], r15
    pop qword [rdi + OFF_GPR_RDI]
    pop rdi
    pop_callee_saved
    shl rdx, 32
    or rdx, rax
    mov [rdi + OFF_VCPU_EXIT_TSC], rdx
    mov eax, OFF_VMCS_EXIT_REASON
    vmread rsi, rax
    jmp vmx_decode

section .note.GNU-stack noalloc noexec nowrite progbits
